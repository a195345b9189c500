"""Use cases that read an inbox: access first, then one snapshot of the store."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from recado.app.access import Access
from recado.domain.accounts import Identity
from recado.domain.cursor import Cursor, parse_cursor
from recado.domain.values import ClinicId, Conversation, ConversationId, MessageId, Seq
from recado.domain.views import ConversationPage, Delta, ListFilter, MessagePage, SearchPage, ThreadPlace
from recado.errors import FieldError, InvalidError, NotFoundError
from recado.feed.feed import Feed
from recado.store import deltas, inbox
from recado.store.database import Database
from recado.store.inbox import NO_FILTER
from recado.store.search import Place, find

MAX_PAGE = 100
MAX_SEQ_DIGITS = 18
MAX_WAIT_S = 25.0
MAX_THREADS = 200
"""How many conversations' messages one delta may ask for."""


class Queries:
    def __init__(self, database: Database, access: Access, feed: Feed) -> None:
        self._database = database
        self._access = access
        self._feed = feed

    async def conversations(
        self,
        identity: Identity,
        clinic_id: ClinicId,
        *,
        limit: int,
        before: str | None,
        fitting: ListFilter = NO_FILTER,
    ) -> ConversationPage:
        """1 to MAX_PAGE conversations, newest first. Raises `not_found`, `invalid`."""
        self._access.clinic(identity, clinic_id, "inbox.read")
        return await self._database.read(
            partial(
                inbox.conversation_page,
                clinic_id=clinic_id,
                member_id=identity.member_id,
                limit=_limit(limit),
                before=_before(before),
                fitting=fitting,
            )
        )

    async def conversation(self, identity: Identity, conversation_id: ConversationId) -> Conversation:
        """Raises `not_found`, also for one that was deleted."""
        await self._access.conversation(identity, conversation_id, "inbox.read")
        found = await self._database.read(lambda connection: inbox.conversation(connection, conversation_id))
        if found is None or found.deleted:
            raise NotFoundError
        return found

    async def messages(
        self,
        identity: Identity,
        conversation_id: ConversationId,
        *,
        limit: int,
        before: str | None = None,
        after: str | None = None,
        around: MessageId | None = None,
    ) -> MessagePage:
        """1 to MAX_PAGE messages, newest first, at one place of the thread. Raises `not_found`, `invalid`.

        Of several places `around` counts, then `after`.
        """
        clinic_id = await self._access.conversation(identity, conversation_id, "inbox.read")
        older, newer = _before(before), _before(after, "after")
        if around is not None:
            place = ThreadPlace(around=around)
        elif newer is not None:
            place = ThreadPlace(after=newer)
        else:
            place = ThreadPlace(before=older)
        return await self._database.read(
            partial(
                _thread_page,
                clinic_id=clinic_id,
                conversation_id=conversation_id,
                limit=_limit(limit),
                place=place,
            )
        )

    async def search(
        self, identity: Identity, clinic_id: ClinicId, asked: str, *, limit: int, before: str | None
    ) -> SearchPage:
        """1 to MAX_PAGE hits, best first; what has no words finds nothing. Raises `not_found`, `invalid`."""
        self._access.clinic(identity, clinic_id, "inbox.read")
        return await self._database.read(
            partial(find, clinic_id=clinic_id, asked=asked, limit=_limit(limit), before=_place(before))
        )

    async def cursor(self, identity: Identity, clinic_id: ClinicId) -> Cursor:
        """Where the clinic's log stands now."""
        self._access.clinic(identity, clinic_id, "inbox.read")
        heads = await self._database.read(lambda connection: inbox.heads(connection, [clinic_id]))
        return heads[clinic_id].cursor

    async def changes(
        self,
        identity: Identity,
        clinic_id: ClinicId,
        *,
        after: str | None,
        conversation_ids: Sequence[ConversationId] = (),
        wait_s: float = 0.0,
    ) -> Delta:
        """The delta after `after`; waits up to `wait_s` (at most MAX_WAIT_S) for one that is not empty.

        Without `after` it is the cursor alone. Raises `not_found`, `invalid`.
        """
        self._access.clinic(identity, clinic_id, "inbox.read")
        if len(conversation_ids) > MAX_THREADS:
            raise InvalidError(errors=[FieldError("conversationIds", "too_many")])
        if after is None:
            cursor = await self.cursor(identity, clinic_id)
            return Delta(cursor=str(cursor), conversations=[], messages=[], reads=[])
        start = parse_cursor(after)
        read = partial(
            deltas.clinic_delta,
            clinic_id=clinic_id,
            member_id=identity.member_id,
            after=start,
            conversation_ids=conversation_ids,
        )
        delta = await self._database.read(read)
        if wait_s <= 0 or delta.reset or parse_cursor(delta.cursor).seq > start.seq:
            return delta
        await self._feed.follow(clinic_id)
        try:
            await self._feed.wait_past(clinic_id, start.seq, min(wait_s, MAX_WAIT_S))
        finally:
            self._feed.unfollow(clinic_id)
        return await self._database.read(read)

    async def conversation_changes(
        self, identity: Identity, conversation_id: ConversationId, after: str | None
    ) -> Delta:
        """The delta of one conversation; without `after` the cursor alone. Raises `not_found`, `invalid`."""
        clinic_id = await self._access.conversation(identity, conversation_id, "inbox.read")
        if after is None:
            cursor = await self.cursor(identity, clinic_id)
            return Delta(cursor=str(cursor), conversations=[], messages=[], reads=[])
        return await self._database.read(
            partial(
                deltas.conversation_delta,
                clinic_id=clinic_id,
                member_id=identity.member_id,
                after=parse_cursor(after),
                conversation_id=conversation_id,
            )
        )


def _thread_page(connection: Connection, *, conversation_id: ConversationId, **which: Any) -> MessagePage:
    """Raises NotFoundError for a conversation that was deleted; only one without a word may be, so only then we ask."""
    page = inbox.message_page(connection, conversation_id=conversation_id, **which)
    if all(message.deleted for message in page.items):
        found = inbox.conversation(connection, conversation_id)
        if found is None or found.deleted:
            raise NotFoundError
    return page


def _limit(limit: int) -> int:
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidError(errors=[FieldError("limit", "out_of_range")])
    return limit


def _before(before: str | None, path: str = "before") -> Seq | None:
    """Opaque to clients; to us it is the seq of the last row they saw."""
    if before is None:
        return None
    if not before.isascii() or not before.isdigit() or len(before) > MAX_SEQ_DIGITS:
        raise InvalidError(errors=[FieldError(path, "malformed")])
    return Seq(int(before))


def _place(before: str | None) -> Place | None:
    try:
        return Place.parse(before) if before is not None else None
    except ValueError:
        raise InvalidError(errors=[FieldError("before", "malformed")]) from None
