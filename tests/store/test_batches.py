"""A batch does what its commands do one by one: each sees what those before it changed."""

import itertools
import random
import sqlite3
import uuid
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from recado.domain.commands import (
    DeleteConversation,
    DeleteMessage,
    EditMessage,
    MarkRead,
    RenameContact,
    UpdateConversation,
)
from recado.domain.instants import from_epoch_ms
from recado.errors import RefusedError
from recado.store.batch import Sources, carry_out
from recado.store.database import Database
from stock import MONDAY_8_AM_MS

TABLES = ("contacts", "conversations", "conversation_labels", "messages", "read_marks", "events", "outbox")


def counted() -> Sources:
    """The same times, ids and numbers for who asks in the same order."""
    hours, ids, numbers = itertools.count(1), itertools.count(1), itertools.count(1)
    return Sources(
        lambda: from_epoch_ms(MONDAY_8_AM_MS + next(hours) * 3_600_000),
        lambda: str(uuid.UUID(int=next(ids))),
        lambda: next(numbers),
    )


def rows(database, table, where="true"):
    query = text(f"SELECT * FROM {table} WHERE {where}")
    return database.read_now(lambda c: sorted(map(dict, c.execute(query).mappings()), key=repr))


def any_command(stock, rng, database):
    """Something that patients, members and providers might do with what is committed, sensible or not."""
    threads = rows(database, "conversations")
    inbound = stock.inbound(address=rng.choice("abc"), external_id=f"wamid.{rng.randrange(40)}")
    if not threads:
        return inbound
    thread = rng.choice(threads)
    id_, said = thread["id"], rows(database, "messages", f"conversation_id = '{thread['id']}'")
    replies = [each for each in said if each["direction"] == "outbound" and each["kind"] == "message"]
    # What a provider speaks of has been leased before, and is nobody's to change any more.
    left = [each for each in replies if int(each["id"][-2:], 16) % 2]
    others = [each for each in said if each not in left]
    message_id = rng.choice(others or said)["id"]
    orders = [
        inbound,
        inbound,
        stock.reply(id_, kind=rng.choice(["message", "message", "note"])),
        stock.reply(id_, expected_seq=rng.choice([0, thread["last_seq"]])),
        stock.order(MarkRead, conversation_id=id_, up_to=rng.choice([0, thread["last_seq"]])),
        stock.order(
            UpdateConversation, conversation_id=id_, status=rng.choice(["open", "pending", "resolved"])
        ),
        stock.order(UpdateConversation, conversation_id=id_, labels=tuple(rng.sample("xyz", 2))),
        stock.order(RenameContact, conversation_id=id_, name=f"Nome {rng.random()}"),
    ]
    if others:
        orders += [
            stock.order(EditMessage, message_id=message_id, body=f"texto {rng.random()}"),
            stock.order(DeleteMessage, message_id=message_id),
        ]
    if left:
        key, whose = f"wamid.{rng.randrange(40, 50)}", rng.choice(left)
        leaving = SimpleNamespace(id=whose["id"], conversation_id=id_)
        orders += [
            stock.delivered(leaving, external_id=key),
            stock.delivered(leaving, "failed"),
            stock.reported(key, rng.choice(["delivered", "read", "failed"])),
        ]
    if rng.random() < 0.1:
        orders = [stock.order(DeleteConversation, conversation_id=id_)]
    return rng.choice(orders)


def told_of(outcome):
    if isinstance(outcome, RefusedError):
        return type(outcome), outcome.errors
    return outcome.conversation, outcome.message and outcome.message.id, outcome.repeated


@pytest.mark.only("sqlite")  # how they are loaded differs between databases, what they decide does not
@pytest.mark.parametrize("seed", range(12))
def test_commands_do_in_one_batch_what_they_do_one_by_one(stock, tmp_path, seed):
    rng = random.Random(seed)
    with sqlite3.connect(tmp_path / "recado.db") as connection:
        connection.execute("VACUUM INTO ?", [str(tmp_path / "alone.db")])
    connection.close()
    together, alone = stock.database, Database(f"sqlite:///{tmp_path}/alone.db")
    for_together, for_alone = counted(), counted()
    for _ in range(16):
        commands = [any_command(stock, rng, together) for _ in range(rng.choice([2, 5, 12]))]
        batch = together.write_now(lambda c, batch=commands: carry_out(c, batch, for_together))
        one_by_one = [
            alone.write_now(lambda c, each=each: carry_out(c, [each], for_alone)).outcomes[0]
            for each in commands
        ]
        assert list(map(told_of, batch.outcomes)) == list(map(told_of, one_by_one))
    for table in TABLES:
        assert rows(together, table) == rows(alone, table), table
    assert len(rows(together, "events")) > 30
    alone.close()
