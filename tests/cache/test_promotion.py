"""A standby that lacks the last commit is promoted: what was read of that commit is served by nobody, cursor or not.

docs/cache.md, "Races". Two real PostgreSQL servers; the Redis between them lives on and remembers.
"""

from contextlib import asynccontextmanager
from functools import partial

import pytest

from cache.node import Node
from channels.polling import eventually
from postgres import PostgresServer, running_server
from recado.app.access import Access
from recado.app.queries import Queries
from recado.errors import UnavailableError
from stock import make_stock
from wire import Wire

CONVERSATIONS = 8


@pytest.fixture
def primary():
    with running_server() as server:
        yield server


@pytest.fixture
def standby(primary, stock):
    """It has all that the clinic had before the test, and follows."""
    server = PostgresServer(of=primary)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def stock(primary):
    made = make_stock(primary.create_database())
    yield made
    made.database.close()


def message_to(stock, number):
    return stock.inbound(f"55{number}")


@asynccontextmanager
async def node_at(stock, wire, redis_url):
    """A node whose every connection to the database goes over the wire, as to an address that follows the primary."""
    async with Node(stock, redis_url=redis_url, polls=True, port=wire.port, listens_at=wire.port) as node:
        await eventually(lambda: node.listening, "it listens")
        yield node


async def answered(work):
    """Its result, as soon as the database answers: each connection of before fails once."""
    for _ in range(1_000):
        try:
            return await work()
        except UnavailableError:
            continue
    raise AssertionError("the database does not answer")


async def lose_the_last_commit(wire, primary, standby, commit):
    """Its result, though the standby has never heard of it when it becomes the primary."""
    await eventually(lambda: standby.has_all_of(primary), "the standby follows")
    standby.stop()
    committed = await commit()
    primary.kill()
    standby.start()
    standby.promote()
    wire.lead_to(standby.port)
    wire.cut()
    return committed


async def commit_and_read(node, stock):
    """The cursor of a commit that is in memory and in Redis, and the page with it."""
    stored = node.redis.puts
    written = await node.write(message_to(stock, 3))
    page = await node.page()
    await eventually(lambda: node.redis.puts > stored, "it is in Redis")
    return written, page.body


async def test_nobody_is_served_what_a_lost_commit_was(stock, primary, standby, redis_url):
    async with Wire(primary.port) as wire, node_at(stock, wire, redis_url) as warm:
        for number in range(CONVERSATIONS):
            await warm.write(message_to(stock, number))
        lost, page = await lose_the_last_commit(wire, primary, standby, lambda: commit_and_read(warm, stock))
        await eventually(lambda: warm.feed.standing().deaf or warm.listening > 1, "it notices")
        assert (served := await answered(warm.page)).body == await answered(warm.truth) != page
        assert served.epoch != lost.epoch
        async with node_at(stock, wire, redis_url) as cold:
            assert await cold.is_fresh()
            again = await cold.write(message_to(stock, 4))
            assert again.seq == lost.seq, "its number is given out again"
            for node in (warm, cold) * 10:
                assert await answered(partial(node.is_fresh, after=again))
                assert await answered(partial(node.is_fresh, after=lost)), "of what is lost: passed over"
        assert set(warm.resets) == {stock.clinic_id}


async def test_nor_what_nodes_find_in_redis_that_start_after_it(stock, primary, standby, redis_url):
    async with Wire(primary.port) as wire:

        async def commit():
            async with node_at(stock, wire, redis_url) as node:
                return await commit_and_read(node, stock)

        _, page = await lose_the_last_commit(wire, primary, standby, commit)
        async with node_at(stock, wire, redis_url) as cold:
            assert (await cold.page()).body == await cold.truth() != page
            await commit_and_read(cold, stock)
        async with node_at(stock, wire, redis_url) as another:
            assert await another.is_fresh(), "what was stored since is good"


async def test_a_client_that_has_seen_a_lost_commit_is_told_to_read_afresh(
    stock, primary, standby, redis_url
):
    async with Wire(primary.port) as wire, node_at(stock, wire, redis_url) as node:
        kept = await node.write(message_to(stock, 1))
        lost = await lose_the_last_commit(wire, primary, standby, lambda: node.write(message_to(stock, 2)))
        queries = Queries(node.database, Access(node.database), node.feed)

        async def changes(after):
            return await queries.changes(node.identity(), stock.clinic_id, after=str(after))

        for cursor in (lost, kept):
            assert (await answered(partial(changes, cursor))).reset
        now = await answered(partial(node.write, message_to(stock, 3)))
        assert not (await answered(partial(changes, now))).reset
