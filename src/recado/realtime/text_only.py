"""A WebSocket of a client that cannot read binary messages (`b64=1`): they leave as text, in base64.

Must not know sessions. Ruled by the Engine.IO protocol, revision 4.
"""

from recado.errors import SocketClose
from recado.protocol.polling import packet_of
from recado.protocol.websocket import is_text, text_frame
from recado.realtime.transport import Receiver, WebSocket


class TextOnly:
    """The transport within, but for what `send` does to binary frames."""

    __slots__ = ("_transport",)

    is_fetched = False
    direct = None

    def __init__(self, transport: WebSocket) -> None:
        self._transport = transport

    @property
    def name(self) -> str:
        return self._transport.name

    @property
    def writable(self) -> bool:
        return self._transport.writable

    def send(self, frames: list[bytes]) -> None:
        self._transport.send(_texts(frames))

    def buffered_bytes(self) -> int:
        return self._transport.buffered_bytes()

    def close(self, close: SocketClose, last: list[bytes]) -> None:
        self._transport.close(close, _texts(last))

    def abort(self) -> None:
        self._transport.abort()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def report_to(self, receiver: Receiver) -> None:
        self._transport.report_to(receiver)


def _texts(frames: list[bytes]) -> list[bytes]:
    return [each if is_text(each) else text_frame(packet_of(each)) for each in frames]
