"""What a batch costs depends neither on how many commands it carries, nor on how much the tables hold."""

import asyncio
import itertools

import pytest
from sqlalchemy import text

from recado.store import accounts
from recado.store.batch import carry_out
from recado.store.database import Database
from recado.store.writer import Writer
from stock import writing_to
from wire import Wire

WARM_UP = 6
"""Rounds until psycopg has prepared what comes again and again, which is a trip of its own, once."""

PLANNED = WARM_UP + 6
"""Rounds until PostgreSQL has made the plan that it keeps."""


@pytest.fixture
async def wired(stock):
    """The stock with its writer running over a line that counts."""
    async with Wire(stock.database.url.port) as wire:
        database = Database(stock.database.url.set(port=wire.port).render_as_string())
        stock.writer = Writer(database, stock.sources, stock.committed.append)
        async with writing_to(stock):
            yield stock, wire
        database.close()


def new_patient(stock, _conversation_id, number):
    return stock.inbound(f"new-{number}")


def known_patient(stock, _conversation_id, _number):
    return stock.inbound()


def known_patient_of_another_process_too(stock, _conversation_id, _number):
    stock.database.write_now(lambda c: carry_out(c, [stock.inbound("elsewhere")], stock.sources))
    return stock.inbound()


def reply(stock, conversation_id, _number):
    return stock.reply(conversation_id)


@pytest.mark.only("postgresql")
@pytest.mark.parametrize(
    ("kind", "trips"),
    [(new_patient, 2), (known_patient, 2), (known_patient_of_another_process_too, 3), (reply, 2)],
)
async def test_a_batch_takes_the_same_number_of_round_trips_whatever_its_size(wired, kind, trips):
    """BEGIN with the lock, the keys and who has written; all that is written, with COMMIT.

    Between them what another process may have changed since it was remembered.
    """
    stock, wire = wired
    conversation_id = (await stock.writer.execute(stock.inbound())).message.conversation_id
    numbers = itertools.count()
    counts = {}
    for size in (1, 16, 128):
        for _ in range(WARM_UP + 1):
            trips_before, writes_before, committed = wire.trips, wire.writes, len(stock.committed)
            commands = [kind(stock, conversation_id, next(numbers)) for _ in range(size)]
            await asyncio.gather(*(stock.writer.execute(command) for command in commands))
            assert len(stock.committed) == committed + 1
            counts[size] = wire.trips - trips_before
            writes = wire.writes - writes_before
        if size == 1:
            assert writes == trips, "what travels together leaves in one write"
    assert counts == dict.fromkeys((1, 16, 128), trips)


def entries_read(stock, index):
    query = text("SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = :index")
    return stock.database.read_now(lambda c: c.execute(query, {"index": index}).scalar_one())


async def send_statistics(stock):
    """Of the writer's connection; it would do so once a second."""
    await stock.database.write(lambda c: c.exec_driver_sql("SELECT pg_stat_force_next_flush()"))


@pytest.mark.only("postgresql")
@pytest.mark.parametrize("index", ["pk_conversations", "pk_clinics"])
async def test_a_batch_looks_only_at_the_rows_it_names(writing, index):
    """Also by a plan that was made while the tables were small, and nobody had counted what they hold."""
    add = accounts.add_clinic
    writing.database.write_now(lambda c: [add(c, f"C{number}", "2026-01-01") for number in range(200)])
    opened = await asyncio.gather(*(writing.writer.execute(writing.inbound(f"55{n}")) for n in range(200)))
    conversation_id = opened[0].message.conversation_id
    for _ in range(PLANNED):
        await writing.writer.execute(writing.reply(conversation_id))
    await send_statistics(writing)
    before = entries_read(writing, index)
    for _ in range(10):
        await writing.writer.execute(writing.reply(conversation_id))
    await send_statistics(writing)
    assert entries_read(writing, index) - before < 10 * 20, "ten batches, of a clinic and a conversation each"
