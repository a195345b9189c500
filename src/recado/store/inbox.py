"""Reading the inbox: heads, keyset pages and the log. Each function runs in one snapshot."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    select,
    true,
    update,
)

from recado.domain.commands import WakeConversation
from recado.domain.cursor import Cursor
from recado.domain.events import Record
from recado.domain.packets import ClinicTold, ConversationTold, Told
from recado.domain.values import (
    ClinicId,
    Conversation,
    ConversationId,
    Instant,
    MemberId,
    Message,
    MessageId,
    ReadMark,
    Seq,
)
from recado.domain.views import ListFilter, MessagePage, ThreadPlace
from recado.errors import NotFoundError
from recado.store.bulk import among, run, wanted
from recado.store.clinic import clinics_by_id
from recado.store.history import history_of
from recado.store.postgres import PREPARED_AFTER
from recado.store.rows import (
    conversation_from,
    conversations_by_id,
    messages_by_id,
    messages_where,
    read_marks_of,
    record_from,
    select_conversations,
)
from recado.store.tables import clinics, conversations, events, messages, read_marks

NO_FILTER = ListFilter()
NEWEST = ThreadPlace()

_CLINIC_OF = select(conversations.c.clinic_id).where(conversations.c.id == bindparam("id"))
_CLINIC_OF_MESSAGE = select(messages.c.clinic_id).where(messages.c.id == bindparam("id"))
_CONVERSATION = select_conversations().where(conversations.c.id == bindparam("id"))
_READS_OF = select(
    read_marks.c.conversation_id, read_marks.c.up_to, read_marks.c.inbound_read, read_marks.c.version
).where(among(read_marks.c.conversation_id), read_marks.c.member_id == bindparam("member"))
_RECORDS_AFTER = (
    select(events)
    .where(events.c.clinic_id == bindparam("clinic"), events.c.seq > bindparam("seq"))
    .order_by(events.c.seq)
    .limit(bindparam("limit"))
)
_RECORDS_BEFORE = (
    select(events)
    .where(events.c.clinic_id == bindparam("clinic"), events.c.seq <= bindparam("seq"))
    .order_by(events.c.seq.desc())
    .limit(bindparam("limit"))
)


class Head(NamedTuple):
    """A clinic's newest log record, and the history its number belongs to."""

    cursor: Cursor
    id: int


def heads(connection: Connection, clinic_ids: Iterable[ClinicId]) -> dict[ClinicId, Head]:
    rows = connection.execute(_heads(connection.dialect.name), wanted((id_,) for id_ in clinic_ids))
    return {clinic_id: head_from(*head) for clinic_id, *head in rows}


def head_of(connection: Connection, clinic_id: ClinicId) -> Head:
    """Raises KeyError if there is no such clinic."""
    found = run(connection, _head(connection.dialect.name), {"clinic": clinic_id})
    if not found:
        raise KeyError(clinic_id)
    return head_from(*found[0])


def head_columns(dialect: str) -> list[ColumnElement[Any]]:
    """What `head_from` is made of."""
    return [clinics.c.epoch, history_of(dialect), clinics.c.seq, clinics.c.head]


def head_from(epoch: int, history: str, seq: Seq, id_: int) -> Head:
    return Head(Cursor(f"{epoch}.{history}", seq), id_)


@cache
def _head(dialect: str) -> Select[Any]:
    return select(*head_columns(dialect)).where(clinics.c.id == bindparam("clinic"))


@cache
def _heads(dialect: str) -> Select[Any]:
    return select(clinics.c.id, *head_columns(dialect)).where(among(clinics.c.id))


def clinic_of(connection: Connection, conversation_id: ConversationId) -> ClinicId | None:
    """Which clinic a conversation belongs to; that never changes."""
    found = run(connection, _CLINIC_OF, {"id": conversation_id})
    return found[0][0] if found else None


def clinic_of_message(connection: Connection, message_id: MessageId) -> ClinicId | None:
    found = run(connection, _CLINIC_OF_MESSAGE, {"id": message_id})
    return found[0][0] if found else None


def conversation(connection: Connection, conversation_id: ConversationId) -> Conversation | None:
    """The row as it is, a tombstone too."""
    found = run(connection, _CONVERSATION, {"id": conversation_id})
    return conversation_from(found[0]) if found else None


def reads_of(connection: Connection, member_id: MemberId, ids: Iterable[ConversationId]) -> list[ReadMark]:
    """How far the member has read in these conversations."""
    asked = {"member": member_id, **wanted((id_,) for id_ in ids)}
    return [
        ReadMark(conversation_id=id_, member_id=member_id, up_to=up_to, inbound_read=read, version=version)
        for id_, up_to, read, version in run(connection, _READS_OF, asked)
    ]


