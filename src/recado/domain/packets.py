"""a log record + the rows it speaks of → what screens are told. Pure; shapes and rooms are docs/events.md.

Every record is told to its clinic's room exactly once, after its conversation's room where it concerns one message.
The writer calls this with the state in hand, the follower with rows read later: one function, one truth.
"""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from recado.domain.clinic import Clinic
from recado.domain.events import Record
from recado.domain.values import (
    ClientKey,
    ClinicId,
    Conversation,
    ConversationId,
    Instant,
    Message,
    ReadMark,
    Seq,
    Value,
)


class MessagePacket(Value, frozen=True, kw_only=True):
    """`message:new` and `message:updated`, to the conversation's room."""

    conversation_id: ConversationId
    message: Message
    timestamp: Instant
    seq: Seq
    client_key: ClientKey | None = None


class ConversationPacket(Value, frozen=True, kw_only=True):
    """`conversation:list:updated`, to the clinic's room; its `seq` moves the client's cursor."""

    conversation_id: ConversationId
    clinic_id: ClinicId
    event_type: Literal["new", "updated", "deleted"]
    timestamp: Instant
    seq: Seq
    client_key: ClientKey | None = None
    conversation: Conversation


class ReadPacket(Value, frozen=True, kw_only=True):
    """`conversation:read`, to the clinic's room; its `seq` moves the client's cursor."""

    read: ReadMark
    seq: Seq
    client_key: ClientKey | None = None


class ClinicPacket(Value, frozen=True, kw_only=True):
    """`clinic:updated`, to the clinic's room; its `seq` moves the client's cursor."""

    clinic: Clinic
    seq: Seq
    client_key: ClientKey | None = None


class TickPacket(Value, frozen=True, kw_only=True):
    """`clinic:tick`, to the clinic's room: a record that no member may see; its `seq` moves the client's cursor."""

    seq: Seq


class ConversationTold(Struct, frozen=True, kw_only=True):
    """A log record about a conversation, with the rows it speaks of, as they were then or as they are now."""

    record: Record
    conversation: Conversation
    message: Message | None = None
    read: ReadMark | None = None


class ClinicTold(Struct, frozen=True, kw_only=True):
    """A log record about the clinic itself, with the clinic as it was then or as it is now."""

    record: Record
    clinic: Clinic


Told = ConversationTold | ClinicTold


class Packet(Struct, frozen=True):
    """One delivery: the same payload, encoded once, to everybody in `room`."""

    room: str
    event: str
    payload: Value


def clinic_room(clinic_id: ClinicId) -> str:
    return f"clinic:{clinic_id}"


def conversation_room(conversation_id: ConversationId) -> str:
    return f"conversation:{conversation_id}"


MESSAGE_EVENTS = {
    "MessageReceived": "message:new",
    "MessageWritten": "message:new",
    "MessageEdited": "message:updated",
    "MessageDeleted": "message:updated",
    "MessageStatusChanged": "message:updated",
}
"""Records about one message → what its conversation's room hears."""

CLINIC_EVENTS = {
    **dict.fromkeys(MESSAGE_EVENTS, "conversation:list:updated"),
    "MarkedRead": "conversation:read",
    "ConversationUpdated": "conversation:list:updated",
    "ContactRenamed": "conversation:list:updated",
    "ConversationDeleted": "conversation:list:updated",
    "ClinicUpdated": "clinic:updated",
    "MemberInvited": "clinic:updated",
    "MemberUpdated": "clinic:updated",
    "PasswordReset": "clinic:tick",
    "PasswordChanged": "clinic:tick",
    "ChannelAdded": "clinic:tick",
    "ChannelUpdated": "clinic:tick",
    "CacheInvalidated": "clinic:tick",
}
"""Every record → what its clinic's room hears. One of a newer version's type is a tick: it counts, and says no more."""


def packets(told: Told) -> Iterator[Packet]:
    """The conversation-room packet, if there is one, then the clinic-room packet, of one record."""
    record = told.record
    event = CLINIC_EVENTS.get(record.type, "clinic:tick")
    message = told.message if isinstance(told, ConversationTold) else None
    if message is not None and record.type in MESSAGE_EVENTS:
        yield Packet(
            conversation_room(message.conversation_id),
            MESSAGE_EVENTS[record.type],
            MessagePacket(
                conversation_id=message.conversation_id,
                message=message,
                timestamp=record.at,
                seq=record.seq,
                client_key=record.client_key,
            ),
        )
    yield Packet(clinic_room(record.clinic_id), event, _for_clinic(told, event))


def _for_clinic(told: Told, event: str) -> Value:
    record = told.record
    if event == "clinic:tick":
        return TickPacket(seq=record.seq)
    if isinstance(told, ClinicTold):
        return ClinicPacket(clinic=told.clinic, seq=record.seq, client_key=record.client_key)
    return _of_conversation(told)


def _of_conversation(told: ConversationTold) -> ReadPacket | ConversationPacket:
    record, conversation = told.record, told.conversation
    if told.read is not None:
        return ReadPacket(read=told.read, seq=record.seq, client_key=record.client_key)
    deleted = record.type == "ConversationDeleted"
    return ConversationPacket(
        conversation_id=conversation.id,
        clinic_id=record.clinic_id,
        event_type="deleted" if deleted else "new" if record.facts.get("opened") else "updated",
        timestamp=record.at,
        seq=record.seq,
        client_key=record.client_key,
        conversation=conversation,
    )
