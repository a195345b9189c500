"""What the writer remembers of conversations is used only while the log says that nobody else changed them."""

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from recado.domain.commands import DeleteConversation, RenameContact, SendMessage
from recado.store import signs_of_life, working_set
from recado.store.batch import carry_out
from recado.store.recent import ClinicHead, Recent, place_of
from recado.store.tables import conversations


@pytest.fixture
def reads(monkeypatch):
    """The statements that bring conversations in, as they are executed."""
    statements, ask = [], working_set.ask

    def note(connection, statement, asked):
        if statement in (working_set.CONVERSATIONS_BY_ID, working_set._CONVERSATIONS_BY_ADDRESS):
            statements.append(statement)
        return ask(connection, statement, asked)

    monkeypatch.setattr(working_set, "ask", note)
    return statements


@pytest.fixture
async def conversation_in(writing):
    first = (await writing.writer.execute(writing.inbound())).conversation
    return lambda clinic_id: replace(first, id=str(clinic_id), clinic_id=clinic_id)


async def test_a_conversation_just_written_to_is_not_read_again(writing, reads):
    conversation = (await writing.writer.execute(writing.inbound())).conversation
    reads.clear()
    answer = await writing.writer.execute(writing.reply(conversation.id))
    assert reads == []
    assert answer.conversation.last_seq == conversation.last_seq + 1


async def test_a_patient_who_writes_again_is_not_looked_up(writing, reads):
    first = (await writing.writer.execute(writing.inbound())).conversation
    reads.clear()
    answer = await writing.writer.execute(writing.inbound())
    assert reads == []
    assert answer.conversation.id == first.id
    assert answer.conversation.last_seq == first.last_seq + 1


async def test_a_patient_whom_somebody_else_has_erased_begins_anew(writing, reads):
    """And whose message came to a new conversation elsewhere goes there."""
    first = (await writing.writer.execute(writing.inbound())).conversation
    order = writing.order(DeleteConversation, conversation_id=first.id)
    writing.database.write_now(lambda c: carry_out(c, [order], writing.sources))
    elsewhere = writing.database.write_now(lambda c: carry_out(c, [writing.inbound()], writing.sources))
    reads.clear()
    answer = await writing.writer.execute(writing.inbound())
    assert len(reads) == 1
    assert answer.conversation.id == elsewhere.outcomes[0].conversation.id != first.id


async def test_an_erased_patient_is_nobodys_place_and_begins_anew(writing):
    first = (await writing.writer.execute(writing.inbound())).conversation
    await writing.writer.execute(writing.order(DeleteConversation, conversation_id=first.id))
    assert writing.writer._recent.at(place_of(first)) is None, "nobody remembers the address"
    answer = await writing.writer.execute(writing.inbound())
    assert answer.conversation.id != first.id
    assert answer.conversation.contact == replace(first.contact, id=answer.conversation.contact.id)


async def test_a_conversation_that_a_rolled_back_batch_opened_is_nobodys_place(writing):
    await writing.writer.execute(writing.inbound("another"))
    recent = Recent()

    def roll_back(connection):
        carry_out(connection, [writing.inbound()], writing.sources, recent)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writing.database.write_now(roll_back)
    committed = writing.database.write_now(
        lambda c: carry_out(c, [writing.inbound()], writing.sources, recent)
    )
    opened = committed.outcomes[0].conversation
    assert writing.database.read_now(
        lambda c: c.execute(select(conversations.c.id).where(conversations.c.id == opened.id)).all()
    )


@pytest.fixture
def signs(monkeypatch):
    """The times that are written to channels' rows."""
    written, save = [], signs_of_life.save

    def note(connection, signs):
        written.extend(sign.at for sign in signs)
        save(connection, signs)

    monkeypatch.setattr(signs_of_life, "save", note)
    return written


async def test_a_channel_is_told_once_a_second_that_something_came_in(writing, signs, monkeypatch):
    at = iter(f"2026-11-23T10:42:0{time}Z" for time in ("7.100", "7.200", "7.999", "8.000"))
    monkeypatch.setattr(writing.writer, "_sources", replace(writing.sources, now=lambda: next(at)))
    for _ in range(4):
        await writing.writer.execute(writing.inbound())
    assert signs == ["2026-11-23T10:42:07.100Z", "2026-11-23T10:42:08.000Z"]


async def test_a_sign_of_life_that_was_rolled_back_is_written_again(writing, signs):
    at = replace(writing.sources, now=lambda: "2026-11-23T10:42:07.100Z")
    recent = Recent()

    def roll_back(connection):
        carry_out(connection, [writing.inbound()], at, recent)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writing.database.write_now(roll_back)
    for _ in range(2):
        writing.database.write_now(lambda c: carry_out(c, [writing.inbound()], at, recent))
    assert len(signs) == 2, "in vain, and in earnest"


async def test_what_somebody_else_wrote_is_seen(writing, reads):
    conversation = (await writing.writer.execute(writing.inbound())).conversation
    order = writing.order(RenameContact, conversation_id=conversation.id, name="Outra")
    writing.database.write_now(lambda c: carry_out(c, [order], writing.sources))
    reads.clear()
    answer = await writing.writer.execute(writing.reply(conversation.id))
    assert len(reads) == 1
    assert answer.conversation.contact.name == "Outra"
    assert answer.seq == conversation.version + 2


async def test_what_a_rolled_back_batch_left_is_not_believed(writing):
    conversation = (await writing.writer.execute(writing.inbound())).conversation
    recent = Recent()

    def roll_back(connection):
        order = writing.order(SendMessage, conversation_id=conversation.id, body="nunca", kind="note")
        carry_out(connection, [order], writing.sources, recent)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writing.database.write_now(roll_back)
    committed = writing.database.write_now(
        lambda c: carry_out(c, [writing.reply(conversation.id)], writing.sources, recent)
    )
    assert committed.outcomes[0].seq == conversation.version + 1
    assert committed.outcomes[0].conversation.version == conversation.version + 1


def test_of_two_clinics_only_the_one_that_moved_is_forgotten(conversation_in):
    recent, heads = Recent(), {1: ClinicHead(1, 1, 11), 2: ClinicHead(2, 1, 22)}
    a, b = conversation_in(1), conversation_in(2)
    recent.still_true(heads, ())
    recent.keep(heads, (a, b), {a.id: 1, b.id: 1})
    heads = {1: ClinicHead(1, 2, 12), 2: ClinicHead(2, 1, 22)}
    assert [kept.conversation for kept in recent.still_true(heads, (a.id, b.id))] == [b]
    heads = {1: ClinicHead(1, 1, 11), 2: ClinicHead(2, 1, 22)}
    assert [kept.conversation for kept in recent.still_true(heads, (a.id, b.id))] == [b]
