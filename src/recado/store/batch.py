"""One transaction of the writer: load, decide and evolve each command in turn, save in bulk. docs/store.md.

A refused command fails alone, takes no number and is not remembered.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct
from sqlalchemy import Connection

from recado.domain.clinic import Clinic
from recado.domain.clinic_commands import ClinicCommand, OfClinic
from recado.domain.commands import Command, CommandKey, InboxCommand, MemberCommand, key_of
from recado.domain.decide import decide
from recado.domain.events import Event, MarkedRead, OfMessage, Record, facts_of
from recado.domain.evolve import Stamp, evolve
from recado.domain.packets import ConversationTold, Told
from recado.domain.thread import Thread
from recado.domain.values import ClinicId, Conversation, Instant, MemberId, Message, MessageId, ReadMark, Seq
from recado.errors import ClientKeyReusedError, NotFoundError, RefusedError
from recado.store.changes import Changes
from recado.store.clinic_batch import Offices, load_offices
from recado.store.recent import Recent
from recado.store.signs_of_life import signs_of_life
from recado.store.working_set import WorkingSet, load


class Sources(Struct, frozen=True):
    """The world's answers that the rules must not ask for themselves: time, ids, randomness."""

    now: Callable[[], Instant]
    new_id: Callable[[], str]
    random_62_bits: Callable[[], int]


class Outcome(Struct, frozen=True, kw_only=True):
    """A command's result: what it made or changed, as it is afterwards, and the seq of its record.

    `repeated`: the key was known; this is the first result, as it stands now.
    """

    conversation: Conversation | None = None
    message: Message | None = None
    read: ReadMark | None = None
    clinic: Clinic | None = None
    member_id: MemberId | None = None
    seq: Seq
    repeated: bool = False

    @property
    def clinic_id(self) -> ClinicId:
        return self.clinic.id if self.clinic else self.the_conversation.clinic_id

    @property
    def the_conversation(self) -> Conversation:
        """Of a command that is about a conversation."""
        if self.conversation is None:
            raise LookupError("the command is about no conversation")
        return self.conversation

    @property
    def the_message(self) -> Message:
        """Of a command that is about a message."""
        if self.message is None:
            raise LookupError("the command is about no message")
        return self.message

    @property
    def the_read(self) -> ReadMark:
        """Of a command that is about the member's read mark."""
        if self.read is None:
            raise LookupError("the command is about no read mark")
        return self.read

    @property
    def the_clinic(self) -> Clinic:
        """Of a command that is about what the clinic keeps."""
        if self.clinic is None:
            raise LookupError("the command is about no clinic")
        return self.clinic

    @property
    def the_member_id(self) -> MemberId:
        """Of a command that lets somebody in."""
        if self.member_id is None:
            raise LookupError("the command lets nobody in")
        return self.member_id


class Committed(Struct, frozen=True):
    """What a batch did: per command its outcome or refusal, and everything there is to tell, in log order."""

    outcomes: Sequence[Outcome | RefusedError]
    told: Sequence[Told]
    queued: bool


def carry_out(
    connection: Connection,
    commands: Sequence[Command],
    sources: Sources,
    recent: Recent | None = None,
    *,
    whole: bool = False,
) -> Committed:
    """Decide and save `commands` in the transaction that `connection` holds; the caller commits.

    `recent` is what the caller's batches before have kept, and keeps what this one leaves. `whole`: it is the whole
    transaction, begun and committed in here where that saves trips (`Database.write_whole`).
    """
    recent = recent or Recent()
    keys = [key_of(command) for command in commands]
    found = load(connection, commands, keys, recent)
    changes = Changes()
    offices = load_offices(connection, commands)
    outcomes = [
        _carry_out_for_clinic(offices, found, changes, command, sources)
        if isinstance(command, ClinicCommand)
        else _carry_out_one(found, changes, command, key, sources)
        for command, key in zip(commands, keys, strict=True)
    ]
    offices.save(connection)
    signs = recent.unwritten(signs_of_life(changes.told))
    changes.save(connection, found, signs, commits=whole)
    recent.keep(found.clinics, found.conversations.values(), found.last_inbound, signs)
    return Committed(outcomes, changes.told, bool(changes.outbox))


