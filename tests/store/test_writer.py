"""The writer: nothing lost, nothing twice, in order, and told before anybody is answered."""

import asyncio
import threading

import pytest
from sqlalchemy import text

from recado.domain.commands import DeleteConversation, DeleteMessage, InboundAttachment, MarkRead
from recado.domain.values import Attachment, Failure
from recado.errors import (
    ClientKeyReusedError,
    ConversationMovedError,
    InvalidError,
    NotFoundError,
    OverloadedError,
    UnavailableError,
)
from recado.store import accounts, inbox, writer
from stock import by_hand, writing_to


def log_of(stock):
    return stock.database.read_now(lambda c: inbox.log_after(c, stock.clinic_id, 0, 10_000))


def rows(stock, table):
    return stock.database.read_now(lambda c: c.execute(text(f"SELECT * FROM {table}")).mappings().all())


async def test_a_first_message_opens_one_conversation_with_one_record(writing):
    outcome = await writing.writer.execute(writing.inbound(body="Olá"))
    [told] = log_of(writing)
    assert (outcome.seq, outcome.message.body, outcome.message.ordinal) == (1, "Olá", 1)
    assert (told.record.seq, told.record.prev, told.record.facts["opened"]) == (1, 0, True)
    assert told.conversation.last_message.preview == "Olá"
    assert told.conversation.waiting_since == outcome.message.created_at


async def test_the_log_holds_no_patient_words(writing):
    await writing.writer.execute(writing.inbound(body="segredo", name="Fulana"))
    await writing.writer.execute(writing.reply(writing.told[0].conversation.id, "segredo também"))
    for row in rows(writing, "events"):
        assert "segredo" not in str(dict(row))
        assert "Fulana" not in str(dict(row))


async def test_a_clinics_log_is_gapless_and_chained(writing):
    await asyncio.gather(*(writing.writer.execute(writing.inbound(f"55{n % 7}")) for n in range(100)))
    records = [told.record for told in log_of(writing)]
    assert [record.seq for record in records] == list(range(1, 101))
    assert [record.prev for record in records] == [0, *(record.id for record in records[:-1])]


async def test_a_write_that_fails_leaves_nothing(stock):
    """Neither do the next ones on its connection."""

    def fail(connection):
        accounts.add_clinic(connection, "Nenhuma", "2026-01-01")
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await stock.database.write(fail)
        await stock.database.write(lambda c: c.exec_driver_sql("SELECT 1").scalar_one())
    assert [row["name"] for row in rows(stock, "clinics")] == ["Clínica"]


async def test_what_waits_together_is_committed_together(writing):
    await asyncio.gather(*(writing.writer.execute(writing.inbound(f"55{n}")) for n in range(50)))
    assert len(writing.committed) == 1


async def test_a_crowd_is_being_committed_while_the_batch_before_is_told_and_is_told_after_it(
    writing, monkeypatch
):
    write_whole, on_commit = writing.database.write_whole, writing.writer._on_commit
    free, begun, batches, told = threading.Event(), asyncio.Event(), [], []

    def begin(work):
        batches.append(work)
        begun.set()
        return write_whole(work)

    def tell(committed):
        told.append((len(committed.told), len(batches)))
        on_commit(committed)

    monkeypatch.setattr(writing.database, "write_whole", begin)
    monkeypatch.setattr(writing.writer, "_on_commit", tell)
    holding = write_whole(lambda _connection: free.wait(10))
    first = asyncio.create_task(writing.writer.execute(writing.inbound()))
    await begun.wait()
    crowd = [asyncio.create_task(writing.writer.execute(writing.inbound())) for _ in range(writer.CROWD)]
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(holding, first, *crowd)
    assert told == [(1, 2), (writer.CROWD, 2)], "messages told, batches begun by then"
    assert [each.record.seq for each in writing.told] == list(range(1, writer.CROWD + 2))


@pytest.mark.only("sqlite")  # on PostgreSQL it is counted on the wire: test_round_trips.py
@pytest.mark.parametrize("size", [1, 16, 128])
async def test_what_a_batch_needs_is_read_at_once(writing, size):
    first = await writing.writer.execute(writing.inbound())
    statements = []
    await writing.database.write(
        lambda c: c.connection.driver_connection.set_trace_callback(statements.append)
    )
    statements.clear()
    kinds = (
        lambda number: writing.inbound(f"new-{number}"),
        lambda _number: writing.inbound(),
        lambda _number: writing.reply(first.message.conversation_id),
    )
    commands = [kinds[number % len(kinds)](number) for number in range(size)]
    await asyncio.gather(*(writing.writer.execute(command) for command in commands))
    reads = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(reads) == 4, "the clinics, the keys, conversations by address; how long search's list is"


