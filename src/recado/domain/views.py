"""What is read of an inbox: pages and deltas, as they go over the wire. Pure shapes; docs/events.md."""

from msgspec import Struct

from recado.domain.clinic import Clinic
from recado.domain.values import (
    Conversation,
    ConversationStatus,
    Highlight,
    MemberId,
    Message,
    MessageId,
    ReadMark,
    Seq,
    Value,
)


class ListFilter(Struct, frozen=True, kw_only=True):
    """Which conversations a list shows: all that fit everything that is given. `assignee_id` "" means nobody's.

    `unread`: those with messages that the asking member has not read.
    """

    status: ConversationStatus | None = None
    assignee_id: MemberId | None = None
    label: str | None = None
    unread: bool = False


class ConversationPage(Value, frozen=True, kw_only=True):
    """Newest first. `before` asks for the next page, null at the end; `seq` is the snapshot's.

    `reads` are the member's own marks in these conversations.
    """

    items: list[Conversation]
    reads: list[ReadMark]
    before: str | None
    seq: Seq


class ThreadPlace(Struct, frozen=True, kw_only=True):
    """Where in a thread a page lies; at most one is given, and none means at its newest end."""

    before: Seq | None = None
    after: Seq | None = None
    around: MessageId | None = None


class MessagePage(Value, frozen=True, kw_only=True):
    """Newest first. `before` asks for older messages, null at the beginning; `seq` is the snapshot's.

    `after` asks for newer messages, null at the newest end.
    """

    items: list[Message]
    before: str | None
    after: str | None
    seq: Seq


class Delta(Value, frozen=True, kw_only=True):
    """Everything that changed after a cursor, as current rows ordered by version, deleted ones as tombstones.

    `reset`: the cursor is of another history; read afresh. `more`: ask again with this cursor.
    `clinic` is there if it changed. `messages` are those of the conversations asked for, `reads` the member's own.
    """

    cursor: str
    reset: bool = False
    more: bool = False
    clinic: Clinic | None = None
    conversations: list[Conversation]
    messages: list[Message]
    reads: list[ReadMark]


class SearchHit(Value, frozen=True, kw_only=True):
    """A message with the words asked for; or, without highlights, the newest of the contact whose name has them."""

    message: Message
    conversation: Conversation
    highlights: tuple[Highlight, ...]


class SearchPage(Value, frozen=True, kw_only=True):
    """Best first. `before` asks for the next page, null at the end; `seq` is the snapshot's."""

    items: list[SearchHit]
    before: str | None
    seq: Seq
