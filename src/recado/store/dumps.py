"""Copies of a PostgreSQL database by `pg_dump`, `pg_restore` and `psql`, which must be installed.

What they complain of is not told: it may quote a row.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, cast

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

from recado.errors import ConfigError

_BEGIN = b"""BEGIN;
DO $$
DECLARE each text;
BEGIN
    SET LOCAL client_min_messages = warning;
    FOREACH each IN ARRAY ARRAY(
        SELECT 'TABLE IF EXISTS ' || oid::regclass FROM pg_class WHERE relkind IN ('r', 'p')
            AND relnamespace = current_schema()::regnamespace AND pg_has_role(relowner, 'USAGE')
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
        UNION ALL
        SELECT 'ROUTINE IF EXISTS ' || oid::regprocedure FROM pg_proc
            WHERE pronamespace = current_schema()::regnamespace AND pg_has_role(proowner, 'USAGE')
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    ) LOOP EXECUTE 'DROP ' || each || ' CASCADE'; END LOOP;
END $$;
"""
"""`pg_restore --clean` leaves what the copy does not know, and fails where such a table refers to one that it knows."""


def write(url: URL, target: Path) -> None:
    with _running(["pg_dump", "--format=custom", f"--file={target}", _where(url)], url):
        pass


def revisions_in(dump: Path) -> Sequence[str]:
    """What the copy has in `alembic_version`."""
    with _running(["pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(dump)]) as read:
        told = _out_of(read).read().decode("utf-8", "replace")
    return re.findall(r"^COPY .*\n(.*)\n\\\.$", told, re.MULTILINE)


def put_in_place(url: URL, dump: Path) -> None:
    """In place of everything, in one transaction: whoever is killed meanwhile, its COMMIT does not come."""
    carry_out = ["psql", "--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", _where(url)]
    read_it = ["pg_restore", "--clean", "--if-exists", "--file=-", str(dump)]
    with (
        _running(read_it) as read,
        _running(carry_out, url) as put,
        suppress(BrokenPipeError),  # psql has failed, which `_running` tells
        _into(put) as script,
    ):
        script.write(_BEGIN)
        shutil.copyfileobj(_out_of(read), script)
        if read.wait() == 0:
            script.write(b"COMMIT;\n")


@contextmanager
def _running(command: Sequence[str], url: URL | None = None) -> Iterator[Popen[bytes]]:
    """Raises ConfigError unless it ends well. The password goes by the environment: arguments can be seen by all."""
    password = {} if url is None or url.password is None else {"PGPASSWORD": str(url.password)}
    try:
        process = Popen(  # noqa: S603 - our own words; the file's name is one argument, whatever is in it
            command, env=os.environ | password, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
    except FileNotFoundError:
        raise ConfigError(f"{command[0]}: not found; install PostgreSQL's client programs") from None
    with process:
        yield process
    if process.returncode:
        raise ConfigError(f"{command[0]}: failed with code {process.returncode}; the database is as it was")


def _into(process: Popen[bytes]) -> IO[bytes]:
    return cast(IO[bytes], process.stdin)


def _out_of(process: Popen[bytes]) -> IO[bytes]:
    return cast(IO[bytes], process.stdout)


def _where(url: URL) -> str:
    """The connection, with all that the address says of it but the password."""
    asked = {name: each if isinstance(each, str) else ",".join(each) for name, each in url.query.items()}
    parts = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database, **asked}
    return "--dbname=" + make_conninfo("", **parts)
