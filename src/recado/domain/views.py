"""What is read of an inbox: pages and deltas, as they go over the wire. Pure shapes; docs/events.md."""

from recado.domain.values import Conversation, Message, ReadMark, Seq, Value


class ConversationPage(Value, frozen=True, kw_only=True):
    """Newest first. `before` asks for the next page, null at the end; `seq` is the snapshot's.

    `reads` are the member's own marks in these conversations.
    """

    items: list[Conversation]
    reads: list[ReadMark]
    before: str | None
    seq: Seq


class MessagePage(Value, frozen=True, kw_only=True):
    """Newest first. `before` asks for older messages, null at the beginning; `seq` is the snapshot's."""

    items: list[Message]
    before: str | None
    seq: Seq


class Delta(Value, frozen=True, kw_only=True):
    """Everything that changed after a cursor, as current rows ordered by version, deleted ones as tombstones.

    `reset`: the cursor is of another history; read afresh. `more`: ask again with this cursor.
    `messages` are those of the conversations asked for, `reads` the member's own.
    """

    cursor: str
    reset: bool = False
    more: bool = False
    conversations: list[Conversation]
    messages: list[Message]
    reads: list[ReadMark]
