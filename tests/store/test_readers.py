"""Reads that wait together: what they share, and what they must not."""

import asyncio
import contextlib
import itertools
import threading
from functools import partial

import pytest
from msgspec import Struct
from sqlalchemy import event, text

from recado.errors import NotFoundError
from recado.store.database import READERS, Database
from recado.store.readers import MAX_TOGETHER, Readers


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.close()


def one(connection):
    return connection.execute(text("SELECT 1")).scalar_one()


@contextlib.contextmanager
def every_thread_held(database, gate):
    """Every thread is busy with a read that waits for `gate`."""
    arrived = threading.Barrier(READERS + 1)

    def wait(_connection):
        arrived.wait(10)
        return gate.wait(10)

    held = [asyncio.ensure_future(database.read(partial(wait))) for _ in range(READERS)]
    yield held, arrived


async def after_all_threads_are_held(database, works):
    """What `works`, each unlike the others, answer when they have waited together, and how many snapshots that took."""
    gate = threading.Event()
    with every_thread_held(database, gate) as (held, arrived):
        await asyncio.to_thread(arrived.wait, 10)
        begun = []
        event.listen(database._reading, "begin", begun.append)
        waiting = [asyncio.ensure_future(database.read(partial(work))) for work in works]
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(await asyncio.gather(*held))
    return answers, len(begun)


async def test_reads_that_wait_share_a_snapshot(database):
    many = 4 * READERS * MAX_TOGETHER
    answers, snapshots = await after_all_threads_are_held(database, [one] * many)
    assert answers == [1] * many
    assert 1 <= snapshots < many / 4


async def test_equal_reads_that_wait_are_done_once_and_later_ones_anew(database):
    done = []

    class Read(Struct, frozen=True):
        number: int

        def __call__(self, _connection):
            done.append(self.number)
            return [self.number]

    gate = threading.Event()
    with every_thread_held(database, gate) as (held, arrived):
        await asyncio.to_thread(arrived.wait, 10)
        waiting = [asyncio.ensure_future(database.read(Read(number % 2))) for number in range(1_000)]
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(*waiting) == [[0], [1]] * 500
        await asyncio.gather(*held)
    assert sorted(done) == [0, 1]
    assert await database.read(Read(0)) == [0]
    assert sorted(done) == [0, 0, 1]


async def test_a_refusal_reaches_all_who_asked_the_same(database):
    def refused(_connection):
        raise NotFoundError

    gate = threading.Event()
    with every_thread_held(database, gate) as (held, arrived):
        await asyncio.to_thread(arrived.wait, 10)
        waiting = [asyncio.ensure_future(database.read(refused)) for _ in range(3)]
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.gather(*held)
    assert [type(answer) for answer in answers] == [NotFoundError] * 3


async def test_reads_that_need_not_wait_run_at_the_same_time(database):
    together = threading.Barrier(READERS)
    met = await asyncio.gather(*(database.read(lambda _: together.wait(10)) for _ in range(READERS)))
    assert sorted(met) == list(range(READERS))


async def test_warming_opens_a_connection_for_every_thread_and_reads_keep_to_them(database):
    warmed, used = set(), set()
    await database.warm(lambda connection: warmed.add(connection.connection.driver_connection))
    assert len(warmed) == READERS
    for _ in range(3 * READERS):
        await database.read(lambda connection: used.add(connection.connection.driver_connection))
    assert used <= warmed


async def test_a_read_that_fails_fails_alone(database):
    def refused(_connection):
        raise NotFoundError

    def broken(connection):
        return connection.execute(text("SELECT nothing FROM nowhere"))

    def bug(_connection):
        raise ZeroDivisionError

    works = [one, refused, one, broken, one, bug, one] * MAX_TOGETHER
    answers, _ = await after_all_threads_are_held(database, works)
    kinds = [type(answer).__name__ for answer in answers[:7]]
    broken_as = kinds[3]
    assert broken_as in {"UnavailableError", "ProgrammingError"}  # SQLite calls a missing table operational
    assert kinds == ["int", "NotFoundError", "int", broken_as, "int", "ZeroDivisionError", "int"]
    assert [type(answer).__name__ for answer in answers] == kinds * MAX_TOGETHER


