"""What a batch of commands may look at and change: loaded in bulk, evolved in memory, saved in bulk.

The number of statements does not grow with the batch. Lives inside one transaction that holds the clinics' lock.

The most frequent command stands first where kinds are told apart: to see that one is of another takes 0.1 µs each time.
"""

from collections.abc import Collection, Iterable, Sequence

from msgspec import UNSET, Struct, field
from msgspec.structs import replace
from sqlalchemy import Connection, and_, exists, func, or_, select

from recado.domain.clinic_commands import PasswordCommand
from recado.domain.commands import (
    Command,
    CommandKey,
    DeleteMessage,
    EditMessage,
    InboxCommand,
    MarkRead,
    ReceiveMessage,
    RecordDelivery,
    ReportStatus,
    SendMessage,
    UpdateConversation,
    channel_scope,
)
from recado.domain.thread import Thread, Waiting
from recado.domain.values import (
    ClinicId,
    Conversation,
    ConversationId,
    MemberId,
    Message,
    MessageId,
    ReadMark,
    Seq,
)
from recado.store.bulk import among, ask, tuples_of
from recado.store.clinic import label_names
from recado.store.recent import ClinicHead, Place, Recent, place_of
from recado.store.rows import (
    CONVERSATIONS_BY_ID,
    conversation_from,
    messages_by_id,
    read_marks_of,
    select_conversations,
)
from recado.store.tables import (
    clinics,
    command_keys,
    contacts,
    conversations,
    memberships,
    messages,
    outbox,
)
from recado.store.trips import Rows, one_trip


class RememberedKey(Struct, frozen=True):
    """A row of `command_keys`."""

    scope: str
    key: str
    purpose: str
    clinic_id: ClinicId
    conversation_id: ConversationId | None
    message_id: MessageId | None


