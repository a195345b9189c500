"""Statements that libpq sends alone give what psycopg would have given, in the transaction it would have begun."""

import psycopg
import pytest
from sqlalchemy import text

from recado.errors import UnavailableError
from recado.store.libpq import MAX_PREPARED
from recado.store.trips import cursor_of

pytestmark = pytest.mark.only("postgresql")

PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'recado_direct%%'"


def ask(connection, statement, **parameters):
    return list(cursor_of(connection).execute(statement, parameters).fetchall())


def driver_of(connection):
    return connection.connection.driver_connection


def test_values_come_as_psycopg_gives_them(stock):
    statement = "SELECT 1, 'João', NULL, true, 2::bigint, %(given)s::text, %(nothing)s::integer"

    def work(connection):
        given = {"given": "50 % d'água", "nothing": None}
        assert ask(connection, statement, **given) == [
            tuple(driver_of(connection).execute(statement, given).fetchone())
        ]

    stock.database.read_now(work)


def test_a_read_begins_the_snapshot_that_it_is_promised(stock):
    def work(connection):
        [[level]] = ask(connection, "SHOW transaction_isolation")
        [[read_only]] = ask(connection, "SHOW transaction_read_only")
        begun = connection.execute(text("SELECT now()")).scalar_one()
        [[same]] = ask(connection, "SELECT now()")
        assert (level, read_only, same) == ("repeatable read", "on", begun)

    stock.database.read_now(work)


def test_a_write_is_begun_as_one_on_a_connection_that_has_read(stock):
    def level_of(connection):
        [[level]] = ask(connection, "SHOW transaction_isolation")
        [[read_only]] = ask(connection, "SHOW transaction_read_only")
        return level, read_only

    for _ in range(2):  # they take the one connection of the pool in turns
        assert stock.database.read_now(level_of) == ("repeatable read", "on")
        assert stock.database.write_now(level_of) == ("read committed", "off")


def test_statements_that_are_not_asked_any_more_are_given_up(stock):
    def work(connection):
        for number in range(2 * MAX_PREPARED):
            assert ask(connection, f"SELECT {number}") == [(number,)]
            assert ask(connection, "SELECT 'often'") == [("often",)]
        assert driver_of(connection).execute(PREPARED).fetchone() == (MAX_PREPARED,)
        [[number]] = ask(
            connection, "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 0'"
        )
        assert number == 0

    stock.database.read_now(work)


def test_a_connection_whose_statements_somebody_gave_up_prepares_them_anew(stock):
    def fail(connection):
        ask(connection, "SELECT 7")
        driver_of(connection).execute("DEALLOCATE ALL")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            ask(connection, "SELECT 7")
        driver_of(connection).rollback()
        assert ask(connection, "SELECT 7") == [(7,)]

    stock.database.read_now(fail)


async def test_a_read_that_fails_harms_no_later_one(stock):
    """psycopg, which prepares what it is asked six times, gives up all of a connection's statements at a rollback."""

    def work(connection, by):
        connection.execute(text("SELECT 1"))
        return ask(connection, "SELECT 6 / %(by)s::integer", by=by)

    for _ in range(3):
        for by in (1, 2, 3, 1, 2, 3, 1):
            assert await stock.database.read(lambda c, by=by: work(c, by)) == [(6 // by,)]
        with pytest.raises(psycopg.errors.DivisionByZero):
            await stock.database.read(lambda c: work(c, 0))


def test_a_read_of_the_command_line_harms_no_later_one(stock):
    def write(connection):
        return [connection.execute(text("SELECT 1")) for _ in range(12)]

    for _ in range(3):  # they take the one connection of the pool in turns
        stock.database.write_now(write)
        for _ in range(2):
            assert stock.database.read_now(lambda connection: ask(connection, "SELECT 2")) == [(2,)]


def test_what_the_server_refuses_is_raised_as_it_says(stock):
    def work(connection):
        with pytest.raises(psycopg.errors.DivisionByZero):
            ask(connection, "SELECT 1 / %(by)s::integer", by=0)

    stock.database.read_now(work)


def test_a_connection_that_is_lost_says_unavailable(stock):
    def work(connection):
        [[pid]] = ask(connection, "SELECT pg_backend_pid()")
        with psycopg.connect(
            host=stock.database.url.host, port=stock.database.url.port, user="postgres"
        ) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        ask(connection, "SELECT 1")

    with pytest.raises(UnavailableError):
        stock.database.read_now(work)
    assert stock.database.read_now(lambda connection: ask(connection, "SELECT 1")) == [(1,)]
