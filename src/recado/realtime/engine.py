"""The real-time engine: one object that owns every link, the wheel that turns them and the way they all go home.

Made and served by the composition root; must not know the application. Ruled by
docs/realtime.md.

    engine = Engine(Settings(), log=get_logger("realtime"))
    gateway = Gateway(engine.rooms(), ...)
    engine.serve("/", gateway)
    engine.start()                          # inside the loop
    await engine.drain(config.drain_s)      # from serving.DrainingServer
    await engine.stop()
"""

import asyncio
import base64
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from recado.protocol import engineio, polling, socketio
from recado.realtime.burst import Burst
from recado.realtime.head import Head, Refusal
from recado.realtime.hub import Handlers, Hub, Log, Namespace, Settings
from recado.realtime.link import Link
from recado.realtime.polling_transport import UPGRADED, PollingTransport
from recado.realtime.probe import Probe
from recado.realtime.report import Report
from recado.realtime.rooms import Rooms
from recado.realtime.session import Session
from recado.realtime.socket_link import SocketLink
from recado.realtime.text_only import TextOnly
from recado.realtime.transport import Receiver, Transport, WebSocket
from recado.realtime.uring import Ring, open_ring

ID_BYTES, ID_CHARACTERS = 15, 20  # in base64, without padding
IDS_AT_ONCE = 256
LEAVE_APART_S = 0.01
"""At most, when the server stops: a hundred a second may come back to any server."""
TICKS_AT_ONCE = 256  # then other callbacks get their turn: a slot of 10,000 pings must not stall the loop

LinkFactory = Callable[[Hub, Transport, Head], Link]


def _random_ids() -> Iterator[str]:
    """120 random bits each; the kernel is asked once for many."""
    while True:
        pool = base64.urlsafe_b64encode(os.urandom(ID_BYTES * IDS_AT_ONCE)).decode()
        for start in range(0, len(pool), ID_CHARACTERS):
            yield pool[start : start + ID_CHARACTERS]


