"""The guard in PostgreSQL. Every test on a migrated PostgreSQL runs under it; here is what it refuses."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from recado.domain.clinic_commands import UpdateClinic
from recado.domain.commands import InboundAttachment, MarkRead, UpdateConversation
from recado.domain.values import Attachment
from recado.errors import ConfigError
from recado.store import guard

UNLOGGED = {
    "conversations": "UPDATE conversations SET status = 'resolved'",
    "conversation_labels": "DELETE FROM conversation_labels",
    "messages": "UPDATE messages SET body = 'another'",
    "attachments": "UPDATE attachments SET status = 'ready'",
    "read_marks": "DELETE FROM read_marks",
    "contacts": "UPDATE contacts SET name = 'another'",
    "clinic_settings": "UPDATE clinic_settings SET waiting_limit_minutes = 1",
    "clinics": "UPDATE clinics SET name = 'another'",
    "memberships": "UPDATE memberships SET role = 'agent'",
    "members": "UPDATE members SET name = 'another'",
}
UNSEEN = [
    "UPDATE conversations SET last_inbound_seq = 0",
    "UPDATE messages SET external_id = 'another'",
    "UPDATE members SET password_hash = 'another'",
    "UPDATE clinics SET epoch = epoch + 1",
    "UPDATE conversations SET status = status",
    "UPDATE channels SET last_inbound_at = NULL",
]

pytestmark = pytest.mark.only("postgresql")


@pytest.fixture
async def filled(writing):
    """A row in every table that is guarded."""
    picture = Attachment(id="a1", kind="image", mime_type="image/png", status="pending")
    files = (InboundAttachment(attachment=picture, external_id="m1"),)
    outcome = await writing.writer.execute(writing.inbound(attachments=files))
    id_ = outcome.conversation.id
    await writing.writer.execute(writing.order(UpdateConversation, conversation_id=id_, labels=("exame",)))
    await writing.writer.execute(writing.order(MarkRead, conversation_id=id_, up_to=1))
    await writing.writer.execute(writing.settle(UpdateClinic, waiting_limit_minutes=5))
    return writing


def execute(database, *statements):
    database.write_now(lambda connection: [connection.execute(text(each)) for each in statements])


async def test_every_table_that_answers_are_made_of_is_guarded(filled):
    assert UNLOGGED.keys() == guard.TABLES.keys()
    for table in guard.TABLES:
        assert filled.database.read_now(
            lambda c, t=table: c.execute(text(f"SELECT count(*) FROM {t}")).scalar()
        )


@pytest.mark.parametrize("table", UNLOGGED)
async def test_a_change_without_a_record_is_refused(filled, table):
    with pytest.raises(IntegrityError, match=rf"(UPDATE|DELETE) of {table} without a record in the log"):
        execute(filled.database, UNLOGGED[table])


async def test_a_record_of_another_conversation_is_none_of_this_one(filled):
    other = (await filled.writer.execute(filled.inbound("5511999990002"))).conversation.id
    with pytest.raises(IntegrityError, match="UPDATE of messages"):
        execute(
            filled.database,
            "INSERT INTO events (clinic_id, seq, id, prev, type, conversation_id, facts, at)"
            f" SELECT id, seq + 1, 7, head, 'MessageEdited', '{other}', '{{}}', created_at FROM clinics",
            "UPDATE clinics SET seq = seq + 1, head = 7",
            "UPDATE messages SET body = 'another'",
        )


async def test_a_record_of_an_earlier_transaction_does_not_count(filled):
    await filled.writer.execute(filled.settle(UpdateClinic, waiting_limit_minutes=6))
    with pytest.raises(IntegrityError, match="UPDATE of clinics"):
        execute(filled.database, UNLOGGED["clinics"])


@pytest.mark.parametrize("statement", UNSEEN)
async def test_what_no_answer_shows_may_change_without_one(filled, statement):
    execute(filled.database, statement)


@pytest.mark.parametrize("table", UNLOGGED)
async def test_who_repairs_by_hand_says_so(filled, table):
    execute(filled.database, guard.BY_HAND, UNLOGGED[table])
    with pytest.raises(IntegrityError):  # it was said for that transaction only
        execute(filled.database, "UPDATE clinics SET name = 'a third'")


async def test_it_can_be_put_up_again_and_taken_down(filled):
    for _ in range(2):
        filled.database.write_now(guard.install)
    for _ in range(2):
        filled.database.write_now(guard.remove)
    execute(filled.database, *UNLOGGED.values())


@pytest.mark.only("sqlite")
def test_sqlite_has_none(stock):
    with pytest.raises(ConfigError, match="only PostgreSQL"):
        stock.database.write_now(guard.install)
