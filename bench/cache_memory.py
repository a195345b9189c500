"""The cache without HTTP: what a hit costs, what a change costs, and how soon another node knows of it.

As a program of its own it is the other node, `cache_memory.py URL CLINIC`.
"""

import asyncio
import statistics
import sys
import time
import timeit
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import uvloop

sys.path.append(str(Path(__file__).parents[1] / "tests"))
sys.path.append(str(Path(__file__).parents[1] / "scripts"))

import cashews

from recado import observe
from recado.cache.cache import Cache
from recado.cache.entry import Loaded
from recado.cache.memory import Memory
from recado.domain.values import ClinicId, Seq
from recado.feed.feed import Feed
from recado.feed.postgres_broker import PostgresBroker
from recado.server import SWITCH_INTERVAL_S
from recado.store.batch import Committed
from recado.store.database import Database
from recado.store.inbox import heads
from recado.store.postgres import arguments
from recado.store.writer import Writer
from stock import Stock, make_stock

TAGS = 57
BODY_BYTES = 30_000
ROUNDS = 200_000
WRITES = 500
KEY = "clinic:1:list"


class Node(NamedTuple):
    database: Database
    feed: Feed
    cache: Cache
    broker: PostgresBroker


def node(url: str) -> Node:
    observe.configure("warning", "json")
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as a server's
    database = Database(url)
    feed = Feed(database, lambda _told: None)
    broker = PostgresBroker(arguments(database.url))
    broker.subscribe(feed.hear, feed.poll_soon, feed.deafen)
    return Node(database, feed, Cache(feed, Memory(64 << 20, 600)), broker)


async def load(database: Database, clinic_id: ClinicId, tags: list[str]) -> Loaded:
    head = await database.read(lambda connection: heads(connection, [clinic_id]))
    return Loaded(head[clinic_id].cursor, tags, b"x" * BODY_BYTES)


class Figures(NamedTuple):
    """Microseconds; `refused`: milliseconds after the acknowledgement, of each write."""

    lookup: float
    hit: float
    awaited: float
    cashews: float
    told: float
    refused: list[float]


async def measure(url: str) -> Figures:
    stock = make_stock(url)
    here = node(url)
    follows = asyncio.create_task(here.feed.run())
    carries = asyncio.create_task(here.broker.run())
    writes = asyncio.create_task(stock.writer.run())
    try:
        return await _figures(url, stock, here)
    finally:
        for task in (follows, carries, writes):
            task.cancel()
        await asyncio.gather(follows, carries, writes, return_exceptions=True)
        here.database.close()
        stock.database.close()


async def _figures(url: str, stock: Stock, here: Node) -> Figures:
    tags = [f"c{number}" for number in range(TAGS - 2)] + ["into|||", "head|||"]
    loader = partial(load, here.database, stock.clinic_id, tags)
    await here.cache.get(stock.clinic_id, KEY, loader)
    lookup = _cost({KEY: 1}.get, KEY)
    hit = _cost(here.cache.at_once, stock.clinic_id, KEY)
    awaited = await _cost_awaited(partial(here.cache.get, stock.clinic_id, KEY, loader))
    decorated = await _cost_awaited(_decorated(tags))
    return Figures(lookup, hit, awaited, decorated, await _told(stock), await _refused(url, stock, here))


def _cost(call: Callable[..., object], *arguments: object) -> float:
    names = {"call": call, "arguments": arguments, "a": arguments[0], "b": arguments[-1]}
    statement = "call(a)" if len(arguments) == 1 else "call(a, b)"
    return min(timeit.repeat(statement, globals=names, number=ROUNDS, repeat=7)) / ROUNDS * 1e6


async def _cost_awaited(call: Callable[[], Awaitable[object]]) -> float:
    costs = []
    for _ in range(7):
        begun = time.perf_counter()
        for _ in range(ROUNDS // 20):
            await call()
        costs.append(time.perf_counter() - begun)
    return min(costs) / (ROUNDS // 20) * 1e6


def _decorated(tags: list[str]) -> Callable[[], Awaitable[bytes]]:
    """As its documentation shows."""
    cashews.cache.setup("mem://", size=1_000)

    @cashews.cache(ttl="10m", key="list:{clinic_id}", tags=tags)
    async def page(clinic_id: int) -> bytes:  # noqa: ARG001 - is the key
        return b"x" * BODY_BYTES

    return partial(page, 1)


async def _told(stock: Stock) -> float:
    """Own commits, as the feed takes them from memory: the median of one."""
    feed = Feed(stock.database, lambda _told: None)
    await feed.follow(stock.clinic_id)
    begun = len(stock.committed)
    await asyncio.gather(
        *(stock.writer.execute(stock.inbound(f"55{number % 50}")) for number in range(WRITES))
    )
    costs = []
    for told in (told for committed in stock.committed[begun:] for told in committed.told):
        at = time.perf_counter()
        feed.advance([told])
        costs.append(time.perf_counter() - at)
    return statistics.median(costs) * 1e6


async def _refused(url: str, stock: Stock, here: Node) -> list[float]:
    """Milliseconds from each acknowledgement until the other node, a process, does not serve the old value."""
    words = (sys.executable, __file__, url, str(stock.clinic_id))
    other = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    lines = other.stdout
    await lines.readline()  # it is ready
    delays = []

    def committed(committed: Committed) -> None:
        here.feed.advance(committed.told)
        for each in committed.told:
            here.broker.hint(each.record.clinic_id, each.record.seq)

    writer = Writer(here.database, stock.sources, committed, here.feed.doubt)
    writing = asyncio.create_task(writer.run())
    for number in range(WRITES):
        outcome = await writer.execute(stock.inbound(f"55{number % 50}"))
        acknowledged = time.perf_counter()
        while True:
            seq, at = (await lines.readline()).split()
            if int(seq) >= outcome.seq:
                break
        delays.append((float(at) - acknowledged) * 1000)
    writer.close()
    await writing
    other.terminate()
    await other.wait()
    return delays


async def follow(url: str, clinic_id: ClinicId) -> None:
    """The other node: a line for each hint after which it does not serve what it had, or has something newer."""
    there = node(url)
    loader = partial(load, there.database, clinic_id, ["head|||"])
    refused = asyncio.Event()

    def heard(_clinic_id: ClinicId, seq: Seq) -> None:
        entry = there.cache.at_once(clinic_id, KEY)
        if entry is None or entry.ok >= seq:
            print(seq, time.perf_counter(), flush=True)
            refused.set()

    there.broker.subscribe(heard, lambda: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(there.feed.run())
        tasks.create_task(there.broker.run())
        await there.cache.get(clinic_id, KEY, loader)
        await asyncio.sleep(1)  # it listens by now
        await there.cache.get(clinic_id, KEY, loader)
        print("ready", flush=True)
        while True:
            await refused.wait()
            refused.clear()
            await there.cache.get(clinic_id, KEY, loader)


if __name__ == "__main__":
    uvloop.run(follow(sys.argv[1], ClinicId(int(sys.argv[2]))))
