"""One place where statements meet threads: plain synchronous SQLAlchemy Core, one thread hop per transaction.

A read is one snapshot. A write is one transaction that holds the database's write lock from its first statement
(SQLite: BEGIN IMMEDIATE). Which statements run is the callers' affair.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError

from recado.errors import ConfigError, UnavailableError

T = TypeVar("T")

READERS = 4
BUSY_TIMEOUT_S = 5.0


class Database:
    """`read` and `write` run a function on a connection in a thread; `*_now` do so here, for the command line."""

    def __init__(self, url: str) -> None:
        self.path = _sqlite_path(url)
        self.engine = _sqlite_engine(url)
        self._readers = ThreadPoolExecutor(READERS, "recado-read")
        self._writer = ThreadPoolExecutor(1, "recado-write")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`work` sees one snapshot. Raises UnavailableError when the database does not answer."""
        return await self._run(self._readers, self.read_now, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Commit `work` whole or not at all. Writes of this process run one after the other.

        A caller that is cancelled does not stop the transaction; it only stops waiting for it.
        """
        return await self._run(self._writer, self.write_now, work)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return work(connection)

    def write_now(self, work: Callable[[Connection], T]) -> T:
        with self.engine.connect().execution_options(recado_write=True) as connection, connection.begin():
            return work(connection)

    def close(self) -> None:
        """Wait for what runs, then let go of every connection."""
        self._readers.shutdown()
        self._writer.shutdown()
        self.engine.dispose()

    async def _run(
        self,
        pool: ThreadPoolExecutor,
        run: Callable[[Callable[[Connection], T]], T],
        work: Callable[[Connection], T],
    ) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, run, work)
        except OperationalError as error:
            raise UnavailableError from error


class ServeLock:
    """SQLite means one `serve` per file: the second is refused at start. The kernel lets go when a process dies."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".serve")

    def acquire(self) -> None:
        self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise ConfigError("RECADO_DATABASE_URL: another `recado serve` has this database open") from None

    def release(self) -> None:
        os.close(self._file)


def _sqlite_path(url: str) -> Path:
    name = make_url(url).database
    if not name or name == ":memory:":
        raise ConfigError("RECADO_DATABASE_URL: must name a file")
    return Path(name)


def _sqlite_engine(url: str) -> Engine:
    _sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=READERS + 1,
        max_overflow=2,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `begin` below does
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("recado_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
