"""Many rows, one statement: however many rows there are, the database is asked once per call.

What is looked for is one JSON parameter, so that a statement's text, and with it its plan, never depends on how much
is asked. PostgreSQL gets the rows to write in the same way. 128 messages take 1.2 ms so, 0.2 ms of them on our own
processor; `unnest` with an array per column takes 2.7 and 1.8 ms, psycopg's executemany, a message per row, 3.4 and
2.2 ms. SQLite is in this process: its statement runs once per row, without a trip. Rows of one call are alike: Structs
of one kind, or with the same columns.
"""

import sqlite3
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import count
from operator import attrgetter, itemgetter
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Select,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql.psycopg import dialect as make_postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from recado.store.trips import Rows, cursor_of

Row = Struct | Mapping[str, Any]
"""By column. A Struct with its columns as fields is made and taken apart in a third of the time."""
_Verb = Literal["insert", "update"]
Statement = Select[Any] | Update | Delete

_encode = msgspec.json.Encoder().encode
_postgresql = make_postgresql()  # type: ignore[no-untyped-call]


class _Elements(FunctionElement[Any]):
    """A JSON text's elements, a row each, in a column `value`."""

    inherit_cache = True


@compiles(_Elements, "sqlite")
def _of_sqlite(elements: _Elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(elements.clauses, **options)})"


@compiles(_Elements, "postgresql")
def _of_postgresql(elements: _Elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(elements.clauses, **options)} AS json))"


def among(*columns: Column[Any]) -> ColumnElement[bool]:
    """The rows whose columns hold one of the tuples that the statement is executed with: `wanted(tuples)`."""
    place = columns[0] if len(columns) == 1 else tuple_(*columns)
    return place.in_(tuples_of(*columns))


def tuples_of(*columns: Column[Any]) -> Select[Any]:
    """The tuples that the statement is executed with, a row each, in columns named and typed as these."""
    element = _Elements(bindparam("wanted", type_=Text)).table_valued("value").c.value
    return select(
        *(
            cast(element.op("->>")(literal_column(str(position))), each.type).label(each.name)
            for position, each in enumerate(columns)
        )
    )


def wanted(tuples: Iterable[tuple[Any, ...]]) -> dict[str, str]:
    """The parameter of a statement with `among` or `tuples_of`, in an order that is always the same."""
    return {"wanted": _encode(sorted(tuples)).decode()}


def ask(connection: Connection, statement: Select[Any], tuples: Iterable[tuple[Any, ...]]) -> Rows:
    """A statement `among` these tuples; its rows are to be fetched, of integers and texts, as the driver gives them."""
    return execute(connection, statement, wanted(tuples))


