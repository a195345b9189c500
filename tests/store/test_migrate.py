"""Migrations lead to exactly the tables that the code speaks of."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from recado.errors import ConfigError
from recado.store.database import Database
from recado.store.migrate import upgrade
from recado.store.sqlite import ServeLock, path_of
from recado.store.tables import metadata


def test_a_migrated_database_has_exactly_our_tables(stock):
    differences = stock.database.read_now(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert differences == []


def test_migrating_again_changes_nothing(stock):
    history = stock.database.read_now(lambda c: c.execute(text("SELECT id FROM history")).scalar_one())
    upgrade(stock.database)
    assert (
        stock.database.read_now(lambda c: c.execute(text("SELECT id FROM history")).scalar_one()) == history
    )


def test_a_database_of_a_newer_version_is_refused(stock):
    stock.database.write_now(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(ConfigError):
        upgrade(stock.database)


def test_a_failed_migration_leaves_nothing_behind(tmp_path, monkeypatch):
    database = Database(f"sqlite:///{tmp_path}/half.db")
    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.create_index", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            upgrade(database)
    assert database.read_now(lambda c: c.execute(text("SELECT name FROM sqlite_master")).all()) == []
    upgrade(database)
    database.close()


@pytest.mark.only("sqlite")
def test_a_second_serve_on_one_file_is_refused_until_the_first_ends(stock):
    first, second = ServeLock(path_of(stock.database.url)), ServeLock(path_of(stock.database.url))
    first.acquire()
    with pytest.raises(ConfigError):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
