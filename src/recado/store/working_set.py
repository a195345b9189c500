"""What a batch of commands may look at and change: loaded in bulk, evolved in memory, saved in bulk.

The number of statements does not grow with the batch. Lives inside one transaction that holds the clinics' lock.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, select, tuple_

from recado.domain.commands import Command, ReceiveMessage, RecordDelivery, SendMessage, channel_scope, key_of
from recado.domain.decide import Thread
from recado.domain.values import ClinicId, Conversation, ConversationId, Message, MessageId, Seq
from recado.store.rows import conversation_from, messages_where, select_conversations
from recado.store.tables import clinics, command_keys, contacts, conversations, messages


class ClinicHead(Struct):
    """Where a clinic's log stands: the newest record's number and random id."""

    seq: Seq
    head: int


class RememberedKey(Struct, frozen=True):
    purpose: str
    message_id: MessageId


class WorkingSet(Struct):
    """Rows by identity. `evolve` replaces values here, so that the next command of the batch sees them."""

    clinics: dict[ClinicId, ClinicHead]
    keys: dict[tuple[str, str], RememberedKey]
    by_contact: dict[tuple[str, str], ConversationId]
    conversations: dict[ConversationId, Conversation]
    last_inbound: dict[ConversationId, Seq]
    messages: dict[MessageId, Message]

    def thread_of(self, command: Command) -> Thread:
        """The conversation the command is about, and those of its messages that the command names."""
        match command:
            case ReceiveMessage():
                conversation_id = self.by_contact.get((command.channel.id, command.contact_address))
                named = self._replied_to(command)
            case SendMessage():
                conversation_id, named = command.conversation_id, command.reply_to
            case RecordDelivery():
                conversation_id, named = command.conversation_id, command.message_id
        message = self.messages.get(named) if named else None
        ours = message is not None and message.conversation_id == conversation_id
        return Thread(
            self.conversations.get(conversation_id) if conversation_id else None,
            self.last_inbound.get(conversation_id, Seq(0)) if conversation_id else Seq(0),
            {message.id: message} if message is not None and ours else {},
        )

    def keep(self, thread: Thread) -> None:
        """Remember a thread as it is after an event."""
        if conversation := thread.conversation:
            self.conversations[conversation.id] = conversation
            self.by_contact[conversation.channel.id, conversation.contact.address] = conversation.id
            self.last_inbound[conversation.id] = thread.last_inbound_seq
        self.messages.update(thread.messages)

    def _replied_to(self, command: ReceiveMessage) -> MessageId | None:
        if command.reply_to_external_id is None:
            return None
        known = self.keys.get((channel_scope(command.channel.id), command.reply_to_external_id))
        return known.message_id if known else None


def load(connection: Connection, commands: Sequence[Command]) -> WorkingSet:
    """Take the clinics' lock, then everything the commands name: six statements, however many commands."""
    found = WorkingSet(
        clinics=_lock_clinics(connection, {command.clinic_id for command in commands}),
        keys=_load_keys(connection, commands),
        by_contact={},
        conversations={},
        last_inbound={},
        messages={},
    )
    by_address = {(c.channel.id, c.contact_address) for c in commands if isinstance(c, ReceiveMessage)}
    by_id = {c.conversation_id for c in commands if isinstance(c, SendMessage | RecordDelivery)}
    if by_address:
        address = tuple_(contacts.c.channel_id, contacts.c.address)
        _load_conversations(connection, found, address.in_(sorted(by_address)))
    if by_id:
        _load_conversations(connection, found, conversations.c.id.in_(sorted(by_id)))
    named = {known.message_id for known in found.keys.values()}
    for command in commands:
        if isinstance(command, SendMessage) and command.reply_to:
            named.add(command.reply_to)
        elif isinstance(command, RecordDelivery):
            named.add(command.message_id)
    if named:
        loaded = messages_where(connection, messages.c.id.in_(sorted(named)))
        found.messages = {message.id: message for message in loaded}
    return found


def _lock_clinics(connection: Connection, ids: Iterable[ClinicId]) -> dict[ClinicId, ClinicHead]:
    """The only lock there is, taken in order of id, so nobody dead-locks; `seq` is known from here on."""
    query = (
        select(clinics.c.id, clinics.c.seq, clinics.c.head)
        .where(clinics.c.id.in_(sorted(ids)))
        .order_by(clinics.c.id)
        .with_for_update(key_share=True)
    )
    return {row.id: ClinicHead(row.seq, row.head) for row in connection.execute(query)}


def _load_keys(connection: Connection, commands: Sequence[Command]) -> dict[tuple[str, str], RememberedKey]:
    wanted = {(key.scope, key.key) for command in commands if (key := key_of(command))}
    for command in commands:
        if isinstance(command, ReceiveMessage) and command.reply_to_external_id:
            wanted.add((channel_scope(command.channel.id), command.reply_to_external_id))
        elif isinstance(command, RecordDelivery) and command.external_id:
            wanted.add((channel_scope(command.channel_id), command.external_id))
    if not wanted:
        return {}
    query = select(command_keys).where(tuple_(command_keys.c.scope, command_keys.c.key).in_(sorted(wanted)))
    return {
        (row.scope, row.key): RememberedKey(row.purpose, row.message_id) for row in connection.execute(query)
    }


def _load_conversations(connection: Connection, found: WorkingSet, condition: ColumnElement[bool]) -> None:
    query = select_conversations().where(condition, conversations.c.deleted.is_(False))
    for row in connection.execute(query).mappings():
        conversation = conversation_from(row)
        found.keep(Thread(conversation, row["last_inbound_seq"]))
