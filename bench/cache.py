"""`make bench`: what the cache is worth, in memory, over HTTP, and while Redis is killed and frozen.

Each part is a command of its own (`--only memory`). Prints tables and writes them to docs/benchmarks.md, between
markers of their own; a figure over its limit lets it fail.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import uvloop

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # postgres.py and redis_server.py
sys.path.append(str(Path(__file__).parents[1] / "scripts"))

import cache_memory
from cache_server import CLINICS, READS, WRITES, Clinics, RedisCounts, clinics
from document import write
from postgres import PostgresServer
from reads import Load, Measured, get
from redis_server import RedisServer
from systems import free_port, pinned, wait_until

CONVERSATIONS = 100_000
IN_FLIGHT = 32
PAGES = 10
"""Of each clinic."""
FIRST_READERS = 200
FROZEN_S = 5.0
BARE = Path(__file__).with_name("peers") / "litestar_bytes.py"


class Line(NamedTuple):
    """What was measured, and what it must not be over or under."""

    what: str
    found: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def __str__(self) -> str:
        bound = "≥" if self.at_least else "≤"
        return f"| {self.what} | {self.found:,.4g} {self.unit} | {bound} {self.limit:g} {self.unit} |"


def memory() -> list[Line]:
    postgres = PostgresServer(durable=True)
    try:
        postgres.start()
        found = uvloop.run(cache_memory.measure(postgres.create_database()))
    finally:
        postgres.remove()
    refused = Measured(1, [(0, ms / 1000) for ms in found.refused])
    return [
        Line("hit with 57 tags", found.hit / found.lookup, 20, "dict lookups"),
        Line("cashews' decorator", found.cashews / found.hit, 20, "of our hits", at_least=True),
        Line("own commit taken in", found.told, 5, "µs"),
        Line(
            "another node refuses the old value, after the acknowledgement, p99",
            refused.quantile(0.99),
            2,
            "ms",
        ),
    ]


@contextlib.contextmanager
def bare(body: bytes) -> Iterator[int]:
    """A route that has nothing to do but to answer `body`; its port."""
    port = free_port()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(body)
        file.flush()
        with pinned([sys.executable, str(BARE), str(port), file.name], {}) as process:
            wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/").content == body, process)
            yield port


async def hits(server: Clinics, token: str, body: bytes, seconds: float) -> list[Line]:
    """In turns, so that whatever else the machine does meets both."""
    page = server.page(1)
    ours, theirs = [], []
    with bare(body) as port:
        for _ in range(3):
            async with Load(server.port, IN_FLIGHT) as load:
                ours.append((await load.closed_loop([get(page, token)], seconds)).rate)
            async with Load(port, IN_FLIGHT) as load:
                theirs.append((await load.closed_loop([get("/")], seconds)).rate)
    ratio = max(ours) / max(theirs)
    rates = f"{max(ours):,.0f} requests/s of {len(body):,} bytes, a bare Litestar route {max(theirs):,.0f}"
    what = f"a hit over HTTP: {rates}"
    return [Line(what, ratio, 0.4, "times", at_least=True)]


async def cold(server: Clinics, token: str) -> list[Line]:
    """Every page for the first time, then one page for many at the same time."""
    pages = [
        get(server.page(clinic, number), token) for number in range(PAGES) for clinic in range(1, CLINICS + 1)
    ]
    async with Load(server.port, IN_FLIGHT) as load:
        first = await load.once(pages)
    async with Load(server.port, FIRST_READERS) as load:
        server.write_queries_down()
        await load.once([get(server.page(1, 300), token)])
        one = server.conversation_queries()
        many = await load.once([get(server.page(1, 301), token)] * FIRST_READERS)
        queries = server.conversation_queries() / one - 1
    return [
        Line(f"{len(pages):,} pages for the first time, p99", first.quantile(0.99), 50, "ms"),
        Line(f"{FIRST_READERS} first readers of one page at the same time", queries, 1, "database query"),
        Line("requests that failed", first.failed + many.failed, 0),
    ]


async def warm(server: Clinics, token: str) -> list[Line]:
    """The same pages from a server that has just started."""
    pages = [
        get(server.page(clinic, number), token) for number in range(PAGES) for clinic in range(1, CLINICS + 1)
    ]
    before = RedisCounts.of(server.redis)
    async with Load(server.port, IN_FLIGHT) as load:
        found = await load.once(pages)
    asked = RedisCounts.of(server.redis).since(before)
    share = (asked.found - asked.sets) / len(pages)  # what is found and not believed is stored again
    print(
        f"after a restart: p50 {found.quantile(0.5):.1f}, p99 {found.quantile(0.99):.1f} ms", file=sys.stderr
    )
    return [
        Line(f"first {len(pages):,} requests after a restart from Redis", 100 * share, 80, "%", at_least=True)
    ]


def http(conversations: int, seconds: float) -> list[Line]:
    with clinics(conversations) as server:
        server.forget()
        with server.serving() as auths:
            token = auths[0]["token"]
            lines = uvloop.run(cold(server, token))
            url = f"http://127.0.0.1:{server.port}{server.page(1)}"
            body = httpx.get(url, headers={"Authorization": f"Bearer {token}"}).content
            lines = uvloop.run(hits(server, token, body, seconds)) + lines
        with server.serving() as auths:
            return lines + uvloop.run(warm(server, auths[0]["token"]))


async def under_load(server: Clinics, token: str, seconds: float) -> list[Line]:
    async with Load(server.port, IN_FLIGHT) as load:
        requests = server.mixed(token, random.Random(7))  # noqa: S311 - no secret
        rate = CLINICS * (READS + WRITES)
        await load.open_loop(requests, rate / 4, 8)
        before, computed = RedisCounts.of(server.redis), server.cpu_seconds()
        calm = await load.open_loop(requests, rate, seconds)
        busy = (server.cpu_seconds() - computed) / seconds
        asked = RedisCounts.of(server.redis).since(before)
        harm = asyncio.create_task(harmed(server.redis))
        harsh = await load.open_loop(requests, rate, 18 + FROZEN_S)
        back = await harm
    reads = len(calm.answers) * READS / (READS + WRITES)
    loads = max(asked.sets, asked.gets - asked.found)  # what is found and not believed is stored again
    hit_share = 100 * (1 - loads / reads)
    load_name = f"{READS} reads : {WRITES} write per clinic and second, {CLINICS} clinics"
    return [
        Line(f"{load_name}: hits", hit_share, 90, "%", at_least=True),
        Line(
            f"{load_name}: p99, with {100 * busy:.0f} % of the server's core", calm.quantile(0.99), 20, "ms"
        ),
        Line("while Redis is killed, empty and frozen: p99.9", harsh.quantile(0.999), 250, "ms"),
        Line("requests that failed", calm.failed + harsh.failed, 0),
        Line("Redis is used again after", max(back), 2, "s"),
    ]


async def harmed(redis: RedisServer) -> list[float]:
    """Killed, started again empty, frozen. Seconds until it was used again, each time."""
    back = []
    await asyncio.sleep(3)
    await asyncio.to_thread(redis.kill)
    await asyncio.sleep(3)
    await asyncio.to_thread(redis.start)
    back.append(await used_again(redis))
    await asyncio.sleep(2)
    redis.freeze()
    await asyncio.sleep(FROZEN_S)
    redis.thaw()
    back.append(await used_again(redis))
    return back


async def used_again(redis: RedisServer) -> float:
    """Seconds; what had been asked before counts for nothing."""
    began, limit = time.perf_counter(), 10
    await asyncio.sleep(0.02)
    before = await asyncio.to_thread(RedisCounts.of, redis)
    while (await asyncio.to_thread(RedisCounts.of, redis)).gets == before.gets:
        await asyncio.sleep(0.02)
        if time.perf_counter() - began > limit:
            break
    return time.perf_counter() - began


def load(conversations: int, seconds: float) -> list[Line]:
    with clinics(conversations) as server, server.serving() as auths:
        return uvloop.run(under_load(server, auths[0]["token"], 2 * seconds))


PARTS = ("memory", "http", "load")


def table(lines: Sequence[Line]) -> str:
    return "\n".join(["| | measured | limit |", "|---|---|---|", *map(str, lines)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="per measurement")
    parser.add_argument("--conversations", type=int, default=CONVERSATIONS)
    parser.add_argument("--only", default="", choices=["", *PARTS], help="one part")
    options = parser.parse_args()
    measure = {
        "memory": memory,
        "http": lambda: http(options.conversations, options.seconds),
        "load": lambda: load(options.conversations, options.seconds),
    }
    missed = False
    for part in PARTS:
        if options.only in {"", part}:
            lines = measure[part]()
            print(table(lines))
            missed |= not all(line.kept for line in lines)
            if options.conversations == CONVERSATIONS:
                write(f"cache {part}", table(lines))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