async def test_a_providers_id_never_makes_a_second_message(writing):
    first = await writing.writer.execute(writing.inbound(external_id="same", body="um"))
    again = await writing.writer.execute(writing.inbound(external_id="same", body="um"))
    together = await asyncio.gather(
        *(writing.writer.execute(writing.inbound(external_id="other")) for _ in range(5))
    )
    assert (again.message.id, again.repeated, first.repeated) == (first.message.id, True, False)
    assert [outcome.repeated for outcome in together] == [False, True, True, True, True]
    assert len(rows(writing, "messages")) == 2
    assert len(log_of(writing)) == 2


async def test_a_repeated_client_key_answers_with_the_first_result(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    first = await writing.writer.execute(writing.reply(conversation_id, "um", client_key="k"))
    again = await writing.writer.execute(writing.reply(conversation_id, "outro", client_key="k"))
    assert (again.message, again.repeated) == (first.message, True)
    assert len(rows(writing, "outbox")) == 1


async def test_a_repeat_tells_the_message_as_it_stands_now(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    first = await writing.writer.execute(writing.reply(conversation_id, client_key="k"))
    await writing.writer.execute(writing.delivered(first.message, external_id="wamid.out"))
    again = await writing.writer.execute(writing.reply(conversation_id, client_key="k"))
    assert (again.message.id, again.message.status) == (first.message.id, "sent")


async def test_a_client_key_serves_one_conversation_only(writing):
    one = (await writing.writer.execute(writing.inbound("1"))).message.conversation_id
    two = (await writing.writer.execute(writing.inbound("2"))).message.conversation_id
    await writing.writer.execute(writing.reply(one, client_key="k"))
    with pytest.raises(ClientKeyReusedError):
        await writing.writer.execute(writing.reply(two, client_key="k"))


async def test_a_refused_command_takes_no_number_and_is_not_remembered(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    with pytest.raises(InvalidError):
        await writing.writer.execute(writing.reply(conversation_id, "   ", client_key="k"))
    sent = await writing.writer.execute(writing.reply(conversation_id, "certo", client_key="k"))
    assert (sent.seq, sent.repeated) == (2, False)


async def test_one_refusal_does_not_harm_its_batch(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    good, bad, also_good = await asyncio.gather(
        writing.writer.execute(writing.reply(conversation_id)),
        writing.writer.execute(writing.reply("01900000-0000-7000-8000-000000000000")),
        writing.writer.execute(writing.reply(conversation_id)),
        return_exceptions=True,
    )
    assert (good.seq, also_good.seq) == (2, 3)
    assert isinstance(bad, NotFoundError)


async def test_another_clinics_conversation_is_not_found(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    with pytest.raises(NotFoundError):
        await writing.writer.execute(writing.reply(conversation_id, clinic_id=writing.clinic_id + 1))


async def test_a_reply_to_an_outdated_screen_is_refused_with_the_current_state(writing):
    first = await writing.writer.execute(writing.inbound(body="um"))
    await writing.writer.execute(writing.inbound(body="dois"))
    stale = writing.reply(first.message.conversation_id, expected_seq=first.seq)
    with pytest.raises(ConversationMovedError) as refused:
        await writing.writer.execute(stale)
    assert refused.value.state["conversation"].last_message.preview == "dois"


async def test_a_colleagues_reply_does_not_make_a_screen_outdated(writing):
    first = await writing.writer.execute(writing.inbound())
    conversation_id = first.message.conversation_id
    await writing.writer.execute(writing.reply(conversation_id))
    await writing.writer.execute(writing.reply(conversation_id, expected_seq=first.seq))


async def test_a_reply_waits_to_leave_and_a_note_does_not(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    reply = await writing.writer.execute(writing.reply(conversation_id))
    note = await writing.writer.execute(writing.reply(conversation_id, kind="note"))
    assert [row["message_id"] for row in rows(writing, "outbox")] == [reply.message.id]
    assert (reply.message.status, note.message.status) == ("queued", "sent")
    assert [committed.queued for committed in writing.committed] == [False, True, False]


async def test_an_answered_patient_waits_no_more_but_a_note_is_no_answer(writing):
    first = await writing.writer.execute(writing.inbound())
    conversation_id = first.message.conversation_id
    await writing.writer.execute(writing.reply(conversation_id, kind="note"))
    assert writing.told[-1].conversation.waiting_since == first.message.created_at
    await writing.writer.execute(writing.reply(conversation_id))
    assert writing.told[-1].conversation.waiting_since is None


async def test_a_patient_waits_when_the_last_answer_that_stood_falls(writing):
    """In any order, after it was sent or before, and when all fall in one batch."""
    first = await writing.writer.execute(writing.inbound())
    conversation_id, wrote_at = first.message.conversation_id, first.message.created_at
    sent, queued, third = [
        (await writing.writer.execute(writing.reply(conversation_id))).message for _ in range(3)
    ]
    await writing.writer.execute(writing.delivered(sent, external_id="wamid.sent"))

    await writing.writer.execute(writing.delivered(queued, "failed"))
    assert writing.told[-1].conversation.waiting_since is None
    await asyncio.gather(
        writing.writer.execute(writing.reported("wamid.sent", "failed")),
        writing.writer.execute(writing.order(DeleteMessage, message_id=third.id)),
    )
    assert [told.record.type for told in writing.told[-2:]] == ["MessageStatusChanged", "MessageDeleted"]
    assert len(writing.committed[-1].told) == 2
    assert [told.conversation.waiting_since for told in writing.told[-2:]] == [None, wrote_at]


async def test_a_failure_told_together_with_the_providers_id_leaves_the_patient_waiting(writing):
    first = await writing.writer.execute(writing.inbound())
    reply = (await writing.writer.execute(writing.reply(first.message.conversation_id))).message
    await asyncio.gather(
        writing.writer.execute(writing.delivered(reply, external_id="wamid.1")),
        writing.writer.execute(writing.reported("wamid.1", "failed")),
    )
    assert len(writing.committed[-1].told) == 2
    assert writing.told[-1].conversation.waiting_since == first.message.created_at


async def test_who_wrote_since_the_answer_that_stands_waits_since_then(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    await writing.writer.execute(writing.reply(conversation_id))
    second = await writing.writer.execute(writing.inbound())
    await writing.writer.execute(writing.reply(conversation_id, kind="note"))
    last = await writing.writer.execute(writing.reply(conversation_id))
    await writing.writer.execute(writing.inbound())
    await writing.writer.execute(writing.delivered(last.message, "failed"))
    assert writing.told[-1].conversation.waiting_since == second.message.created_at


async def test_a_status_only_goes_forwards(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    reply = (await writing.writer.execute(writing.reply(conversation_id))).message
    failure = Failure(code="refused_by_provider", message="Refused.")
    await writing.writer.execute(writing.delivered(reply, "failed", failure=failure))
    late = await writing.writer.execute(writing.delivered(reply, "sent"))
    assert (late.message.status, late.message.failure) == ("failed", failure)
    assert rows(writing, "outbox") == []
    assert len(log_of(writing)) == 3


async def test_what_changes_nothing_of_a_conversation_does_not_write_its_row(writing):
    """Its four indexes would be written, too."""
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    reply = (await writing.writer.execute(writing.reply(conversation_id))).message
    by_hand(writing.database, "UPDATE conversations SET waiting_since = 'marked'")
    await writing.writer.execute(writing.order(MarkRead, conversation_id=conversation_id, up_to=1))
    await writing.writer.execute(writing.delivered(reply, "sent"))
    assert [row["waiting_since"] for row in rows(writing, "conversations")] == ["marked"]
    assert len(log_of(writing)) == 4

    await writing.writer.execute(writing.reply(conversation_id))
    assert [row["waiting_since"] for row in rows(writing, "conversations")] == [None]


async def test_a_patients_reply_finds_the_message_it_answers(writing):
    conversation_id = (await writing.writer.execute(writing.inbound())).message.conversation_id
    reply = (await writing.writer.execute(writing.reply(conversation_id))).message
    await writing.writer.execute(writing.delivered(reply, external_id="wamid.ours"))
    answer = await writing.writer.execute(writing.inbound(reply_to_external_id="wamid.ours"))
    unknown = await writing.writer.execute(writing.inbound(reply_to_external_id="wamid.nobody"))
    assert (answer.message.reply_to, unknown.message.reply_to) == (reply.id, None)


async def test_whoever_writes_while_they_are_erased_begins_anew_in_the_same_batch(writing):
    first = await writing.writer.execute(writing.inbound(body="um"))
    erase = writing.order(DeleteConversation, conversation_id=first.conversation.id)
    erased, again = await asyncio.gather(
        writing.writer.execute(erase), writing.writer.execute(writing.inbound(body="dois"))
    )
    assert len(writing.committed) == 2
    assert erased.conversation.deleted
    assert again.conversation.id != first.conversation.id
    assert again.conversation.contact.address == first.conversation.contact.address


async def test_attachments_come_back_in_order(writing):
    files = tuple(
        InboundAttachment(
            attachment=Attachment(
                id=f"{n}", kind="image", mime_type="image/jpeg", name=f"{n}.jpg", status="pending"
            ),
            external_id=f"media-{n}",
        )
        for n in range(3)
    )
    outcome = await writing.writer.execute(writing.inbound(attachments=files))
    page = writing.database.read_now(
        lambda c: inbox.message_page(c, writing.clinic_id, outcome.message.conversation_id, 10)
    )
    assert page.items == [outcome.message]
    assert [file.name for file in page.items[0].attachments] == ["0.jpg", "1.jpg", "2.jpg"]


async def test_everybody_is_told_before_the_caller_is_answered(stock):
    order = []
    stock.writer._on_commit = lambda committed: order.append("told")
    async with writing_to(stock):
        await stock.writer.execute(stock.inbound())
        order.append("answered")
    assert order == ["told", "answered"]


POISON = {
    "sqlite": """
    CREATE TRIGGER poisoned BEFORE INSERT ON messages WHEN new.body = 'poison'
    BEGIN SELECT RAISE(ABORT, 'poison'); END
    """,
    "postgresql": """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '%%', new.body; END $$;
    CREATE TRIGGER poisoned BEFORE INSERT ON messages
    FOR EACH ROW WHEN (new.body = 'poison') EXECUTE FUNCTION refuse()
    """,
}


async def test_a_database_error_fails_the_guilty_command_alone(writing, capfd):
    poison = "poison"
    writing.database.write_now(lambda c: c.exec_driver_sql(POISON[c.dialect.name]))
    bodies = ("um", poison, "dois")
    good, bad, also_good = await asyncio.gather(
        *(writing.writer.execute(writing.inbound(body=body)) for body in bodies), return_exceptions=True
    )
    assert (good.seq, also_good.seq) == (1, 2)
    assert bad.code == "internal"
    assert poison not in str(bad)
    assert poison not in capfd.readouterr().out
    assert [told.record.seq for told in log_of(writing)] == [1, 2]


async def test_a_database_error_harms_nobody_else_on_a_connection_that_has_served_for_long(writing):
    """On PostgreSQL psycopg has prepared some on it by then, and gives up all of the connection's at a rollback."""
    writing.database.write_now(lambda c: c.exec_driver_sql(POISON[c.dialect.name]))
    for number in range(12):
        await writing.database.write(lambda c: c.execute(text("SELECT count(*) FROM outbox")).scalar_one())
        await writing.writer.execute(writing.inbound(address=f"55{number}"))
    for _ in range(3):
        bodies = ("um", "poison", "dois")
        outcomes = await asyncio.gather(
            *(writing.writer.execute(writing.inbound(body=body)) for body in bodies), return_exceptions=True
        )
        assert [getattr(each, "code", "done") for each in outcomes] == ["done", "internal", "done"]


async def test_a_full_queue_refuses_and_keeps_what_it_took(stock, monkeypatch):
    monkeypatch.setattr(writer, "MAX_WAITING", 3)
    waiting = [asyncio.create_task(stock.writer.execute(stock.inbound())) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await stock.writer.execute(stock.inbound())
    async with writing_to(stock):
        assert [outcome.seq for outcome in await asyncio.gather(*waiting)] == [1, 2, 3]


async def test_closing_finishes_what_waits_and_takes_no_more(stock):
    waiting = asyncio.create_task(stock.writer.execute(stock.inbound()))
    await asyncio.sleep(0)
    stock.writer.close()
    with pytest.raises(UnavailableError):
        await stock.writer.execute(stock.inbound())
    await stock.writer.run()
    assert (await waiting).seq == 1


async def test_a_cancelled_caller_does_not_undo_what_was_sent(writing):
    caller = asyncio.create_task(writing.writer.execute(writing.inbound()))
    await asyncio.sleep(0)
    caller.cancel()
    after = await writing.writer.execute(writing.inbound("other"))
    assert after.seq == 2
