"""A connection until its first read, which tells what it is: a WebSocket's whole head, or something for uvicorn's HTTP.

Nearly all WebSockets come with it, and need no HTTP parser, no timer and no addresses. Mostly it is there before the
loop has begun to read. Must not know frames or requests. Ruled by docs/realtime.md.
"""

import asyncio
import os
import re
from time import monotonic
from typing import Any, ClassVar

from recado.realtime.head import find_upgrade
from recado.realtime.http_protocol import HttpProtocol
from recado.realtime.picows_protocol import WebSocketProtocol

AHEAD_BYTES = 4_096
"""Most heads are shorter; a longer one is whole with the loop's read."""


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

    __slots__ = ("_ahead", "_app_state", "_config", "_server_state", "_transport")

    http: ClassVar[type[HttpProtocol]]
    silent: ClassVar[Silent]
    sockets: ClassVar[type[WebSocketProtocol]]

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: object = None) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A WebSocket whose head is here is spared that the loop changes its reader."""
        self._transport = transport
        self._ahead = _read_ahead(transport)
        head = find_upgrade(self._ahead)
        if head is not None:
            self._become_socket(head, self._ahead)
            return
        self._server_state.connections.add(self)
        self.silent.add(self)
        if self._ahead:  # not yet: HTTP may ask for a pause, which the loop forgets as it begins to read
            asyncio.get_running_loop().call_soon(self.data_received, b"")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._ahead = b""
        self._leave()

    def shutdown(self) -> None:
        """uvicorn's: the server stops."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        data, self._ahead = self._ahead + data, b""
        if not data:
            return
        head = find_upgrade(data)
        if head is None:
            self.become_http().data_received(data)
            return
        self._leave()
        self._become_socket(head, data)

    def _become_socket(self, head: re.Match[bytes], data: bytes) -> None:
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


def _read_ahead(transport: asyncio.Transport) -> bytes:
    """What came with the connection. Nothing, an end, an error: all that is the loop's to find."""
    if transport.get_extra_info("ssl_object"):
        return b""
    try:
        return os.read(transport.get_extra_info("socket").fileno(), AHEAD_BYTES)
    except OSError:
        return b""


def make_first_read(http: type[HttpProtocol], sockets: type[WebSocketProtocol]) -> type[FirstRead]:
    variables = {"__slots__": (), "http": http, "sockets": sockets, "silent": Silent(http.head_timeout_s)}
    return type("FirstRead", (FirstRead,), variables)