class Engine:
    """Serves one Socket.IO path. `accept` may refuse a head that is otherwise in order (Origin, limits).

    `make_link` is where bare Engine.IO or another protocol takes Socket.IO's place. `node` stands in front of the ids
    of polling sessions, for a proxy before several processes.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        log: Log,
        accept: Callable[[Head], Refusal | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] | None = None,
        make_link: LinkFactory = SocketLink,
        node: str = "",
    ) -> None:
        self._hub = Hub(settings, log=log, clock=clock, new_id=new_id or partial(next, _random_ids()))
        self._accept = accept
        self._make_link = make_link
        self._node = f"{node}." if node else ""
        self._due: deque[Link | Probe] = deque()
        self.report = Report(self._hub)
        self._timer: asyncio.TimerHandle | None = None
        self._ring: Ring | None = None

    @property
    def max_payload_bytes(self) -> int:
        return self._hub.settings.max_payload_bytes

    @property
    def sessions(self) -> Iterator[Session]:
        """Every session whose CONNECT was accepted."""
        for link in self._hub.links:
            if isinstance(link, SocketLink):
                yield from (session for session in link.sessions.values() if session.connected)

    @property
    def link_count(self) -> int:
        """Open wires, those still saying goodbye included."""
        return len(self._hub.links)

    def rooms(self, namespace: str = socketio.ROOT) -> Rooms:
        return self._namespace(namespace).rooms

    def serve(self, namespace: str, handlers: Handlers) -> None:
        self._namespace(namespace).handlers = handlers

    def admit(self, head: Head) -> Refusal | None:
        return self._counted(self._refusal(head, "websocket"))

    def open(self, transport: WebSocket, head: Head) -> Receiver:
        """A new session's link, or a probe for the session that the head names."""
        if head.parameter("b64") == "1":
            transport = TextOnly(transport)
        sid = head.parameter("sid")
        if sid is not None:
            return Probe(self._hub, transport, self._hub.polls.get(sid))
        link = self._make_link(self._hub, transport, head)
        link.open(self._enter(link, self._hub.new_id(), UPGRADED))
        return link

    def poll(self, head: Head) -> PollingTransport | Refusal:
        """The session that an HTTP request is for: a new one if it names none."""
        refusal = self._counted(self._refusal(head, "polling"))
        if refusal is not None:
            return refusal
        sid = head.parameter("sid")
        if sid is None:
            return self._open_polling(head)
        transport = self._hub.polls[sid]
        transport.touch()
        return transport

    def _open_polling(self, head: Head) -> PollingTransport:
        settings = self._hub.settings
        transport = PollingTransport(settings.ping_interval_s + settings.ping_timeout_s)
        transport.link = link = self._make_link(self._hub, transport, head)
        sid = self._enter(link, self._node + self._hub.new_id(), transport)
        link.open(sid, upgrades=["websocket"])
        return transport

    def _enter(self, link: Link, sid: str, transport: PollingTransport) -> str:
        self._hub.polls[sid] = transport
        link.sid = sid
        return sid

    def _counted(self, refusal: Refusal | None) -> Refusal | None:
        if refusal is not None:
            self.refused(refusal)
        return refusal

    def refused(self, refusal: Refusal) -> None:
        self._hub.statistics.refusals[refusal.text] += 1

    def _refusal(self, head: Head, transport: str) -> Refusal | None:
        """The order of checks is the official server's."""
        asked = head.parameter("transport")
        if asked not in {"polling", "websocket"} or (asked == "polling" and transport == "websocket"):
            return _refused(polling.UNKNOWN_TRANSPORT)
        sid = head.parameter("sid")
        if sid is not None:
            return self._refusal_of_session(head, sid, mismatch=asked != transport)
        if head.method != "GET":
            return _refused(polling.BAD_METHOD)
        if asked != transport:
            return _refused(polling.BAD_REQUEST)
        if self._accept is not None and (refusal := self._accept(head)):
            return refusal
        if head.parameter("EIO") != engineio.REVISION:
            return _refused(polling.UNSUPPORTED_REVISION)
        return Refusal(503, "Draining") if self._hub.draining else self._hub.doors.refusal(head)

    def _refusal_of_session(self, head: Head, sid: str, *, mismatch: bool) -> Refusal | None:
        """Time is looked at first: the wheel may be a slot late, and nobody may talk to who is over."""
        session = self._hub.polls.get(sid)
        link = None if session is None else session.link
        if link is not None and not link.closed and link.due() <= self._hub.clock():
            link.tick(self._hub.clock())
        if session is None or session.phase is polling.Phase.GONE:
            return _refused(polling.UNKNOWN_SESSION)
        if mismatch or head.parameter("EIO") != engineio.REVISION:
            return _refused(polling.BAD_REQUEST)
        return None

    def start(self) -> None:
        self._ring = open_ring() if self._hub.settings.io_uring else None
        if self._ring is not None:
            self._hub.flusher.flush_all = Burst(self._ring).flush
        self._hub.log.debug("engine_started", io_uring=self._ring is not None)
        self._timer = asyncio.get_running_loop().call_later(self._hub.settings.slot_s, self._turn)

    async def drain(self, window_s: float) -> None:
        """Let everybody go, one after the other: no new links, and each that goes has its answers first.

        Clients learn from `server:draining {reconnectInMs}` when to come back: evenly spread over the window, so
        that they do not all come at once. Not every client listens, so they are closed one by one as well; of few
        none waits long for it. Takes at most `window_s`, again for handlers that still run, and the closing
        handshake's timeout.
        """
        hub = self._hub
        hub.draining = True
        links = list(hub.links)
        hub.log.info("draining", connections=len(links))
        began, apart_s = hub.clock(), window_s / max(1, len(links))
        for place, link in enumerate(links, start=1):
            link.announce(round(1000 * apart_s * place))
        for place, link in enumerate(links):
            wait_s = began + place * min(apart_s, LEAVE_APART_S) - hub.clock()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            link.depart()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(window_s):
                while hub.tasks:
                    await asyncio.wait(list(hub.tasks))
        for link in list(hub.links):
            link.close("draining")
        await self._emptied(hub.settings.close_timeout_s)

    async def stop(self) -> None:
        """End what is left at once, and wait for every task the engine started."""
        if self._timer is not None:
            self._timer.cancel()
        for link in list(self._hub.links):
            link.abort()
        for probe in list(self._hub.probes):
            probe.abort()
        tasks = list(self._hub.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._emptied(self._hub.settings.close_timeout_s)
        if self._ring is not None:
            self._ring.close()

    async def _emptied(self, timeout_s: float) -> None:
        hub = self._hub
        hub.emptied.clear()
        if hub.links:
            try:
                async with asyncio.timeout(timeout_s):
                    await hub.emptied.wait()
            except TimeoutError:
                for link in list(hub.links):
                    link.abort()

    def _namespace(self, name: str) -> Namespace:
        if name not in self._hub.namespaces:
            self._hub.namespaces[name] = Namespace(Rooms(name, self._hub.flusher, self._hub.statistics))
        return self._hub.namespaces[name]

    def _turn(self) -> None:
        hub = self._hub
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(hub.settings.slot_s, self._turn)
        idle = not self._due
        self._due.extend(hub.wheel.turn(hub.clock()))
        self.report.sample()
        if idle:
            self._tick_some()

    def _tick_some(self) -> None:
        now = self._hub.clock()
        for _ in range(min(TICKS_AT_ONCE, len(self._due))):
            link = self._due.popleft()
            try:
                link.tick(now)
            except Exception:  # one link's trouble must not stop the others' time
                self._hub.log.exception("tick_failed", connection=link.id)
                link.abort()
        if self._due:
            asyncio.get_running_loop().call_soon(self._tick_some)


def _refused(error: polling.Error) -> Refusal:
    return Refusal(error.status, error.message, error.code)
