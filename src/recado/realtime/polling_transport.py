"""A session's wire by HTTP long-polling: what is sent waits for the client's next GET, what comes stands in its POSTs.

It is this object and nothing else: no task, and no timer but for a few milliseconds of an upgrade. Which request is
answered with what is protocol/polling.py's. Must not know HTTP beyond its bodies. Ruled by docs/realtime.md
("Polling").
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from recado.errors import SocketClose
from recado.protocol import engineio
from recado.protocol.polling import (
    BAD_REQUEST,
    OK,
    OVERLAPPING,
    Phase,
    PollingSession,
    Reply,
    error_reply,
    split_payload,
)
from recado.protocol.violation import ViolationError

if TYPE_CHECKING:
    from recado.realtime.link import Link
    from recado.realtime.probe import Probe
    from recado.realtime.transport import WebSocket

RELEASE_AFTER_S = 0.02
"""A GET that comes while a WebSocket is probing: not at once, so that a client which only polls does not spin."""

PACKETS_AT_ONCE = 64
"""Then other callbacks get their turn: a body of a million empty packets must not stall the loop."""

OVERTAKEN_S = 1.0
"""How long a GET may still come that the client's own goodbye has overtaken. Others do not come any more."""

AT_ONCE = frozenset({1002, 1007, 1009, 4002, 4008})
"""Closes without a goodbye: who broke a rule, is gone or does not fetch would hold what waits for it."""

_LOST = Reply(400)  # nobody reads it


class Asker(Protocol):
    """Who waits for a GET's answer. If the client goes before, whoever reads its request calls `lost`."""

    def answer(self, reply: Reply) -> None:
        """Called once."""
        ...


class PollingTransport:
    """`link` is set by who makes both, and None when the session is over: nothing keeps the two alive."""

    __slots__ = ("_held", "_paused", "_probe", "_session", "link", "patience_s")

    name = "polling"
    is_fetched = True
    direct = None

    def __init__(self, patience_s: float, session: PollingSession | None = None) -> None:
        self.link: Link | None = None
        self.patience_s = patience_s
        """How long a body may stand still."""
        self._session = session or PollingSession()
        self._held: Asker | None = None
        self._paused: asyncio.Future[None] | None = None
        self._probe: Probe | None = None

    @property
    def phase(self) -> Phase:
        return self._session.phase

    # What HTTP brings.

    def get(self, asker: Asker) -> Reply | None:
        """The GET's answer, or None: `asker` gets it when there is one."""
        reply = self._session.get()
        if reply is OVERLAPPING:
            self.abort()
        if reply is None:
            self._held = asker
            if self._session.phase is Phase.PROBING:
                asyncio.get_running_loop().call_later(RELEASE_AFTER_S, self._release, asker)
            return None
        self._leave_if_over()
        if self._session.phase is Phase.UPGRADED:
            # A refusal must not overtake what the WebSocket is just being told.
            asyncio.get_running_loop().call_later(RELEASE_AFTER_S, asker.answer, reply)
            return None
        return reply

    def begin_post(self) -> Reply | None:
        """Its answer, or None: read it and call `receive`, or `end_post` if there is nothing to receive."""
        reply = self._session.post()
        if reply is OVERLAPPING:
            self.abort()
        return reply

    async def receive(self, body: bytes) -> Reply:
        """Every packet in its order, as fast as the session takes them."""
        link = self.link
        if link is None:
            return error_reply(*BAD_REQUEST)
        try:
            for number, (packet, size) in enumerate(split_payload(body), start=1):
                while self._paused is not None:
                    await asyncio.shield(self._paused)
                if number % PACKETS_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if packet == engineio.PacketType.CLOSE:
                    self._peer_closed(link)
                    return OK
                if link.closed:
                    continue  # to its goodbye: then nobody comes for ours
                link.receive_text(packet, size)
        except ViolationError as violation:
            link.fail(violation.reason)
        return error_reply(*BAD_REQUEST) if self._session.phase is Phase.GONE else OK

    def touch(self) -> None:
        if self.link is not None:
            self.link.touch()

    def fail(self, reason: str) -> None:
        if self.link is not None:
            self.link.fail(reason)

    def end_post(self) -> None:
        self._session.posted()

    def lost(self) -> None:
        """The client broke a request off."""
        if self._session.phase in {Phase.UPGRADED, Phase.GONE}:
            return
        self._session.lose()
        self._answer(_LOST)
        self._end()

    # What the link calls.

    @property
    def writable(self) -> bool:
        return self._session.held

    def send(self, frames: list[bytes]) -> None:
        self._answer(self._session.send(frames))

    def buffered_bytes(self) -> int:
        return self._session.size

    def close(self, close: SocketClose, last: list[bytes]) -> None:
        at_once = close.code in AT_ONCE
        self._answer(self._session.leave(last, at_once=at_once, may_return=close.reconnect))
        self.resume_reading()
        self._close_probe()
        self._leave_if_over()

    def abort(self) -> None:
        if self._session.phase is not Phase.GONE:
            self._answer(self._session.leave(at_once=True))
            self._session.lose()
            self._end()

    def pause_reading(self) -> None:
        if self._paused is None:
            self._paused = asyncio.get_running_loop().create_future()

    def resume_reading(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.set_result(None)

    # What the probe calls.

    def call(self, probe: Probe) -> bool:
        """Whether it may go on."""
        if self._session.call():
            self._probe = probe
            return True
        return False

    def probe(self) -> None:
        self._answer(self._session.probe())

    def desist(self) -> None:
        self._probe = None
        self._session.desist()

    def upgrade(self, transport: WebSocket) -> None:
        self._probe = None
        frames, reply = self._session.upgrade()
        self._answer(reply)
        if self._paused is not None:
            transport.pause_reading()
            self.resume_reading()
        if self.link is not None:
            self.link.move(transport, frames)

    def _answer(self, reply: Reply | None) -> None:
        """The GET that is held, if this is for one."""
        if reply is None or self._held is None:
            return
        held, self._held = self._held, None
        held.answer(reply)

    def _release(self, asker: Asker) -> None:
        if self._held is asker:
            self._answer(self._session.release())

    def _peer_closed(self, link: Link) -> None:
        if self._session.phase is Phase.UPGRADED:
            link.close("closed")
            return
        link.peer_closed()
        self._answer(self._session.end())
        self._close_probe()
        self._leave_if_over()
        if self._session.phase is Phase.LEAVING:
            link.hub.wheel.schedule(link, link.hub.clock() + OVERTAKEN_S)

    def _leave_if_over(self) -> None:
        if self._session.phase is Phase.GONE:
            self._end()

    def _end(self) -> None:
        link, self.link = self.link, None
        if link is not None:
            self._close_probe()
            self.resume_reading()
            link.transport_lost()

    def _close_probe(self) -> None:
        if self._probe is not None:
            self._probe.close("closed")


UPGRADED = PollingTransport(0, PollingSession(Phase.UPGRADED))
"""What every session that began with a WebSocket is to HTTP."""