def run(
    connection: Connection, statement: Select[Any], parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """The rows as the driver gives them."""
    return list(execute(connection, statement, parameters).fetchall())


def execute(connection: Connection, statement: Statement, parameters: Mapping[str, Any]) -> Rows:
    """`statement` is not made anew for each call: its text is remembered.

    Around SQLAlchemy: what it does for a statement takes 50 µs, and 100 more for thirty columns. It may become part of
    a trip (trips.py).
    """
    text, own = compiled(statement, connection.dialect)
    return cursor_of(connection).execute(text, {**own, **parameters})


@lru_cache(500)
def compiled(statement: Statement, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """With its parameters by their names, as both drivers take them, and the values that it brings itself."""
    make: Callable[..., Dialect] = type(dialect)
    form = {"sqlite": "named", "postgresql": "pyformat"}[dialect.name]
    made = statement.compile(dialect=make(paramstyle=form))
    return str(made), dict(made.params)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert in the order of the primary key.

    Two transactions that bring the same new keys then wait for each other one way round only: no dead-lock.
    """
    if rows:
        _carry_out(connection, "insert", table, sorted(rows, key=_key_getter(table, rows[0])))


def update_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Set every given column of the rows with these primary keys; of two with the same key the later counts."""
    if rows:
        key_of = _key_getter(table, rows[0])
        newest = {key_of(row): row for row in rows}
        _carry_out(connection, "update", table, list(newest.values()))


def _carry_out(connection: Connection, verb: _Verb, table: Table, rows: Sequence[Row]) -> None:
    """Around SQLAlchemy: what it does for a statement takes 20 µs, and a batch has eight."""
    columns = rows[0].__struct_fields__ if isinstance(rows[0], Struct) else tuple(rows[0])
    if connection.dialect.name == "postgresql":
        text = _for_postgresql(verb, table, columns)
        cursor_of(connection).execute(text, {"rows": _encode(rows).decode()})
        return
    values = _by_column(table, columns, rows)
    constants = tuple(map(_constant, values))
    given = [each for each, constant in zip(values, constants, strict=True) if constant is None]
    driver = typing.cast(sqlite3.Connection, cursor_of(connection))
    driver.executemany(_for_sqlite(verb, table, columns, constants), zip(*given, strict=True))


@cache
def _for_postgresql(verb: _Verb, table: Table, columns: tuple[str, ...]) -> str:
    names, key = ", ".join(columns), _key(table)
    types = ", ".join(f"{name} {table.c[name].type.compile(_postgresql)}" for name in columns)
    given = f"json_to_recordset(%(rows)s::json) AS new ({types})"
    if verb == "insert":
        return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {given}"  # noqa: S608 - our own tables' names
    changes = ", ".join(f"{name} = new.{name}" for name in columns if name not in key)
    place = " AND ".join(f"{table.name}.{name} = new.{name}" for name in key)
    return f"UPDATE {table.name} SET {changes} FROM {given} WHERE {place}"  # noqa: S608 - the same


@lru_cache(500)
def _for_sqlite(
    verb: _Verb, table: Table, columns: tuple[str, ...], constants: tuple[str | None, ...]
) -> str:
    numbers = count(1)
    places = {
        name: constant or f"?{next(numbers)}" for name, constant in zip(columns, constants, strict=True)
    }
    if verb == "insert":
        return f"INSERT INTO {table.name} ({', '.join(places)}) VALUES ({', '.join(places.values())})"  # noqa: S608 - our own tables' names
    key = _key(table)
    changes = ", ".join(f"{name} = {place}" for name, place in places.items() if name not in key)
    place = " AND ".join(f"{name} = {places[name]}" for name in key)
    return f"UPDATE {table.name} SET {changes} WHERE {place}"  # noqa: S608 - the same


def _by_column(table: Table, columns: tuple[str, ...], rows: Sequence[Any]) -> list[Sequence[Any]]:
    """Each column's values in all rows, documents as the texts that they are stored as."""
    if isinstance(rows[0], Struct):
        values: list[Sequence[Any]] = [*zip(*map(astuple, rows), strict=True)]
    else:
        values = [[row[name] for row in rows] for name in columns]
    for place in _documents(table, columns):
        values[place] = [_encode(document).decode() for document in values[place]]
    return values


def _constant(values: Sequence[Any]) -> str | None:
    """What is null, or the same truth, in all rows, as it stands in a statement.

    Python's driver asks each None and bool how it would be stored. That takes 0.3 µs, and a new message has nine.
    """
    first = values[0]
    if first is not None and first is not True and first is not False:
        return None
    if values.count(first) < len(values):
        return None
    return "NULL" if first is None else str(int(first))


def _key_getter(table: Table, row: Row) -> Callable[[Any], Any]:
    key = _key(table)
    return attrgetter(*key) if isinstance(row, Struct) else itemgetter(*key)


@cache
def _key(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key)


@cache
def _documents(table: Table, columns: tuple[str, ...]) -> tuple[int, ...]:
    """Which of the columns hold JSON."""
    return tuple(place for place, name in enumerate(columns) if isinstance(table.c[name].type, JSON))
