"""PostgreSQL as the store uses it: how connections are opened, and what a transaction is.

Connect directly or through a pooler in session mode: settings and LISTEN belong to a connection (docs/store.md).
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine

from recado.errors import ConfigError, UnavailableError

CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_S = 5
SILENCE_S = 15
"""A server that says nothing for this long is gone: the network may have lost it without a word."""
PREPARED_AFTER = 12
"""Times: psycopg prepares the 6th, and PostgreSQL plans five more before it keeps a plan."""

SERVING_LOCK = "hashtext('recado_log')"
"""The advisory lock that all who serve a database share (feed/postgres_broker.py)."""

_SETTINGS = {
    "synchronous_commit": "on",  # whatever the role or the database was given
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": "60s",
    "client_min_messages": "warning",
    "jit": "off",  # our statements are short; compiling one takes longer than it runs
    # Every query of ours goes by an index, row by row. A plan made while a table was small would be kept when it is
    # large; then a hash of all its rows was made for every batch.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "random_page_cost": "1.1",
}


def arguments(url: URL) -> dict[str, Any]:
    """What psycopg's `connect` takes, for a connection outside the engines' pool."""
    parts = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    given = {name: value for name, value in parts.items() if value is not None}
    return {**given, **url.query, **_connection_settings(url)}


def open_postgres(url: URL, connections: int) -> tuple[Engine, Engine, Engine]:
    """Engines to read, to write, and to write with explicit BEGIN and COMMIT (trips.py); they share one pool.

    A read is one snapshot (REPEATABLE READ), so that a page and its seq belong together. A write is READ COMMITTED:
    it sees what was committed until it got the clinics' lock. Neither blocks the other.
    """
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_size=connections,
        max_overflow=2,
        isolation_level="READ COMMITTED",
        connect_args=_connection_settings(url),
    )
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return reading, engine, engine.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def alone_on_postgres(arguments: Mapping[str, Any]) -> Iterator[None]:
    """Nobody serves the database meanwhile. Raises ConfigError if somebody does."""
    try:
        connection = psycopg.connect(**arguments, autocommit=True)
    except psycopg.OperationalError as error:
        raise UnavailableError from error
    with closing(connection):
        [(alone,)] = connection.execute(f"SELECT pg_try_advisory_lock({SERVING_LOCK})").fetchall()
        if not alone:
            raise ConfigError("RECADO_DATABASE_URL: a `recado serve` has this database open")
        yield


def _connection_settings(url: URL) -> dict[str, Any]:
    ours = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    theirs = url.query.get("options", "")
    return {
        "application_name": url.query.get("application_name", "recado"),
        "connect_timeout": CONNECT_TIMEOUT_S,
        "keepalives_idle": SILENCE_S,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": SILENCE_S * 1000,
        "options": f"{theirs} {ours}".strip(),
    }