async def test_a_connection_that_dies_after_its_reads_keeps_nobody_waiting(database):
    def last_words(connection):
        answer = one(connection)
        connection.connection.driver_connection.close()
        return answer

    async with asyncio.timeout(10):
        assert [await database.read(last_words) for _ in range(READERS + 1)] == [1] * (READERS + 1)
        assert await database.read(one) == 1


@pytest.mark.parametrize("works", [[one, one], [one, partial(one)]], ids=["equal", "unlike"])
async def test_a_caller_that_is_cancelled_harms_no_other(database, works):
    gate = threading.Event()
    with every_thread_held(database, gate) as (held, arrived):
        await asyncio.to_thread(arrived.wait, 10)
        gone, stays = (asyncio.ensure_future(database.read(work)) for work in works)
        await asyncio.sleep(0)
        gone.cancel()
        gate.set()
        assert await stays == 1
        await asyncio.gather(*held)
    assert gone.cancelled()


async def test_a_read_begins_after_it_was_asked_for(database):
    """Whatever waited before it: what was committed by then is seen."""
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))

    def count(connection):
        return connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()

    asked = []
    for number in range(50):
        database.write_now(lambda c: c.execute(text("INSERT INTO numbers VALUES (1)")))
        asked.append((number + 1, asyncio.ensure_future(database.read(count))))
        await asyncio.sleep(0)
    for least, answer in asked:
        assert await answer >= least


class OneThread:
    """Readers with one thread; a snapshot is its number. `hold` keeps the thread busy until it is let go."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.readers = Readers(lambda: contextlib.nullcontext(next(self._numbers)), 1)

    async def hold(self):
        arrived, go = threading.Event(), threading.Event()

        def held(_snapshot):
            arrived.set()
            assert go.wait(10)

        self.ask(held)
        await asyncio.to_thread(arrived.wait, 10)
        return go

    def ask(self, work, *, ahead=False):
        return asyncio.ensure_future(self.readers.read(work, ahead=ahead))


@pytest.fixture
def one_thread():
    one_thread = OneThread()
    yield one_thread
    one_thread.readers.close()


async def test_a_read_is_told_before_the_others_of_its_snapshot(one_thread):
    go, arrived, last = await one_thread.hold(), threading.Event(), threading.Event()

    def stays(snapshot):
        arrived.set()
        assert last.wait(10)
        return snapshot

    first, second = one_thread.ask(lambda snapshot: snapshot), one_thread.ask(stays)
    await asyncio.sleep(0)
    go.set()
    async with asyncio.timeout(10):
        snapshot = await first
    assert not second.done()
    last.set()
    assert await second == snapshot


async def test_reads_ahead_go_first_each_in_its_turn(one_thread):
    go, done = await one_thread.hold(), []
    names = ["long", "another", "short", "another short"]
    waiting = [
        one_thread.ask(lambda _, name=name: done.append(name), ahead="short" in name) for name in names
    ]
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*waiting)
    assert done == ["short", "another short", "long", "another"]


@pytest.mark.parametrize("ahead", [False, True])
async def test_who_joins_a_read_that_waits_gets_no_older_snapshot_than_their_own(one_thread, ahead):
    def snapshot_of(snapshot):
        return snapshot

    go = await one_thread.hold()
    began, stays = threading.Event(), threading.Event()

    def long(snapshot):
        began.set()
        assert stays.wait(10)
        return snapshot

    first, second = one_thread.ask(long, ahead=ahead), one_thread.ask(snapshot_of, ahead=ahead)
    await asyncio.sleep(0)
    go.set()
    await asyncio.to_thread(began.wait, 10)
    joined = one_thread.ask(snapshot_of, ahead=ahead)
    await asyncio.sleep(0)
    stays.set()
    assert await joined == await second == await first + 1
