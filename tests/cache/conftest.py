"""Fixtures of the cache's tests: a stock with a few conversations, and a Redis that a test may harm."""

import pytest

from cache.node import Node, nodes
from redis_server import RedisServer

CONVERSATIONS = 12


@pytest.fixture(scope="session")
def shared_redis():
    server = RedisServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def redis_url(shared_redis):
    """An empty Redis for a test that does it no harm."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis.url


@pytest.fixture
def own_redis():
    """One that the test may kill and freeze."""
    server = RedisServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
async def threads(stock):
    """The ids of some conversations, the one with the oldest message first."""
    async with Node(stock) as node:
        written = [await node.writer.execute(stock.inbound(f"55{n}")) for n in range(CONVERSATIONS)]
    return [outcome.message.conversation_id for outcome in written]


@pytest.fixture
async def node(stock, threads):
    async with Node(stock) as node:
        yield node


@pytest.fixture
async def two(stock, threads):
    """Two nodes that hint at each other."""
    async with nodes(stock, 2) as made:
        yield made


@pytest.fixture
def soon_over(monkeypatch):
    """A lease that ends while a test waits for it."""
    monkeypatch.setattr("recado.feed.feed.LEASE_S", 0.3)
