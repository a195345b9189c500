"""Rows ↔ values, in one place, both ways."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from msgspec import Struct, json, structs
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    Select,
    Text,
    cast,
    literal_column,
    select,
)

from recado.domain.accounts import Channel
from recado.domain.events import Record
from recado.domain.values import (
    PREVIEW_CHARS,
    Attachment,
    Author,
    ChannelId,
    ChannelRef,
    ClientKey,
    ClinicId,
    ContactId,
    ContactRef,
    Conversation,
    ConversationId,
    ConversationStatus,
    Direction,
    Failure,
    Instant,
    LastMessage,
    MemberId,
    Message,
    MessageId,
    MessageKind,
    MessageStatus,
    ReadMark,
    Seq,
)
from recado.store.bulk import among, wanted
from recado.store.tables import attachments, channels, contacts, conversations, messages, read_marks

_newest = messages.alias("newest")
_MESSAGES_BY_ID = select(messages).where(among(messages.c.id))
_ATTACHMENTS_OF = select(attachments).where(among(attachments.c.message_id)).order_by(attachments.c.position)
_MARKS = select(read_marks).where(among(read_marks.c.conversation_id, read_marks.c.member_id))
_labels = json.Decoder(tuple[str, ...]).decode


def select_conversations() -> Select[Any]:
    """Conversations with their contact, channel kind and newest message; add WHERE, ORDER BY and LIMIT."""
    joined: FromClause = (
        conversations.join(contacts, contacts.c.id == conversations.c.contact_id)
        .join(channels, channels.c.id == conversations.c.channel_id)
        .outerjoin(_newest, _newest.c.id == conversations.c.last_message_id)
    )
    columns = (
        cast(column, Text).label("labels") if column is conversations.c.labels else column
        for column in conversations.c
    )
    return select(
        *columns,
        contacts.c.name.label("contact_name"),
        contacts.c.address.label("contact_address"),
        channels.c.kind.label("channel_kind"),
        _newest.c.kind.label("newest_kind"),
        _newest.c.direction.label("newest_direction"),
        literal_column(f"substr(newest.body, 1, {PREVIEW_CHARS})").label("newest_preview"),
        _newest.c.author_name.label("newest_author_name"),
        _newest.c.created_at.label("newest_at"),
    ).select_from(joined)


CONVERSATIONS_BY_ID = select_conversations().where(among(conversations.c.id))


def conversation_from(row: Sequence[Any]) -> Conversation:
    """A row that begins with `select_conversations`, by place: a list has fifty, and names take as long as the rest."""
    id_, clinic_id, channel_id, contact_id, status, snoozed_until, assignee_id, labels, last_id, *rest = row
    last_seq, _last_inbound_seq, inbound_count, waiting_since, created_at, version, deleted, *rest = rest
    contact_name, contact_address, channel_kind, kind, direction, preview, author_name, at, *_ = rest
    last_message = None
    if last_id:
        last_message = LastMessage(
            id=last_id, kind=kind, direction=direction, preview=preview, author_name=author_name, at=at
        )
    return Conversation(
        id=id_,
        clinic_id=clinic_id,
        contact=ContactRef(id=contact_id, name=contact_name, address="" if deleted else contact_address),
        channel=ChannelRef(id=channel_id, kind=channel_kind),
        status=status,
        snoozed_until=snoozed_until,
        assignee_id=assignee_id,
        labels=_labels(labels),
        last_message=last_message,
        last_seq=last_seq,
        inbound_count=inbound_count,
        waiting_since=waiting_since,
        created_at=created_at,
        version=version,
        deleted=bool(deleted),  # SQLite's driver knows numbers only
    )


class ConversationRow(Struct, gc=False):
    """Its key, and what a member's message changes of it: other columns have keys and indexes to be looked after."""

    id: ConversationId
    last_message_id: MessageId | None
    last_seq: Seq
    waiting_since: Instant | None
    version: Seq


class RestatedConversationRow(ConversationRow, gc=False):
    """Its key and every column that its state decides."""

    status: ConversationStatus
    snoozed_until: Instant | None
    assignee_id: MemberId | None
    labels: tuple[str, ...]
    last_inbound_seq: Seq
    inbound_count: int
    deleted: bool


class NewConversationRow(RestatedConversationRow, gc=False):
    """Every column. Those that never change are set once: again, their foreign keys would be checked again."""

    clinic_id: ClinicId
    channel_id: ChannelId
    contact_id: ContactId
    created_at: Instant


def conversation_row(conversation: Conversation) -> ConversationRow:
    last = conversation.last_message
    return ConversationRow(
        conversation.id,
        last.id if last else None,
        conversation.last_seq,
        conversation.waiting_since,
        conversation.version,
    )


def restated_conversation_row(conversation: Conversation, last_inbound_seq: Seq) -> RestatedConversationRow:
    return RestatedConversationRow(
        **structs.asdict(conversation_row(conversation)),
        status=conversation.status,
        snoozed_until=conversation.snoozed_until,
        assignee_id=conversation.assignee_id,
        labels=conversation.labels,
        last_inbound_seq=last_inbound_seq,
        inbound_count=conversation.inbound_count,
        deleted=conversation.deleted,
    )


def new_conversation_row(conversation: Conversation, last_inbound_seq: Seq) -> NewConversationRow:
    return NewConversationRow(
        **structs.asdict(restated_conversation_row(conversation, last_inbound_seq)),
        clinic_id=conversation.clinic_id,
        channel_id=conversation.channel.id,
        contact_id=conversation.contact.id,
        created_at=conversation.created_at,
    )