class WorkingSet(Struct):
    """Rows by identity. `keep` replaces values here, so that the next command of the batch sees them."""

    clinics: dict[ClinicId, ClinicHead]
    keys: dict[tuple[str, str], RememberedKey]
    messages: dict[MessageId, Message] = field(default_factory=dict)
    by_contact: dict[Place, ConversationId] = field(default_factory=dict)
    conversations: dict[ConversationId, Conversation] = field(default_factory=dict)
    last_inbound: dict[ConversationId, Seq] = field(default_factory=dict)
    outbox: dict[MessageId, Waiting] = field(default_factory=dict)
    reads: dict[tuple[ConversationId, MemberId], ReadMark] = field(default_factory=dict)
    inbound_until: dict[tuple[ConversationId, Seq], int] = field(default_factory=dict)
    members: set[tuple[ClinicId, MemberId]] = field(default_factory=set)
    labels: dict[ClinicId, frozenset[str]] = field(default_factory=dict)

    def thread_of(self, command: InboxCommand) -> Thread:
        """The conversation the command is about, and of everything around it that which the command names."""
        named = self._message_of(command)
        conversation_id = self._conversation_of(command, named)
        if conversation_id is None:
            return Thread()
        ours = named is not None and named.conversation_id == conversation_id
        thread = Thread(
            conversation=self.conversations.get(conversation_id),
            last_inbound_seq=self.last_inbound.get(conversation_id, Seq(0)),
            messages={named.id: named} if named is not None and ours else {},
        )
        match command:
            case SendMessage():
                return thread
            case EditMessage() | DeleteMessage() | RecordDelivery() | ReportStatus() if named:
                waiting = self.outbox.get(named.id)
                around = self._said_in(conversation_id) if _may_unanswer(command) else {}
                return replace(
                    thread,
                    messages={**thread.messages, **around},
                    outbox={named.id: waiting} if waiting else {},
                )
            case MarkRead():
                mark = self.reads.get((conversation_id, command.member_id))
                return replace(
                    thread,
                    reads={command.member_id: mark} if mark else {},
                    inbound_until={
                        command.up_to: self.inbound_until.get((conversation_id, command.up_to), 0)
                    },
                )
            case UpdateConversation():
                named_members = {(command.clinic_id, command.assignee_id)} & self.members
                return replace(
                    thread,
                    members=frozenset(member_id for _, member_id in named_members),
                    clinic_labels=self.labels.get(command.clinic_id, frozenset()),
                )
            case _:
                return thread

    def take_in(self, conversation: Conversation, last_inbound_seq: Seq) -> None:
        """Remember a conversation as it was before this batch."""
        self.conversations[conversation.id] = conversation
        self.last_inbound[conversation.id] = last_inbound_seq
        if not conversation.deleted:
            self.by_contact[place_of(conversation)] = conversation.id

    def take_in_rows(self, asked: Rows) -> None:
        """Of `select_conversations`."""
        for row in asked.fetchall():
            self.take_in(conversation_from(row), row[_LAST_INBOUND_SEQ])

    def keep(self, thread: Thread) -> None:
        """Remember a thread as it is after an event."""
        self.messages.update(thread.messages)
        self.outbox.update(thread.outbox)
        if (conversation := thread.conversation) is None:
            return
        if conversation.deleted:
            self._forget_words(conversation.id)
        else:
            self.by_contact[place_of(conversation)] = conversation.id
        self.conversations[conversation.id] = conversation
        self.last_inbound[conversation.id] = thread.last_inbound_seq
        for member_id, mark in thread.reads.items():
            self.reads[conversation.id, member_id] = mark

    def first_result(self, key: CommandKey) -> RememberedKey | None:
        return self.keys.get((key.scope, key.key))

    def _said_in(self, conversation_id: ConversationId) -> dict[MessageId, Message]:
        """What is in hand of it."""
        return {id_: each for id_, each in self.messages.items() if each.conversation_id == conversation_id}

    def _message_of(self, command: InboxCommand) -> Message | None:
        match command:
            case SendMessage():
                message_id = command.reply_to
            case ReceiveMessage():
                message_id = self._by_external_id(command.channel.id, command.reply_to_external_id)
            case ReportStatus():
                message_id = self._by_external_id(command.channel_id, command.external_id)
            case EditMessage() | DeleteMessage() | RecordDelivery():
                message_id = command.message_id
            case _:
                return None
        return self.messages.get(message_id) if message_id else None

    def _conversation_of(self, command: InboxCommand, named: Message | None) -> ConversationId | None:
        match command:
            case SendMessage():
                return command.conversation_id
            case ReceiveMessage():
                return self.by_contact.get((command.channel.id, command.contact_address))
            case EditMessage() | DeleteMessage() | ReportStatus():
                return named.conversation_id if named else None
            case _:
                return command.conversation_id

    def _by_external_id(self, channel_id: str, external_id: str | None) -> MessageId | None:
        known = self.keys.get((channel_scope(channel_id), external_id)) if external_id else None
        return known.message_id if known else None

    def _forget_words(self, conversation_id: ConversationId) -> None:
        """A deleted conversation is nobody's place any more, and its messages in hand say nothing."""
        self.by_contact = {place: id_ for place, id_ in self.by_contact.items() if id_ != conversation_id}
        for message in list(self.messages.values()):
            if message.conversation_id == conversation_id:
                self.messages[message.id] = replace(message, body="", attachments=(), deleted=True)
                self.outbox.pop(message.id, None)


_LAST_INBOUND_SEQ = list(conversations.c.keys()).index("last_inbound_seq")

