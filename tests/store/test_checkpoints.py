"""The WAL stays small while others write, without a commit that pays for it."""

import threading

import pytest

from recado.store import checkpoints
from recado.store.sqlite import path_of

pytestmark = pytest.mark.only("sqlite")

PAGE = 4096


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.001)
    monkeypatch.setattr(checkpoints, "FINISH_FRAMES", 100)


def wal_of(database):
    path = path_of(database.url)
    return path.with_name(f"{path.name}-wal")


async def write(stock, batches):
    """Bytes that so many commits bring to the WAL, if it never begins anew."""
    for _ in range(batches):
        await stock.database.write(
            lambda c: c.exec_driver_sql("UPDATE clinics SET name = hex(randomblob(9000))")
        )
    return batches * 4 * PAGE


async def test_the_wal_begins_anew_while_somebody_writes(stock, eager):
    with stock.database.served():
        written = await write(stock, 1_000)
        assert wal_of(stock.database).stat().st_size < written / 3


async def test_who_writes_is_asked_to_end_a_wal_that_has_grown(stock, eager):
    asked = threading.Event()
    moving = checkpoints.Checkpoints(path_of(stock.database.url), asked.set)
    with stock.database._snapshot() as reader:
        reader.exec_driver_sql("SELECT name FROM clinics").all()  # so that it cannot begin anew by itself
        with moving.running():
            await write(stock, 10)
            assert not asked.is_set()
            await write(stock, 100)
            assert asked.wait(10)


async def test_a_reader_that_stays_delays_it_and_harms_nobody(stock, eager):
    with stock.database.served():
        with stock.database._snapshot() as reader:
            before = reader.exec_driver_sql("SELECT name FROM clinics").scalars().all()
            grown = await write(stock, 300)
            assert reader.exec_driver_sql("SELECT name FROM clinics").scalars().all() == before
            held = wal_of(stock.database).stat().st_size
        assert held > grown / 2
        await write(stock, 1_000)
        assert wal_of(stock.database).stat().st_size < held + grown
