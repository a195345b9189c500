"""One client's wire in the shell: its transport, which may change, its state machine, the frames that wait to leave.

A link owns no task, queue or timer: frames wait in a list for the flusher, time comes from the wheel. What packets
mean is its subclass's story (socket_link.py). Must not know namespaces or handlers. Ruled by docs/realtime.md.
"""

from collections.abc import Sequence
from typing import Literal

from recado.errors import CLOSES
from recado.protocol.connection import EngineConnection
from recado.protocol.outcomes import Closed, Outcome, SendPacket
from recado.protocol.websocket import text_frame
from recado.realtime.head import Head
from recado.realtime.hub import Hub
from recado.realtime.transport import Transport, WebSocket, Wire


class _Overflow:
    """Takes a link's place among those to be flushed."""

    __slots__ = ("_link", "out")

    direct = None

    def __init__(self, link: "Link") -> None:
        self._link = link
        self.out: list[bytes] = []

    def flush(self) -> None:
        try:
            self._link.close("slow consumer")
        except Exception:  # as in Link.flush
            self._link.hub.log.exception("flush_failed", connection=self._link.id)
            self._link.abort()


class Link:
    """`id` is for logs only; `sid`, the engine's to set, opens the polling door, and is told to the client alone.

    `out` holds frames for the flusher: not empty means noted there.
    """

    __slots__ = (
        "_connection",
        "_overflowed",
        "_transport",
        "closed",
        "head",
        "hub",
        "id",
        "out",
        "sid",
        "slot",
    )

    def __init__(self, hub: Hub, transport: Transport, head: Head, connection: EngineConnection) -> None:
        self.id = hub.new_id()
        self.hub = hub
        self.sid: str | None = None
        self.head = head
        self.out: list[bytes] = []
        self.slot = -1
        self.closed = False
        self._transport = transport
        self._connection = connection
        self._overflowed = False
        hub.links.add(self)
        hub.doors.enter(head)
        hub.statistics.opened += 1
        hub.log.debug("socket_opened", connection=self.id)

    def open(self, sid: str, upgrades: Sequence[str] = ()) -> None:
        """Say hello, so that it shares a write with the answer to the head; `upgrades` may take over."""
        self.push_soon(text_frame(self._connection.open(sid, upgrades)))
        if self._transport.is_fetched:  # the request that opened it waits for this
            self.flush()
        self.schedule()

    def move(self, transport: WebSocket, frames: list[bytes]) -> None:
        """Another transport takes over; `frames` waited in the old one."""
        self._transport = transport
        transport.report_to(self)
        if frames:
            transport.send(frames)

    @property
    def transport_name(self) -> str:
        return self._transport.name

    @property
    def state(self) -> Literal["opening", "live", "closing"]:
        return "closing" if self.closed else "live"

    @property
    def writable(self) -> bool:
        return self._transport.writable and not self.closed

    @property
    def direct(self) -> Wire | None:
        """As the transport's."""
        return None if self.closed else self._transport.direct

    # What the transport reports.

    def receive_text(self, text: str, size: int) -> None:
        hub = self.hub
        hub.statistics.messages_in += 1
        hub.statistics.bytes_in += size
        self.perform(self._connection.receive_text(text, hub.clock()))

    def receive_binary(self, data: bytes) -> None:
        hub = self.hub
        hub.statistics.messages_in += 1
        hub.statistics.bytes_in += len(data)
        self.perform(self._connection.receive_binary(data, hub.clock()))

    def touch(self) -> None:
        self._connection.touch(self.hub.clock())

    def fail(self, reason: str) -> None:
        self.close(reason)

    def peer_closed(self) -> None:
        self._end("peer closed")

    def transport_lost(self) -> None:
        self._end("transport lost")
        self.hub.forget(self)

    # What sessions, rooms and the engine ask for.

    def push(self, frame: bytes) -> None:
        out, hub = self.out, self.hub
        hub.statistics.packets_out += 1
        hub.statistics.bytes_out += len(frame)
        if not out:
            hub.flusher.mark(self)
        out.append(frame)

    def push_soon(self, frame: bytes) -> None:
        """For an answer that nothing is likely to follow."""
        out, hub = self.out, self.hub
        hub.statistics.packets_out += 1
        hub.statistics.bytes_out += len(frame)
        if not out:
            hub.flusher.mark_soon(self)
        out.append(frame)

    def push_all(self, frames: Sequence[bytes]) -> None:
        """A packet and its attachments, with nothing in between."""
        for frame in frames:
            self.push(frame)

    def push_held(self, frames: Sequence[bytes]) -> None:
        """What was counted when it was held."""
        if not self.out:
            self.hub.flusher.mark(self)
        self.out.extend(frames)

    def overflow(self) -> None:
        """Held frames passed their bound. Closing waits for the flush: this may happen inside a room's loop."""
        if not self._overflowed:
            self._overflowed = True
            self.hub.flusher.mark(_Overflow(self))

    def flush(self) -> None:
        """Everything that waits leaves in one write, unless the client has long stopped reading."""
        out, transport = self.out, self._transport
        try:
            if out and transport.writable and not self.closed:
                transport.send(out)
            elif not self.closed:
                self._flush_slowly()
            out.clear()
        except Exception:  # one link's trouble must not stop the others' flush
            self.hub.log.exception("flush_failed", connection=self.id)
            self.abort()

    def close(self, reason: str) -> None:
        """Send what waits, say why, and let the transport go; it is aborted if the peer does not follow in time."""
        if self.closed:
            return
        close = CLOSES[reason]
        if not close.reconnect:
            self.say_farewell()
        last = self.out.copy()
        self._end(reason)
        self._transport.close(close, last)

    def abort(self) -> None:
        self._end("aborted")
        self._transport.abort()

    def pause_reading(self) -> None:
        """Not of a closed link: it waits for the peer's goodbye."""
        if not self.closed:
            self._transport.pause_reading()

    def announce(self, reconnect_in_ms: int) -> None:
        """Tell who understands it when to come back: this node is going."""

    def depart(self) -> None:
        """Read nothing more, and go as soon as everything that was read is answered."""
        self.pause_reading()
        self.close("draining")

    def tick(self, now: float) -> None:
        if self.closed:
            self._transport.abort()
            return
        self.perform(self._connection.tick(now))
        self.schedule()

    # For subclasses.

    def perform(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, SendPacket):
                self.push(text_frame(outcome.packet))
            elif isinstance(outcome, Closed):
                self.close(outcome.reason)
            else:
                self.handle(outcome)

    def schedule(self) -> None:
        if not self.closed:
            self.hub.wheel.schedule(self, self.due())

    def handle(self, outcome: Outcome) -> None:
        """Everything the connection tells that is neither to be sent nor the end."""
        raise NotImplementedError

    def due(self) -> float:
        return self._connection.due()

    def say_farewell(self) -> None:
        """Push what keeps a client from coming back by itself."""

    def ended(self, reason: str) -> None:
        """The link is closed; called once."""

    def _flush_slowly(self) -> None:
        """The bound is checked before a send, so that one large answer on an idle wire is no offence."""
        if self._transport.buffered_bytes() > self.hub.settings.max_outbound_bytes:
            self.out.clear()
            self.close("slow consumer")
        elif self.out:
            self._transport.send(self.out)

    def _end(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self.out.clear()
        self._connection.close(reason)
        self.hub.statistics.closes[reason] += 1
        settings = self.hub.settings
        patience_s = settings.farewell_timeout_s if self._transport.is_fetched else settings.close_timeout_s
        self.hub.wheel.schedule(self, self.hub.clock() + patience_s)
        self.hub.log.debug("socket_closed", connection=self.id, reason=reason)
        self.ended(reason)
