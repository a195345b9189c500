"""Pages of a clinic's list of conversations: what fits a filter, newest first, by way of an index. docs/store.md.

A page comes with the seq of its snapshot and the marks of who asks in one statement, built once: a first read's time
is its trips to the database, and building the statement takes longer than PostgreSQL takes to answer it.
"""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import cycle, islice
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from psycopg.types.numeric import Int8
from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    true,
)

from recado.domain.values import ClinicId, Conversation, MemberId, ReadMark, Seq
from recado.domain.views import ConversationPage, ListFilter
from recado.store.bulk import run
from recado.store.inbox import NO_FILTER, Head, head_columns, head_from, head_of
from recado.store.postgres import PREPARED_AFTER
from recado.store.rows import conversation_from, select_conversations
from recado.store.tables import clinics, conversation_labels, conversations, read_marks

_CLINIC: BindParameter[Any] = bindparam("clinic", type_=Integer)
_BEFORE: BindParameter[Any] = bindparam("before", type_=BigInteger)
_MEMBER: BindParameter[Any] = bindparam("member", type_=Text)
NOBODY = MemberId("")
MAX_SEQ = Seq(2**53)
WARM_CLINICS, WARM_S = 100, 0.3
"""Bounds on what is read for nobody yet."""

_LAST_SEQ = list(conversations.c.keys()).index("last_seq")
_MARK, _HEAD = slice(-7, -4), slice(-4, None)
"""Where they stand in a row, behind the conversation, which begins with its id."""


class Page(NamedTuple):
    """`limit` conversations, newest first, and the one behind them. `marks`: the member's in all of these."""

    head: Head
    rows: list[Conversation]
    marks: list[ReadMark]
    limit: int

    @property
    def items(self) -> list[Conversation]:
        return self.rows[: self.limit]

    @property
    def before(self) -> str | None:
        """What asks for the next page."""
        return str(self.items[-1].last_seq) if len(self.rows) > self.limit else None


def conversation_page(
    connection: Connection,
    clinic_id: ClinicId,
    member_id: MemberId,
    limit: int,
    before: Seq | None,
    fitting: ListFilter = NO_FILTER,
) -> ConversationPage:
    """By the newest message's seq, newest first; `before` is the seq of the last row seen."""
    page = read_page(connection, clinic_id, member_id, limit, before, fitting)
    shown = {row.id for row in page.items}
    reads = [mark for mark in page.marks if mark.conversation_id in shown]
    return ConversationPage(items=page.items, reads=reads, before=page.before, seq=page.head.cursor.seq)


def read_page(
    connection: Connection,
    clinic_id: ClinicId,
    member_id: MemberId,
    limit: int,
    before: Seq | None,
    fitting: ListFilter,
) -> Page:
    """As `conversation_page`; the marks by version."""
    kind = _Kind(
        before=before is not None,
        status=fitting.status is not None,
        assignee=None if fitting.assignee_id is None else bool(fitting.assignee_id),
        label=fitting.label is not None,
        unread=fitting.unread,
    )
    if before is not None:
        before = Seq(Int8(before))  # to psycopg a number of another size makes another statement
    asked = {
        "clinic": clinic_id,
        "member": member_id,
        "before": before,
        "status": fitting.status,
        "assignee": fitting.assignee_id,
        "label": fitting.label,
    }
    found = run(connection, _select(connection.dialect.name, kind, limit + 1), asked)
    rows = sorted((row for row in found if row[0] is not None), key=itemgetter(_LAST_SEQ), reverse=True)
    marks = [mark for mark in (_mark_in(row, member_id) for row in rows) if mark]
    marks.sort(key=attrgetter("version"))
    return Page(head_from(*found[0][_HEAD]), [conversation_from(row) for row in rows], marks, limit)


def prepare(connection: Connection, limit: int) -> None:
    """Read first and next pages, and where the log stands, until these statements are prepared.

    Of several clinics, and of more as long as WARM_S lasts: a database that has just started has nothing at hand.
    """
    until = time.monotonic() + WARM_S
    some = select(clinics.c.id).order_by(func.random()).limit(WARM_CLINICS)
    found = connection.execute(some).scalars().all()
    for number, clinic_id in enumerate(islice(cycle(found), max(PREPARED_AFTER, len(found)))):
        if number >= PREPARED_AFTER and time.monotonic() > until:
            break
        for before in (None, MAX_SEQ):
            read_page(connection, clinic_id, NOBODY, limit, before, NO_FILTER)
        head_of(connection, clinic_id)


def _mark_in(row: Sequence[Any], member_id: MemberId) -> ReadMark | None:
    up_to, inbound_read, version = row[_MARK]
    if version is None:
        return None
    return ReadMark(
        conversation_id=row[0], member_id=member_id, up_to=up_to, inbound_read=inbound_read, version=version
    )


class _Kind(NamedTuple):
    """Which conditions a statement has. `assignee` False: it is nobody's."""

    before: bool
    status: bool
    assignee: bool | None
    label: bool
    unread: bool


_ANY = _Kind(before=False, status=False, assignee=None, label=False, unread=False)


@lru_cache(256)
def _select(dialect: str, kind: _Kind, limit: int) -> Select[Any]:
    """The clinic's head beside each conversation, with the member's mark in it; alone, if there is no conversation.

    The limit is part of the text: PostgreSQL plans one that it does not know for a tenth of the clinic. Without a
    filter whose page it is, and which, is hidden from it: it would plan each page for itself, as it finds those of
    small clinics cheaper than the plan for all, and that takes 0.3 of a page's 0.9 ms.
    """
    filtered = kind._replace(before=False) != _ANY
    clinic_id = _CLINIC if filtered else select(_CLINIC).scalar_subquery()
    page = (
        select_conversations()
        .where(conversations.c.clinic_id == clinic_id, conversations.c.deleted.is_(False), *_fits(kind))
        .order_by(conversations.c.last_seq.desc())
        .limit(literal_column(str(limit)))
        .subquery("page")
    )
    member_id = select(_MEMBER).scalar_subquery()
    mine = and_(read_marks.c.conversation_id == page.c.id, read_marks.c.member_id == member_id)
    mark = (read_marks.c.up_to, read_marks.c.inbound_read, read_marks.c.version)
    return (
        select(*page.c, *mark, *head_columns(dialect))
        .select_from(clinics.outerjoin(page, true()).outerjoin(read_marks, mine))
        .where(clinics.c.id == _CLINIC)
    )


def _fits(kind: _Kind) -> Iterator[ColumnElement[bool]]:
    """Conditions that leave the order to the list's indexes, so that a page stops where it is full."""
    if kind.before:
        yield conversations.c.last_seq < select(_BEFORE).scalar_subquery()
    if kind.status:
        yield conversations.c.status == bindparam("status")
    if kind.assignee is not None:
        whose = conversations.c.assignee_id
        yield whose == bindparam("assignee") if kind.assignee else whose.is_(None)
    if kind.label:
        yield exists().where(
            conversation_labels.c.clinic_id == _CLINIC,
            conversation_labels.c.label == bindparam("label"),
            conversation_labels.c.conversation_id == conversations.c.id,
        )
    if kind.unread:
        read = (
            select(read_marks.c.inbound_read)
            .where(read_marks.c.conversation_id == conversations.c.id, read_marks.c.member_id == _MEMBER)
            .scalar_subquery()
        )
        yield conversations.c.inbound_count > func.coalesce(read, 0)
