"""Use cases that read what many screens read: access first, then the cache, then one snapshot of the store.

Answers are bytes as they go over the wire. What depends on who asks, their read marks, is put in when serving, so that
a page is everybody's. docs/cache.md.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from zlib import crc32

from msgspec import Struct, json
from sqlalchemy import Connection

from recado.app.access import Access
from recado.app.paging import END, AskedPlace, before_of, limit_of
from recado.cache.cache import Cache
from recado.cache.entry import Entry, Load, Loaded
from recado.domain import tags
from recado.domain.accounts import Identity
from recado.domain.cursor import Cursor
from recado.domain.values import (
    ClinicId,
    Conversation,
    ConversationId,
    MemberId,
    Message,
    ReadMark,
    Seq,
    Value,
)
from recado.domain.views import ConversationPage, ListFilter, MessagePage, ThreadPlace
from recado.errors import NotFoundError
from recado.store import inbox, lists
from recado.store.clinic import clinics_by_id
from recado.store.database import Database
from recado.store.inbox import NEWEST, NO_FILTER

PIECE = 5_000


class Answer(Struct, frozen=True):
    """A body to be sent as it is. `cursor` is what it is known to be true of; `version` changes with the body.

    In two parts, the long one as it is kept: to put them together is to copy it.
    """

    kept: bytes
    rest: bytes
    cursor: Cursor
    version: str

    @property
    def body(self) -> bytes:
        return self.kept + self.rest


class Target(Struct, frozen=True):
    """What a request asks for, once it has been understood: where it lies, and how it is read if it is not there.

    `load` gives what is everybody's, and `with_marks` beside it how far the member has read in it. `with_seq`: the
    label's seq is put in when serving; without it, equal pages are equal bytes.
    """

    clinic_id: ClinicId
    key: str
    load: Callable[[Connection, MemberId], tuple[Loaded, *tuple[Loaded, ...]]]
    with_marks: bool = False
    with_seq: bool = False


class _Listed(Value, frozen=True, kw_only=True):
    items: list[Conversation]
    before: str | None


class _Thread(Value, frozen=True, kw_only=True):
    items: list[Message]
    before: str | None
    after: str | None


class Pages:
    def __init__(self, database: Database, access: Access, cache: Cache) -> None:
        self._database = database
        self._access = access
        self._cache = cache

    def at_once(self, identity: Identity, target: Target, after: Cursor | None = None) -> Answer | None:
        """The answer, if everything it takes is in memory. Raises `not_found`, `forbidden`."""
        self._access.clinic(identity, target.clinic_id, "inbox.read")
        page = self._cache.at_once(target.clinic_id, target.key, after)
        if page is None:
            return None
        if not target.with_marks:
            return _answer(page, with_seq=target.with_seq)
        marks = self._cache.at_once(target.clinic_id, _marks_key(target, identity), page.cursor)
        if marks is None:
            return None
        return _answer_with(page, marks)

    async def answer(self, identity: Identity, target: Target, after: Cursor | None = None) -> Answer:
        """The answer, wherever it takes it from. Raises `not_found`, `forbidden`, `cursor_ahead`, `unavailable`."""
        self._access.clinic(identity, target.clinic_id, "inbox.read")
        load = partial(self._load, identity, target)
        while True:
            page = await self._cache.get(target.clinic_id, target.key, load, after)
            if not target.with_marks:
                return _answer(page, with_seq=target.with_seq)
            self._access.learn(target.clinic_id, [tag[1:] for tag in page.tags[: page.shown]])
            marks = await self._marks(identity, target, page)
            if answer := _answer_with(page, marks):
                return answer

    async def conversations(
        self,
        identity: Identity,
        clinic_id: ClinicId,
        *,
        limit: int,
        before: str | None,
        fitting: ListFilter = NO_FILTER,
        after: Cursor | None = None,
    ) -> tuple[Answer, Target | None]:
        """1 to MAX_PAGE conversations, newest first; and what to ask `at_once` for. Raises `not_found`, `invalid`."""
        self._access.clinic(identity, clinic_id, "inbox.read")
        size, older = limit_of(limit), before_of(before)
        if fitting.unread:
            read = partial(
                lists.conversation_page,
                clinic_id=clinic_id,
                member_id=identity.member_id,
                limit=size,
                before=older,
                fitting=fitting,
            )
            return await self._uncached(clinic_id, read), None
        target = list_target(clinic_id, size, older, fitting)
        return await self.answer(identity, target, after), target

    async def _marks(self, identity: Identity, target: Target, page: Entry) -> Entry:
        """How far the member has read in the conversations of `page`, as of its cursor or later.

        The page may have been read ahead of what this node knows of the log, and whoever holds it goes on from there.
        """
        key, shown = _marks_key(target, identity), page.tags[: page.shown]
        load = self._load_of_marks(identity, target, shown)
        while True:
            marks = await self._cache.get(target.clinic_id, key, load, page.cursor, shared=False)
            if all(tag in marks.body for tag in shown):
                return marks
            self._cache.memory.remove(key)  # of the page as it was

    async def conversation(
        self, identity: Identity, conversation_id: ConversationId, *, after: Cursor | None = None
    ) -> tuple[Answer, Target]:
        """Raises `not_found`, also for one that was deleted."""
        clinic_id = await self._access.conversation(identity, conversation_id, "inbox.read")
        load = partial(_load_conversation, clinic_id=clinic_id, conversation_id=conversation_id)
        target = _everybodys(clinic_id, f"conversation:{conversation_id}", load)
        return await self.answer(identity, target, after), target

    async def messages(
        self,
        identity: Identity,
        conversation_id: ConversationId,
        *,
        limit: int,
        asked: AskedPlace = END,
        after: Cursor | None = None,
    ) -> tuple[Answer, Target | None]:
        """1 to MAX_PAGE messages, newest first, at one place of the thread. Raises `not_found`, `invalid`."""
        clinic_id = await self._access.conversation(identity, conversation_id, "inbox.read")
        size, place = limit_of(limit), asked.place()
        read = partial(
            _thread_page, clinic_id=clinic_id, conversation_id=conversation_id, limit=size, place=place
        )
        if place != NEWEST:
            return await self._uncached(clinic_id, read), None
        load = partial(_load_thread, clinic_id=clinic_id, conversation_id=conversation_id, read=read)
        target = _everybodys(clinic_id, f"thread:{conversation_id}:{size}", load, with_seq=True)
        return await self.answer(identity, target, after), target

    async def clinic(
        self, identity: Identity, clinic_id: ClinicId, *, after: Cursor | None = None
    ) -> tuple[Answer, Target]:
        """What the clinic keeps, as every member may see it. Raises `not_found`."""
        target = _everybodys(clinic_id, "clinic", partial(_load_clinic, clinic_id=clinic_id))
        return await self.answer(identity, target, after), target

    async def _load(self, identity: Identity, target: Target) -> Loaded:
        """What is everybody's; who has it loaded finds their marks in memory, read in the same trip."""
        member_id = identity.member_id
        page, *mine = await self._database.read(lambda connection: target.load(connection, member_id))
        for marks in mine:
            load = self._load_of_marks(identity, target, page.tags[: page.shown])
            self._cache.memory.put(_marks_key(target, identity), Entry(marks, load))
        return page

    def _load_of_marks(self, identity: Identity, target: Target, shown: Sequence[str]) -> Load:
        load = partial(_load_marks, clinic_id=target.clinic_id, member_id=identity.member_id, shown=shown)
        return partial(self._database.read, load)

    async def _uncached(
        self, clinic_id: ClinicId, read: Callable[[Connection], ConversationPage | MessagePage]
    ) -> Answer:
        """Always read from a snapshot of now, so there is no cursor that it could be behind."""

        def load(connection: Connection) -> Loaded:
            return Loaded(inbox.head_of(connection, clinic_id).cursor, (), json.encode(read(connection)))

        loaded = await self._database.read(load)
        return _answer(Entry(loaded))


