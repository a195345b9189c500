"""WebSockets by whatever ASGI server there is: portable, and no private interface of anybody under it.

An ASGI server frames by itself and takes one message at a time, so a connection here has tasks of its own, and each
message is copied for each recipient: correct, but not fast. picows_transport.py is the one for many connections.
Must not know what messages mean. Ruled by docs/realtime.md ("Two transports").
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

from recado.app.addresses import Network
from recado.errors import SocketClose
from recado.protocol.websocket import is_text, payload_of
from recado.realtime.head import Head, Refusal
from recado.realtime.hub import Log
from recado.realtime.transport import Endpoint, Receiver

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

HIGH_WATER_BYTES = 65_536
_WITHOUT_GOODBYE = frozenset({1005, 1006})


class AsgiTransport:
    """A link's transport; `run` is the connection's life inside the ASGI application."""

    name = "asgi"
    is_fetched = False
    direct = None

    def __init__(self) -> None:
        self._backlog: deque[bytes | SocketClose] = deque()
        self._backlog_bytes = 0
        self._news = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._closing = False
        self._reader: asyncio.Task[None] | None = None
        self._receiver: Receiver | None = None

    @property
    def writable(self) -> bool:
        return self._backlog_bytes < HIGH_WATER_BYTES

    def send(self, frames: list[bytes]) -> None:
        if not self._closing:
            self._backlog.extend(frames)
            self._backlog_bytes += sum(map(len, frames))
            self._news.set()

    def buffered_bytes(self) -> int:
        return self._backlog_bytes

    def close(self, close: SocketClose, last: list[bytes]) -> None:
        if not self._closing:
            self.send(last)
            self._closing = True
            self._backlog.append(close)
            self._news.set()
            self._may_read.set()  # the peer's goodbye is still to come

    def abort(self) -> None:
        """As hard as ASGI can: the server closes in its own time."""
        if self._reader is not None:
            self._reader.cancel()

    def pause_reading(self) -> None:
        """The server may still read some; what it has waits with it."""
        if not self._closing:
            self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def report_to(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def run(self, receiver: Receiver, receive: Receive, send: Send) -> None:
        """Until either side is gone; then the receiver has heard its last."""
        self._receiver = receiver
        self._reader = asyncio.create_task(self._read(receive))
        writer = asyncio.create_task(self._write(send))
        try:
            await asyncio.wait({self._reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks, self._reader = (self._reader, writer), None
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            last, self._receiver = self._receiver, None
            last.transport_lost()
        # Not the writer's: that the server had closed before us, each server says its way.
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]

    async def _read(self, receive: Receive) -> None:
        while (receiver := self._receiver) is not None:
            await self._may_read.wait()
            message = await receive()
            if message["type"] == "websocket.disconnect":
                if message.get("code", 1005) not in _WITHOUT_GOODBYE:
                    receiver.peer_closed()
                return
            await self._may_read.wait()  # it may have been paused while this message was waited for
            if self._closing:
                continue
            text = message.get("text")
            if text is not None:
                receiver.receive_text(text, len(text.encode()))
            else:
                receiver.touch()
                receiver.receive_binary(message["bytes"])

    async def _write(self, send: Send) -> None:
        while True:
            while self._backlog:
                each = self._backlog[0]
                if isinstance(each, SocketClose):
                    await send({"type": "websocket.close", "code": each.code, "reason": each.reason})
                elif is_text(each):
                    await send({"type": "websocket.send", "text": payload_of(each).decode()})
                else:
                    await send({"type": "websocket.send", "bytes": payload_of(each)})
                self._backlog.popleft()
                self._backlog_bytes -= 0 if isinstance(each, SocketClose) else len(each)
            self._news.clear()
            await self._news.wait()


def head_of_scope(scope: Message, trusted_proxies: Collection[Network]) -> Head:
    """Of a request or of an upgrade, which is a GET."""
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1").partition("?")[0]
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    peer = scope["client"][0] if scope.get("client") else ""
    target = f"{path}?{query}" if query else path
    return Head(scope.get("method", "GET"), target, fields, peer=peer, trusted_proxies=trusted_proxies)


class AsgiWebSockets:
    """An ASGI application: each endpoint's WebSockets at its path, everything else is `application`'s."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        application: Application,
        *,
        log: Log,
        trusted_proxies: Collection[Network] = (),
    ) -> None:
        self._endpoints = {path.rstrip("/"): endpoint for path, endpoint in endpoints.items()}
        self._application = application
        self._log = log
        self._trusted_proxies = tuple(trusted_proxies)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._application(scope, receive, send)
            return
        head = head_of_scope(scope, self._trusted_proxies)
        endpoint = self._endpoints.get(head.path.rstrip("/"))
        refusal = self._not_found() if endpoint is None else endpoint.admit(head)
        await receive()  # websocket.connect
        if endpoint is None or refusal is not None:
            await _refuse(send, refusal or Refusal(404, "Not found"))
            return
        with contextlib.suppress(OSError):
            await send({"type": "websocket.accept"})
            transport = AsgiTransport()
            try:
                await transport.run(endpoint.open(transport, head), receive, send)
            except Exception:  # noqa: BLE001 - one connection's trouble is nobody else's, and its text nobody's
                self._log.exception("socket_callback_failed")
                await send({"type": "websocket.close", "code": 1011, "reason": "internal error"})

    def _not_found(self) -> Refusal:
        refusal = Refusal(404, "Not found")
        next(iter(self._endpoints.values())).refused(refusal)
        return refusal


async def _refuse(send: Send, refusal: Refusal) -> None:
    """By ASGI's extension `websocket.http.response`; a server without it would answer 403 to everything."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    with contextlib.suppress(OSError):
        await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": refusal.text.encode()})
