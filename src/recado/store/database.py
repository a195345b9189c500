"""One place where statements meet threads: plain synchronous SQLAlchemy Core, one thread hop per transaction.

A read is one snapshot, a write is one transaction; what that takes on SQLite and on PostgreSQL stands in `sqlite.py`
and `postgres.py`. Which statements run is the callers' affair.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from typing import TypeVar, cast

import psycopg
from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from recado.errors import UnavailableError
from recado.store.answers import tell
from recado.store.beside import Beside
from recado.store.checkpoints import PASSIVE, Checkpoints
from recado.store.pending_words import PendingWords
from recado.store.postgres import alone_on_postgres, arguments, open_postgres
from recado.store.readers import Readers
from recado.store.silence import Silence
from recado.store.sqlite import OpenFile, ServeLock, open_sqlite, path_of
from recado.store.trips import begin

T = TypeVar("T")

READERS = 4
WARM_LIMIT_S = 5.0


class Database:
    """`read` and `write` run a function on a connection in a thread; `*_now` do so here, for the command line.

    All raise UnavailableError when the database does not answer. A write may then have been committed, or not.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.shared = self.url.get_backend_name() in {"postgresql", "postgres"}
        """Other nodes may serve it beside us."""
        open_engines = open_postgres if self.shared else open_sqlite
        self._reading, self.engine, self._writing = open_engines(self.url, READERS + 1)
        self._readers = Readers(self._kept_snapshot, READERS)
        self._writer = ThreadPoolExecutor(1, "recado-write")
        self._kept: Connection | None = None
        """The writing thread's own: its page cache and its statements stay as it left them."""
        self._idle = deque[Connection]()
        """The reading threads': the pool would take 130 µs to give one out and to take it back."""
        self._commits = 0
        self._silence = Silence(arguments(self.url)) if self.shared else None
        self._file = None if self.shared else OpenFile(path_of(self.url))

    async def read(self, work: Callable[[Connection], T], *, ahead: bool = False) -> T:
        """`work` sees one snapshot, taken after this call; others that wait may share it, or be overtaken: `ahead`."""
        return await self._readers.read(work, ahead=ahead)

    async def warm(self, work: Callable[[Connection], object]) -> None:
        """Open every connection that reads, and do `work` on each: whoever comes first shall not wait for that."""
        together = threading.Barrier(READERS)

        def apart(connection: Connection) -> None:
            with suppress(threading.BrokenBarrierError):  # then another could not be opened, which is told
                together.wait(WARM_LIMIT_S)
            work(connection)

        await asyncio.gather(*(self.read(partial(apart)) for _ in range(READERS)))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Commit `work` whole or not at all. Writes of this process run one after the other.

        A caller that is cancelled does not stop the transaction; it only stops waiting for it.
        """

        def begun(connection: Connection) -> T:
            begin(connection)
            return work(connection)

        return await self.write_whole(begun)

    def write_whole(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """`write` for who begins with `one_trip`, and on PostgreSQL may send COMMIT along (trips.py).

        It is under way when this returns.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(self._write_and_tell, work, answer)
        return answer

    def read_now(self, work: Callable[[Connection], T]) -> T:
        with self._snapshot() as connection:
            return work(connection)

    def write_now(self, work: Callable[[Connection], T]) -> T:
        with _unavailable(), self.engine.begin() as connection:
            return work(connection)

    def _write_and_tell(self, work: Callable[[Connection], T], answer: asyncio.Future[T]) -> None:
        try:
            tell([answer], self._write(work))
        except BaseException as error:  # noqa: BLE001 - the thread's top: told to the caller
            tell([answer], error=error)

    def _write(self, work: Callable[[Connection], T]) -> T:
        """`write_now` on a connection that is kept until something fails on it."""
        with self._answering():
            connection, self._kept = self._kept or self._open_to_write(), None
            try:
                with self._heeded(connection):
                    result = work(connection)
                    connection.connection.commit()  # if it was not the last of what `work` sent
            except BaseException:
                _let_go(connection)
                raise
            self._kept = connection
            self._commits += 1
            self._check_file()  # last: what it has committed since may be lost
            return result

    def _open_to_write(self) -> Connection:
        """SQLAlchemy takes all that is done on it for one transaction: to begin and commit each took it 40 µs."""
        self._check_file()
        connection = self._writing.connect()
        connection.begin()
        if self._file is not None:
            self._file.note()
        return connection

    def _check_file(self) -> None:
        if self._file is not None:
            self._file.check()

    def is_in_place(self) -> bool:
        """Whether what is written stays: SQLite's file has still its name."""
        try:
            self._check_file()
        except UnavailableError:
            return False
        return True

    def exists(self) -> bool:
        """Whether there is something to open: who opens a SQLite file that is not there makes it."""
        return self.shared or path_of(self.url).exists()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody serves meanwhile. Raises ConfigError if somebody does."""
        with alone_on_postgres(arguments(self.url)) if self.shared else self.held():
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else serves meanwhile, where only one may. Raises ConfigError if somebody does."""
        if self.shared:
            yield
            return
        lock = ServeLock(path_of(self.url))
        lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def served(self) -> Iterator[None]:
        """`held`, with the threads that serving takes. When it ends, only `*_now` can be asked any more."""
        with self.held(), ExitStack() as stack:
            if self._silence is not None:
                stack.enter_context(self._silence.running())
            stack.callback(self._end_threads)
            stack.enter_context(self._beside().running())
            stack.callback(self.end_soon)
            yield

    def end_soon(self) -> None:
        """The process is about to end: nobody waits long for a database that is silent."""
        if self._silence is not None:
            self._silence.end_soon()

    def _beside(self) -> Beside:
        if self._silence is not None:
            return PendingWords(arguments(self.url), lambda: self._commits, self._silence)
        return Checkpoints(path_of(self.url), lambda: self._writer.submit(self._finish_checkpoint))

    def _answering(self) -> AbstractContextManager[None]:
        """For what the server is asked to do, connecting included."""
        if self._silence is not None:
            self._silence.check()
        return _unavailable()

    def _heeded(self, connection: Connection) -> AbstractContextManager[None]:
        """Who waits in here for a silent server is told in the end, while it is `served`."""
        if self._silence is None:
            return nullcontext()
        return self._silence.heeded(cast(psycopg.Connection, connection.connection.driver_connection))

    def close(self) -> None:
        """Wait for what runs, then let go of every connection."""
        self._end_threads()
        if self._kept is not None:
            self._kept.close()
        self._close_idle()
        self.engine.dispose()

    def _end_threads(self) -> None:
        self._readers.close()
        self._writer.shutdown()

    def _finish_checkpoint(self) -> None:
        """On the writing thread, between two transactions: nobody adds to the WAL meanwhile."""
        if self._kept is not None:
            driver = cast(sqlite3.Connection, self._kept.connection.driver_connection)
            driver.execute(PASSIVE).fetchone()

    @contextmanager
    def _kept_snapshot(self) -> Iterator[Connection]:
        """`_snapshot` on a connection that is kept; when something fails on one, what is idle may be gone as well."""
        with self._answering():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._reading.connect()
            try:
                with self._heeded(connection), connection.begin():
                    yield connection
            except BaseException:
                _let_go(connection)
                self._close_idle()
                raise
            self._idle.append(connection)

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        with _unavailable(), self._reading.begin() as connection:
            yield connection


def _let_go(connection: Connection) -> None:
    """For good: at a rollback psycopg gives up what it has prepared there, and tells neither trips.py nor libpq.py."""
    connection.invalidate()
    connection.close()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (OperationalError, sqlite3.OperationalError, psycopg.OperationalError) as error:
        raise UnavailableError from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise UnavailableError from error
        raise
