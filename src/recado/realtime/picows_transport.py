"""WebSockets by picows, on uvicorn's port: uvicorn reads the HTTP head and hands the connection over.

The protocol class subclasses picows' `WSProtocol`, whose constructor is not public: pyproject pins 2.3.x. uvicorn
makes it with `(config, server_state, app_state)`, calls `connection_made`, then `data_received` with the rebuilt head.
Must not know what messages mean. Ruled by docs/realtime.md.
"""

import asyncio
import base64
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from recado.app.addresses import Network
from recado.errors import SocketClose
from recado.protocol.violation import ViolationError
from recado.protocol.websocket import MessageAssembler, payload_of
from recado.realtime.head import Head, Refusal, head_of_match, parse_head
from recado.realtime.hub import Log
from recado.realtime.transport import Endpoint, Receiver

MAX_HEAD_BYTES = 16_384
READ_BUFFER_BYTES = 2_048  # picows' least; 8.6 KB per idle connection instead of 23
COPIED_BYTES = 8_192
"""What picows sends whole. Of more it hands its header's buffer to the loop, and writes the next header into it."""

_HEAD = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
)
_SUPPORTED_VERSIONS = frozenset({"13", "8", "7"})
_SWITCHING = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: %s\r\n\r\n"
)


class _Switching:
    """The 101 as picows gets it: it fills in the key's answer, and writes nothing. We do, with the first packet."""

    status = HTTPStatus.SWITCHING_PROTOCOLS

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def to_bytes(self) -> bytearray:
        return bytearray()

    def encode(self) -> bytes:
        return (_SWITCHING % self.headers["Sec-WebSocket-Accept"]).encode()


# A handshake is one call of picows', so all of them can share these two.
_switching = _Switching()
_offered: "list[PicowsTransport]" = []


def _accept(_request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
    return WSUpgradeResponseWithListener(_switching, _offered.pop())  # type: ignore[arg-type]


class _LoneFrame:
    """The frame that was last sent alone, taken apart: a room's frame is so once, and not for each recipient."""

    __slots__ = ("frame", "opcode", "payload")

    def __init__(self) -> None:
        self.take_apart(b"\x81\0")

    def take_apart(self, frame: bytes) -> None:
        self.frame = frame
        self.opcode = frame[0] & 0x0F
        self.payload = payload_of(frame)


_lone = _LoneFrame()


class PicowsTransport(WSListener):
    """picows' listener on one side, a link's transport on the other."""

    __slots__ = ("_assembler", "_endpoint", "_head", "_receiver", "_socket", "_unanswered", "writable")

    name = "picows"
    is_fetched = False

    def __init__(self, endpoint: Endpoint, head: Head) -> None:
        self.writable = True
        self._endpoint = endpoint
        self._head = head
        self._assembler: MessageAssembler | None = None
        self._receiver: Receiver | None = None
        self._socket: WSTransport | None = None
        self._unanswered: WSTransport | None = None

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        # Nobody reads them again, and they are kilobytes per connection.
        transport.request.headers = None  # type: ignore[assignment]
        self._unanswered = transport
        try:
            self._receiver = self._endpoint.open(self, self._head)
        finally:
            self._greet([])

    def touch(self) -> None:
        if self._receiver is not None:
            self._receiver.touch()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        if transport.is_close_frame_sent:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        try:
            extended = frame.rsv1 or frame.rsv2 or frame.rsv3
            if not extended and frame.msg_type == WSMsgType.TEXT and frame.fin and self._assembler is None:
                receiver.receive_text(_text_of(frame), frame.payload_size)
            else:
                self._on_rarer_frame(transport, receiver, frame)
        except ViolationError as violation:
            receiver.fail(violation.reason)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' signature
        receiver, self._receiver, self._socket = self._receiver, None, None
        if receiver is not None:
            receiver.transport_lost()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True

    # What the link calls, and a probe before it.

    def report_to(self, receiver: Receiver) -> None:
        if self._receiver is not None:
            self._receiver = receiver

    def send(self, frames: list[bytes]) -> None:
        """A lone frame goes to picows as its payload: its own write is a sixth cheaper than the loop's."""
        socket = self._socket
        if socket is None:
            self._greet(frames)
            return
        if len(frames) == 1:
            if (frame := frames[0]) is not _lone.frame:
                _lone.take_apart(frame)
            if len(frame) <= COPIED_BYTES:
                socket.send(_lone.opcode, _lone.payload)  # type: ignore[arg-type]
                return
        if not socket.is_close_frame_sent:
            socket.underlying_transport.write(b"".join(frames))

    def buffered_bytes(self) -> int:
        return 0 if self._socket is None else self._socket.underlying_transport.get_write_buffer_size()

    def close(self, close: SocketClose, last: list[bytes]) -> None:
        if last:
            self.send(last)
        self._greet([])
        if self._socket is not None:
            self._socket.send_close(close.code, close.reason.encode())  # type: ignore[arg-type]
            self.resume_reading()  # the peer's CLOSE, or its end of file, finishes it

    def abort(self) -> None:
        if self._socket is not None:
            self._socket.underlying_transport.abort()

    def pause_reading(self) -> None:
        if self._socket is not None:
            self._socket.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        if self._socket is not None:
            self._socket.underlying_transport.resume_reading()

    def _greet(self, frames: list[bytes]) -> None:
        """101, if it has not left, with what the session says first: a second write costs a twelfth of a handshake."""
        unanswered, self._unanswered = self._unanswered, None
        if unanswered is not None:
            self._socket = unanswered
            unanswered.underlying_transport.write(b"".join([_switching.encode(), *frames]))

    def _on_rarer_frame(self, transport: WSTransport, receiver: Receiver, frame: WSFrame) -> None:
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise ViolationError("no extension was agreed on")
        if kind in _DATA:
            message = self._assemble(kind.value, frame.get_payload_as_bytes(), fin=bool(frame.fin))
            if isinstance(message, str):
                receiver.receive_text(message, len(message.encode()))
            elif message is not None:
                receiver.receive_binary(message)
        elif kind == WSMsgType.CLOSE:
            receiver.peer_closed()
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif kind == WSMsgType.PING and self.writable:
            # A peer that pings but does not read must not fill our memory with pongs.
            transport.send_pong(frame.get_payload_as_bytes())

    def _assemble(self, opcode: int, payload: bytes, *, fin: bool) -> str | bytes | None:
        if self._assembler is None:
            self._assembler = MessageAssembler(self._endpoint.max_payload_bytes)
        message = self._assembler.feed(opcode, payload, fin=fin)
        if self._assembler.is_idle:
            self._assembler = None
        return message


def _text_of(frame: WSFrame) -> str:
    try:
        return frame.get_payload_as_utf8_text()
    except UnicodeDecodeError:
        raise ViolationError("a text message must be UTF-8", reason="invalid UTF-8") from None


_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION})