def message_page(
    connection: Connection,
    clinic_id: ClinicId,
    conversation_id: ConversationId,
    limit: int,
    place: ThreadPlace = NEWEST,
) -> MessagePage:
    """By seq, newest first. `place.around` is a message of the conversation. Raises NotFoundError if it is none."""
    thread = messages.c.conversation_id == conversation_id
    newer: list[Message] = []
    older_than = place.before
    if place.after is not None:
        newer = _messages_by_seq(connection, thread, messages.c.seq > place.after, limit + 1)
        older_than = Seq(place.after + 1)
        limit, room = 0, limit
    elif place.around is not None:
        seq = connection.execute(select(messages.c.seq).where(thread, messages.c.id == place.around)).scalar()
        if seq is None:
            raise NotFoundError
        room = limit // 2
        newer = _messages_by_seq(connection, thread, messages.c.seq > seq, room + 1)
        older_than = Seq(seq + 1)
        limit -= room
    else:
        room = 0
    older = true() if older_than is None else messages.c.seq < older_than
    found = messages_where(connection, thread, older, order_by=messages.c.seq.desc(), limit=limit + 1)
    items = [*reversed(newer[:room]), *found[:limit]]
    return MessagePage(
        items=items,
        before=str(items[-1].seq) if items and len(found) > limit else None,
        after=str(items[0].seq) if items and (len(newer) > room or place.before is not None) else None,
        seq=head_of(connection, clinic_id).cursor.seq,
    )


def _messages_by_seq(
    connection: Connection, thread: ColumnElement[bool], newer: ColumnElement[bool], limit: int
) -> list[Message]:
    return messages_where(connection, thread, newer, order_by=messages.c.seq, limit=limit)


def log_after(connection: Connection, clinic_id: ClinicId, seq: Seq, limit: int) -> list[Told]:
    """`records_after`, each with its rows as they are now."""
    return _with_rows(connection, records_after(connection, clinic_id, seq, limit))


def records_after(connection: Connection, clinic_id: ClinicId, seq: Seq, limit: int) -> list[Record]:
    """The log from the record after `seq`, oldest first."""
    asked = {"clinic": clinic_id, "seq": seq, "limit": limit}
    return [record_from(row) for row in connection.execute(_RECORDS_AFTER, asked).mappings()]


def records_before(connection: Connection, clinic_id: ClinicId, seq: Seq, limit: int) -> list[Record]:
    """The log's last records up to `seq`, oldest first."""
    asked = {"clinic": clinic_id, "seq": seq, "limit": limit}
    return [record_from(row) for row in connection.execute(_RECORDS_BEFORE, asked).mappings()][::-1]


def begin_epoch(connection: Connection, clinic_id: ClinicId, known: str) -> None:
    """Give the clinic's log a new epoch, unless `known`, the whole of what a cursor has of it, is outdated already."""
    number = int(known.partition(".")[0])
    ours = clinics.c.id == clinic_id, clinics.c.epoch == number
    connection.execute(update(clinics).where(*ours).values(epoch=number + 1))


def prepare(connection: Connection) -> None:
    """Ask for the log and its rows as a pull does, until these statements are prepared."""
    for _ in range(PREPARED_AFTER):
        heads(connection, [])
        records_after(connection, ClinicId(0), Seq(0), 1)
        conversations_by_id(connection, [])
        messages_by_id(connection, [MessageId("")])


def due_to_wake(connection: Connection, now: Instant, limit: int) -> list[WakeConversation]:
    """The snoozed conversations whose time has come, longest due first."""
    query = (
        select(conversations.c.clinic_id, conversations.c.id)
        .where(conversations.c.snoozed_until <= now)
        .order_by(conversations.c.snoozed_until)
        .limit(limit)
    )
    return [
        WakeConversation(clinic_id=row.clinic_id, conversation_id=row.id) for row in connection.execute(query)
    ]


def _with_rows(connection: Connection, records: Sequence[Record]) -> list[Told]:
    """The records of one clinic. Five statements at most, however many records."""
    if not records:
        return []
    threads = conversations_by_id(
        connection, {each.conversation_id for each in records if each.conversation_id}
    )
    said = messages_by_id(connection, {each.message_id for each in records if each.message_id})
    readers = {
        (each.conversation_id, each.member_id)
        for each in records
        if each.type == "MarkedRead" and each.conversation_id and each.member_id
    }
    marks: dict[tuple[str | None, str | None], ReadMark] = {}
    if readers:
        marks = {(each.conversation_id, each.member_id): each for each in read_marks_of(connection, readers)}
    ours = {each.clinic_id for each in records if each.conversation_id is None}
    kept = clinics_by_id(connection, ours) if ours else {}
    return [
        ClinicTold(record=each, clinic=kept[each.clinic_id])
        if each.conversation_id is None
        else ConversationTold(
            record=each,
            conversation=threads[each.conversation_id],
            message=said[each.message_id] if each.message_id else None,
            read=marks[each.conversation_id, each.member_id] if each.type == "MarkedRead" else None,
        )
        for each in records
    ]
