"""WebSocket framing on the server's side: bytes of frames to send, and whole messages from the frames received.

A server's frames are not masked, so one frame's bytes serve every recipient: this is the wire form that fan-out
shares. Must not know Engine.IO. Ruled by RFC 6455 sections 5 and 7.
"""

from enum import IntEnum

from recado.protocol.violation import ViolationError


class Opcode(IntEnum):
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


def text_frame(payload: bytes) -> bytes:
    """`payload` is UTF-8."""
    return _frame(0x81, payload)


def binary_frame(payload: bytes) -> bytes:
    return _frame(0x82, payload)


def is_text(frame: bytes) -> bool:
    """Of what `text_frame` or `binary_frame` made."""
    return frame[0] == 0x81


def payload_of(frame: bytes) -> bytes:
    """What `text_frame` or `binary_frame` wrapped, for transports that frame by themselves."""
    size = frame[1]
    return frame[2:] if size < 126 else frame[4:] if size == 126 else frame[10:]


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return b"%c\x7e%b%b" % (first, size.to_bytes(2), payload)
    return b"%c\x7f%b%b" % (first, size.to_bytes(8), payload)


def text_of(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise ViolationError("a text message must be UTF-8", reason="invalid UTF-8") from None


class MessageAssembler:
    """Joins the fragments of one connection's messages; holds nothing between messages."""

    __slots__ = ("_buffer", "_is_text", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer: bytearray | None = None
        self._is_text = False

    @property
    def is_idle(self) -> bool:
        return self._buffer is None

    def feed(self, opcode: int, payload: bytes, *, fin: bool) -> str | bytes | None:
        """One data frame → the message it completes, if it does.

        Raises ViolationError: a continuation of nothing, a new message inside another, too big, not UTF-8.
        """
        if opcode == Opcode.CONTINUATION:
            if self._buffer is None:
                raise ViolationError("a continuation frame needs a message to continue")
        elif self._buffer is not None:
            raise ViolationError("a message must end before the next one begins")
        else:
            self._buffer = bytearray()
            self._is_text = opcode == Opcode.TEXT
        if len(self._buffer) + len(payload) > self._max_bytes:
            self._buffer = None
            raise ViolationError("a message must fit into maxPayload", reason="message too big")
        self._buffer += payload
        if not fin:
            return None
        message, self._buffer = bytes(self._buffer), None
        return text_of(message) if self._is_text else message
