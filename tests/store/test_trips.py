"""Statements that travel together to PostgreSQL arrive as if they had come one by one, whatever befalls them."""

import asyncio

import psycopg
import pytest
from sqlalchemy import select

from recado.domain.decide import MAX_BODY_CHARS
from recado.store.bulk import insert_rows
from recado.store.tables import command_keys
from recado.store.trips import cursor_of, one_trip

pytestmark = pytest.mark.only("postgresql")


def key(name):
    return {"scope": "trip", "key": name, "purpose": "test", "clinic_id": 1}


def stored_keys(database):
    query = select(command_keys.c.key).where(command_keys.c.scope == "trip").order_by(command_keys.c.key)
    return database.read_now(lambda connection: connection.execute(query).scalars().all())


def test_what_stands_behind_a_failed_statement_is_not_carried_out_and_its_error_is_raised(stock):
    def work(connection):
        with one_trip(connection):
            insert_rows(connection, command_keys, [key("before")])
            insert_rows(connection, command_keys, [key("twice"), key("twice")])
            cursor_of(connection).execute("COMMIT", {})

    with pytest.raises(psycopg.errors.UniqueViolation):
        stock.database.write_now(work)
    assert stored_keys(stock.database) == []


def test_a_connection_whose_first_trip_failed_takes_the_next_one(stock):
    def fail(connection):
        with one_trip(connection):
            insert_rows(connection, command_keys, [key("twice"), key("twice")])

    def succeed(connection):
        with one_trip(connection):
            insert_rows(connection, command_keys, [key("a")])
            insert_rows(connection, command_keys, [key("b")])

    for _ in range(2):
        with pytest.raises(psycopg.errors.UniqueViolation):
            stock.database.write_now(fail)
    stock.database.write_now(succeed)
    assert stored_keys(stock.database) == ["a", "b"]


def test_nothing_is_sent_of_a_trip_that_is_not_made_up(stock):
    def work(connection):
        with one_trip(connection, commits=True):
            insert_rows(connection, command_keys, [key("a")])
            raise LookupError

    with pytest.raises(LookupError):
        stock.database.write_now(work)
    assert stored_keys(stock.database) == []


def test_rows_come_in_the_order_of_the_statements_and_of_their_parameters(stock):
    def work(connection):
        with one_trip(connection):
            cursor = cursor_of(connection)
            text = cursor.execute(
                "SELECT %(b)s::text, %(a)s::text, 'a%%b', %(b)s::text", {"a": "1", "b": "é"}
            )
            nothing = cursor.execute("SELECT 1 WHERE %(no)s::boolean", {"no": False})
            number = cursor.execute("SELECT %(n)s::bigint, %(null)s::int", {"n": 2**40, "null": None})
        return [list(each.fetchall()) for each in (text, nothing, number)]

    assert stock.database.write_now(work) == [[("é", "1", "a%b", "é")], [], [(2**40, None)]]


def test_rows_cannot_be_had_before_the_trip_is_over(stock):
    def work(connection):
        with one_trip(connection), pytest.raises(LookupError):
            cursor_of(connection).execute("SELECT 1", {}).fetchall()

    stock.database.write_now(work)


async def test_who_takes_our_prepared_statements_away_costs_nobody_an_answer(writing):
    await writing.writer.execute(writing.inbound())
    await writing.database.write(lambda connection: connection.exec_driver_sql("DEALLOCATE ALL"))
    again = await asyncio.gather(*(writing.writer.execute(writing.inbound()) for _ in range(3)))
    assert [each.seq for each in again] == [2, 3, 4]


async def test_more_than_a_socket_holds_travels_in_one_trip(writing):
    bodies = [f"{number} " + "é" * (MAX_BODY_CHARS - 10) for number in range(256)]
    commands = [writing.inbound(body=body) for body in bodies]
    outcomes = await asyncio.gather(*(writing.writer.execute(command) for command in commands))
    assert [each.message.body for each in outcomes] == bodies
    assert len(writing.committed) == 1
