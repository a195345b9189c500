"""Copies of a whole database, and back. A restored database is another history: cursors of before are answered `reset`.

SQLite: its online backup, beside a running server. PostgreSQL: `pg_dump` and `pg_restore`, which must be installed.
"""

import os
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, insert
from sqlalchemy import delete as delete_rows

from recado.errors import ConfigError
from recado.store.database import Database
from recado.store.migrate import upgrade
from recado.store.sqlite import path_of
from recado.store.tables import history


def backup(database: Database, target: Path) -> None:
    """Write one consistent copy to `target`, which must not exist yet; whole or not at all."""
    if target.exists():
        raise ConfigError("FILE: exists already")
    part = target.with_name(f".{target.name}.part")
    try:
        if database.shared:
            _run(["pg_dump", "--format=custom", f"--file={part}"], database.url)
        else:
            _copy(path_of(database.url), part)
        os.link(part, target)  # unlike a rename, it does not replace what somebody else has put there
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"FILE: cannot be written ({type(error).__name__})") from None
    finally:
        part.unlink(missing_ok=True)


def restore(database: Database, source: Path, new_id: str) -> None:
    """Put a copy in place of everything in the database, which nobody may be serving, and begin a new history."""
    if not source.is_file():
        raise ConfigError("FILE: there is none")
    with database.held():
        if database.shared:
            _run(["pg_restore", "--clean", "--if-exists", "--single-transaction", str(source)], database.url)
        else:
            _check(source)
            _copy(source, path_of(database.url))
        upgrade(database)

        def begin(connection: Connection) -> None:
            connection.execute(delete_rows(history))
            connection.execute(insert(history).values(id=new_id))

        database.write_now(begin)


def _check(source: Path) -> None:
    """Raises ConfigError unless the file is a whole SQLite database of ours."""
    try:
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            sound = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        sound = False
    if not sound:
        raise ConfigError("FILE: is no copy of a Recado database")


def _copy(source: Path, target: Path) -> None:
    """SQLite's online backup: pages are copied while others read and write, and the copy is of one moment."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as write:
        read.backup(write)


def _run(command: Sequence[str], url: URL) -> None:
    """Run a PostgreSQL tool against `url`. The password goes by the environment: arguments can be seen by all."""
    parts: Mapping[str, str | None] = {
        "PGHOST": url.host or (str(url.query["host"]) if "host" in url.query else None),
        "PGPORT": str(url.port) if url.port else None,
        "PGUSER": url.username,
        "PGPASSWORD": str(url.password) if url.password is not None else None,
        "PGDATABASE": url.database,
    }
    environment = os.environ | {name: value for name, value in parts.items() if value}
    database = ["--dbname", url.database or ""] if command[0] == "pg_restore" else []
    try:
        done = subprocess.run(  # noqa: S603 - our own words; the file's name is one argument, whatever is in it
            [*command, *database], env=environment, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise ConfigError(f"{command[0]}: not found; install PostgreSQL's client programs") from None
    if done.returncode:
        raise ConfigError(f"{command[0]}: failed with code {done.returncode}; the database is as it was")
