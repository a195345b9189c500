"""Socket.IO on a link: its sessions, their handlers' runs, and acknowledgements both ways.

Events of a client start in the order they came, at most `max_in_flight` at a time; then its reading pauses. Must not
know what events mean. Ruled by docs/realtime.md.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable
from types import CoroutineType
from typing import Any, Literal

from recado.app.vocabulary import Draining
from recado.errors import RateLimitedError, RecadoError, describe
from recado.protocol.connection import SocketConnection
from recado.protocol.outcomes import (
    AckReceived,
    AttachmentsAwaited,
    ConnectRequested,
    EventReceived,
    Left,
    Outcome,
)
from recado.protocol.websocket import text_frame
from recado.realtime.head import Head
from recado.realtime.hub import Handlers, Hub
from recado.realtime.limits import Allowance
from recado.realtime.link import Link
from recado.realtime.session import Session
from recado.realtime.transport import Transport

_LOGGABLE_NAME = re.compile(r"[a-z][a-z:_-]{0,39}")
"""A client may put anything into a name, a patient's words too."""


class SocketLink(Link):
    """`sessions` by namespace, those that still wait for their `connect` handler included."""

    __slots__ = (
        "_allowance",
        "_calls",
        "_departing",
        "_in_flight",
        "_opened_at",
        "_socket",
        "_waiting",
        "sessions",
    )

    def __init__(self, hub: Hub, transport: Transport, head: Head) -> None:
        self.sessions: dict[str, Session] = {}
        self._departing = False
        self._in_flight = 0
        self._waiting: deque[tuple[EventReceived, float]] | None = None
        self._opened_at = hub.clock()
        rate = hub.settings.max_events_per_s
        self._allowance = Allowance(rate, self._opened_at) if rate else None
        self._calls: dict[tuple[str, int], tuple[asyncio.Future[list[Any]], float]] | None = None
        self._socket = SocketConnection(hub.timing, self._opened_at, hub.namespaces)
        super().__init__(hub, transport, head, self._socket)

    @property
    def state(self) -> Literal["opening", "live", "closing"]:
        """Live is who has been accepted into a namespace."""
        if not self.closed and not any(session.connected for session in self.sessions.values()):
            return "opening"
        return super().state

    def handle(self, outcome: Outcome) -> None:
        match outcome:
            case EventReceived():
                self._enqueue(outcome)
            case ConnectRequested(namespace, auth):
                session = Session(self.hub.new_id(), self, self.hub.namespaces[namespace].rooms)
                self.sessions[namespace] = session
                self._connect(session, auth)
            case AckReceived(namespace, ack_id, args):
                self._answer(namespace, ack_id, args)
            case AttachmentsAwaited():
                self.schedule()
            case Left(namespace):
                self._end_session(namespace, "client left")
                self.schedule()
            case _:
                raise AssertionError("unexpected outcome")

    def announce(self, reconnect_in_ms: int) -> None:
        for session in self.sessions.values():
            session.emit("server:draining", Draining(reconnect_in_ms=reconnect_in_ms))

    def depart(self) -> None:
        self._departing = True
        self.pause_reading()
        self._go_if_departing()

    def due(self) -> float:
        due = self._socket.due()
        return min([due, *(deadline for _, deadline in self._calls.values())]) if self._calls else due

    def tick(self, now: float) -> None:
        for answer, deadline in list((self._calls or {}).values()):
            if now >= deadline and not answer.done():
                answer.set_exception(TimeoutError())
        super().tick(now)

    def say_farewell(self) -> None:
        """Socket.IO clients come back after any close, unless they were told to leave their namespaces before."""
        for namespace in self.sessions:
            self.perform(self._socket.drop(namespace, self.hub.clock()))

    def ended(self, reason: str) -> None:
        self._waiting = None
        for namespace in list(self.sessions):
            self._end_session(namespace, reason)

    def drop(self, session: Session) -> None:
        """The server ends this session; the link and its other namespaces live on."""
        self.perform(self._socket.drop(session.namespace, self.hub.clock()))
        self._end_session(session.namespace, "server left")
        self.schedule()

    async def call(self, session: Session, event: str, args: tuple[Any, ...], timeout_s: float) -> list[Any]:
        ack_id = self._socket.expect_ack(session.namespace)
        key = (session.namespace, ack_id)
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        if self._calls is None:
            self._calls = {}
        self._calls[key] = (answer, self.hub.clock() + timeout_s)
        self.schedule()
        try:
            session.push(session.encode_event(event, args, ack_id))
            return await answer
        finally:
            self._calls.pop(key, None)
            self._socket.forget_ack(*key)

    def _answer(self, namespace: str, ack_id: int, args: list[Any]) -> None:
        answer, _ = (self._calls or {}).get((namespace, ack_id), (None, 0.0))
        if answer is not None and not answer.done():
            answer.set_result(args)

    def _connect(self, session: Session, auth: dict[str, Any]) -> None:
        """As in `_start`."""
        try:
            coming = self._handlers(session).connect(session, auth)
        except Exception as error:  # noqa: BLE001 - as in _start
            self._welcome(session, self._refusal(session, error))
            return
        if coming is None:
            self._welcome(session, None)
        else:
            self.hub.spawn(self._await_connect(session, coming))

    async def _await_connect(self, session: Session, coming: Awaitable[None]) -> None:
        refusal = None
        try:
            await coming
        except Exception as error:  # noqa: BLE001 - as in _start
            refusal = self._refusal(session, error)
        self._welcome(session, refusal)

    def _welcome(self, session: Session, refusal: dict[str, Any] | None) -> None:
        """The CONNECT reply goes out before anything that was emitted or delivered meanwhile."""
        namespace = session.namespace
        if refusal is not None:
            session.end()
            self.sessions.pop(namespace, None)
            message = refusal.pop("message")
            self.perform(self._socket.refuse(namespace, message, refusal))
            self.hub.statistics.refusals[refusal["code"]] += 1
            self.hub.log.debug("session_refused", connection=self.id, code=refusal["code"])
        elif session.closed:
            self._tell(session, "closed while connecting")
        else:
            for reply in self._socket.accept(namespace, session.id):
                self.push_soon(text_frame(reply.packet))
            self.hub.statistics.handshakes.add(self.hub.clock() - self._opened_at)
            session.admit()
            self.hub.log.debug("session_joined", connection=self.id, session=session.id)
        self._go_if_departing()

    def _refusal(self, session: Session, error: Exception) -> dict[str, Any]:
        if isinstance(error, RecadoError):
            return describe(error)
        self.hub.log.exception(  # noqa: LOG004 - called from exception handlers only
            "connect_failed", connection=self.id, session=session.id
        )
        return describe(RecadoError())

    def _enqueue(self, event: EventReceived) -> None:
        hub = self.hub
        now = hub.clock()
        hub.statistics.events_in += 1
        if self._allowance is not None and not self._allowance.take(now):
            self._refuse(event)
        elif self._in_flight < hub.settings.max_in_flight:
            self._start(event, now)
        else:
            # Only what the transport has read already can still come: the queue is bounded by its read buffer.
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append((event, now))
            self._transport.pause_reading()

    def _refuse(self, event: EventReceived) -> None:
        self.hub.statistics.refusals[RateLimitedError.code] += 1
        session = self.sessions.get(event.namespace)
        if session is not None and event.ack_id is not None:
            error = RateLimitedError("Too many events in a second.", retry_after_s=1)
            self.push_all(session.encode_ack(event.ack_id, (_refused(error),)))

    def _start(self, event: EventReceived, received_at: float) -> None:
        """What the handler knows at once is answered at once; a coroutine becomes a task."""
        session = self.sessions.get(event.namespace)
        if session is None:
            return
        try:
            reply = self._handlers(session).event(session, event.name, event.args)
        except Exception as error:  # noqa: BLE001 - a handler's bug: logged, and the client gets no word of it
            reply = self._failure(session, event, error)
        if isinstance(reply, CoroutineType):
            self._in_flight += 1
            self.hub.spawn(self._run(session, event, reply, received_at))
        elif event.ack_id is not None and not session.closed:
            self._acknowledge(session, event, event.ack_id, reply, received_at)

    async def _run(
        self, session: Session, event: EventReceived, reply: Awaitable[Any], received_at: float
    ) -> None:
        try:
            result = await reply
        except Exception as error:  # noqa: BLE001 - as in _start
            result = self._failure(session, event, error)
        if event.ack_id is not None and not session.closed:
            self._acknowledge(session, event, event.ack_id, result, received_at)
        self._in_flight -= 1
        if self._waiting is not None:
            self._start_waiting(self._waiting)
        self._go_if_departing()

    def _start_waiting(self, waiting: deque[tuple[EventReceived, float]]) -> None:
        while waiting and self._in_flight < self.hub.settings.max_in_flight:
            self._start(*waiting.popleft())
        if not waiting:
            self._waiting = None
            if not self.closed and not self._departing:
                self._transport.resume_reading()

    def _go_if_departing(self) -> None:
        """Once no handler runs any more, `connect` included."""
        if self._departing and not self._in_flight and all(each.connected for each in self.sessions.values()):
            self.close("draining")

    def _failure(self, session: Session, event: EventReceived, error: Exception) -> dict[str, Any]:
        if isinstance(error, RecadoError):
            return _refused(error)
        self._log_failure(session, event)
        return _refused(RecadoError())

    def _acknowledge(
        self, session: Session, event: EventReceived, ack_id: int, reply: Any, received_at: float
    ) -> None:
        args = () if reply is None else reply if isinstance(reply, tuple) else (reply,)
        try:
            frames = session.encode_ack(ack_id, args)
        except (TypeError, ValueError):
            self._log_failure(session, event)
            frames = session.encode_ack(ack_id, (_refused(RecadoError()),))
        self.push_all(frames)
        self.hub.statistics.acks.add(self.hub.clock() - received_at)

    def _log_failure(self, session: Session, event: EventReceived) -> None:
        name = event.name if _LOGGABLE_NAME.fullmatch(event.name) else None
        self.hub.log.exception(  # noqa: LOG004 - called from exception handlers only
            "event_failed", connection=self.id, session=session.id, name=name
        )

    def _end_session(self, namespace: str, reason: str) -> None:
        session = self.sessions.pop(namespace, None)
        if session is None:
            return
        session.end()
        for key, (answer, _) in (self._calls or {}).items():
            if key[0] == namespace and not answer.done():
                answer.set_exception(ConnectionError("the session ended"))
        if session.connected:
            self._tell(session, reason)

    def _tell(self, session: Session, reason: str) -> None:
        try:
            self._handlers(session).disconnected(session, reason)
        except Exception:
            self.hub.log.exception("disconnect_failed", connection=self.id, session=session.id)

    def _handlers(self, session: Session) -> Handlers:
        handlers = self.hub.namespaces[session.namespace].handlers
        if handlers is None:
            raise RuntimeError("the namespace has rooms but nobody serves it")
        return handlers


def _refused(error: RecadoError) -> dict[str, Any]:
    return {"ok": False, "error": describe(error)}
