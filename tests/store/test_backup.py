"""A copy holds everything, and whoever goes back to it is told so."""

import asyncio
import os
from contextlib import closing

import pytest
from sqlalchemy import inspect

from recado.errors import ConfigError
from recado.feed.postgres_broker import PostgresBroker
from recado.store import backup as backups
from recado.store import deltas, inbox
from recado.store.backup import backup, restore
from recado.store.database import Database
from recado.store.migrate import _upgrade as migrate
from recado.store.migrate import is_missing, upgrade
from recado.store.postgres import arguments
from stock import by_hand
from store.test_law import snapshot


def head_of(stock):
    return stock.database.read_now(lambda c: inbox.heads(c, [stock.clinic_id]))[stock.clinic_id].cursor


async def test_a_restored_database_shows_what_the_copy_held_and_resets_cursors(writing, tmp_path):
    first = await writing.writer.execute(writing.inbound(body="um"))
    await writing.writer.execute(writing.reply(first.conversation.id))
    held = snapshot(writing).shown()
    backup(writing.database, tmp_path / "copy")
    lost = await writing.writer.execute(writing.inbound(body="dois"))
    ahead = head_of(writing)
    restore(writing.database, tmp_path / "copy", "another-history")
    assert snapshot(writing).shown() == held
    delta = writing.database.read_now(
        lambda c: deltas.clinic_delta(c, writing.clinic_id, writing.member_id, ahead, [])
    )
    assert delta.reset
    again = await writing.writer.execute(writing.inbound(body="dois"))
    assert again.seq == lost.seq  # the same number, of another history
    assert head_of(writing) != ahead


async def test_a_copy_is_taken_beside_a_writer_and_is_whole(writing, tmp_path):
    for number in range(30):
        await writing.writer.execute(writing.inbound(f"55{number}"))
        if number == 15:
            backup(writing.database, tmp_path / "copy")
    restore(writing.database, tmp_path / "copy", "another-history")
    assert head_of(writing).seq == len(inbox_log(writing)) == 16


def inbox_log(stock):
    return stock.database.read_now(lambda c: inbox.log_after(c, stock.clinic_id, 0, 1000))


def test_nothing_is_overwritten_and_no_half_copy_is_left(stock, tmp_path):
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(ConfigError):
        backup(stock.database, tmp_path / "copy")
    with pytest.raises(ConfigError):
        backup(stock.database, tmp_path / "no-such-folder/copy")
    assert (tmp_path / "copy").read_text() == "mine"
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("content", [None, b"", b"no database", b"SQLite format 3\x00" + b"x" * 5000])
async def test_what_is_no_copy_of_ours_changes_nothing(writing, tmp_path, content):
    await writing.writer.execute(writing.inbound())
    held = snapshot(writing).shown()
    if content is not None:
        (tmp_path / "copy").write_bytes(content)
    with pytest.raises(ConfigError):
        restore(writing.database, tmp_path / "copy", "another-history")
    assert snapshot(writing).shown() == held


@pytest.mark.parametrize("versions", [["9999"], ["of another program"], [], ["0001", "0002"]])
async def test_a_copy_of_a_newer_version_or_of_another_program_changes_nothing(
    writing, tmp_path, monkeypatch, versions
):
    write_versions(writing, versions)
    with monkeypatch.context() as patch:
        patch.setattr(backups, "revision", lambda _database: "any")  # another program's backup does not ask
        backup(writing.database, tmp_path / "copy")
    write_versions(writing, ["0010"])
    await writing.writer.execute(writing.inbound())
    held = snapshot(writing).shown()
    with pytest.raises(ConfigError) as refused:
        restore(writing.database, tmp_path / "copy", "another-history")
    assert str(refused.value).startswith("FILE: ")
    assert snapshot(writing).shown() == held


def write_versions(stock, versions):
    rows = [f"INSERT INTO alembic_version VALUES ('{each}')" for each in versions]
    by_hand(stock.database, "DELETE FROM alembic_version", *rows)


def test_a_copy_from_before_a_migration_goes_in_place_of_what_is_there_since(empty, tmp_path):
    """Also of tables that the copy does not know, and of what refers to those that it has."""
    with closing(Database(empty)) as database:
        database.write_now(lambda connection: migrate(connection, "0004"))
        backup(database, tmp_path / "copy")
        upgrade(database)
        by_hand(
            database,
            "CREATE TABLE of_the_future (clinic_id INTEGER REFERENCES clinics (id))",
            "DELETE FROM history",
        )
        restore(database, tmp_path / "copy", "another-history")
        assert "of_the_future" not in database.read_now(lambda c: inspect(c).get_table_names())
        assert not is_missing(database)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
