"""Use cases that read an inbox: access first, then one snapshot of the store."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from msgspec import Struct
from sqlalchemy import Connection

from recado.app.access import Access
from recado.app.paging import limit_of
from recado.domain.accounts import Identity
from recado.domain.cursor import Cursor, parse_cursor
from recado.domain.values import ClinicId, ConversationId, MemberId
from recado.domain.views import Delta, SearchPage
from recado.errors import FieldError, InvalidError
from recado.feed.feed import Feed
from recado.store import deltas, inbox
from recado.store.database import Database
from recado.store.search import Place, find

MAX_WAIT_S = 25.0
MAX_THREADS = 200
"""How many conversations' messages one delta may ask for."""


class _Changes(Struct, frozen=True):
    """`deltas.clinic_delta` as a value: a member's screens that come back together share one reading."""

    clinic_id: ClinicId
    member_id: MemberId
    after: Cursor
    conversation_ids: tuple[ConversationId, ...]

    def __call__(self, connection: Connection) -> Delta:
        return deltas.clinic_delta(
            connection, self.clinic_id, self.member_id, self.after, self.conversation_ids
        )


class Queries:
    def __init__(self, database: Database, access: Access, feed: Feed) -> None:
        self._database = database
        self._access = access
        self._feed = feed

    async def search(
        self, identity: Identity, clinic_id: ClinicId, asked: str, *, limit: int, before: str | None
    ) -> SearchPage:
        """1 to MAX_PAGE hits, best first; what has no words finds nothing. Raises `not_found`, `invalid`."""
        self._access.clinic(identity, clinic_id, "inbox.read")
        return await self._database.read(
            partial(find, clinic_id=clinic_id, asked=asked, limit=limit_of(limit), before=_place(before))
        )

    async def cursor(self, identity: Identity, clinic_id: ClinicId) -> Cursor:
        """Where the clinic's log stands now."""
        self._access.clinic(identity, clinic_id, "inbox.read")
        head = await self._database.read(lambda connection: inbox.head_of(connection, clinic_id))
        return head.cursor

    async def changes(
        self,
        identity: Identity,
        clinic_id: ClinicId,
        *,
        after: str | None,
        conversation_ids: Sequence[ConversationId] = (),
        wait_s: float = 0.0,
        still: Callable[[], Awaitable[Identity]] | None = None,
    ) -> Delta:
        """The delta after `after`; waits up to `wait_s` (at most MAX_WAIT_S) for one that is not empty.

        Without `after` it is the cursor alone. `still`: who asks, after the wait. Raises `not_found`, `invalid`.
        """
        self._access.clinic(identity, clinic_id, "inbox.read")
        start = start_of(after, conversation_ids)
        if start is None:
            cursor = await self.cursor(identity, clinic_id)
            return Delta(cursor=str(cursor), conversations=[], messages=[], reads=[])
        read = _Changes(clinic_id, identity.member_id, start, tuple(conversation_ids))
        delta = await self._database.read(read)
        if wait_s <= 0 or delta.reset or parse_cursor(delta.cursor).seq > start.seq:
            return delta
        await self._feed.follow(clinic_id)
        try:
            await self._feed.wait_past(clinic_id, start.seq, min(wait_s, MAX_WAIT_S))
        finally:
            self._feed.unfollow(clinic_id)
        delta = await self._database.read(read)
        if still is not None:
            self._access.clinic(await still(), clinic_id, "inbox.read")
        return delta

    async def conversation_changes(
        self, identity: Identity, conversation_id: ConversationId, after: str | None
    ) -> Delta:
        """The delta of one conversation; without `after` the cursor alone. Raises `not_found`, `invalid`."""
        clinic_id = await self._access.conversation(identity, conversation_id, "inbox.read")
        start = start_of(after)
        if start is None:
            cursor = await self.cursor(identity, clinic_id)
            return Delta(cursor=str(cursor), conversations=[], messages=[], reads=[])
        return await self._database.read(
            partial(
                deltas.conversation_delta,
                clinic_id=clinic_id,
                member_id=identity.member_id,
                after=start,
                conversation_id=conversation_id,
            )
        )


def start_of(after: str | None, conversation_ids: Sequence[ConversationId] = ()) -> Cursor | None:
    """Where a delta begins. Raises `invalid`: who is to be moved before it is read asks this first."""
    if len(conversation_ids) > MAX_THREADS:
        raise InvalidError(errors=[FieldError("conversationIds", "too_many")])
    return parse_cursor(after) if after is not None else None


def _place(before: str | None) -> Place | None:
    try:
        return Place.parse(before) if before is not None else None
    except ValueError:
        raise InvalidError(errors=[FieldError("before", "malformed")]) from None
