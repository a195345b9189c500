"""A node as far as the cache needs one: its own database connections, feed, writer, cache and, if wanted, Redis.

Several may share one database. They hint at each other by hand, so that a test can lose what it wants to lose; or,
given a port, through PostgreSQL's LISTEN and NOTIFY there, so that a test can break the line.
"""

import asyncio
import contextlib
from functools import partial

from recado.app.access import Access
from recado.app.pages import Pages, _load_list
from recado.cache.cache import Cache
from recado.cache.memory import Memory
from recado.cache.redis_level import RedisLevel
from recado.domain.cursor import Cursor
from recado.domain.tags import list_name
from recado.feed.feed import Feed
from recado.feed.postgres_broker import PostgresBroker
from recado.store.database import Database
from recado.store.inbox import NO_FILTER, heads
from recado.store.postgres import arguments
from recado.store.writer import Writer
from stock import identity

LIMIT = 5


def load_list(connection, **place):
    """A page as everybody shares it."""
    page, _marks = _load_list(connection, "nobody", **place)
    return page


class Node:
    """`polls` runs the feed's poll; without it a lease that ended is renewed by who reads.

    `listens_at`: the port where it hears the hints of others, and says its own. `port`: where its database is.
    """

    def __init__(
        self, stock, *, redis_url=None, history=200, polls=False, listens_at=None, port=None
    ) -> None:
        self.stock = stock
        self.clinic_id = stock.clinic_id
        url = stock.database.url.set(port=port or stock.database.url.port)
        self.database = Database(url.render_as_string(hide_password=False))
        self.heard, self.resets, self.peers = [], [], []
        self.hints = True
        self.feed = Feed(
            self.database,
            lambda _told: None,
            self.resets.append,
            heed=self.heard.append,
            history=history,
        )
        self.redis = RedisLevel(redis_url, 600) if redis_url else None
        self.cache = Cache(self.feed, Memory(64 << 20, 600), self.redis)
        self.pages = Pages(self.database, Access(self.database), self.cache)
        self.writer = Writer(self.database, stock.sources, self.committed, self.feed.doubt)
        self._polls = polls
        self.broker = PostgresBroker(arguments(url.set(port=listens_at))) if listens_at else None
        if self.broker:
            self.broker.subscribe(self.feed.hear, self._listens, self.feed.deafen)
        self.listening = 0

    async def __aenter__(self):
        parts = [self.writer.run(), *([self.feed.run()] if self._polls else [])]
        parts += [each.run() for each in (self.redis, self.broker) if each]
        self.tasks = [asyncio.create_task(part) for part in parts]
        return self

    async def __aexit__(self, *_):
        for task in (*self.tasks, *self.feed._pulls, *self.cache._flights.values()):
            task.cancel()
        await asyncio.gather(*self.tasks, *self.feed._pulls, return_exceptions=True)
        # It waits for threads, and they may for a wire on this loop.
        await asyncio.to_thread(self.database.close)

    def committed(self, committed) -> None:
        self.feed.take_in(committed)
        for each in committed.told if self.hints else ():
            if self.broker:
                self.broker.hint(each.record.clinic_id, each.record.seq)
            for peer in self.peers:
                peer.feed.hear(each.record.clinic_id, each.record.seq)

    def _listens(self) -> None:
        """`listening`: how often it has begun to."""
        self.listening += 1
        self.feed.poll_soon()

    async def write(self, command):
        """Carry it out; the cursor that the writer's client has then."""
        outcome = await self.writer.execute(command)
        return Cursor((await self.database.read(self._head)).epoch, outcome.seq)

    def head(self):
        return self.database.read_now(self._head)

    def _head(self, connection):
        return heads(connection, [self.clinic_id])[self.clinic_id].cursor

    @property
    def log(self):
        return self.feed.log_of(self.clinic_id)

    def loader(self, *, before=None, fitting=NO_FILTER, limit=LIMIT):
        load = partial(load_list, clinic_id=self.clinic_id, limit=limit, before=before, fitting=fitting)
        return partial(self.database.read, load)

    async def page(self, *, load=None, after=None, before=None, fitting=NO_FILTER, limit=LIMIT):
        """A page of the list, as everybody shares it."""
        key = f"clinic:{self.clinic_id}:list:{limit}:{before}:{list_name(fitting)}"
        if (entry := self.cache.at_once(self.clinic_id, key, after)) is not None:
            return entry
        load = load or self.loader(before=before, fitting=fitting, limit=limit)
        return await self.cache.get(self.clinic_id, key, load, after)

    async def truth(self, **which):
        return (await self.loader(**which)()).body

    async def is_fresh(self, *, after=None, **which) -> bool:
        return (await self.page(after=after, **which)).body == await self.truth(**which)

    def identity(self):
        return identity(self.stock.member_id, {self.clinic_id: "admin"})


def acquainted(*nodes) -> None:
    for node in nodes:
        node.peers = [each for each in nodes if each is not node]


class Gate:
    """A loader that has read, and waits to be let through with it."""

    def __init__(self, load) -> None:
        self._load = load
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self):
        loaded = await self._load()
        self.reached.set()
        await self.open.wait()
        return loaded


@contextlib.asynccontextmanager
async def nodes(stock, count, **options):
    async with contextlib.AsyncExitStack() as stack:
        made = [await stack.enter_async_context(Node(stock, **options)) for _ in range(count)]
        acquainted(*made)
        yield made