def messages_where(connection: Connection, *conditions: ColumnElement[bool], **limits: Any) -> list[Message]:
    """Whole messages, attachments included. `limits`: `order_by`, `limit`."""
    query = select(messages).where(*conditions)
    if "order_by" in limits:
        query = query.order_by(limits["order_by"])
    if "limit" in limits:
        query = query.limit(limits["limit"])
    return messages_from(connection, connection.execute(query).mappings().all())


def messages_by_id(connection: Connection, ids: Collection[MessageId]) -> dict[MessageId, Message]:
    """Whole messages; whatever is not there is missing."""
    if not ids:
        return {}
    found = connection.execute(_MESSAGES_BY_ID, wanted((id_,) for id_ in ids)).mappings().all()
    return {message.id: message for message in messages_from(connection, found)}


def conversations_by_id(
    connection: Connection, ids: Iterable[ConversationId]
) -> dict[ConversationId, Conversation]:
    """Tombstones too; whatever is not there is missing."""
    rows = connection.execute(CONVERSATIONS_BY_ID, wanted((id_,) for id_ in ids))
    return {row.id: conversation_from(row) for row in rows}


def messages_from(connection: Connection, found: Sequence[RowMapping]) -> list[Message]:
    """Whole messages, attachments included, of rows of `messages`."""
    files = _attachments_of(connection, [row["id"] for row in found if row["has_attachments"]])
    return [_message(row, files.get(row["id"], ())) for row in found]


def _attachments_of(connection: Connection, ids: Collection[str]) -> dict[str, tuple[Attachment, ...]]:
    if not ids:
        return {}
    found: dict[str, tuple[Attachment, ...]] = {}
    for row in connection.execute(_ATTACHMENTS_OF, wanted((id_,) for id_ in ids)):
        file = Attachment(
            id=row.id, kind=row.kind, mime_type=row.mime_type, size=row.size, name=row.name, status=row.status
        )
        found[row.message_id] = (*found.get(row.message_id, ()), file)
    return found


def _message(row: RowMapping, files: tuple[Attachment, ...]) -> Message:
    failure = row["failure_code"]
    return Message(
        id=row["id"],
        conversation_id=row["conversation_id"],
        kind=row["kind"],
        direction=row["direction"],
        author=Author(type=row["author_type"], id=row["author_id"], name=row["author_name"]),
        body=row["body"],
        attachments=files,
        reply_to=row["reply_to"],
        client_key=row["client_key"],
        status=row["status"],
        failure=Failure(code=failure, message=row["failure_message"]) if failure else None,
        ordinal=row["ordinal"],
        seq=row["seq"],
        version=row["version"],
        created_at=row["created_at"],
        edited_at=row["edited_at"],
        deleted=row["deleted"],
    )


class MessageRow(Struct, gc=False):
    """Its key and every column that its state decides; what its provider said of it is set beside (changes.py)."""

    id: MessageId
    author_name: str
    body: str
    has_attachments: bool
    status: MessageStatus
    failure_code: str | None
    failure_message: str | None
    version: Seq
    edited_at: Instant | None
    deleted: bool


class NewMessageRow(MessageRow, gc=False):
    """Every column."""

    clinic_id: ClinicId
    conversation_id: ConversationId
    kind: MessageKind
    direction: Direction
    author_type: str
    author_id: str
    reply_to: MessageId | None
    client_key: ClientKey | None
    ordinal: int | None
    seq: Seq
    created_at: Instant
    sent_at: Instant | None
    external_id: str | None


def message_row(message: Message) -> MessageRow:
    failure = message.failure
    return MessageRow(
        message.id,
        message.author.name,
        message.body,
        bool(message.attachments),
        message.status,
        failure.code if failure else None,
        failure.message if failure else None,
        message.version,
        message.edited_at,
        message.deleted,
    )


def new_message_row(
    message: Message, clinic_id: ClinicId, sent_at: Instant | None, external_id: str | None
) -> NewMessageRow:
    """`sent_at` and `external_id`: what its provider said of it."""
    return NewMessageRow(  # type: ignore[call-arg]  # mypy does not count what a row gives
        *structs.astuple(message_row(message)),
        clinic_id,
        message.conversation_id,
        message.kind,
        message.direction,
        message.author.type,
        message.author.id,
        message.reply_to,
        message.client_key,
        message.ordinal,
        message.seq,
        message.created_at,
        sent_at,
        external_id,
    )


def read_mark_from(row: RowMapping) -> ReadMark:
    return ReadMark(
        conversation_id=row["conversation_id"],
        member_id=row["member_id"],
        up_to=row["up_to"],
        inbound_read=row["inbound_read"],
        version=row["version"],
    )


def read_marks_of(connection: Connection, whose: Iterable[tuple[ConversationId, MemberId]]) -> list[ReadMark]:
    rows = connection.execute(_MARKS, wanted(whose)).mappings()
    return [read_mark_from(row) for row in rows]


def read_mark_row(mark: ReadMark, clinic_id: int) -> dict[str, Any]:
    return {**structs.asdict(mark), "clinic_id": clinic_id}


def record_from(row: RowMapping) -> Record:
    return Record(**row)


def channel_from(row: RowMapping) -> Channel:
    """Its settings; the times beside them are asked for by themselves (accounts.py)."""
    return Channel(**{name: row[name] for name in Channel.__struct_fields__})
