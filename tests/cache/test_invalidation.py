"""An operator's invalidation: rows repaired by hand are read anew by every node, whatever Redis still holds."""

import asyncio

import pytest

from cache.node import Node, nodes
from channels.polling import eventually
from recado.app.administration import invalidate_cache
from recado.domain.clinic_commands import InvalidateCache
from stock import by_hand


def repair(node, conversation_id):
    by_hand(node.database, f"UPDATE conversations SET last_seq = 1000 WHERE id = '{conversation_id}'")


def everything_of(stock, **fields):
    return stock.settle(InvalidateCache, pattern=f"clinic:{stock.clinic_id}:*", **fields)


async def test_this_node_and_another_load_anew(two, stock, threads):
    here, there = two
    await asyncio.gather(here.page(), there.page())
    repair(here, threads[2])
    assert [await node.is_fresh() for node in two] == [False, False]
    cursor = await here.write(everything_of(stock))
    assert await here.is_fresh()
    assert await there.is_fresh(after=cursor)


async def test_what_redis_holds_is_older_than_the_order(stock, threads, redis_url):
    async with nodes(stock, 2, redis_url=redis_url) as (here, there):
        await here.page()
        await eventually(lambda: here.redis.puts, "it is in Redis")
        repair(here, threads[2])
        assert not await there.is_fresh()
        assert there.cache.counts.second == 1
        here.redis.put = there.redis.put = lambda *_: None  # the old value stays
        cursor = await here.write(everything_of(stock))
        assert await here.is_fresh()
        assert await there.is_fresh(after=cursor)
    async with Node(stock, redis_url=redis_url) as cold:
        assert await cold.is_fresh()
        assert cold.cache.counts.second == 0


@pytest.mark.parametrize("what", ["*", "list:*", "conversation:7"])
async def test_a_running_node_obeys_the_command_line_whatever_is_named(stock, threads, what):
    async with Node(stock, polls=True) as node:
        await node.page()
        repair(node, threads[2])
        invalidate_cache(node.database, f"clinic:{stock.clinic_id}:{what}", stock.sources)
        seq = node.head().seq
        await eventually(lambda: node.log.seq == seq, "the poll brings the record")
        assert await node.is_fresh()
        assert [record.type for record in node.heard][-1:] == ["CacheInvalidated"]


async def test_the_same_order_again_changes_nothing(node, stock):
    for _ in range(2):
        await node.writer.execute(everything_of(stock, client_key="once"))
    loaded = await node.page()
    await node.writer.execute(everything_of(stock, client_key="once"))
    assert await node.page() is loaded