def _carry_out_for_clinic(
    offices: Offices, found: WorkingSet, changes: Changes, command: OfClinic, sources: Sources
) -> Outcome | RefusedError:
    try:
        settled = offices.carry_out(
            found,
            changes,
            command,
            at=sources.now(),
            new_id=sources.new_id,
            random_62_bits=sources.random_62_bits,
        )
    except RefusedError as refusal:
        return refusal
    return Outcome(
        clinic=settled.clinic, member_id=settled.member_id, seq=settled.seq, repeated=settled.repeated
    )


def _carry_out_one(
    found: WorkingSet, changes: Changes, command: InboxCommand, key: CommandKey | None, sources: Sources
) -> Outcome | RefusedError:
    try:
        if repeated := _first_result(found, command, key):
            return repeated
        if command.clinic_id not in found.clinics:
            raise NotFoundError
        thread = found.thread_of(command)
        at = sources.now()
        decided = decide(thread, command, at, sources.new_id)
    except RefusedError as refusal:
        return refusal
    message_id = next(iter(thread.messages), None)  # what the command names, if it changes nothing
    seq = found.clinics[command.clinic_id].seq
    for event in decided:
        before = thread.conversation
        record = _number(found, command, event, sources, at, before)
        thread = evolve(thread, event, Stamp(record.clinic_id, record.seq, record.at))
        found.keep(thread)
        seq, message_id = record.seq, record.message_id
        changes.note(event, _told(record, thread, command), before)
    outcome = _outcome(thread, command, message_id, seq)
    changes.note_command(found, command, key, outcome.the_conversation, outcome.message)
    return outcome


def _outcome(thread: Thread, command: InboxCommand, message_id: MessageId | None, seq: Seq) -> Outcome:
    if thread.conversation is None:
        raise NotFoundError
    return Outcome(
        conversation=thread.conversation,
        message=thread.messages.get(message_id) if message_id else None,
        read=thread.reads.get(command.member_id) if isinstance(command, MemberCommand) else None,
        seq=seq,
    )


def _told(record: Record, thread: Thread, command: InboxCommand) -> ConversationTold:
    if thread.conversation is None:
        raise NotFoundError
    read = None
    if record.type == MarkedRead.__name__ and isinstance(command, MemberCommand):
        read = thread.reads[command.member_id]
    return ConversationTold(
        record=record,
        conversation=thread.conversation,
        message=thread.messages[record.message_id] if record.message_id else None,
        read=read,
    )


def _first_result(found: WorkingSet, command: InboxCommand, key: CommandKey | None) -> Outcome | None:
    known = found.first_result(key) if key else None
    if key is None or known is None:
        return None
    if isinstance(command, MemberCommand) and known.purpose != key.purpose:
        raise ClientKeyReusedError
    if known.conversation_id is None:  # of a channel's id that a member's key cannot be
        raise ClientKeyReusedError
    conversation = found.conversations[known.conversation_id]
    message = found.messages[known.message_id] if known.message_id else None
    mark = None
    if isinstance(command, MemberCommand):
        mark = found.reads.get((conversation.id, command.member_id))
    return Outcome(
        conversation=conversation,
        message=message,
        read=mark,
        seq=message.version if message else mark.version if mark else conversation.version,
        repeated=True,
    )


def _number(
    found: WorkingSet,
    command: InboxCommand,
    event: Event,
    sources: Sources,
    at: Instant,
    before: Conversation | None,
) -> Record:
    """Give the event the clinic's next number and chain it to the record before."""
    record_id = sources.random_62_bits()
    seq, prev = found.clinics[command.clinic_id].advance(record_id)
    member = command if isinstance(command, MemberCommand) else None
    return Record(
        clinic_id=command.clinic_id,
        seq=seq,
        id=record_id,
        prev=prev,
        type=type(event).__name__,
        conversation_id=event.conversation_id,
        message_id=event.message_id if isinstance(event, OfMessage) else None,
        member_id=member.member_id if member else None,
        client_key=member.client_key if member else None,
        facts=facts_of(event, before),
        at=at,
    )
