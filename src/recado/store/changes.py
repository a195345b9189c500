"""What a batch will write: rows by table, collected event by event, saved with one statement per table."""

from typing import Any

from msgspec import Struct, field
from sqlalchemy import Connection, Table, bindparam, delete, insert, update

from recado.domain.commands import (
    Command,
    CommandKey,
    ReceiveMessage,
    RecordDelivery,
    channel_scope,
    key_of,
)
from recado.domain.events import Event, MessageReceived, MessageWritten
from recado.domain.packets import Told
from recado.domain.values import ClinicId, Conversation, ConversationId, Message, MessageId
from recado.store.rows import conversation_row, message_row, record_row
from recado.store.tables import (
    attachments,
    clinics,
    command_keys,
    contacts,
    conversations,
    events,
    messages,
    outbox,
)
from recado.store.working_set import RememberedKey, WorkingSet

Rows = list[dict[str, Any]]


class Changes(Struct):
    """`told` is everything there is to tell, in log order; the rest is rows to write."""

    told: list[Told] = field(default_factory=list)
    conversations: dict[ConversationId, Conversation] = field(default_factory=dict)
    opened: set[ConversationId] = field(default_factory=set)
    messages: dict[MessageId, Message] = field(default_factory=dict)
    written: dict[MessageId, dict[str, str | None]] = field(default_factory=dict)
    """New messages, with what their provider said of them."""
    taken: Rows = field(default_factory=list)
    """The ids that providers gave to messages of ours."""
    contacts: Rows = field(default_factory=list)
    attachments: Rows = field(default_factory=list)
    keys: Rows = field(default_factory=list)
    outbox: Rows = field(default_factory=list)
    left: list[MessageId] = field(default_factory=list)
    """Messages that have left the outbox, or never will."""

    def note(self, event: Event, told: Told) -> None:
        """Collect the rows that one event changes."""
        conversation, message = told.conversation, told.message
        self.told.append(told)
        self.conversations[conversation.id] = conversation
        self.messages[message.id] = message
        match event:
            case MessageReceived():
                self.written[message.id] = {"sent_at": event.sent_at, "external_id": event.external_id}
                if event.opened:
                    self.opened.add(conversation.id)
                    self.contacts.append(
                        {
                            "id": event.contact.id,
                            "clinic_id": conversation.clinic_id,
                            "channel_id": event.channel.id,
                            "address": event.contact.address,
                            "name": event.contact.name,
                        }
                    )
            case MessageWritten():
                self.written[message.id] = {"sent_at": None, "external_id": None}
                if message.status == "queued":
                    self.outbox.append(
                        {
                            "message_id": message.id,
                            "clinic_id": conversation.clinic_id,
                            "channel_id": conversation.channel.id,
                            "conversation_id": conversation.id,
                            "seq": message.seq,
                            "attempts": 0,
                            "due_at": message.created_at,
                            "queued_at": message.created_at,
                        }
                    )

    def note_command(self, found: WorkingSet, command: Command, message: Message) -> None:
        """Collect what a command leaves beside its events: its key, a provider's ids, a row that left the outbox."""
        key = key_of(command)
        if key:
            self._remember(found, key, command.clinic_id, message.id)
        match command:
            case ReceiveMessage():
                self.attachments += [
                    {
                        "id": file.attachment.id,
                        "message_id": message.id,
                        "position": position,
                        "kind": file.attachment.kind,
                        "mime_type": file.attachment.mime_type,
                        "size": file.attachment.size,
                        "name": file.attachment.name,
                        "status": file.attachment.status,
                        "external_id": file.external_id,
                    }
                    for position, file in enumerate(command.attachments)
                ]
            case RecordDelivery():
                self.left.append(command.message_id)
                if command.external_id:
                    theirs = CommandKey(channel_scope(command.channel_id), command.external_id, "sent")
                    self._remember(found, theirs, command.clinic_id, command.message_id)
                    self.taken.append({"id": command.message_id, "external_id": command.external_id})

    def save(self, connection: Connection, found: WorkingSet) -> None:
        """Write every row, parents before children."""
        threads = [
            conversation_row(each, found.last_inbound[each.id]) for each in self.conversations.values()
        ]
        said = [
            message_row(each, self.conversations[each.conversation_id].clinic_id)
            for each in self.messages.values()
        ]
        _insert(connection, contacts, self.contacts)
        _insert(connection, conversations, [row for row in threads if row["id"] in self.opened])
        _update(connection, conversations, [row for row in threads if row["id"] not in self.opened])
        _insert(
            connection, messages, [row | self.written[row["id"]] for row in said if row["id"] in self.written]
        )
        _update(connection, messages, [row for row in said if row["id"] not in self.written])
        _update(connection, messages, self.taken)
        _insert(connection, attachments, self.attachments)
        _insert(connection, command_keys, self.keys)
        _insert(connection, events, [record_row(each.record) for each in self.told])
        _insert(connection, outbox, self.outbox)
        if self.left:
            connection.execute(delete(outbox).where(outbox.c.message_id.in_(self.left)))
        touched = sorted({each.record.clinic_id for each in self.told})
        _update(
            connection,
            clinics,
            [{"id": id_, "seq": found.clinics[id_].seq, "head": found.clinics[id_].head} for id_ in touched],
        )

    def _remember(
        self, found: WorkingSet, key: CommandKey, clinic_id: ClinicId, message_id: MessageId
    ) -> None:
        if (key.scope, key.key) in found.keys:
            return
        found.keys[key.scope, key.key] = RememberedKey(key.purpose, message_id)
        self.keys.append({**key._asdict(), "clinic_id": clinic_id, "message_id": message_id})


def _insert(connection: Connection, table: Table, rows: Rows) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _update(connection: Connection, table: Table, rows: Rows) -> None:
    """Set every given column, by `id`."""
    if not rows:
        return
    names = [name for name in rows[0] if name != "id"]
    statement = (
        update(table)
        .where(table.c.id == bindparam("key"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    connection.execute(
        statement, [{"key": row["id"], **{f"new_{name}": row[name] for name in names}} for row in rows]
    )
