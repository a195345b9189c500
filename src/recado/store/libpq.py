"""A statement sent to PostgreSQL by libpq itself, for a thread that has nothing to do until its rows are here.

psycopg's cursor asks the socket again for each 8 KiB that come, with the interpreter held; libpq waits for the whole
answer without it. A page of a list takes 130 instead of 190 µs of this process so, and a thread comes for the
interpreter once instead of four times. docs/store.md, "Reading".
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

import psycopg
from psycopg import IsolationLevel, errors
from psycopg.adapt import Transformer
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

MAX_PREPARED = 100
"""Of one connection: a plan takes its memory, and a list's statement has its limit and filter in its text."""


class Fetched:
    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    def fetchall(self) -> Sequence[tuple[Any, ...]]:
        return self._rows


class Direct:
    """A connection's. Each statement is prepared when it is first sent, and begins a transaction as psycopg would."""

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self._driver = driver
        self._prepared: OrderedDict[str, bytes] = OrderedDict()
        """Least recently used first."""
        self._names = count()
        self._transformer = Transformer(driver)

    def execute(self, text: str, parameters: Mapping[str, Any], /) -> Fetched:
        pgconn = self._driver.pgconn
        if pgconn.transaction_status == TransactionStatus.IDLE and not self._driver.autocommit:
            self._must(pgconn.exec_(_begin(self._driver.isolation_level, read_only=self._driver.read_only)))
        values: list[Any] = [encoded(parameters[name]) for name in numbered(text)[1]]
        result = pgconn.exec_prepared(self._name(text), values)
        self._must(result)
        self._transformer.set_pgresult(result)
        return Fetched(self._transformer.load_rows(0, result.ntuples, tuple))

    def _name(self, text: str) -> bytes:
        name = self._prepared.get(text)
        if name is not None:
            self._prepared.move_to_end(text)
            return name
        pgconn, name = self._driver.pgconn, b"recado_direct_%d" % next(self._names)
        if len(self._prepared) >= MAX_PREPARED:
            self._must(pgconn.exec_(b"DEALLOCATE " + self._prepared.popitem(last=False)[1]))
        self._must(pgconn.prepare(name, numbered(text)[0]))
        self._prepared[text] = name
        return name

    def _must(self, result: PGresult) -> None:
        if result.status != ExecStatus.FATAL_ERROR:
            return
        error = error_of(result, self._driver)
        if isinstance(error, errors.InvalidSqlStatementName):  # somebody has deallocated them
            self._prepared.clear()
        raise error


def error_of(result: PGresult, driver: psycopg.Connection[Any]) -> psycopg.Error:
    """Of a statement that failed. One without a code of the server's is libpq's own: the connection is lost."""
    if result.error_field(DiagnosticField.SQLSTATE) is None:
        return psycopg.OperationalError("the connection to the server was lost")
    return errors.error_from_result(result, encoding=driver.info.encoding)


@cache
def _begin(level: IsolationLevel | None, *, read_only: bool | None) -> bytes:
    """As psycopg, which we went around, would have done it."""
    words = ["BEGIN"]
    if level is not None:
        words += ["ISOLATION LEVEL", level.name.replace("_", " ")]
    if read_only is not None:
        words.append("READ ONLY" if read_only else "READ WRITE")
    return " ".join(words).encode()


@cache
def numbered(text: str) -> tuple[bytes, Sequence[str]]:
    """A text with %(named)s parameters as libpq takes it, and their names in its order."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    in_order = re.sub(r"%\((\w+)\)s", number, text).replace("%%", "%")
    return in_order.encode(), names


def encoded(value: object) -> bytes | None:
    """As PostgreSQL reads it. What is text here is JSON or an id: there is no zero byte in it, which would end it."""
    return None if value is None else str(value).encode()