class _PicowsLog:
    """Costs nothing for what picows tells of every connection, and passes on what is a bug of ours."""

    __slots__ = ("_log",)

    def __init__(self, log: Log) -> None:
        self._log = log

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - logging.Logger's name
        return False

    def debug(self, *_args: Any) -> None: ...

    def info(self, *_args: Any) -> None: ...

    def warning(self, *_args: Any) -> None: ...

    def log(self, *_args: Any) -> None: ...

    def error(self, *_args: Any) -> None:
        """Its texts quote the peer; the type says enough."""
        if isinstance(sys.exc_info()[1], WSProtocolError):
            self._log.debug("socket_violation")
        else:
            self._log.exception("socket_callback_failed")

    exception = error


class _Socket:
    """A socket whose options are as they should be: the loop sets TCP_NODELAY. picows would set and ask six."""

    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number

    def setsockopt(self, *_args: Any) -> None: ...

    def getsockopt(self, *_args: Any) -> int:
        return 0


class _Wire:
    """The loop's transport as picows gets it. A twelfth of a handshake was Python sockets made to ask for options."""

    __slots__ = ("_socket", "_transport", "get_write_buffer_size", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._socket = _Socket(transport.get_extra_info("socket").fileno())
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.write = transport.write

    def get_extra_info(self, name: str) -> Any:
        """Not the addresses, which picows would only log."""
        match name:
            case "socket":
                return self._socket
            case "ssl_object":
                return self._transport.get_extra_info(name)
        return None

    @property
    def peer(self) -> str:
        address = self._transport.get_extra_info("peername")
        return address[0] if address else ""

    def writelines(self, buffers: Iterable[bytes]) -> None:
        self._transport.writelines(buffers)

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


class WebSocketProtocol(WSProtocol):  # type: ignore[misc]
    """picows' protocol behind uvicorn. Made usable by `make_websocket_protocol`, which sets the class variables."""

    __slots__ = ("_head_seen",)

    endpoints: ClassVar[Mapping[str, Endpoint]]
    max_payload_bytes: ClassVar[int]
    picows_log: ClassVar[_PicowsLog]
    trusted_proxies: ClassVar[Collection[Network]]

    def __init__(self, config: object, server_state: object, app_state: object) -> None:  # noqa: ARG002 - uvicorn's
        super().__init__(
            None,  # host_port and ws_path: a client's
            None,
            False,  # is_client_side
            _accept,
            self.picows_log,
            True,  # disconnect_on_exception
            None,  # websocket_handshake_timeout: the head is complete already
            False,  # enable_auto_ping: Engine.IO has its own heartbeat
            20,
            20,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # enable_auto_pong: a ping is a sign of life that the link must hear of
            self.max_payload_bytes,
            None,  # extra_headers
            READ_BUFFER_BYTES,
        )
        self._head_seen = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(_Wire(transport))

    def data_received(self, data: bytes) -> None:
        """First the head, whole, as uvicorn rebuilds it; then whatever came behind it in the same read."""
        if self._head_seen:
            self._feed(data)
            return
        raw, _, rest = data.partition(b"\r\n\r\n")
        if len(raw) > MAX_HEAD_BYTES:
            self._refuse_unasked(Refusal(431, "Request header fields too large"))
            return
        try:
            head = parse_head(raw, peer=self._peer(), trusted_proxies=self.trusted_proxies)
        except ValueError:
            self._refuse_unasked(Refusal(400, "Bad request"))
            return
        self._answer(head, rest)

    def take_head(self, match: re.Match[bytes], rest: bytes) -> None:
        """The same for a head that was found by `find_upgrade`."""
        if match.end() > MAX_HEAD_BYTES:
            self._refuse_unasked(Refusal(431, "Request header fields too large"))
            return
        self._answer(head_of_match(match, peer=self._peer(), trusted_proxies=self.trusted_proxies), rest)

    def buffer_updated(self, nbytes: int) -> None:
        """Each byte that comes proves life: a large message over a slow line is whole only after long."""
        WSProtocol.buffer_updated(self, nbytes)
        if self.listener is not None:
            self.listener.touch()

    def _peer(self) -> str:
        return str(self.transport.underlying_transport.peer)

    def _answer(self, head: Head, rest: bytes) -> None:
        """Refuse, or show picows a head: the five fields it checks and nothing of the peer's."""
        self._head_seen = True
        endpoint = self.endpoints.get(head.path.rstrip("/"))
        key = head.header("sec-websocket-key") or ""
        if endpoint is None:
            self._refuse_unasked(Refusal(404, "Not found"))
        elif refusal := _check_handshake(head, key):
            self._refuse_unasked(refusal)
        elif refusal := endpoint.admit(head):
            self._refuse(refusal)
        else:
            _offered.append(PicowsTransport(endpoint, head))
            self._feed(_HEAD % key.encode() + rest)

    def _refuse_unasked(self, refusal: Refusal) -> None:
        """What no endpoint was asked about is counted by the first."""
        next(iter(self.endpoints.values())).refused(refusal)
        self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> None:
        self._head_seen = True
        transport = self.transport.underlying_transport
        transport.write(_refuse(refusal))
        transport.close()

    def _feed(self, data: bytes) -> None:
        """The buffer that picows offers is small, and grows while it is filled."""
        while data:
            buffer = self.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            del buffer
            self.buffer_updated(size)
            data = data[size:]


def make_websocket_protocol(
    endpoints: Mapping[str, Endpoint], *, log: Log, trusted_proxies: Collection[Network] = ()
) -> type[WebSocketProtocol]:
    """The class for uvicorn's `ws=`: serves each endpoint at its path, with or without the trailing slash.

    `X-Forwarded-For` is believed from `trusted_proxies` only. Endpoints of one port share one `max_payload_bytes`.
    """
    (max_payload_bytes,) = {endpoint.max_payload_bytes for endpoint in endpoints.values()}
    variables = {
        "__slots__": (),
        "endpoints": {path.rstrip("/"): endpoint for path, endpoint in endpoints.items()},
        "max_payload_bytes": max_payload_bytes,
        "picows_log": _PicowsLog(log),
        "trusted_proxies": tuple(trusted_proxies),
    }
    return type("WebSocketProtocol", (WebSocketProtocol,), variables)


def _check_handshake(head: Head, key: str) -> Refusal | None:
    """What RFC 6455 section 4.2.1 asks of a client, beyond what uvicorn has checked to come here."""
    try:
        well_formed = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        well_formed = False
    if head.method != "GET" or not well_formed:
        return Refusal(400, "Bad request")
    if head.header("sec-websocket-version") not in _SUPPORTED_VERSIONS:
        return Refusal(426, "Unsupported WebSocket version")
    if head.header("content-length") not in {None, "0"} or head.header("transfer-encoding"):
        return Refusal(400, "Bad request")
    return None


def _refuse(refusal: Refusal) -> bytes:
    """`Retry-After` and the like are not for WebSocket clients: none of them sees the answer."""
    status = HTTPStatus(refusal.status)
    body = refusal.text.encode()
    version = b"Sec-WebSocket-Version: 13\r\n" if status == HTTPStatus.UPGRADE_REQUIRED else b""
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
        b"Cache-Control: no-store\r\n%bConnection: close\r\n\r\n%b"
    ) % (status, status.phrase.encode(), len(body), version, body)
