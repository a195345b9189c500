"""A connection until its first read, which tells what it is: a WebSocket's whole head, or something for uvicorn's HTTP.

Nearly all WebSockets come with it, and need no HTTP parser, no timer and no addresses. Must not know frames or
requests. Ruled by docs/realtime.md.
"""

import asyncio
from time import monotonic
from typing import Any, ClassVar

from recado.realtime.head import find_upgrade
from recado.realtime.http_protocol import HttpProtocol
from recado.realtime.picows_protocol import WebSocketProtocol


class Silent:
    """Who has said nothing yet, oldest first. One timer for all; who waits too long is left to HTTP, which refuses."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._since: dict[FirstRead, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: "FirstRead") -> None:
        self._since[connection] = monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._patience_s, self._turn)

    def discard(self, connection: "FirstRead") -> float:
        """Since when it was here."""
        return self._since.pop(connection, 0.0)

    def _turn(self) -> None:
        self._timer = None
        while self._since:
            connection, since = next(iter(self._since.items()))
            left_s = since + self._patience_s - monotonic()
            if left_s > 0:
                self._timer = asyncio.get_running_loop().call_later(left_s, self._turn)
                return
            connection.become_http()


class FirstRead(asyncio.Protocol):
    """For uvicorn's `http=`. `make_first_read` sets the class variables."""

    __slots__ = ("_app_state", "_config", "_server_state", "_transport")

    http: ClassVar[type[HttpProtocol]]
    silent: ClassVar[Silent]
    sockets: ClassVar[type[WebSocketProtocol]]

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: object = None) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._server_state.connections.add(self)
        self.silent.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._leave()

    def shutdown(self) -> None:
        """uvicorn's: the server stops."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        head = find_upgrade(data)
        if head is None:
            self.become_http().data_received(data)
            return
        self._leave()
        socket = self.sockets(self._config, self._server_state, self._app_state)
        socket.connection_made(self._transport)
        socket.take_head(head, data[head.end() :])
        self._transport.set_protocol(socket)

    def become_http(self) -> HttpProtocol:
        since = self._leave()
        protocol = self.http(self._config, self._server_state, self._app_state)
        protocol.connection_made(self._transport, since)
        self._transport.set_protocol(protocol)
        return protocol

    def _leave(self) -> float:
        self._server_state.connections.discard(self)
        return self.silent.discard(self)


def make_first_read(http: type[HttpProtocol], sockets: type[WebSocketProtocol]) -> type[FirstRead]:
    variables = {"__slots__": (), "http": http, "sockets": sockets, "silent": Silent(http.head_timeout_s)}
    return type("FirstRead", (FirstRead,), variables)