def _answer(entry: Entry, *, with_seq: bool = False) -> Answer:
    rest = b',"seq":%d}' % entry.label if with_seq else b""
    return Answer(entry.body, rest, entry.cursor, f'"{entry.epoch}:{entry.label}"')


def _answer_with(page: Entry, marks: Entry) -> Answer | None:
    """A list with one member's marks; None if some are not at hand, or are of another history."""
    if page.epoch != marks.epoch:
        return None
    made: _Made | None = marks.made
    if made is None or made.tags is not page.tags:
        made = marks.made = _put_together(page, marks)
    if made is None:
        return None
    return Answer(page.body, made.rest, Cursor(page.epoch, min(page.ok, marks.ok)), made.version)


class _Made(Struct, frozen=True):
    """What marks add to the page that has these tags: to pick fifty out takes as long as all else of a hit."""

    tags: Sequence[str]
    rest: bytes
    version: str


def _put_together(page: Entry, marks: Entry) -> _Made | None:
    try:
        mine = b",".join(filter(None, map(marks.body.__getitem__, page.tags[: page.shown])))
    except KeyError:
        return None
    rest = b',"reads":[%b],"seq":%d}' % (mine, page.label)
    return _Made(page.tags, rest, f'"{page.epoch}:{page.label}:{_checksum(mine):x}"')


