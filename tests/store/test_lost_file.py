"""SQLite's file is removed or replaced under its server: nothing is acknowledged that would be lost with it."""

import pytest

from recado.errors import UnavailableError
from stock import make_stock, writing_to


@pytest.fixture
async def living(tmp_path):
    """A clinic with its writer running, which has written."""
    stock = make_stock(f"sqlite:///{tmp_path}/recado.db")
    async with writing_to(stock):
        await stock.writer.execute(stock.inbound())
        yield stock
    stock.database.close()


async def test_nothing_is_acknowledged_that_only_a_file_without_a_name_holds(living, tmp_path):
    file, away = tmp_path / "recado.db", tmp_path / "away.db"
    assert living.database.is_in_place()
    file.rename(away)
    command = living.inbound()
    with pytest.raises(UnavailableError):
        await living.writer.execute(command)
    assert not living.database.is_in_place()
    assert not file.exists(), "none is made in its place"
    away.rename(file)
    again = await living.writer.execute(command)
    assert await living.database.read(count) == 2
    assert (again.repeated, living.database.is_in_place()) == (True, True)


async def test_a_file_that_was_put_in_its_place_is_not_written_to(living, tmp_path):
    other = make_stock(f"sqlite:///{tmp_path}/other.db")
    other.database.close()
    before = (tmp_path / "other.db").read_bytes()
    (tmp_path / "other.db").rename(tmp_path / "recado.db")
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await living.writer.execute(living.inbound())
    assert (tmp_path / "recado.db").read_bytes() == before


def count(connection):
    return connection.exec_driver_sql("SELECT count(*) FROM messages").scalar_one()
