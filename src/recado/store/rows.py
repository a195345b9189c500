"""Rows ↔ values, in one place, both ways."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import json, structs
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
    ChannelRef,
    ContactRef,
    Conversation,
    ConversationId,
    Failure,
    LastMessage,
    MemberId,
    Message,
    MessageId,
    ReadMark,
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


def conversation_birth(conversation: Conversation) -> dict[str, Any]:
    """The columns that never change: setting them again would only have their foreign keys checked again."""
    return {
        "clinic_id": conversation.clinic_id,
        "channel_id": conversation.channel.id,
        "contact_id": conversation.contact.id,
        "created_at": conversation.created_at,
    }


def conversation_row(conversation: Conversation, last_inbound_seq: int) -> dict[str, Any]:
    """Its key and every column that its state decides."""
    last = conversation.last_message
    return {
        "id": conversation.id,
        "status": conversation.status,
        "snoozed_until": conversation.snoozed_until,
        "assignee_id": conversation.assignee_id,
        "labels": list(conversation.labels),
        "last_message_id": last.id if last else None,
        "last_seq": conversation.last_seq,
        "last_inbound_seq": last_inbound_seq,
        "inbound_count": conversation.inbound_count,
        "waiting_since": conversation.waiting_since,
        "version": conversation.version,
        "deleted": conversation.deleted,
    }


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


def new_message_row(message: Message, clinic_id: int, said: Mapping[str, str | None]) -> dict[str, Any]:
    """Every column: `message_row`, those that never change, and what its provider `said` of it."""
    return {
        **message_row(message),
        **said,
        "clinic_id": clinic_id,
        "conversation_id": message.conversation_id,
        "kind": message.kind,
        "direction": message.direction,
        "author_type": message.author.type,
        "author_id": message.author.id,
        "reply_to": message.reply_to,
        "client_key": message.client_key,
        "ordinal": message.ordinal,
        "seq": message.seq,
        "created_at": message.created_at,
    }


def message_row(message: Message) -> dict[str, Any]:
    """Its key and every column that its state decides; what its provider said of it is set beside (changes.py)."""
    return {
        "id": message.id,
        "author_name": message.author.name,
        "body": message.body,
        "has_attachments": bool(message.attachments),
        "status": message.status,
        "failure_code": message.failure.code if message.failure else None,
        "failure_message": message.failure.message if message.failure else None,
        "version": message.version,
        "edited_at": message.edited_at,
        "deleted": message.deleted,
    }


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


def record_row(record: Record) -> dict[str, Any]:
    return structs.asdict(record)


def channel_from(row: RowMapping) -> Channel:
    """Its settings; the times beside them are asked for by themselves (accounts.py)."""
    return Channel(**{name: row[name] for name in Channel.__struct_fields__})
