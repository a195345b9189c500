"""Brokers: every node hears how far a log has come; a lost hint costs time, never a record."""

import asyncio
import time
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest

from feed.listening import Told, polling
from recado.feed import feed as feed_module
from recado.feed import postgres_broker
from recado.feed.broker import InProcessBroker
from recado.feed.feed import Feed
from recado.feed.postgres_broker import CHANNEL, MAX_PAYLOAD_BYTES, PostgresBroker, payloads, read
from recado.store.database import Database
from recado.store.postgres import arguments
from wire import Wire

NEVER_S = 60.0
"""A poll that no test waits for: what arrives before came by a hint."""


class Listener:
    """A node's ears: the newest number of each clinic, and whether it was told to ask."""

    def __init__(self) -> None:
        self.newest = {}
        self.missed = 0
        self.changed = asyncio.Event()

    def hear(self, clinic_id, seq) -> None:
        self.newest[clinic_id] = max(seq, self.newest.get(clinic_id, 0))
        self.changed.set()

    def miss(self) -> None:
        self.missed += 1
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def running(broker, listener):
    """Carries hints to `listener` while entered, from the moment on that it does."""
    broker.subscribe(listener.hear, listener.miss)
    task = asyncio.create_task(broker.run())
    if isinstance(broker, PostgresBroker):
        await listener.until(lambda: listener.missed)
    yield broker
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def nodes(stock):
    """A broker to say with, and the ears of two nodes."""
    mine, theirs = Listener(), Listener()
    if stock.database.shared:
        parts = arguments(stock.database.url)
        async with running(PostgresBroker(parts), mine) as broker, running(PostgresBroker(parts), theirs):
            yield broker, mine, theirs
    else:
        broker = InProcessBroker()
        async with running(broker, mine), running(broker, theirs):
            yield broker, mine, theirs


async def test_a_hint_reaches_every_node(nodes):
    broker, *listeners = nodes
    broker.hint(1, 7)
    for listener in listeners:
        await listener.until(lambda listener=listener: listener.newest == {1: 7})


