"""Migrations lead to exactly the tables that the code speaks of."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from recado.errors import ConfigError
from recado.store.database import Database
from recado.store.migrate import LOCK, upgrade
from recado.store.postgres import LOCK_TIMEOUT_S
from recado.store.sqlite import ServeLock, path_of
from recado.store.tables import metadata


def test_a_migrated_database_has_exactly_our_tables(stock):
    def differences(connection):
        ours = {
            "include_name": lambda name, *_: not (name or "").startswith(("search_index", "search_pending"))
        }
        return compare_metadata(MigrationContext.configure(connection, opts=ours), metadata)

    assert stock.database.read_now(differences) == [], "but for what only one database has"


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


def tables(database):
    return database.read_now(lambda c: inspect(c).get_table_names())


def test_a_failed_migration_leaves_nothing_behind(empty, monkeypatch):
    database = Database(empty)
    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.create_index", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            upgrade(database)
    assert tables(database) == []
    upgrade(database)
    database.close()


def test_processes_that_start_at_once_migrate_once(empty):
    databases = [Database(empty) for _ in range(4)]
    with ThreadPoolExecutor(len(databases)) as threads:
        list(threads.map(upgrade, databases))
    assert databases[0].read_now(lambda c: c.execute(text("SELECT count(*) FROM history")).scalar_one()) == 1
    for database in databases:
        database.close()


@pytest.mark.only("postgresql")
def test_a_migration_waits_for_one_that_runs_however_long(empty, postgres):
    database = Database(empty)
    with postgres.connect(database.url.database) as other, ThreadPoolExecutor(1) as thread:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        done = thread.submit(upgrade, database)
        with pytest.raises(TimeoutError):
            done.result(LOCK_TIMEOUT_S + 0.5)
        other.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        done.result(30)
    assert "clinics" in tables(database)
    database.close()


def test_a_database_that_does_not_answer_stops_the_start_with_one_line(tmp_path):
    (tmp_path / "folder.db").mkdir()
    for url, reason in (
        (f"sqlite:///{tmp_path}/folder.db", "OperationalError SQLITE_CANTOPEN"),
        ("postgresql://recado:hidden@127.0.0.1:1/recado", "OperationalError"),
    ):
        database = Database(url)
        with pytest.raises(ConfigError) as refused:
            upgrade(database)
        database.close()
        assert str(refused.value) == f"RECADO_DATABASE_URL: the database does not answer ({reason})"


@pytest.mark.parametrize("place", ["other.db", "other.db/recado.db"])
def test_a_file_that_is_none_of_ours_stops_the_start_with_one_line(tmp_path, place):
    (tmp_path / "other.db").write_text("A letter, and no database at all. " * 200)
    with pytest.raises(ConfigError) as refused:
        upgrade(Database(f"sqlite:///{tmp_path}/{place}"))
    assert "\n" not in str(refused.value)
    assert ("SQLITE_NOTADB" in str(refused.value)) == (place == "other.db")
    assert (tmp_path / "other.db").read_text().startswith("A letter")


@pytest.mark.only("sqlite")
def test_who_may_not_make_the_serve_lock_is_told_so(stock):
    lock = ServeLock(path_of(stock.database.url))
    path_of(stock.database.url).with_name("recado.db.serve").mkdir()
    with pytest.raises(ConfigError):
        lock.acquire()


@pytest.mark.only("postgresql")
def test_a_role_without_rights_is_told_so_with_postgresqls_code(empty, postgres):
    database = Database(empty)
    with postgres.connect(database.url.database) as admin:
        admin.execute(f"ALTER DATABASE {database.url.database} OWNER TO postgres")
    with pytest.raises(ConfigError) as refused:
        upgrade(database)
    assert str(refused.value) == "RECADO_DATABASE_URL: the database refuses (InsufficientPrivilege 42501)"
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
