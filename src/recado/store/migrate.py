"""Bringing a database to this version's schema, whole or not at all, under a lock of the database's."""

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from recado import observe
from recado.errors import ConfigError, UnavailableError
from recado.store.database import Database

LOCK = 0x5245_4341_444F
"""The number of our advisory lock in a PostgreSQL database: "RECADO"."""


def upgrade(database: Database) -> None:
    """Run the missing migrations in one transaction; two processes starting at once run them once.

    Raises ConfigError if the database is of a newer version, does not answer, is none of ours, or refuses.
    """
    if is_missing(database):
        try:
            database.write_now(_upgrade)
        except (UnavailableError, DBAPIError) as error:
            raise _refused(error) from None


def is_missing(database: Database) -> bool:
    """Whether `upgrade` would do something. Raises ConfigError as it does."""
    current = revision(database)
    if current is not None and not is_known(current):
        raise ConfigError("RECADO_DATABASE_URL: the database is of a newer version of Recado")
    return current != _scripts().get_current_head()


def revision(database: Database) -> str | None:
    """The last migration that was run; None if there was none. Makes no file. Raises ConfigError as `upgrade` does."""
    if not database.exists():
        return None
    try:
        return database.read_now(
            lambda connection: MigrationContext.configure(connection).get_current_revision()
        )
    except UnavailableError as error:
        told = f"RECADO_DATABASE_URL: the database does not answer ({observe.reason(error)})"
        raise ConfigError(told) from None
    except DBAPIError as error:
        raise _refused(error) from None


def is_known(revision: str) -> bool:
    """Whether this version has that migration; what a newer one has run it does not know."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def _refused(error: Exception) -> ConfigError:
    return ConfigError(f"RECADO_DATABASE_URL: the database refuses ({observe.reason(error)})")


def _upgrade(connection: Connection, revision: str = "head") -> None:
    """On SQLite the transaction has the lock already; on PostgreSQL it ends with the transaction, however that ends."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    command.upgrade(_settings(connection), revision)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_settings(None))


def _settings(connection: Connection | None) -> AlembicConfig:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    settings.attributes["connection"] = connection
    return settings
