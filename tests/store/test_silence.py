"""A PostgreSQL that is frozen: who waits for it is told, long work on a living one is let be, and a server can end."""

import asyncio
import time

import pytest

from e2e.processes import Server, StandIn
from postgres import running_server
from recado.errors import UnavailableError
from recado.store import postgres, silence
from stock import make_stock, writing_to

pytestmark = pytest.mark.only("postgresql")

LONG = "SELECT pg_sleep(20)"


@pytest.fixture(scope="module")
def mortal():
    """A server that a test may freeze."""
    with running_server(durable=True) as server:
        yield server


@pytest.fixture
async def living(mortal, monkeypatch):
    """A clinic on it, with its writer running, that suspects silence soon."""
    monkeypatch.setattr(silence, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(silence, "PATIENCE_S", 0.2)
    monkeypatch.setattr(postgres, "CONNECT_TIMEOUT_S", 2)  # less is none to libpq
    stock = make_stock(mortal.create_database())
    with stock.database.served():
        async with writing_to(stock):
            yield stock
    stock.database.close()


def ask(text):
    return lambda connection: connection.exec_driver_sql(text).scalar_one()


async def test_who_waits_for_a_frozen_server_is_told_and_all_goes_on_when_it_thaws(living, mortal):
    await living.writer.execute(living.inbound())
    refused = [living.inbound() for _ in range(3)]
    mortal.freeze()
    try:
        async with asyncio.timeout(20):
            answers = await asyncio.gather(
                *(living.writer.execute(command) for command in refused),
                *(living.database.read(ask(f"SELECT {number}")) for number in range(60)),
                return_exceptions=True,
            )
    finally:
        mortal.thaw()
    assert {type(answer) for answer in answers} == {UnavailableError}
    assert await living.database.read(ask("SELECT 1")) == 1
    for command in refused:
        await living.writer.execute(command)
    assert await living.database.read(ask("SELECT count(*) FROM messages")) == 4


async def test_long_work_on_a_server_that_lives_goes_on(living):
    assert await living.database.read(ask("SELECT 1 FROM pg_sleep(1)")) == 1


async def test_nobody_waits_long_when_the_process_ends(living):
    waiting = asyncio.create_task(living.database.read(ask(LONG)))
    await living.database.read(ask("SELECT 1"))
    living.database.end_soon()
    async with asyncio.timeout(10):
        with pytest.raises(UnavailableError):
            await waiting
    with pytest.raises(UnavailableError):
        await living.database.read(ask("SELECT 1"))


def test_a_server_whose_database_is_frozen_ends_in_order_when_it_is_told_to(mortal, tmp_path):
    server = Server(tmp_path, StandIn(tmp_path), mortal.create_database())
    server.start()
    mortal.freeze()
    try:
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 2 * silence.PATIENCE_S
    finally:
        mortal.thaw()
