"""The application behind the sockets: who may connect, what a client's events do, who hears of a log record.

Ruled by docs/events.md, the events are app/vocabulary.py's. Must not know transports. The tenant is taken from the
session, and `app` checks it at every join, command and query.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from recado import __version__, observe
from recado.app.access import Access
from recado.app.channels import Channels
from recado.app.clinics import Clinics
from recado.app.inbox import Inbox
from recado.app.origins import SESSION_COOKIE, OwnOrigins, provenance
from recado.app.payloads import payload_of
from recado.app.queries import Queries, start_of
from recado.app.sessions import Sessions
from recado.app.vocabulary import (
    CHANNEL_COMMANDS,
    CLIENT_EVENTS,
    CLINIC_COMMANDS,
    INBOX_COMMANDS,
    Command,
    Connections,
    Hello,
    JoinClinic,
    JoinConversation,
    Joined,
    LeaveConversation,
    Left,
    Server,
)
from recado.domain.accounts import Identity
from recado.domain.clinic_events import access_change
from recado.domain.packets import Told, clinic_room, conversation_room, packets
from recado.domain.values import ClinicId, Instant, Value
from recado.domain.views import Delta
from recado.errors import (
    FieldError,
    InvalidError,
    NotFoundError,
    RecadoError,
    TooManyConnectionsError,
    UnauthenticatedError,
    describe,
)
from recado.feed.feed import Feed
from recado.realtime.rooms import Rooms
from recado.realtime.session import Session

COUNT_AFTER_S = 0.5
COUNT_EACH_S = 0.002
"""Comings and goings within this time are told to a clinic's screens as one count. Each screen makes it longer: while
thousands came back, counts were six in ten of all that was sent."""

log = observe.get_logger("gateway")


class Seat(Struct):
    """What a connected session is: a verified member in one clinic. Kept in `session.data`."""

    token_hash: str
    identity: Identity
    clinic_id: ClinicId


Handler = Callable[[Session, Seat, Any], Awaitable[Value]]


class Gateway:
    def __init__(  # noqa: PLR0913 - every use case that a socket may ask for
        self,
        *,
        rooms: Rooms,
        sessions: Sessions,
        access: Access,
        queries: Queries,
        inbox: Inbox,
        clinics: Clinics,
        channels: Channels,
        feed: Feed,
        origins: OwnOrigins,
        now: Callable[[], Instant],
        max_connections_per_member: int = 0,
    ) -> None:
        self._rooms = rooms
        self._sessions = sessions
        self._access = access
        self._queries = queries
        self._feed = feed
        self._origins = origins
        self._now = now
        self._max_per_member = max_connections_per_member
        self._of_member: Counter[str] = Counter()
        self._of_login: dict[str, set[Session]] = {}
        self._counting: set[ClinicId] = set()
        self._handlers: dict[str, Handler] = {
            "clinic:join": self._join_clinic,
            "conversation:join": self._join_conversation,
            "conversation:leave": self._leave_conversation,
            **_handlers(INBOX_COMMANDS, inbox),
            **_handlers(CLINIC_COMMANDS, clinics),
            **_handlers(CHANNEL_COMMANDS, channels),
        }
        sessions.on_end(self._end_login)

    async def connect(self, session: Session, auth: Any) -> None:
        """Seat the session in its clinic's room. Raises the refusal: unauthenticated, not_found, invalid."""
        hello = payload_of(auth, Hello)
        token_hash = self._sessions.hash_of(hello.token or self._cookie(session))
        identity = await self._sessions.verify_hash(token_hash)
        clinic_id = _clinic_of(identity, hello.clinic_id)
        self._access.clinic(identity, clinic_id, "inbox.read")
        identity = await self._follow(token_hash, clinic_id)
        if session.closed:
            self._feed.unfollow(clinic_id)
            return
        if self._max_per_member and self._of_member[identity.member_id] >= self._max_per_member:
            self._feed.unfollow(clinic_id)
            raise TooManyConnectionsError
        self._of_member[identity.member_id] += 1
        session.data = Seat(token_hash, identity, clinic_id)
        self._of_login.setdefault(identity.session_id, set()).add(session)
        self._rooms.join(session, clinic_room(clinic_id))
        self._count_soon(clinic_id)
        log.info(
            "connected",
            connection=session.id,
            session_id=identity.session_id,
            member_id=identity.member_id,
            clinic_id=clinic_id,
        )

    async def _follow(self, token_hash: str, clinic_id: ClinicId) -> Identity:
        """Follow the clinic, then ask once more who may: from here on a lost access is heard, before it was not."""
        await self._feed.follow(clinic_id)
        try:
            identity = await self._sessions.verify_hash(token_hash)
            self._access.clinic(identity, clinic_id, "inbox.read")
        except BaseException:
            self._feed.unfollow(clinic_id)
            raise
        return identity

    def disconnected(self, session: Session, reason: str) -> None:
        """Called once for every session that `connect` accepted."""
        seat = session.data
        if not isinstance(seat, Seat):
            return
        session.data = None
        self._of_member[seat.identity.member_id] -= 1
        if not self._of_member[seat.identity.member_id]:
            del self._of_member[seat.identity.member_id]
        sockets = self._of_login.get(seat.identity.session_id, set())
        sockets.discard(session)
        if not sockets:
            self._of_login.pop(seat.identity.session_id, None)
        self._feed.unfollow(seat.clinic_id)
        self._count_soon(seat.clinic_id)
        log.info("disconnected", connection=session.id, clinic_id=seat.clinic_id, reason=reason)

    async def event(self, session: Session, name: str, args: Sequence[Any]) -> Value | dict[str, Any]:
        """Carry out a client's event; the result is its acknowledgement, refusals included."""
        seat = session.data
        handler = self._handlers.get(name)
        try:
            if not isinstance(seat, Seat) or handler is None:
                raise InvalidError(errors=[FieldError("event", "unknown")])
            seat.identity = await self._sessions.verify_hash(seat.token_hash)
            order = payload_of(args[0] if args else {}, CLIENT_EVENTS[name].payload)
            return await handler(session, seat, order)
        except UnauthenticatedError as error:
            session.close("session ended")
            return {"ok": False, "error": describe(error)}
        except RecadoError as error:
            log.debug("event_refused", connection=session.id, name=name if handler else None, code=error.code)
            return {"ok": False, "error": describe(error)}

    def connections(self, clinic_id: ClinicId) -> int:
        """How many screens of the clinic are live on this node."""
        return self._rooms.count(clinic_room(clinic_id))

    def tell(self, told: Told) -> None:
        """A log record → its rooms. The feed calls this once per record, in order."""
        self._end_access(told)
        for packet in packets(told):
            self._rooms.emit(packet.room, packet.event, packet.payload)

    def _end_access(self, told: Told) -> None:
        """Whose access a record changed hears no more of the clinic on the sockets they have: they come back, or not.

        A new password is told in each of the member's clinics, so each socket is met in its own.
        """
        change = access_change(told.record)
        if change is None or change.reason is None:
            return
        for session in list(self._rooms.members(clinic_room(told.record.clinic_id))):
            who = session.data.identity if isinstance(session.data, Seat) else None
            if who and who.member_id == change.member_id and who.session_id != change.kept_session_id:
                session.close(change.reason)

    def reset(self, clinic_id: ClinicId) -> None:
        """The clinic's log is another than its screens believe: they come back and are told to read afresh."""
        for session in list(self._rooms.members(clinic_room(clinic_id))):
            session.close("history changed")

    async def sweep(self) -> None:
        """Close the sockets of sessions that have expired, or that another node has ended; called now and then."""
        await self._sessions.notice(list(self._of_login))
        now = self._now()
        late = [
            session
            for sockets in self._of_login.values()
            for session in sockets
            if session.data.identity.expires_at <= now
        ]
        for session in late:
            try:
                session.data.identity = await self._sessions.verify_hash(session.data.token_hash)
            except UnauthenticatedError:
                session.close("session ended")

    async def _join_clinic(self, session: Session, seat: Seat, order: JoinClinic) -> Joined:
        self._access.clinic(seat.identity, order.clinic_id, "inbox.read")
        start_of(order.after, order.conversation_ids)  # who is refused stays where they are
        if order.clinic_id != seat.clinic_id:
            await self._switch(session, seat, order.clinic_id)
        session.hold()
        try:
            delta = await self._queries.changes(
                seat.identity, order.clinic_id, after=order.after, conversation_ids=order.conversation_ids
            )
        finally:
            session.release()
        return _joined(
            delta,
            full=order.after is not None,
            connections=self._rooms.count(clinic_room(order.clinic_id)),
            server=Server(version=__version__),
        )

    async def _switch(self, session: Session, seat: Seat, clinic_id: ClinicId) -> None:
        """Leave every room of the clinic before and take a seat in `clinic_id`."""
        seat.identity = await self._follow(seat.token_hash, clinic_id)
        if session.closed:
            self._feed.unfollow(clinic_id)
            raise UnauthenticatedError
        self._rooms.leave_all(session)
        self._feed.unfollow(seat.clinic_id)
        self._count_soon(seat.clinic_id)
        seat.clinic_id = clinic_id
        self._rooms.join(session, clinic_room(clinic_id))
        self._count_soon(clinic_id)

    async def _join_conversation(self, session: Session, seat: Seat, order: JoinConversation) -> Joined:
        clinic_id = await self._access.conversation(seat.identity, order.conversation_id, "inbox.read")
        if clinic_id != seat.clinic_id:
            raise NotFoundError
        start_of(order.after)  # as above
        session.hold()
        try:
            self._rooms.join(session, conversation_room(order.conversation_id))
            delta = await self._queries.conversation_changes(
                seat.identity, order.conversation_id, order.after
            )
        finally:
            session.release()
        return _joined(delta, full=order.after is not None)

    async def _leave_conversation(self, session: Session, _seat: Seat, order: LeaveConversation) -> Left:
        self._rooms.leave(session, conversation_room(order.conversation_id))
        return Left(ok=True)

    def _cookie(self, session: Session) -> str | None:
        """The browser's session, if one of our own pages asks: a browser attaches cookies by itself."""
        head = session.head
        asked_by = provenance(
            head.header("origin"),
            host=head.header("host"),
            fetch_site=head.header("sec-fetch-site"),
            own=self._origins,
        )
        return head.cookie(SESSION_COOKIE) if asked_by == "own" else None

    def _end_login(self, session_id: str) -> None:
        for session in list(self._of_login.get(session_id, ())):
            session.close("session ended")

    def _count_soon(self, clinic_id: ClinicId) -> None:
        if clinic_id in self._counting:
            return
        self._counting.add(clinic_id)
        after_s = COUNT_AFTER_S + COUNT_EACH_S * self.connections(clinic_id)
        asyncio.get_running_loop().call_later(after_s, self._count, clinic_id)

    def _count(self, clinic_id: ClinicId) -> None:
        self._counting.discard(clinic_id)
        room = clinic_room(clinic_id)
        self._rooms.emit_volatile(room, "clinic:connections", Connections(count=self._rooms.count(room)))


def _handlers(commands: Mapping[str, Command], use_cases: object) -> dict[str, Handler]:
    """Each command carried out by the object whose methods the table names."""

    def handler(command: Command) -> Handler:
        async def carry_out(_session: Session, seat: Seat, order: Any) -> Value:
            return command.answer.of(await command.use_case(use_cases, seat.identity, order))

        return carry_out

    return {name: handler(command) for name, command in commands.items()}


def _clinic_of(identity: Identity, asked: ClinicId | None) -> ClinicId:
    if asked is not None:
        return asked
    if len(identity.roles) != 1:
        raise InvalidError(errors=[FieldError("clinicId", "missing")])
    [clinic_id] = identity.roles
    return clinic_id


def _joined(
    delta: Delta, *, full: bool, connections: int | None = None, server: Server | None = None
) -> Joined:
    return Joined(
        ok=True,
        cursor=delta.cursor,
        connections=connections,
        server=server,
        reset=delta.reset,
        more=delta.more,
        clinic=delta.clinic,
        conversations=delta.conversations if full else None,
        messages=delta.messages if full else None,
        reads=delta.reads if full else None,
    )
