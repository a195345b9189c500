"""The nouns: what a clinic has and what its screens hold. Pure; shapes are docs/events.md, and the wire's.

A value prints as its type and id only, so that a patient's words cannot reach a log or an exception by accident.
"""

from typing import Literal, NewType

from msgspec import Struct

ClinicId = NewType("ClinicId", int)
MemberId = NewType("MemberId", str)
ContactId = NewType("ContactId", str)
ChannelId = NewType("ChannelId", str)
ConversationId = NewType("ConversationId", str)
MessageId = NewType("MessageId", str)
ClientKey = NewType("ClientKey", str)

Instant = NewType("Instant", str)
"""UTC as RFC 3339 with milliseconds and `Z`, always 24 characters: sorts as text."""

Seq = NewType("Seq", int)
"""A clinic's log number: gapless, from 1, in commit order."""

ChannelKind = Literal["generic", "whatsapp"]
ConversationStatus = Literal["open", "pending", "snoozed", "resolved"]
MessageKind = Literal["message", "note"]
Direction = Literal["inbound", "outbound"]
MessageStatus = Literal["received", "queued", "sent", "delivered", "read", "failed"]
Role = Literal["admin", "agent"]

PREVIEW_CHARS = 120
REPORTING: frozenset[ChannelKind] = frozenset({"whatsapp"})
"""Whose provider speaks of a message again by the id it gave it, which is then never a patient's message's too.

Another may number what it takes from us as it numbers what it brings.
"""


class Value(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of everything that goes over the wire: camelCase; an optional field without a value is absent."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'id', '…')}>"


class ContactRef(Value, frozen=True, kw_only=True):
    """The patient as the channel knows them: `address` is a phone number or whatever the channel calls `id`."""

    id: ContactId
    name: str
    address: str


class ChannelRef(Value, frozen=True, kw_only=True):
    id: ChannelId
    kind: ChannelKind


class LastMessage(Value, frozen=True, kw_only=True):
    """What a list row shows of a conversation's newest message; `preview` has at most PREVIEW_CHARS characters."""

    id: MessageId
    kind: MessageKind
    direction: Direction
    preview: str
    author_name: str
    at: Instant


class Conversation(Value, frozen=True, kw_only=True):
    id: ConversationId
    clinic_id: ClinicId
    contact: ContactRef
    channel: ChannelRef
    status: ConversationStatus
    snoozed_until: Instant | None = None
    assignee_id: MemberId | None = None
    labels: tuple[str, ...]
    last_message: LastMessage | None = None
    last_seq: Seq
    inbound_count: int
    waiting_since: Instant | None = None
    created_at: Instant
    version: Seq
    deleted: bool = False


class Author(Value, frozen=True, kw_only=True):
    """Who wrote a message; `name` is the name at the time of writing."""

    type: Literal["contact", "member", "system"]
    id: str
    name: str


class Attachment(Value, frozen=True, kw_only=True):
    """A file that came with a message. `pending`: we know of it, its bytes are still at the provider."""

    id: str
    kind: Literal["image", "audio", "video", "document", "sticker"]
    mime_type: str
    size: int | None = None
    name: str | None = None
    status: Literal["pending", "ready", "failed"]


class Failure(Value, frozen=True, kw_only=True):
    """Why a message did not leave: a stable code, and a text of ours (never the provider's, which may quote)."""

    code: str
    message: str


class Message(Value, frozen=True, kw_only=True):
    id: MessageId
    conversation_id: ConversationId
    kind: MessageKind
    direction: Direction
    author: Author
    body: str
    attachments: tuple[Attachment, ...]
    reply_to: MessageId | None = None
    client_key: ClientKey | None = None
    status: MessageStatus
    failure: Failure | None = None
    ordinal: int | None = None
    seq: Seq
    version: Seq
    created_at: Instant
    edited_at: Instant | None = None
    deleted: bool = False


class ReadMark(Value, frozen=True, kw_only=True):
    """How far a member has read: unread = the conversation's inboundCount − inboundRead."""

    conversation_id: ConversationId
    member_id: MemberId
    up_to: Seq
    inbound_read: int
    version: Seq


class Highlight(Value, frozen=True, kw_only=True):
    """A word of a text that a search asked for: from `start`, until before `end`, in characters (code points)."""

    start: int
    end: int