async def test_half_a_copy_changes_nothing(writing, tmp_path, part):
    for number in range(100):
        await writing.writer.execute(writing.inbound(f"55{number}", body="Bom dia. " * number))
    backup(writing.database, tmp_path / "copy")
    os.truncate(tmp_path / "copy", int((tmp_path / "copy").stat().st_size * part))
    ahead = head_of(writing)
    with pytest.raises(ConfigError):
        restore(writing.database, tmp_path / "copy", "another-history")
    assert head_of(writing) == ahead
    assert len(inbox_log(writing)) == 100


@pytest.mark.only("postgresql")
async def test_what_postgresql_refuses_of_a_copy_leaves_the_database_as_it_was(writing, tmp_path, postgres):
    """Here what belongs to a role that the one who restores may not give it to."""
    with postgres.connect(writing.database.url.database) as admin:
        admin.execute("CREATE TABLE theirs ()")
        admin.execute("GRANT SELECT ON theirs TO recado")
    await writing.writer.execute(writing.inbound())
    backup(writing.database, tmp_path / "copy")
    await writing.writer.execute(writing.inbound())
    ahead = head_of(writing)
    with pytest.raises(ConfigError) as refused:
        restore(writing.database, tmp_path / "copy", "another-history")
    assert str(refused.value) == "psql: failed with code 3; the database is as it was"
    assert head_of(writing) == ahead


async def test_who_is_killed_while_restoring_leaves_the_old_or_another_history(
    writing, tmp_path, monkeypatch
):
    """From the moment that the copy is in place, no cursor and no cached answer of before is believed."""
    await writing.writer.execute(writing.inbound())
    backup(writing.database, tmp_path / "copy")
    await writing.writer.execute(writing.inbound())
    ahead = head_of(writing)

    class KilledError(BaseException):
        """Stands in for the end of the process."""

    def killed(*_args, **_options):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(backups, "upgrade", killed)
        patch.setattr(Database, "write_now", killed)
        with pytest.raises(KilledError):
            restore(writing.database, tmp_path / "copy", "another-history")
    assert head_of(writing) == ahead or head_of(writing).epoch != ahead.epoch
    restore(writing.database, tmp_path / "copy", "another-history")
    assert (head_of(writing).seq, head_of(writing).epoch != ahead.epoch) == (1, True)


@pytest.mark.only("postgresql")
async def test_nothing_is_restored_under_a_server_that_is_running(writing, tmp_path):
    backup(writing.database, tmp_path / "copy")
    await writing.writer.execute(writing.inbound())
    broker = PostgresBroker(arguments(writing.database.url))
    hears = asyncio.Event()
    broker.subscribe(lambda *_: None, hears.set)
    serving = asyncio.create_task(broker.run())
    await asyncio.wait_for(hears.wait(), 30)
    with pytest.raises(ConfigError) as refused:
        restore(writing.database, tmp_path / "copy", "another-history")
    assert "recado serve" in str(refused.value)
    assert head_of(writing).seq == 1
    serving.cancel()
    await asyncio.wait([serving])
    restore(writing.database, tmp_path / "copy", "another-history")
    assert head_of(writing).seq == 0


def test_nothing_is_written_beside_a_copy_for_it_may_lie_where_nothing_can_be(stock, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    backup(stock.database, shelf / "copy")
    os.utime(shelf, (0, 0))
    restore(stock.database, shelf / "copy", "another-history")
    assert shelf.stat().st_mtime == 0
    assert "another-history" in head_of(stock).epoch


def test_a_backup_changes_nothing_not_even_the_schema(stock, tmp_path):
    write_versions(stock, ["0009"])
    backup(stock.database, tmp_path / "copy")
    version = "SELECT version_num FROM alembic_version"
    assert stock.database.read_now(lambda c: c.exec_driver_sql(version).scalar_one()) == "0009"
    with closing(Database(f"sqlite:///{tmp_path}/none/recado.db")) as nothing, pytest.raises(ConfigError):
        backup(nothing, tmp_path / "another")
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "another").exists()


def test_what_patients_wrote_is_for_the_owner_of_the_files_alone(tmp_path, stock):
    old = os.umask(0o022)
    try:
        backup(stock.database, tmp_path / "copy")
        made = Database(f"sqlite:///{tmp_path}/made/recado.db")
        with closing(made):
            upgrade(made)
            made.read_now(lambda c: c.exec_driver_sql("SELECT 1").scalar_one())
            files = [tmp_path / "copy", *(tmp_path / "made").iterdir()]
            assert {file.name: oct(file.stat().st_mode & 0o777) for file in files} == dict.fromkeys(
                ["copy", "recado.db", "recado.db-shm", "recado.db-wal"], "0o600"
            )
    finally:
        os.umask(old)
