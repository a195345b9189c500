"""What happened, in the past tense. Pure. One event is one log record is one `seq`.

An event holds everything `evolve` needs, patient's words included; the log keeps only `facts_of` it: ids and
states before and after, never words (docs/architecture.md, "The log").
"""

from typing import Any, assert_never

from msgspec import Struct

from recado.domain.values import (
    Attachment,
    Author,
    ChannelRef,
    ClientKey,
    ClinicId,
    ContactRef,
    ConversationId,
    ConversationStatus,
    Failure,
    Instant,
    MemberId,
    MessageId,
    MessageKind,
    MessageStatus,
    Seq,
)


class MessageReceived(Struct, frozen=True, kw_only=True):
    """A patient's message was taken in; `opened` if it began the conversation."""

    conversation_id: ConversationId
    message_id: MessageId
    opened: bool
    contact: ContactRef
    channel: ChannelRef
    body: str
    attachments: tuple[Attachment, ...]
    reply_to: MessageId | None
    status_before: ConversationStatus
    status_after: ConversationStatus
    sent_at: Instant
    external_id: str


class MessageWritten(Struct, frozen=True, kw_only=True):
    """A member wrote a reply, which is now queued for its channel, or a note, which stays."""

    conversation_id: ConversationId
    message_id: MessageId
    kind: MessageKind
    author: Author
    body: str
    reply_to: MessageId | None
    client_key: ClientKey


class MessageStatusChanged(Struct, frozen=True, kw_only=True):
    conversation_id: ConversationId
    message_id: MessageId
    before: MessageStatus
    after: MessageStatus
    failure: Failure | None


Event = MessageReceived | MessageWritten | MessageStatusChanged


class Record(Struct, frozen=True, kw_only=True):
    """A line of a clinic's log. `prev` is the random `id` of the line before, so that a lost commit cannot hide."""

    clinic_id: ClinicId
    seq: Seq
    id: int
    prev: int
    type: str
    conversation_id: ConversationId | None
    message_id: MessageId | None
    member_id: MemberId | None
    client_key: ClientKey | None
    facts: dict[str, Any]
    at: Instant


def facts_of(event: Event) -> dict[str, Any]:
    """Event → what the log remembers beside the ids of its columns: states before and after, no words."""
    match event:
        case MessageReceived():
            return {"opened": event.opened, "status": [event.status_before, event.status_after]}
        case MessageWritten():
            return {"kind": event.kind}
        case MessageStatusChanged():
            return {"messageStatus": [event.before, event.after]}
        case _:
            assert_never(event)
