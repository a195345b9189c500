"""SQLite as the store uses it: how connections are opened, how transactions begin, and who may serve a file."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event

from recado import observe
from recado.errors import ConfigError, UnavailableError
from recado.store.trips import BEGIN_ON_SQLITE

BUSY_TIMEOUT_S = 5.0
PAGE_CACHE_KIB = 65_536
"""A connection's. The writer's fills up, those of readers begin anew whenever somebody else has written."""

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"cache_size=-{PAGE_CACHE_KIB}",
    "wal_autocheckpoint=40000",  # pages, 160 MB: only if checkpoints.py does not keep up
)


class ServeLock:
    """One `serve` per file: the second is refused at start. The kernel lets go when a process dies."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".serve")

    def acquire(self) -> None:
        make_folder(self._path)
        with _in_the_folder():
            self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise ConfigError("RECADO_DATABASE_URL: another `recado serve` has this database open") from None

    def release(self) -> None:
        os.close(self._file)


class OpenFile:
    """The file that is written to. What is written to one that has lost its name is lost when the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None

    def note(self) -> None:
        """It has just been opened: the first one that is, is meant from now on."""
        self._opened = self._opened or self._found()

    def check(self) -> None:
        """Raises UnavailableError if it was removed, or another one has its name."""
        if self._opened is not None and self._found() != self._opened:
            raise UnavailableError from OSError(errno.ESTALE, "removed or replaced")

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


@contextmanager
def _in_the_folder() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"RECADO_DATABASE_URL: its folder cannot be used ({observe.reason(error)})"
        ) from None


def make_folder(database: Path) -> None:
    with _in_the_folder():
        database.parent.mkdir(parents=True, exist_ok=True)


def make_file(database: Path) -> None:
    """And its folder, unless it is there: its owner's alone. SQLite gives what it makes beside it the same rights."""
    make_folder(database)
    with _in_the_folder(), suppress(FileExistsError):
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def path_of(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise ConfigError("RECADO_DATABASE_URL: must name a file")
    return Path(url.database)


def open_sqlite(url: URL, connections: int) -> tuple[Engine, Engine, Engine]:
    """Engines to read, to write, and to write with explicit BEGIN and COMMIT (trips.py); they share one pool.

    Durable: WAL with synchronous=FULL. A write has the database's lock from its first statement (BEGIN IMMEDIATE).
    """
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=2,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )

    @event.listens_for(engine, "do_connect")
    def make_room(*_: Any) -> None:
        make_file(path_of(url))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `begin` below does
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if statement := connection.get_execution_options().get("recado_begin", "BEGIN"):
            driver = cast(sqlite3.Connection, connection.connection.driver_connection)
            driver.execute(statement)

    writing = engine.execution_options(recado_begin=BEGIN_ON_SQLITE)
    return engine, writing, engine.execution_options(recado_begin=None)
