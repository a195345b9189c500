"""One transaction of the writer: load, decide and evolve each command in turn, save in bulk. docs/store.md.

A refused command fails alone, takes no number and is not remembered.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct
from sqlalchemy import Connection

from recado.domain.commands import Command, SendMessage, key_of
from recado.domain.decide import decide
from recado.domain.events import Event, Record, facts_of
from recado.domain.evolve import evolve
from recado.domain.packets import Told
from recado.domain.values import Instant, Message, Seq
from recado.errors import ClientKeyReusedError, NotFoundError, RefusedError
from recado.store.changes import Changes
from recado.store.working_set import WorkingSet, load


class Sources(Struct, frozen=True):
    """The world's answers that the rules must not ask for themselves: time, ids, randomness."""

    now: Callable[[], Instant]
    new_id: Callable[[], str]
    random_62_bits: Callable[[], int]


class Outcome(Struct, frozen=True):
    """A command's result: the message it made or changed, and the seq of its record.

    `repeated`: the key was known; this is the first result, as it stands now.
    """

    message: Message
    seq: Seq
    repeated: bool = False


class Committed(Struct, frozen=True):
    """What a batch did: per command its outcome or refusal, and everything there is to tell, in log order."""

    outcomes: Sequence[Outcome | RefusedError]
    told: Sequence[Told]
    queued: bool


def carry_out(connection: Connection, commands: Sequence[Command], sources: Sources) -> Committed:
    """Decide and save `commands` in the transaction that `connection` holds; the caller commits."""
    found = load(connection, commands)
    changes = Changes()
    outcomes = [_carry_out_one(found, changes, command, sources) for command in commands]
    changes.save(connection, found)
    return Committed(outcomes, changes.told, bool(changes.outbox))


def _carry_out_one(
    found: WorkingSet, changes: Changes, command: Command, sources: Sources
) -> Outcome | RefusedError:
    try:
        if repeated := _first_result(found, command):
            return repeated
        if command.clinic_id not in found.clinics:
            raise NotFoundError
        thread = found.thread_of(command)
        decided = decide(thread, command, sources.new_id)
    except RefusedError as refusal:
        return refusal
    seq = found.clinics[command.clinic_id].seq
    message = next(iter(thread.messages.values()), None)  # what the command names, if it changes nothing
    for event in decided:
        record = _number(found, command, event, sources)
        thread = evolve(thread, event, clinic_id=record.clinic_id, seq=record.seq, at=record.at)
        found.keep(thread)
        seq, message = record.seq, thread.messages[event.message_id]
        conversation = found.conversations[event.conversation_id]
        changes.note(event, Told(record, conversation, message))
    if message is None:
        raise NotFoundError
    changes.note_command(found, command, message)
    return Outcome(message, seq)


def _first_result(found: WorkingSet, command: Command) -> Outcome | None:
    key = key_of(command)
    known = found.keys.get((key.scope, key.key)) if key else None
    if key is None or known is None:
        return None
    if isinstance(command, SendMessage) and known.purpose != key.purpose:
        raise ClientKeyReusedError
    message = found.messages[known.message_id]
    return Outcome(message, message.version, repeated=True)


def _number(found: WorkingSet, command: Command, event: Event, sources: Sources) -> Record:
    """Give the event the clinic's next number and chain it to the record before."""
    clinic = found.clinics[command.clinic_id]
    record = Record(
        clinic_id=command.clinic_id,
        seq=Seq(clinic.seq + 1),
        id=sources.random_62_bits(),
        prev=clinic.head,
        type=type(event).__name__,
        conversation_id=event.conversation_id,
        message_id=event.message_id,
        member_id=command.member_id if isinstance(command, SendMessage) else None,
        client_key=command.client_key if isinstance(command, SendMessage) else None,
        facts=facts_of(event),
        at=sources.now(),
    )
    clinic.seq, clinic.head = record.seq, record.id
    return record
