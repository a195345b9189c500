"""Many rows, one statement: however many rows there are, the database is asked once per call.

What is looked for is one JSON parameter, so that a statement's text, and with it its plan, never depends on how much
is asked. PostgreSQL gets the rows to write in the same way. 128 messages take 1.2 ms so, 0.2 ms of them on our own
processor; `unnest` with an array per column takes 2.7 and 1.8 ms, psycopg's executemany, a message per row, 3.4 and
2.2 ms. SQLite is in this process: its statement runs once per row, without a trip. Rows of one call have the same
columns.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
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

Row = dict[str, Any]
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


class _Statements(NamedTuple):
    """Of one table for rows with the same columns. An update finds its row by the primary key.

    They go around SQLAlchemy: what it does for a statement takes 20 µs, and a batch has eight.
    """

    insert: str
    update: str
    run: Callable[[Connection, str, Sequence[Row]], object]


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
        statements = _statements(connection, table, rows)
        ordered = sorted(rows, key=itemgetter(*_key(table)))
        statements.run(connection, statements.insert, ordered)


def update_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Set every given column of the rows with these primary keys; of two with the same key the later counts."""
    if rows:
        statements = _statements(connection, table, rows)
        key_of = itemgetter(*_key(table))
        newest = {key_of(row): row for row in rows}
        statements.run(connection, statements.update, list(newest.values()))


def _statements(connection: Connection, table: Table, rows: Sequence[Row]) -> _Statements:
    if connection.dialect.name == "postgresql":
        return _for_postgresql(table, tuple(rows[0]))
    return _for_sqlite(table, tuple(rows[0]), _constants(rows))


@cache
def _for_postgresql(table: Table, columns: tuple[str, ...]) -> _Statements:
    names, key = ", ".join(columns), _key(table)
    types = ", ".join(f"{name} {table.c[name].type.compile(_postgresql)}" for name in columns)
    given = f"json_to_recordset(%(rows)s::json) AS new ({types})"
    changes = ", ".join(f"{name} = new.{name}" for name in columns if name not in key)
    place = " AND ".join(f"{table.name}.{name} = new.{name}" for name in key)
    return _Statements(
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {given}",  # noqa: S608 - our own tables' names
        f"UPDATE {table.name} SET {changes} FROM {given} WHERE {place}",  # noqa: S608 - the same
        lambda connection, text, rows: cursor_of(connection).execute(text, {"rows": _encode(rows).decode()}),
    )


def _constants(rows: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """What is null, or the same truth, in all rows: its column, and as it stands in a statement.

    Python's driver asks each None and bool how it would be stored. That takes 0.3 µs, and a new message has nine.
    """
    return tuple(
        (name, "NULL" if value is None else str(int(value)))
        for name, value in rows[0].items()
        if (value is None or value is True or value is False) and all(row[name] is value for row in rows)
    )


@lru_cache(500)
def _for_sqlite(
    table: Table, columns: tuple[str, ...], constants: tuple[tuple[str, str], ...]
) -> _Statements:
    key = _key(table)
    documents = [name for name in columns if isinstance(table.c[name].type, JSON)]
    place_of = {name: literal for name, literal in constants if name not in documents}
    given = [name for name in columns if name not in place_of]
    place_of |= {name: f"?{number}" for number, name in enumerate(given, 1)}
    changes = ", ".join(f"{name} = {place_of[name]}" for name in columns if name not in key)
    place = " AND ".join(f"{name} = {place_of[name]}" for name in key)
    values_of = _tuple_of(given)

    def run(connection: Connection, text: str, rows: Sequence[Row]) -> None:
        for name in documents:
            rows = [row | {name: _encode(row[name]).decode()} for row in rows]
        connection.connection.cursor().executemany(text, [values_of(row) for row in rows])

    return _Statements(
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(map(place_of.__getitem__, columns))})",  # noqa: S608 - our own tables' names
        f"UPDATE {table.name} SET {changes} WHERE {place}",  # noqa: S608 - the same
        run,
    )


def _tuple_of(names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    """Of one name `itemgetter` gives no tuple."""
    values_of = itemgetter(*names)
    return values_of if len(names) > 1 else lambda row: (values_of(row),)


@cache
def _key(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key)
