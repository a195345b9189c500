"""A WebSocket by picows: its listener on one side, a link's transport on the other.

picows_protocol.py makes it. Must not know HTTP beyond the 101, nor what messages mean. Ruled by docs/realtime.md.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import cast

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from recado.errors import SocketClose
from recado.protocol.violation import ViolationError
from recado.protocol.websocket import MessageAssembler, payload_of
from recado.realtime.head import Head
from recado.realtime.transport import Endpoint, Receiver, Wire

COPIED_BYTES = 8_192
"""What picows sends whole. Of more it hands its header's buffer to the loop, and writes the next header into it."""

_SWITCHING = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: %s\r\n\r\n"
)


class Switching:
    """The 101 as picows gets it: it fills in the key's answer, and writes nothing. We do, with the first packet."""

    status = HTTPStatus.SWITCHING_PROTOCOLS

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def to_bytes(self) -> bytearray:
        return bytearray()

    def encode(self) -> bytes:
        return (_SWITCHING % self.headers["Sec-WebSocket-Accept"]).encode()


switching = Switching()
"""For all: a handshake is one call of picows'."""


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

    __slots__ = (
        "_answer",
        "_assembler",
        "_endpoint",
        "_head",
        "_receiver",
        "_socket",
        "direct",
        "writable",
    )

    name = "picows"
    is_fetched = False

    def __init__(self, endpoint: Endpoint, head: Head) -> None:
        self.writable = True
        self.direct: Wire | None = None
        self._endpoint = endpoint
        self._head = head
        self._assembler: MessageAssembler | None = None
        self._receiver: Receiver | None = None
        self._socket: WSTransport | None = None
        self._answer: bytes | None = None
        """101, as long as it has not left."""

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        # Nobody reads them again, and they are kilobytes per connection.
        transport.request.headers = None  # type: ignore[assignment]
        self._socket = transport
        self._answer = switching.encode()
        try:
            self._receiver = self._endpoint.open(self, self._head)
        finally:
            if self._receiver is None:
                self.greet()  # for picows says goodbye now
            elif not self._receiver.out:
                # Not before the loop has its socket among those it waits for: what the client then says here would
                # come behind what it says elsewhere, and an upgrade's `5` behind the next GET.
                asyncio.get_running_loop().call_soon(self.greet)

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
        receiver, self._receiver, self._socket, self.direct = self._receiver, None, None, None
        if receiver is not None:
            receiver.transport_lost()

    def pause_writing(self) -> None:
        self.writable, self.direct = False, None

    def resume_writing(self) -> None:
        self.writable = True
        self.direct = None if self._answer is not None else self._plain_wire()

    # What the link calls, and a probe before it.

    def report_to(self, receiver: Receiver) -> None:
        if self._receiver is not None:
            self._receiver = receiver

    def send(self, frames: list[bytes]) -> None:
        """A lone frame goes to picows as its payload: its own write is a sixth cheaper than the loop's."""
        socket = self._socket
        if socket is None:
            return
        if self._answer is not None:
            self.greet(frames)
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
        self.greet()
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

    def greet(self, frames: Sequence[bytes] = ()) -> None:
        """101, if it has not left, with what the session says first: a second write costs a twelfth of a handshake."""
        answer, self._answer = self._answer, None
        if answer is not None and self._socket is not None:
            self.direct = self._plain_wire()
            self._socket.underlying_transport.write(b"".join([answer, *frames]))

    def _plain_wire(self) -> Wire | None:
        """None for TLS, whose socket wants other bytes than ours."""
        socket = self._socket
        return None if socket is None or socket.is_secure else cast(Wire, socket.underlying_transport)

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
