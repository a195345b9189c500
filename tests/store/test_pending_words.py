"""PostgreSQL's search index takes in new words beside the commits, and no commit does it."""

import asyncio

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from channels.polling import eventually
from postgres import running_server
from recado.store import pending_words
from stock import make_stock, writing_to

pytestmark = pytest.mark.only("postgresql")

LONG = " ".join(f"palavra{number}" for number in range(400))


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(pending_words, "EVERY_S", 0.01)


@pytest.fixture
def mortal():
    """A server that a test may kill."""
    with running_server() as server:
        yield server


async def write(stock, messages=30):
    """Some hundred KB of words."""
    inbound = (stock.inbound(f"55{number}", LONG) for number in range(messages))
    await asyncio.gather(*(stock.writer.execute(command) for command in inbound))


def pages_that_wait(stock):
    """Takes them in, too."""
    return stock.database.write_now(lambda c: c.exec_driver_sql(pending_words.TAKE_IN).scalar_one())


def times_taken_in(stock, since):
    query = "SELECT count(*) FROM pg_stat_activity WHERE query = :query AND state = 'idle' AND query_start > :since"
    values = {"query": pending_words.TAKE_IN, "since": since}
    return stock.database.read_now(lambda c: c.execute(text(query), values).scalar_one())


def now(stock):
    return stock.database.read_now(lambda c: c.exec_driver_sql("SELECT clock_timestamp()").scalar_one())


async def test_a_commit_leaves_its_words_to_somebody_else(writing):
    await write(writing)
    assert pages_that_wait(writing) > 8, "more than migration 0008 let wait"


async def test_words_that_wait_are_taken_in_while_it_is_served(writing, eager):
    with writing.database.served():
        for _ in range(3):
            begun = now(writing)
            await write(writing)
            await eventually(lambda begun=begun: times_taken_in(writing, begun), "somebody takes them in")
            assert pages_that_wait(writing) == 0


async def test_who_may_not_touch_the_index_says_so_once_and_writes_on(writing, eager, postgres):
    with postgres.connect(writing.database.url.database) as operator:
        operator.execute("ALTER TABLE search_documents OWNER TO postgres")
        operator.execute("GRANT ALL ON search_documents TO recado")
    with capture_logs() as lines, writing.database.served():
        await write(writing)
        await eventually(lambda: lines, "a warning")
        await write(writing)
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["pending_words_refused"]


async def test_an_outage_of_the_database_ends_nothing(mortal, eager):
    stock = make_stock(mortal.create_database())
    with stock.database.served():
        async with writing_to(stock):
            await write(stock)
            await asyncio.to_thread(mortal.kill)
            await asyncio.to_thread(mortal.start)
            begun = now(stock)
            await write(stock)
            await eventually(lambda: times_taken_in(stock, begun), "somebody takes them in")
    stock.database.close()
