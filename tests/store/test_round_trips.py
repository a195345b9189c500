"""On the wire: what a batch costs does not depend on how many commands it carries."""

import asyncio

import pytest

from recado.store.database import Database
from recado.store.writer import Writer
from wire import Wire

WARM_UP = 6
"""Rounds until psycopg has prepared what comes again and again, which is a trip of its own, once."""


@pytest.fixture
async def wired(stock):
    """The stock with its writer running over a line that counts."""
    async with Wire(stock.database.url.port) as wire:
        database = Database(stock.database.url.set(port=wire.port).render_as_string())
        stock.writer = Writer(database, stock.sources, stock.committed.append)
        task = asyncio.create_task(stock.writer.run())
        yield stock, wire
        stock.writer.close()
        await task
        database.close()


async def commit_one_batch(stock, conversation_id, size, name):
    """Patients who are new and known, and replies: all there is to insert and to update."""
    before = len(stock.committed)
    commands = [
        command
        for n in range(size)
        for command in (stock.inbound(f"{name}-{n}"), stock.inbound(), stock.reply(conversation_id))
    ]
    await asyncio.gather(*(stock.writer.execute(command) for command in commands))
    assert len(stock.committed) == before + 1


@pytest.mark.only("postgresql")
async def test_a_batch_takes_the_same_number_of_round_trips_whatever_its_size(wired):
    stock, wire = wired
    conversation_id = (await stock.writer.execute(stock.inbound())).message.conversation_id
    counts = {}
    for size in (1, 16, 80):
        for number in range(WARM_UP + 1):
            before = wire.trips
            await commit_one_batch(stock, conversation_id, size, f"{size}-{number}")
            counts[size] = wire.trips - before
    assert len(set(counts.values())) == 1, counts
    assert counts[1] == 15, "BEGIN, thirteen statements, COMMIT"
