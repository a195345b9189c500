"""SQLite's disk takes nothing more for a while: who writes is refused, and nothing is lost or half done."""

import resource
from contextlib import contextmanager

import pytest

from recado.errors import UnavailableError
from stock import make_stock, writing_to


@pytest.fixture
async def living(tmp_path):
    """A clinic with its writer running."""
    stock = make_stock(f"sqlite:///{tmp_path}/recado.db")
    async with writing_to(stock):
        yield stock
    stock.database.close()


@contextmanager
def no_file_grows_past(size):
    """Stands in for a full disk: the system takes what fits, and fails the rest of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_what_a_full_disk_refuses_can_be_asked_again_and_what_was_acknowledged_stays(living, tmp_path):
    acknowledged, refused = [], []
    await living.writer.execute(living.inbound())
    wal = tmp_path / "recado.db-wal"
    with no_file_grows_past(wal.stat().st_size + 100_000):
        while len(refused) < 20:
            command = living.inbound(body="Bom dia. " * 100)
            try:
                acknowledged.append((await living.writer.execute(command)).message.id)
            except UnavailableError:
                refused.append(command)
        assert acknowledged
        assert await living.database.read(count) == 1 + len(acknowledged), "it can still be read"
    for command in refused:
        outcome = await living.writer.execute(command)
        assert not outcome.repeated, "nothing of it was done"
        acknowledged.append(outcome.message.id)
    query = "SELECT id FROM messages ORDER BY seq"
    stored = await living.database.read(lambda c: c.exec_driver_sql(query).scalars().all())
    assert stored[1:] == acknowledged
    assert await living.database.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"


def count(connection):
    return connection.exec_driver_sql("SELECT count(*) FROM messages").scalar_one()
