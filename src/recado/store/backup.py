"""Copies of a whole database, and back. A restored database is another history: cursors of before are answered `reset`.

SQLite: its online backup, beside a running server. PostgreSQL: its own programs (dumps.py).
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, insert
from sqlalchemy import delete as delete_rows

from recado import observe
from recado.errors import ConfigError
from recado.store import dumps
from recado.store.database import Database
from recado.store.migrate import is_known, revision, upgrade
from recado.store.sqlite import make_file, path_of
from recado.store.tables import history

NO_COPY = "FILE: is no copy of a Recado database"


def backup(database: Database, target: Path) -> None:
    """Write one consistent copy to `target`, which must not exist yet; whole or not at all. Nothing else is changed."""
    if revision(database) is None:
        raise ConfigError("RECADO_DATABASE_URL: there is no database of Recado's")
    try:
        if target.exists():
            raise ConfigError("FILE: exists already")
        with _part(target) as part:
            if database.shared:
                dumps.write(database.url, part)
            else:
                with closing(sqlite3.connect(path_of(database.url))) as read:
                    _copy(read, part)
            os.link(part, target)  # unlike a rename, it does not replace what somebody else has put there
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"FILE: cannot be written ({observe.reason(error)})") from None


def restore(database: Database, source: Path, new_id: str) -> None:
    """Put a copy in place of everything in the database, which nobody may be serving, and begin a new history.

    A copy that will not do changes nothing.
    """
    if not source.is_file():
        raise ConfigError("FILE: there is none")

    def begin(connection: Connection) -> None:
        connection.execute(delete_rows(history))
        connection.execute(insert(history).values(id=new_id))

    with database.alone():
        if database.shared:
            _restore_dump(database, source, begin)
        else:
            _restore_file(path_of(database.url), source, begin)


def _restore_dump(database: Database, source: Path, begin: Callable[[Connection], None]) -> None:
    """It is another history from its commit on, whatever comes after: see `history_of`."""
    _check(dumps.revisions_in(source))
    dumps.put_in_place(database.url, source)
    database.write_now(begin)
    upgrade(database)


def _restore_file(target: Path, source: Path, begin: Callable[[Connection], None]) -> None:
    """What is put in place, in one transaction, has this version's schema and its new history already."""
    _check_file(source)
    with _part(target) as part:
        with closing(_open_to_read(source)) as read:
            _copy(read, part)
        with closing(Database(URL.create("sqlite", database=str(part)))) as copy:
            upgrade(copy)
            copy.write_now(begin)
        make_file(target)
        with closing(sqlite3.connect(part)) as read:
            _copy(read, target)


def _open_to_read(source: Path) -> sqlite3.Connection:
    """Without a WAL it is a copy as we make them, which may lie where nothing can be written."""
    alone = "" if source.with_name(f"{source.name}-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro{alone}", uri=True)


def _check_file(source: Path) -> None:
    """Raises ConfigError unless it is a whole SQLite database of ours."""
    try:
        with closing(_open_to_read(source)) as connection:
            sound = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall() if sound else []
    except sqlite3.DatabaseError:
        raise ConfigError(NO_COPY) from None
    _check([version for (version,) in found])


def _check(revisions: Sequence[str]) -> None:
    """Raises ConfigError unless a copy that has these in `alembic_version` is one of ours, and not of our future."""
    if len(revisions) != 1:
        raise ConfigError(NO_COPY)
    if not is_known(revisions[0]):
        raise ConfigError("FILE: is of a newer version of Recado")


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """An empty file beside `target` for what is not whole yet, its owner's alone.

    Nothing of it stays, nor of one that was killed before.
    """
    part = target.with_name(f".{target.name}.part")
    every = [part.with_name(part.name + suffix) for suffix in ("", "-journal", "-wal", "-shm")]
    for each in every:
        each.unlink(missing_ok=True)
    part.touch(0o600, exist_ok=False)
    try:
        yield part
    finally:
        for each in every:
            each.unlink(missing_ok=True)


def _copy(source: sqlite3.Connection, target: Path) -> None:
    """SQLite's online backup: pages are copied while others read and write, and the copy is of one moment."""
    with closing(sqlite3.connect(target)) as write:
        source.backup(write)
