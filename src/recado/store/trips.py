"""Which of a transaction's statements travel together to PostgreSQL, BEGIN and COMMIT among them.

A trip is two changes of process, however little it carries. SQLite is no trip away: a transaction begins with the first
of what would be one. docs/store.md, "What it promises".

A trip speaks to libpq itself. psycopg's pipeline does for each statement what it does for one alone, and writes twice:
ten statements take 30 instead of 220 µs of this process so.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple, Protocol, cast

import psycopg
from psycopg import errors, generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Connection

from recado.store.libpq import Direct, encoded, error_of, numbered

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Sees what was committed until it got the clinics' lock."""
BEGIN_ON_SQLITE = "BEGIN IMMEDIATE"
"""The file is locked from here on."""

_TRIP, _PREPARED, _DIRECT = "recado_trip", "recado_prepared", "recado_direct"
"""Where a connection keeps the trip that is being made up, the names of its prepared statements by their text, and
what sends those that are alone."""

_names = count()


class Rows(Protocol):
    def fetchall(self) -> Sequence[tuple[Any, ...]]: ...


class Cursor(Protocol):
    """One that asks at once, or a trip, whose rows are there when it is over. `parameters` by the names in the text."""

    def execute(self, text: str, parameters: Mapping[str, Any], /) -> Rows: ...


class _Answer:
    rows: Sequence[tuple[Any, ...]] | None = None

    def fetchall(self) -> Sequence[tuple[Any, ...]]:
        if self.rows is None:
            raise LookupError("the trip is not over")
        return self.rows


class _Call(NamedTuple):
    text: str
    values: Sequence[bytes | None]
    answer: _Answer


class Trip:
    """Statements that leave in one write, each prepared when its connection first sends it."""

    def __init__(self, prepared: dict[str, bytes]) -> None:
        self._prepared = prepared
        self._calls: list[_Call] = []

    def execute(self, text: str, parameters: Mapping[str, Any], /) -> Rows:
        values = [encoded(parameters[name]) for name in numbered(text)[1]]
        self._calls.append(_Call(text, values, answer := _Answer()))
        return answer

    def go(self, driver: psycopg.Connection[Any]) -> None:
        """Raises the error of the statement that failed; what stands behind it was not carried out."""
        pgconn, new = driver.pgconn, dict[str, bytes]()
        sent: list[_Answer | None] = []
        pgconn.enter_pipeline_mode()
        for text, values, answer in self._calls:
            name = self._prepared.get(text) or new.get(text)
            if name is None:
                name = new[text] = b"recado_%d" % next(_names)
                pgconn.send_prepare(name, numbered(text)[0])
                sent.append(None)
            pgconn.send_query_prepared(name, values)
            sent.append(answer)
        pgconn.pipeline_sync()
        results = driver.wait(_results(pgconn, len(sent)))
        self._raise_failure(driver, results)
        self._prepared.update(new)
        _give(driver, sent, results)

    def _raise_failure(self, driver: psycopg.Connection[Any], results: Sequence[PGresult]) -> None:
        failed = next((each for each in results if each.status == ExecStatus.FATAL_ERROR), None)
        if failed is None:
            return
        error = error_of(failed, driver)
        if isinstance(error, errors.InvalidSqlStatementName):  # somebody has deallocated them
            self._prepared.clear()
        raise error


def begin(connection: Connection) -> None:
    """At once, for who does not begin with `one_trip`."""
    driver = _driver_of(connection)
    driver.execute(BEGIN if isinstance(driver, psycopg.Connection) else BEGIN_ON_SQLITE)


@contextmanager
def one_trip(connection: Connection, *, commits: bool = False) -> Iterator[None]:
    """What is executed on the connection's `cursor_of` in here is sent together, at the end, and may fail then.

    It begins the transaction if none is under way. What fails is followed by nothing, least of all the COMMIT.
    """
    driver = _driver_of(connection)
    if not isinstance(driver, psycopg.Connection):
        if not driver.in_transaction:
            driver.execute(BEGIN_ON_SQLITE)
        yield
        return
    trip = connection.info[_TRIP] = Trip(connection.info.setdefault(_PREPARED, {}))
    try:
        if driver.pgconn.transaction_status == TransactionStatus.IDLE:
            trip.execute(BEGIN, {})
        yield
        if commits:
            trip.execute("COMMIT", {})
    finally:
        del connection.info[_TRIP]
    trip.go(driver)


def cursor_of(connection: Connection) -> Cursor:
    """The trip that is being made up, or what asks at once."""
    known: Cursor | None = connection.info.get(_TRIP) or connection.info.get(_DIRECT)
    if known is not None:
        return known
    driver = _driver_of(connection)
    direct = connection.info[_DIRECT] = Direct(driver) if isinstance(driver, psycopg.Connection) else driver
    return direct


def _driver_of(connection: Connection) -> psycopg.Connection | sqlite3.Connection:
    return cast(psycopg.Connection | sqlite3.Connection, connection.connection.driver_connection)


def _results(pgconn: PGconn, number: int) -> PQGen[list[PGresult]]:
    """Of so many commands, and of the end that follows them."""
    yield from generators.send(pgconn)
    results: list[PGresult] = []
    for _ in range(number + 1):
        results += yield from generators.fetch_many(pgconn)
    pgconn.exit_pipeline_mode()
    return results


def _give(
    driver: psycopg.Connection[Any], sent: Sequence[_Answer | None], results: Sequence[PGresult]
) -> None:
    for answer, result in zip(sent, results, strict=False):
        if answer is not None:
            transformer = Transformer(driver)
            transformer.set_pgresult(result)
            answer.rows = transformer.load_rows(0, result.ntuples, tuple)