@contextmanager
def overhearing(url):
    """What is said on the brokers' channel, something at least, by one who has no part in them."""
    with psycopg.connect(**arguments(url), autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        yield lambda: [notice.payload for notice in connection.notifies(timeout=10, stop_after=1)]


@pytest.mark.only("postgresql")
async def test_a_node_is_deaf_from_its_start_until_it_trusts_its_hearing(stock):
    told, hears = [], asyncio.Event()
    broker = PostgresBroker(arguments(stock.database.url))
    broker.subscribe(lambda _clinic_id, _seq: None, hears.set, lambda: told.append(hears.is_set()))
    task = asyncio.create_task(broker.run())
    await hears.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert told == [False, True], "deaf before it heard for the first time, and after it ended"


@pytest.mark.only("postgresql")
async def test_a_node_says_nothing_while_it_is_alone(stock):
    url, theirs = stock.database.url, Listener()
    with overhearing(url) as said:
        async with running(PostgresBroker(arguments(url)), Listener()) as broker:
            broker.hint(1, 1)
            async with running(PostgresBroker(arguments(url)), theirs):
                broker.hint(2, 2)
                await theirs.until(lambda: theirs.newest)
        assert said() == ["2:2"]


@pytest.mark.only("postgresql")
async def test_who_can_hear_is_told_at_once_by_a_node_that_talked_to_itself_till_now(stock):
    url = stock.database.url

    async def talk(broker):
        while True:
            broker.hint(1, 1)
            await asyncio.sleep(0.001)

    async with running(PostgresBroker(arguments(url)), Listener()) as broker:
        talking = asyncio.create_task(talk(broker))
        for _ in range(3):
            async with running(PostgresBroker(arguments(url)), theirs := Listener()):
                broker.hint(2, 2)
                await theirs.until(lambda theirs=theirs: theirs.newest.get(2) == 2)
        talking.cancel()


async def test_of_many_hints_the_newest_of_each_clinic_arrives(nodes):
    broker, *listeners = nodes
    for seq in range(1, 4):
        for clinic_id in range(1, 3001):
            broker.hint(clinic_id, seq)
    everything = dict.fromkeys(range(1, 3001), 3)
    for listener in listeners:
        await listener.until(lambda listener=listener: listener.newest == everything)


def test_a_payload_stays_below_what_postgresql_takes_and_loses_nothing():
    hints = {10**12 + n: 10**15 + n for n in range(2000)}
    texts = list(payloads(hints))
    assert all(len(text) <= MAX_PAYLOAD_BYTES for text in texts)
    assert dict(hint for text in texts for hint in read(text)) == hints
    assert list(payloads({})) == []


@pytest.mark.parametrize("payload", ["", "x", "1", "1:", ":1", "1:2:3", "-1:2", "²:1", "1:" + "9" * 5000])
def test_what_is_no_hint_is_passed_over(payload):
    assert list(read(f"{payload} 5:6")) == [(5, 6)]


@asynccontextmanager
async def following(database, clinic_id, broker):
    """A second node that somebody looks at: what it was told."""
    told = Told()
    feed = Feed(database, told.append)
    broker.subscribe(feed.hear, feed.poll_soon)
    await feed.follow(clinic_id)
    async with polling(feed):
        yield told


@asynccontextmanager
async def second_node(stock, port=None):
    """Its own database connections and its own broker, whose line may lead over `port`."""
    url = stock.database.url
    database = Database(url.render_as_string())
    listener = Listener()
    try:
        async with (
            running(PostgresBroker(arguments(url.set(port=port or url.port))), listener) as broker,
            following(database, stock.clinic_id, broker) as told,
        ):
            yield told, listener
    finally:
        database.close()


@pytest.fixture
async def first_node(writing):
    """The stock's writer tells a broker of its own what it commits."""
    async with running(PostgresBroker(arguments(writing.database.url)), Listener()) as broker:

        def committed(committed) -> None:
            writing.committed.append(committed)
            for each in committed.told:
                broker.hint(each.record.clinic_id, each.record.seq)

        writing.writer._on_commit = committed
        yield writing


@pytest.mark.only("postgresql")
async def test_a_second_node_is_told_within_milliseconds(first_node, monkeypatch):
    monkeypatch.setattr(feed_module, "POLL_S", NEVER_S)
    async with second_node(first_node) as (told, _):
        times = []
        for number in range(1, 31):
            await first_node.writer.execute(first_node.inbound())
            acknowledged = time.perf_counter()
            await told.until(number)
            times.append(time.perf_counter() - acknowledged)
    assert [each.record.seq for each in told] == list(range(1, 31))
    assert min(times) < 0.02


@pytest.mark.only("postgresql")
async def test_a_node_whose_line_went_silent_is_told_by_the_poll(first_node, monkeypatch):
    monkeypatch.setattr(feed_module, "POLL_S", 0.1)
    async with (
        Wire(first_node.database.url.port) as wire,
        second_node(first_node, wire.port) as (told, _),
    ):
        wire.hold()
        await first_node.writer.execute(first_node.inbound())
        await told.until(1)


@pytest.mark.only("postgresql")
async def test_a_node_whose_line_broke_listens_again_and_asks_what_it_missed(first_node, monkeypatch):
    monkeypatch.setattr(feed_module, "POLL_S", NEVER_S)
    async with (
        Wire(first_node.database.url.port) as wire,
        second_node(first_node, wire.port) as (told, listener),
    ):
        wire.cut()
        await first_node.writer.execute(first_node.inbound())
        await listener.until(lambda: listener.missed == 2)
        await told.until(1)
        await first_node.writer.execute(first_node.inbound())
        await told.until(2)


@pytest.mark.only("postgresql")
async def test_a_hint_that_could_not_be_said_is_said_later(stock):
    mine, theirs = Listener(), Listener()
    url = stock.database.url
    async with (
        Wire(url.port) as wire,
        running(PostgresBroker(arguments(url.set(port=wire.port))), mine) as broker,
        running(PostgresBroker(arguments(url)), theirs),
    ):
        wire.cut()
        await mine.until(lambda: mine.missed == 2)
        for seq in range(100):
            broker.hint(1, seq)
        await theirs.until(lambda: theirs.newest == {1: 99})


@pytest.mark.only("postgresql")
async def test_a_hint_that_comes_while_the_line_breaks_is_said_later(stock, monkeypatch):
    monkeypatch.setattr(postgres_broker, "GATHER_S", 0.2)
    url, mine, theirs = stock.database.url, Listener(), Listener()
    async with (
        Wire(url.port) as wire,
        running(PostgresBroker(arguments(url.set(port=wire.port))), mine) as broker,
        running(PostgresBroker(arguments(url)), theirs),
    ):
        broker.hint(1, 1)
        await theirs.until(lambda: theirs.newest == {1: 1})
        broker.hint(1, 2)
        wire.cut()
        await theirs.until(lambda: theirs.newest == {1: 2})


@pytest.mark.only("postgresql")
async def test_a_hint_of_what_the_log_does_not_have_does_no_harm(first_node, monkeypatch):
    monkeypatch.setattr(feed_module, "POLL_S", NEVER_S)
    async with second_node(first_node) as (told, listener):
        with first_node.database.engine.begin() as connection:
            connection.exec_driver_sql("SELECT pg_notify('recado_log', '1:99999 nonsense 99999:1')")
        await listener.until(lambda: listener.newest.get(1) == 99999)
        await first_node.writer.execute(first_node.inbound())
        await told.until(1)
    assert [each.record.seq for each in told] == [1]