def _checksum(data: bytes) -> int:
    """In pieces: with more than 5 KiB `crc32` lets go of the interpreter, and a store thread keeps it for 0.5 ms."""
    found = 0
    for begin in range(0, len(data), PIECE):
        found = crc32(data[begin : begin + PIECE], found)
    return found


def list_target(
    clinic_id: ClinicId, limit: int, before: Seq | None, fitting: ListFilter = NO_FILTER
) -> Target:
    """Of any filter but `unread`."""
    place = f"{limit}:{'' if before is None else before}:{tags.list_name(fitting)}"
    load = partial(_load_list, clinic_id=clinic_id, limit=limit, before=before, fitting=fitting)
    return Target(clinic_id, _key(clinic_id, f"list:{place}"), load, with_marks=True)


def _everybodys(
    clinic_id: ClinicId, place: str, load: Callable[[Connection], Loaded], *, with_seq: bool = False
) -> Target:
    key = _key(clinic_id, place)
    return Target(clinic_id, key, lambda connection, _member_id: (load(connection),), with_seq=with_seq)


def _key(clinic_id: ClinicId, place: str) -> str:
    return f"clinic:{clinic_id}:{place}"


def _marks_key(target: Target, identity: Identity) -> str:
    return f"{target.key}@{identity.member_id}"


def _load_list(
    connection: Connection,
    member_id: MemberId,
    *,
    clinic_id: ClinicId,
    limit: int,
    before: Seq | None,
    fitting: ListFilter,
) -> tuple[Loaded, Loaded]:
    """All of a page but its end, where the marks of who asks belong; and these."""
    page = lists.read_page(connection, clinic_id, member_id, limit, before, fitting)
    rows, label = page.rows, page.head.cursor
    depends = tags.list_tags(fitting, [row.id for row in rows], first=before is None)
    body = json.encode(_Listed(items=page.items, before=page.before))[:-1]
    shown = len(page.items)
    whole = Loaded(label, depends, body, shown, page.head.id)
    return whole, _marks_in(label, member_id, depends[:shown], page.marks)


def _load_marks(
    connection: Connection, clinic_id: ClinicId, member_id: MemberId, shown: Sequence[str]
) -> Loaded:
    label = inbox.head_of(connection, clinic_id).cursor
    ids = [ConversationId(tag[1:]) for tag in shown]
    return _marks_in(label, member_id, shown, inbox.reads_of(connection, member_id, ids))


def _marks_in(label: Cursor, member_id: MemberId, shown: Sequence[str], marks: Iterable[ReadMark]) -> Loaded:
    """By conversation of those that are shown, without one too; a page's row behind may have one."""
    known = {tags.conversation_tag(mark.conversation_id): mark for mark in marks}
    found = {tag: json.encode(known[tag]) if tag in known else b"" for tag in shown}
    return Loaded(label, (tags.marks_tag(member_id),), found)


def _load_conversation(
    connection: Connection, clinic_id: ClinicId, conversation_id: ConversationId
) -> Loaded:
    label, head = inbox.head_of(connection, clinic_id)
    found = inbox.conversation(connection, conversation_id)
    if found is None or found.deleted:
        raise NotFoundError
    return Loaded(label, (tags.conversation_tag(conversation_id),), json.encode(found), head=head)


def _load_thread(
    connection: Connection,
    clinic_id: ClinicId,
    conversation_id: ConversationId,
    read: Callable[[Connection], MessagePage],
) -> Loaded:
    """All of a page but its end, where its seq belongs."""
    label, head = inbox.head_of(connection, clinic_id)
    page = read(connection)
    kept = _Thread(items=page.items, before=page.before, after=page.after)
    return Loaded(label, (tags.thread_tag(conversation_id),), json.encode(kept)[:-1], head=head)


def _thread_page(
    connection: Connection,
    clinic_id: ClinicId,
    conversation_id: ConversationId,
    limit: int,
    place: ThreadPlace,
) -> MessagePage:
    """Raises NotFoundError for a conversation that was deleted; only one without a word may be, so only then we ask."""
    page = inbox.message_page(connection, clinic_id, conversation_id, limit, place)
    if all(message.deleted for message in page.items):
        found = inbox.conversation(connection, conversation_id)
        if found is None or found.deleted:
            raise NotFoundError
    return page


def _load_clinic(connection: Connection, clinic_id: ClinicId) -> Loaded:
    label, head = inbox.head_of(connection, clinic_id)
    body = json.encode(clinics_by_id(connection, [clinic_id])[clinic_id])
    return Loaded(label, (tags.CLINIC,), body, head=head)
