"""A client in a namespace: what the application holds, sends to, and hangs its own data on.

Must not know transports or who the client is; the application keeps that in `data`. Ruled by docs/realtime.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recado.protocol import engineio, socketio
from recado.protocol.websocket import binary_frame, text_frame

if TYPE_CHECKING:
    from recado.realtime.head import Head
    from recado.realtime.rooms import Rooms
    from recado.realtime.socket_link import SocketLink


def message_frames(encoded: socketio.Encoded) -> list[bytes]:
    packet, attachments = encoded
    return [text_frame(engineio.encode_message(packet)), *map(binary_frame, attachments)]


class HeldFrames(list[bytes]):
    """Room packets kept back, bounded: beyond the bound the link is closed, and its client resumes from its cursor."""

    __slots__ = ("_link", "_spare_bytes")

    def __init__(self, link: SocketLink) -> None:
        super().__init__()
        self._link = link
        self._spare_bytes = link.hub.settings.max_outbound_bytes

    def append(self, frame: bytes) -> None:
        self._spare_bytes -= len(frame)
        if self._spare_bytes < 0:
            self._link.overflow()
            return
        super().append(frame)


class Session:
    """`id` is public (logs, CONNECT reply); `data` is the application's; `head` is the request that connected.

    Two ways lead to the client: `emit` goes straight, rooms go through `sink`, which `hold` can close for a while.
    Before the CONNECT reply has left everything is held, so nothing can overtake it.
    """

    __slots__ = (
        "_holds",
        "closed",
        "connected",
        "data",
        "id",
        "link",
        "namespace",
        "room_names",
        "rooms",
        "sink",
    )

    def __init__(self, session_id: str, link: SocketLink, rooms: Rooms) -> None:
        self.id = session_id
        self.link = link
        self.rooms = rooms
        self.namespace = rooms.namespace
        self.data: Any = None
        self.room_names: set[str] = set()
        self.connected = False
        self.closed = False
        self._holds = 1
        self.sink: list[bytes] = HeldFrames(link)

    @property
    def head(self) -> Head:
        return self.link.head

    def emit(self, event: str, *args: Any) -> None:
        """Send an event to this client only. Nothing happens if the session has closed."""
        if not self.closed:
            self.push(self.encode_event(event, args))

    def emit_volatile(self, event: str, *args: Any) -> None:
        """Send a signal, unless the client cannot take it right now."""
        self.push_volatile(self.encode_event(event, args))

    def push_volatile(self, frames: list[bytes]) -> None:
        if self._holds == 0 and not self.closed and self.link.writable:
            self.link.push_all(frames)
        else:
            self.link.hub.statistics.signals_dropped += 1

    async def call(self, event: str, *args: Any, timeout_s: float) -> list[Any]:
        """Send an event and wait for the client's acknowledgement; returns its arguments.

        Raises TimeoutError, or ConnectionError when the session ends first.
        """
        if self.closed:
            raise ConnectionError("the session has closed")
        return await self.link.call(self, event, args, timeout_s)

    def hold(self) -> None:
        """Keep room packets back until `release`; `emit` and acknowledgements pass. Holds nest."""
        self._holds += 1
        if self._holds == 1:
            self.sink = HeldFrames(self.link)

    def release(self) -> None:
        """Let held room packets follow what this tick sends: call it last in a handler, and its ack goes first."""
        self.link.hub.flusher.release(self)

    def forget_held(self) -> None:
        if self._holds:
            self.sink = HeldFrames(self.link)

    def close(self, reason: str = "closed") -> None:
        """End the client's whole connection; `reason` is one of `recado.errors.CLOSES`."""
        if not self.closed:
            self.link.close(reason)

    def disconnect(self) -> None:
        """End the client's stay in this namespace only; Socket.IO clients do not come back by themselves."""
        if not self.closed:
            self.link.drop(self)

    def end_hold(self) -> None:
        """The flusher's and the link's business; the application calls `release`."""
        self._holds -= 1
        if self._holds > 0 or self.closed:
            return
        held, self.sink = self.sink, self.link.out
        if held:
            self.link.push_held(held)

    def admit(self) -> None:
        """The CONNECT reply is on its way: from here on packets may follow it."""
        self.connected = True
        self.end_hold()

    def end(self) -> None:
        """Out of every room, and deaf from now on. Whoever ends it tells the application."""
        self.closed = True
        self.rooms.leave_all(self)
        self.sink = []

    def push(self, frames: list[bytes]) -> None:
        """A packet for this client alone; held only as long as the CONNECT reply has not left."""
        if self.connected:
            self.link.push_all(frames)
        else:
            statistics = self.link.hub.statistics
            for frame in frames:
                statistics.packets_out += 1
                statistics.bytes_out += len(frame)
                self.sink.append(frame)

    def encode_event(self, event: str, args: tuple[Any, ...], ack_id: int | None = None) -> list[bytes]:
        """A text frame, and a binary one for each attachment."""
        return message_frames(socketio.encode_event(self.namespace, event, args, ack_id))

    def encode_ack(self, ack_id: int, args: tuple[Any, ...]) -> list[bytes]:
        return message_frames(socketio.encode_ack(self.namespace, ack_id, args))

    def __repr__(self) -> str:
        return f"<Session {self.id}>"
