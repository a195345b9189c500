"""PostgreSQL dies and comes back under a running writer.

What was acknowledged is there; what was not may be asked again.
"""

import asyncio
import random

import pytest

from channels.polling import eventually
from postgres import running_server
from recado.errors import RecadoError, UnavailableError
from recado.store.database import READERS
from stock import make_stock, writing_to


@pytest.fixture(scope="module")
def mortal():
    """A server that a test may kill, with fsync as in life."""
    with running_server(durable=True) as server:
        yield server


@pytest.fixture
async def living(mortal):
    """A clinic on it, with its writer running."""
    stock = make_stock(mortal.create_database())
    async with writing_to(stock):
        yield stock
    stock.database.close()


async def until_acknowledged(stock, command):
    while True:
        try:
            return await stock.writer.execute(command)
        except UnavailableError:
            await asyncio.sleep(0.01)


def message_seqs(stock):
    query = "SELECT id, seq FROM messages ORDER BY seq"
    return stock.database.read_now(lambda c: [tuple(row) for row in c.exec_driver_sql(query)])


@pytest.mark.parametrize("way", ["kill", "stop"])
async def test_nothing_acknowledged_is_lost_when_the_server_dies_under_load(living, mortal, way):
    rng = random.Random(way)
    acknowledged = {}

    async def patient(name):
        for number in range(40):
            command = living.inbound(f"55{name}", external_id=f"{name}-{number}")
            outcome = await until_acknowledged(living, command)
            acknowledged[outcome.message.id] = outcome.message.seq

    patients = [asyncio.create_task(patient(name)) for name in range(8)]
    for _ in range(3):
        goal = len(acknowledged) + rng.randrange(10, 60)
        await eventually(lambda goal=goal: len(acknowledged) >= goal, "acknowledgements", 60)
        await asyncio.to_thread(getattr(mortal, way))
        await asyncio.to_thread(mortal.start)
    await asyncio.gather(*patients)
    assert sorted(acknowledged.items(), key=lambda item: item[1]) == message_seqs(living)
    assert list(acknowledged.values()) == sorted(acknowledged.values())
    assert len(acknowledged) == 8 * 40


async def test_a_read_after_an_outage_is_answered_again(living, mortal):
    await living.writer.execute(living.inbound())
    await asyncio.to_thread(mortal.kill)
    with pytest.raises(RecadoError) as refused:
        await living.database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar_one())
    assert refused.value.retryable
    await asyncio.to_thread(mortal.start)
    for _ in range(6):
        assert await living.database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar_one()) == 1


async def test_a_batch_is_not_refused_one_by_one_where_nobody_answers(living, mortal):
    await living.writer.execute(living.inbound())
    await asyncio.to_thread(mortal.kill)
    waiting = [living.writer.execute(living.inbound()) for _ in range(200)]
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnavailableError}
    await asyncio.to_thread(mortal.start)


async def test_when_the_server_is_back_one_read_at_most_finds_a_dead_connection(living, mortal):
    def one(connection):
        return connection.exec_driver_sql("SELECT 1").scalar_one()

    await living.database.warm(one)
    mortal.kill()
    mortal.start()
    failed = 0
    for _ in range(3 * READERS):
        try:
            await living.database.read(one)
        except UnavailableError:
            failed += 1
    assert failed <= 1
