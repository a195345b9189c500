"""Which of a transaction's statements travel together to PostgreSQL, BEGIN and COMMIT among them.

A trip is two changes of process, however little it carries. SQLite is no trip away: there SQLAlchemy begins and
commits. docs/store.md, "What it promises".
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Sees what was committed until it got the clinics' lock."""


def begin(connection: Connection) -> None:
    """At once, for who does not begin with `one_trip`."""
    driver = connection.connection.driver_connection
    if isinstance(driver, psycopg.Connection):
        driver.execute(BEGIN)


@contextmanager
def one_trip(connection: Connection, *, begins: bool = False, commits: bool = False) -> Iterator[None]:
    """What is executed in here is sent together, at the end; then its rows are there, and its errors are raised.

    It must go to the driver's cursor, or give no rows. What fails is followed by nothing, least of all the COMMIT.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        yield
        return
    with _gathered(driver):
        if begins:
            driver.execute(BEGIN)
        yield
        if commits:
            driver.execute("COMMIT")


@contextmanager
def _gathered(driver: psycopg.Connection[Any]) -> Iterator[None]:
    """A pipeline that is silent until it ends.

    psycopg's own sends each statement by itself, which wakes the server for each: a batch of one message takes 25 %
    more time of both processors so.
    """
    with driver.pipeline() as pipeline:
        communicate = pipeline._communicate_gen  # noqa: SLF001 - there is no public way to hold it back

        def wait() -> Generator[Any, Any, None]:
            yield from ()

        def send_all() -> Generator[Any, Any, None]:
            while pipeline.command_queue:
                pipeline.command_queue.popleft()()
            yield from communicate()

        pipeline._communicate_gen = wait  # type: ignore[method-assign]  # noqa: SLF001 - the same
        try:
            yield
        finally:
            pipeline._communicate_gen = send_all  # type: ignore[method-assign]  # noqa: SLF001 - the same
