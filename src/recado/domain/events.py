"""What happened, in the past tense. Pure. One event is one log record is one `seq`.

An event holds everything `evolve` needs, patient's words included; the log keeps only `facts_of` it: ids and
states before and after, never words (docs/events.md, "Records").
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
    Conversation,
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


class InConversation(Struct, frozen=True, kw_only=True):
    conversation_id: ConversationId


class OfMessage(InConversation, frozen=True, kw_only=True):
    message_id: MessageId


class MessageReceived(OfMessage, frozen=True, kw_only=True):
    """A patient's message was taken in; `opened` if it began the conversation."""

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


class MessageWritten(OfMessage, frozen=True, kw_only=True):
    """A member wrote a reply, which is now queued for its channel, or a note, which stays.

    `ended_wait`: since when the patient had been waiting for this reply.
    """

    kind: MessageKind
    author: Author
    body: str
    reply_to: MessageId | None
    client_key: ClientKey
    ended_wait: Instant | None


class MessageEdited(OfMessage, frozen=True, kw_only=True):
    body: str


class MessageDeleted(OfMessage, frozen=True, kw_only=True):
    """A note, or a reply that never left, was taken back. `waiting_since`: the patient waits again, or still."""

    waiting_since: Instant | None


class MessageStatusChanged(OfMessage, frozen=True, kw_only=True):
    """`waiting_since`: a reply that failed was no answer."""

    before: MessageStatus
    after: MessageStatus
    failure: Failure | None
    waiting_since: Instant | None


class MarkedRead(InConversation, frozen=True, kw_only=True):
    """A member's read mark moved, forwards or back."""

    member_id: MemberId
    up_to: Seq
    inbound_read: int


class ConversationUpdated(InConversation, frozen=True, kw_only=True):
    """Everything that `conversation:update` can change, before and after."""

    status_before: ConversationStatus
    status_after: ConversationStatus
    snoozed_until: Instant | None
    assignee_before: MemberId | None
    assignee_after: MemberId | None
    labels_before: tuple[str, ...]
    labels_after: tuple[str, ...]


class ContactRenamed(InConversation, frozen=True, kw_only=True):
    name: str


class ConversationDeleted(InConversation, frozen=True, kw_only=True):
    """Its words, and the patient's name and address, are erased."""

    status_before: ConversationStatus
    assignee_before: MemberId | None
    labels_before: tuple[str, ...]


Event = (
    MessageReceived
    | MessageWritten
    | MessageEdited
    | MessageDeleted
    | MessageStatusChanged
    | MarkedRead
    | ConversationUpdated
    | ContactRenamed
    | ConversationDeleted
)


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


def facts_of(event: Event, before: Conversation | None) -> dict[str, Any]:
    """Event → what the log remembers beside the ids of its columns: states before and after, no words.

    `before` is the conversation as it was. `lists` is what decides which lists show it afterwards: its status,
    assignee and labels. Whoever reads the log judges by that which pages are stale (tags.py).
    """
    match event:
        case MessageReceived():
            return {
                "opened": event.opened,
                "status": [event.status_before, event.status_after],
                "lists": _lists(before, status=event.status_after),
            }
        case MessageWritten():
            return {"kind": event.kind, "lists": _lists(before)}
        case MessageEdited() | MessageDeleted() | ContactRenamed():
            return {}
        case MessageStatusChanged():
            return {"messageStatus": [event.before, event.after]}
        case MarkedRead():
            return {"upTo": event.up_to, "inboundRead": event.inbound_read}
        case ConversationUpdated():
            changes: dict[str, list[Any]] = {
                "status": [event.status_before, event.status_after],
                "assignee": [event.assignee_before, event.assignee_after],
                "labels": [event.labels_before, event.labels_after],
            }
            lists = [event.status_after, event.assignee_after, event.labels_after]
            changed = {name: states for name, states in changes.items() if states[0] != states[1]}
            return {**changed, "lists": lists}
        case ConversationDeleted():
            return {
                "status": [event.status_before, None],
                "assignee": [event.assignee_before, None],
                "labels": [event.labels_before, []],
            }
        case _:
            assert_never(event)


def _lists(before: Conversation | None, *, status: ConversationStatus | None = None) -> list[Any]:
    if before is None:
        return [status, None, ()]
    return [status or before.status, before.assignee_id, before.labels]