# What every batch asks, built once: building a statement costs more than SQLite takes to answer it.
_CLINICS = (
    select(clinics.c.id, clinics.c.seq, clinics.c.head)
    .where(among(clinics.c.id))
    .order_by(clinics.c.id)
    .with_for_update(key_share=True)
)
_KEYS = select(*(command_keys.c[name] for name in RememberedKey.__struct_fields__)).where(
    among(command_keys.c.scope, command_keys.c.key)
)
_CONVERSATIONS_BY_ADDRESS = select_conversations().where(
    among(contacts.c.channel_id, contacts.c.address), conversations.c.deleted.is_(False)
)
_OUTBOX = (
    select(outbox.c.message_id, outbox.c.attempts, outbox.c.ended_wait)
    .where(among(outbox.c.message_id))
    .order_by(outbox.c.message_id)
    .with_for_update(key_share=True)
)
_places = tuples_of(messages.c.conversation_id, messages.c.seq).subquery("places")
_INBOUND_UNTIL = select(
    _places.c.conversation_id,
    _places.c.seq,
    select(func.max(messages.c.ordinal))
    .where(messages.c.conversation_id == _places.c.conversation_id, messages.c.seq <= _places.c.seq)
    .scalar_subquery(),
)
_answer = messages.alias("answer")
_named = tuples_of(messages.c.conversation_id, messages.c.seq).subquery("named")
_whose = select(_named.c.conversation_id).distinct().subquery("whose")
_last_answer = (
    select(_answer.c.seq)
    .where(
        _answer.c.conversation_id == _whose.c.conversation_id,
        _answer.c.direction == "outbound",
        _answer.c.kind == "message",
        _answer.c.status != "failed",
        _answer.c.deleted.is_(False),
        ~exists().where(_named.c.conversation_id == _answer.c.conversation_id, _named.c.seq == _answer.c.seq),
    )
    .order_by(_answer.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_said = (
    select(
        messages.c.id,
        messages.c.direction,
        func.lag(messages.c.direction)
        .over(partition_by=messages.c.conversation_id, order_by=messages.c.seq)
        .label("before"),
    )
    .join(
        _whose,
        and_(
            messages.c.conversation_id == _whose.c.conversation_id,
            messages.c.seq >= func.coalesce(_last_answer, 0),
        ),
    )
    .where(messages.c.kind == "message")
    .subquery("said")
)
_SINCE_THE_LAST_ANSWER = select(_said.c.id).where(
    or_(_said.c.direction == "outbound", func.coalesce(_said.c.before, "outbound") == "outbound")
)
"""Replies, and of what the patient wrote the first behind each: they may have written thousands."""
_MEMBERS = select(memberships.c.member_id, memberships.c.clinic_id).where(
    among(memberships.c.member_id, memberships.c.clinic_id), memberships.c.active
)


def load(
    connection: Connection,
    commands: Sequence[Command],
    keys: Sequence[CommandKey | None],
    recent: Recent,
) -> WorkingSet:
    """Take the clinics' lock, then everything the commands name: a dozen statements at most, however many commands.

    `keys` are the commands' own, in their order.
    """
    places = {(c.channel.id, c.contact_address) for c in commands if isinstance(c, ReceiveMessage)}
    known = {place: id_ for place in places if (id_ := recent.at(place))}
    found = _lock(connection, commands, keys, places - known.keys())
    named = _named_messages(found, commands)
    if named:
        found.messages = messages_by_id(connection, named)
    by_id = {key.conversation_id for key in found.keys.values() if key.conversation_id}
    by_id |= {message.conversation_id for message in found.messages.values()}
    by_id |= {id_ for command in commands if (id_ := getattr(command, "conversation_id", None))}
    for kept in recent.still_true(found.clinics, by_id | set(known.values())):
        found.take_in(kept.conversation, kept.last_inbound_seq)
    _load_conversations(
        connection, found, by_id - found.conversations.keys(), known.keys() - found.by_contact.keys()
    )
    _load_outbox(connection, found, commands)
    _load_since_the_last_answer(connection, found, commands)
    _load_reads(connection, found, [c for c in commands if isinstance(c, MarkRead)])
    _load_members(connection, found, [c for c in commands if isinstance(c, UpdateConversation)])
    return found


def _lock(
    connection: Connection,
    commands: Sequence[Command],
    keys: Iterable[CommandKey | None],
    addresses: Collection[Place],
) -> WorkingSet:
    """The clinics, which is the only lock there is; with it what is known of the commands by then, read under it.

    It is taken in order of id, so nobody dead-locks; `seq` is known from here on.
    """
    clinic_ids = {command.clinic_id for command in commands}
    clinic_ids.update(*(command.clinic_ids for command in commands if isinstance(command, PasswordCommand)))
    with one_trip(connection):
        locked = ask(connection, _CLINICS, ((id_,) for id_ in clinic_ids))
        known = ask(connection, _KEYS, _asked_keys(commands, keys))
        addressed = ask(connection, _CONVERSATIONS_BY_ADDRESS, addresses) if addresses else None
    found = WorkingSet(
        clinics={row[0]: ClinicHead(*row) for row in locked.fetchall()},
        keys={row[:2]: RememberedKey(*row) for row in known.fetchall()},
    )
    if addressed:
        found.take_in_rows(addressed)
    return found


def _load_conversations(
    connection: Connection, found: WorkingSet, unknown: Collection[ConversationId], moved: Collection[Place]
) -> None:
    """Those that are not in memory; `moved`: where somebody else has written since."""
    if not unknown and not moved:
        return
    asked = []
    with one_trip(connection):
        if unknown:
            asked.append(ask(connection, CONVERSATIONS_BY_ID, {(id_,) for id_ in unknown}))
        if moved:
            asked.append(ask(connection, _CONVERSATIONS_BY_ADDRESS, moved))
    for rows in asked:
        found.take_in_rows(rows)


def _asked_keys(commands: Sequence[Command], keys: Iterable[CommandKey | None]) -> set[tuple[str, str]]:
    """The commands' own, and those that name a message by its provider's id."""
    asked = {(key.scope, key.key) for key in keys if key}
    for command in commands:
        match command:
            case SendMessage():
                pass
            case ReceiveMessage(reply_to_external_id=str(external_id)):
                asked.add((channel_scope(command.channel.id), external_id))
            case RecordDelivery(external_id=str(external_id)) | ReportStatus(external_id=external_id):
                asked.add((channel_scope(command.channel_id), external_id))
    return asked


def _named_messages(found: WorkingSet, commands: Sequence[Command]) -> set[MessageId]:
    named = {known.message_id for known in found.keys.values() if known.message_id}
    for command in commands:
        match command:
            case SendMessage():
                if command.reply_to:
                    named.add(command.reply_to)
            case EditMessage() | DeleteMessage() | RecordDelivery():
                named.add(command.message_id)
    return named


def _load_outbox(connection: Connection, found: WorkingSet, commands: Sequence[Command]) -> None:
    """Locked, so that a sender cannot begin with a message that is just being changed."""
    kinds = EditMessage | DeleteMessage | RecordDelivery | ReportStatus
    if not found.messages or not any(isinstance(command, kinds) for command in commands):
        return
    rows = ask(connection, _OUTBOX, ((id_,) for id_ in found.messages)).fetchall()
    found.outbox = {id_: Waiting(attempts > 0, ended_wait) for id_, attempts, ended_wait in rows}


def _may_unanswer(command: Command) -> bool:
    """Whether a reply that was an answer may be none afterwards."""
    match command:
        case SendMessage():
            return False
        case DeleteMessage() | RecordDelivery(outcome="failed") | ReportStatus(status="failed"):
            return True
        case _:
            return False


def _load_since_the_last_answer(
    connection: Connection, found: WorkingSet, commands: Sequence[Command]
) -> None:
    """The last but those in hand: several may fall at once, one perhaps under an id that this batch brings."""
    if not any(map(_may_unanswer, commands)):
        return
    answers = [each for each in found.messages.values() if each.direction == "outbound"]
    places = {(each.conversation_id, each.seq) for each in answers if each.kind == "message"}
    ids = {MessageId(id_) for (id_,) in ask(connection, _SINCE_THE_LAST_ANSWER, places).fetchall()}
    if unknown := ids - found.messages.keys():
        found.messages |= messages_by_id(connection, unknown)


def _load_reads(connection: Connection, found: WorkingSet, commands: Sequence[MarkRead]) -> None:
    if not commands:
        return
    whose = {(command.conversation_id, command.member_id) for command in commands}
    marks = read_marks_of(connection, whose)
    found.reads = {(mark.conversation_id, mark.member_id): mark for mark in marks}
    places = {(command.conversation_id, command.up_to) for command in commands}
    rows = ask(connection, _INBOUND_UNTIL, places).fetchall()
    found.inbound_until = {(conversation_id, up_to): inbound or 0 for conversation_id, up_to, inbound in rows}


def _load_members(connection: Connection, found: WorkingSet, commands: Sequence[UpdateConversation]) -> None:
    asked = {
        (command.assignee_id, command.clinic_id)
        for command in commands
        if isinstance(command.assignee_id, str)
    }
    if asked:
        rows = ask(connection, _MEMBERS, asked).fetchall()
        found.members = {(clinic_id, member_id) for member_id, clinic_id in rows}
    labelling = {command.clinic_id for command in commands if command.labels is not UNSET}
    if labelling:
        found.labels = label_names(connection, labelling)
