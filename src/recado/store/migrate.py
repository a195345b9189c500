"""Bringing a database to this version's schema, whole or not at all, under the database's write lock."""

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from recado.errors import ConfigError
from recado.store.database import Database


def upgrade(database: Database) -> None:
    """Run the missing migrations in one transaction; two processes starting at once run them once.

    Raises ConfigError if the database is of a newer version.
    """
    current = database.read_now(_revision)
    scripts = ScriptDirectory.from_config(_settings(None))
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigError("RECADO_DATABASE_URL: the database is of a newer version of Recado")
    database.write_now(lambda connection: command.upgrade(_settings(connection), "head"))


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _settings(connection: Connection | None) -> AlembicConfig:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    settings.attributes["connection"] = connection
    return settings
