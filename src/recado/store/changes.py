"""What a batch will write: rows by table, collected event by event, saved with one statement per table."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field
from sqlalchemy import Connection, bindparam, delete, select, update

from recado.domain.commands import (
    CommandKey,
    InboxCommand,
    ReceiveMessage,
    RecordDelivery,
    channel_scope,
)
from recado.domain.events import (
    ContactRenamed,
    ConversationDeleted,
    ConversationUpdated,
    Event,
    MessageDeleted,
    MessageReceived,
    MessageStatusChanged,
    MessageWritten,
)
from recado.domain.packets import ConversationTold, Told
from recado.domain.values import (
    REPORTING,
    ClinicId,
    Conversation,
    ConversationId,
    Instant,
    Message,
    MessageId,
    ReadMark,
)
from recado.store import search, signs_of_life
from recado.store.bulk import among, execute, insert_rows, update_rows, wanted
from recado.store.rows import (
    conversation_row,
    message_row,
    new_conversation_row,
    new_message_row,
    read_mark_row,
    restated_conversation_row,
)
from recado.store.signs_of_life import Sign
from recado.store.tables import (
    attachments,
    clinics,
    command_keys,
    contacts,
    conversation_labels,
    conversations,
    events,
    messages,
    outbox,
    read_marks,
)
from recado.store.trips import one_trip
from recado.store.working_set import RememberedKey, WorkingSet

Rows = list[dict[str, Any]]

_LEFT = delete(outbox).where(among(outbox.c.message_id))
_EMPTIED = delete(attachments).where(among(attachments.c.message_id))
_MARKS = delete(read_marks).where(among(read_marks.c.conversation_id, read_marks.c.member_id))
_LABELS = delete(conversation_labels).where(among(conversation_labels.c.conversation_id))

_of_conversation = messages.c.conversation_id == bindparam("conversation")
_ERASE = (
    delete(outbox).where(outbox.c.conversation_id == bindparam("conversation")),
    delete(attachments).where(attachments.c.message_id.in_(select(messages.c.id).where(_of_conversation))),
    update(messages).where(_of_conversation).values(body="", deleted=True, has_attachments=False),
    update(messages).where(_of_conversation, messages.c.author_type == "contact").values(author_name=""),
)
_FORGET_CONTACT = (
    update(contacts).where(contacts.c.id == bindparam("contact")).values(name="", address=bindparam("nobody"))
)

_RESTATING = (MessageReceived, ConversationUpdated, ConversationDeleted)
"""What changes more of a conversation than a `ConversationRow` has."""


class Changes(Struct):
    """`told` is everything there is to tell, in log order; the rest is rows to write."""

    told: list[Told] = field(default_factory=list)
    conversations: dict[ConversationId, Conversation] = field(default_factory=dict)
    """Those that are not as they were."""
    opened: set[ConversationId] = field(default_factory=set)
    restated: set[ConversationId] = field(default_factory=set)
    messages: dict[MessageId, Message] = field(default_factory=dict)
    written: dict[MessageId, tuple[Instant | None, str | None]] = field(default_factory=dict)
    """New messages, with what their provider said of them: when they were sent, and its own id."""
    taken: Rows = field(default_factory=list)
    """The ids that providers gave to messages of ours."""
    reads: dict[tuple[ConversationId, str], ReadMark] = field(default_factory=dict)
    contacts: Rows = field(default_factory=list)
    renamed: Rows = field(default_factory=list)
    attachments: Rows = field(default_factory=list)
    keys: list[RememberedKey] = field(default_factory=list)
    outbox: Rows = field(default_factory=list)
    left: list[MessageId] = field(default_factory=list)
    """Messages that have left the outbox, or never will."""
    emptied: list[MessageId] = field(default_factory=list)
    """Messages whose attachments are erased."""
    relabelled: set[ConversationId] = field(default_factory=set)
    erased: list[Conversation] = field(default_factory=list)

    def note(self, event: Event, told: ConversationTold, before: Conversation | None) -> None:
        """Collect the rows that one event changes; `before` is the conversation as it was."""
        conversation = told.conversation
        self._note_states(event, told, before)
        match event:
            case MessageReceived():
                self.written[event.message_id] = event.sent_at, event.external_id
                if event.opened:
                    self.opened.add(conversation.id)
                    self.contacts.append(_contact_row(event, conversation.clinic_id))
            case MessageWritten():
                self.written[event.message_id] = None, None
                if event.kind == "message":
                    self.outbox.append(_outbox_row(conversation, told, event.ended_wait))
            case MessageDeleted():
                self.left.append(event.message_id)
                self.emptied.append(event.message_id)
            case MessageStatusChanged(after="failed"):
                self.left.append(event.message_id)
            case ContactRenamed():
                self.renamed.append({"id": conversation.contact.id, "name": event.name})
            case ConversationUpdated() if event.labels_before != event.labels_after:
                self.relabelled.add(conversation.id)
            case ConversationDeleted():
                self.relabelled.add(conversation.id)
                self.erased.append(conversation)

    def _note_states(self, event: Event, told: ConversationTold, before: Conversation | None) -> None:
        self.told.append(told)
        if told.conversation is not before:  # as it is for a read mark, or a message that was delivered
            self.conversations[told.conversation.id] = told.conversation
        if type(event) in _RESTATING:
            self.restated.add(told.conversation.id)
        if told.message:
            self.messages[told.message.id] = told.message
        if told.read:
            self.reads[told.read.conversation_id, told.read.member_id] = told.read

    def note_command(
        self,
        found: WorkingSet,
        command: InboxCommand,
        key: CommandKey | None,
        conversation: Conversation,
        message: Message | None,
    ) -> None:
        """Collect what a command leaves beside its events: its key, a provider's ids, a row that left the outbox."""
        message_id = message.id if message else None
        if key:
            self.remember(found, key, conversation.clinic_id, conversation.id, message_id)
        match command:
            case ReceiveMessage() if message_id:
                self.attachments += [
                    {
                        "id": file.attachment.id,
                        "message_id": message_id,
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
                    self.taken.append({"id": command.message_id, "external_id": command.external_id})
                if command.external_id and conversation.channel.kind in REPORTING:
                    theirs = CommandKey(channel_scope(command.channel_id), command.external_id, "sent")
                    self.remember(found, theirs, conversation.clinic_id, conversation.id, message_id)

    def save(
        self, connection: Connection, found: WorkingSet, signs: Sequence[Sign], *, commits: bool
    ) -> None:
        """Write every row, parents before children, erasures last; and `commits`, where it can be sent along."""
        with one_trip(connection, commits=commits):
            self._save_threads(connection, found)
            self._save_messages(connection)
            insert_rows(connection, command_keys, self.keys)
            insert_rows(connection, events, [each.record for each in self.told])
            insert_rows(connection, outbox, self.outbox)
            self._save_reads(connection, found)
            self._save_labels(connection)
            signs_of_life.save(connection, signs)
            if self.left:
                execute(connection, _LEFT, wanted((id_,) for id_ in self.left))
            if self.emptied:
                execute(connection, _EMPTIED, wanted((id_,) for id_ in self.emptied))
            search.index(connection, self.told)
            for conversation in self.erased:
                _erase(connection, conversation)
            touched = sorted({each.record.clinic_id for each in self.told})
            update_rows(connection, clinics, [found.clinics[id_] for id_ in touched])

    def _save_threads(self, connection: Connection, found: WorkingSet) -> None:
        born, restated, moved = [], [], []
        for id_, conversation in self.conversations.items():
            if id_ in self.opened:
                born.append(new_conversation_row(conversation, found.last_inbound[id_]))
            elif id_ in self.restated:
                restated.append(restated_conversation_row(conversation, found.last_inbound[id_]))
            else:
                moved.append(conversation_row(conversation))
        for conversation in self.erased:
            _forget_contact(connection, conversation)  # its address may be a new contact's in this very batch
        insert_rows(connection, contacts, self.contacts)
        update_rows(connection, contacts, self.renamed)
        insert_rows(connection, conversations, born)
        update_rows(connection, conversations, restated)
        update_rows(connection, conversations, moved)

    def _save_messages(self, connection: Connection) -> None:
        born, changed = [], []
        for message in self.messages.values():
            if message.id in self.written:
                clinic_id = self.conversations[message.conversation_id].clinic_id
                born.append(new_message_row(message, clinic_id, *self.written[message.id]))
            else:
                changed.append(message_row(message))
        insert_rows(connection, messages, born)
        update_rows(connection, messages, changed)
        update_rows(connection, messages, self.taken)
        insert_rows(connection, attachments, self.attachments)

    def _save_reads(self, connection: Connection, found: WorkingSet) -> None:
        """Replace: a mark is two numbers, and most of them are new."""
        if not self.reads:
            return
        execute(connection, _MARKS, wanted(self.reads))
        rows = [
            read_mark_row(mark, found.conversations[mark.conversation_id].clinic_id)
            for mark in self.reads.values()
        ]
        insert_rows(connection, read_marks, rows)

    def _save_labels(self, connection: Connection) -> None:
        """Replace: labels are few, and change rarely."""
        if not self.relabelled:
            return
        execute(connection, _LABELS, wanted((id_,) for id_ in self.relabelled))
        rows = [
            {"conversation_id": each.id, "label": label, "clinic_id": each.clinic_id}
            for each in (self.conversations[id_] for id_ in sorted(self.relabelled))
            for label in each.labels
        ]
        insert_rows(connection, conversation_labels, rows)

    def remember(
        self,
        found: WorkingSet,
        key: CommandKey,
        clinic_id: ClinicId,
        conversation_id: ConversationId | None = None,
        message_id: MessageId | None = None,
    ) -> None:
        """Let `key` answer with this result from now on; the first result stays."""
        if found.first_result(key):
            return
        remembered = RememberedKey(key.scope, key.key, key.purpose, clinic_id, conversation_id, message_id)
        found.keys[key.scope, key.key] = remembered
        self.keys.append(remembered)


def _contact_row(event: MessageReceived, clinic_id: ClinicId) -> dict[str, Any]:
    return {
        "id": event.contact.id,
        "clinic_id": clinic_id,
        "channel_id": event.channel.id,
        "address": event.contact.address,
        "name": event.contact.name,
    }


def _outbox_row(
    conversation: Conversation, told: ConversationTold, ended_wait: Instant | None
) -> dict[str, Any]:
    return {
        "message_id": told.record.message_id,
        "clinic_id": conversation.clinic_id,
        "channel_id": conversation.channel.id,
        "conversation_id": conversation.id,
        "seq": told.record.seq,
        "attempts": 0,
        "due_at": told.record.at,
        "queued_at": told.record.at,
        "ended_wait": ended_wait,
    }


def _erase(connection: Connection, conversation: Conversation) -> None:
    """Take a deleted conversation's words out of every row that has some; what is left says only that it was.

    Its messages keep their versions: its own tombstone tells all, and a delta need not carry every one of them.
    """
    for statement in _ERASE:
        execute(connection, statement, {"conversation": conversation.id})
    _forget_contact(connection, conversation)


def _forget_contact(connection: Connection, conversation: Conversation) -> None:
    contact = conversation.contact.id
    execute(connection, _FORGET_CONTACT, {"contact": contact, "nobody": f"erased:{contact}"})
