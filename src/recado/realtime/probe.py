"""A WebSocket that wants to take over a polling session: `2probe`, `3probe`, and with `5` it is the session's wire.

Until then the session goes on polling, and whatever goes wrong here ends this WebSocket only. Ruled by
docs/realtime.md ("Upgrades").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recado.errors import CLOSES
from recado.protocol.websocket import text_frame

if TYPE_CHECKING:
    from recado.realtime.hub import Hub
    from recado.realtime.polling_transport import PollingTransport
    from recado.realtime.transport import WebSocket

QUESTION = "2probe"
ANSWER = text_frame(b"3probe")
UPGRADE = "5"


class Probe:
    """A transport's receiver. `polling` is None for who is only turned away: the session has its WebSocket already."""

    __slots__ = ("_asked", "_hub", "_polling", "_transport", "closed", "id", "slot")

    out = ()

    def __init__(self, hub: Hub, transport: WebSocket, polling: PollingTransport | None) -> None:
        self.id = hub.new_id()
        self.slot = -1
        self.closed = False
        self._asked = False
        self._hub = hub
        self._transport = transport
        self._polling = polling
        hub.probes.add(self)
        hub.wheel.schedule(self, hub.clock() + hub.settings.upgrade_timeout_s)
        if polling is None or not polling.call(self):
            self._polling = None
            self.close("closed")

    def receive_text(self, text: str, size: int) -> None:  # noqa: ARG002 - a receiver's signature
        polling = self._polling
        if polling is None:
            return
        if text == QUESTION and not self._asked:
            self._asked = True
            self._transport.send([ANSWER])
            polling.probe()
        elif text == UPGRADE and self._asked:
            self._polling = None
            self._forget()
            polling.upgrade(self._transport)
        else:
            self.fail("protocol error")

    def receive_binary(self, data: bytes) -> None:  # noqa: ARG002 - as above
        if self._polling is not None:
            self.fail("protocol error")

    def touch(self) -> None:
        """Its time is short anyway."""

    def fail(self, reason: str) -> None:
        self.close(reason)

    def close(self, reason: str) -> None:
        if self.closed:
            return
        self._end()
        self._hub.wheel.schedule(self, self._hub.clock() + self._hub.settings.close_timeout_s)
        self._transport.close(CLOSES[reason], [])

    def peer_closed(self) -> None:
        self._end()

    def transport_lost(self) -> None:
        self._end()
        self._forget()

    def abort(self) -> None:
        self._end()
        self._transport.abort()

    def tick(self, now: float) -> None:  # noqa: ARG002 - as the wheel calls it
        if self.closed:
            self._transport.abort()
        else:
            self.close("upgrade timeout")

    def _end(self) -> None:
        self.closed = True
        polling, self._polling = self._polling, None
        if polling is not None:
            polling.desist()

    def _forget(self) -> None:
        self._hub.wheel.cancel(self)
        self._hub.probes.discard(self)
