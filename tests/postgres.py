"""A real PostgreSQL for tests: started by them, with folders of its own, and theirs to stop, kill and start again.

None outlives the tests, not even when their runner is killed: a shell waits for that, and ends what it left.

PostgreSQL refuses to run as root; then the user `postgres` runs it, in a folder that this user owns.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from prepare import MISSING_POSTGRES, postgres_programs
from psycopg import sql

START_LIMIT_S = 60
ROLE = "recado"
"""Owns the tests' databases and is no superuser, as in a clinic's own installation."""

LAST_WILL = """
read -r ended && exit
kill -QUIT "$1"
while kill -0 "$1"; do sleep 0.1; done
rm -r "$2"
"""
"""Reads the word that the server was ended in order; no word, but the end of the pipe, is the runner's death."""


class PostgresServer:
    """`durable=False` leaves out fsync: a killed process loses nothing by that, only a machine without power does.

    `of`: it is a standby of that server, which runs, and has all that was committed there until now.
    """

    def __init__(self, *, durable: bool = False, of: "PostgresServer | None" = None) -> None:
        programs = postgres_programs()
        if programs is None:
            raise RuntimeError(MISSING_POSTGRES)
        # A link to it may lie on the PATH, without the others.
        self._programs = (programs / "initdb").resolve().parent
        self._durable = durable
        self._names = itertools.count(1)
        self._user = _other_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._executor: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.folder = Path(tempfile.mkdtemp(prefix="recado-postgres-"))
        if self._user:
            shutil.chown(self.folder, self._user)
        if of is None:
            options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"]
            # Not C: a query that needs the order of bytes must say so.
            locale = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=pt-BR"]
            self._run("initdb", "--pgdata", self.folder / "data", *options, *locale)
        else:
            source = ["--host=127.0.0.1", f"--port={of.port}", "--username=postgres"]
            options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
            self._run("pg_basebackup", "--pgdata", self.folder / "data", *source, *options)

    def start(self) -> None:
        """Return when it answers."""
        self.port = self.port or _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            "max_connections": 100,
            "shared_buffers": "64MB",
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self.folder / "data"),
                    *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._identity,
            )
        self._executor = subprocess.Popen(
            ["sh", "-c", LAST_WILL, "last-will", str(self._process.pid), self.folder],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self._identity,
        )
        self._wait_until_it_answers()
        with self.connect() as connection:
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).fetchall():
                connection.execute(f"CREATE ROLE {ROLE} LOGIN")

    def stop(self) -> None:
        """In order, but without waiting for clients to leave."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a crash does: every process of the server at once. None is left: it would keep their memory."""
        os.kill(self._process.pid, signal.SIGSTOP)  # it starts no other
        pids = self._children()
        _signal(pids, signal.SIGKILL)
        self._end(signal.SIGKILL)
        deadline = time.monotonic() + START_LIMIT_S
        while any(map(_runs, pids)):
            assert time.monotonic() < deadline, "killed, and still there"
            time.sleep(0.01)

    def freeze(self) -> None:
        """It says nothing more, and its connections stay."""
        os.kill(self._process.pid, signal.SIGSTOP)
        _signal(self._children(), signal.SIGSTOP)

    def thaw(self) -> None:
        _signal(self._children(), signal.SIGCONT)
        os.kill(self._process.pid, signal.SIGCONT)

    def has_all_of(self, primary: "PostgresServer") -> bool:
        """Whether this standby knows everything that its primary has written."""
        with primary.connect() as there, self.connect() as here:
            [[end]] = there.execute("SELECT pg_current_wal_lsn()").fetchall()
            [[known]] = here.execute("SELECT pg_last_wal_replay_lsn() >= %s", [end]).fetchall()
        return known

    def promote(self) -> None:
        """Return when the standby takes writes, as a primary of its own."""
        with self.connect() as connection:
            [[promoted]] = connection.execute(
                "SELECT pg_promote(wait_seconds => %s)", [START_LIMIT_S]
            ).fetchall()
        assert promoted

    def remove(self) -> None:
        """Stop it and delete all it had."""
        if self._process is not None:
            self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """As superuser, every statement by itself."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True
        )

    def create_database(self, template: str = "template0") -> str:
        """A fresh database's URL, as RECADO_DATABASE_URL takes it."""
        name = f"recado_{next(self._names)}"
        parts = {
            "name": sql.Identifier(name),
            "template": sql.Identifier(template),
            "owner": sql.Identifier(ROLE),
        }
        with self.connect() as connection:
            command = sql.SQL("CREATE DATABASE {name} TEMPLATE {template} OWNER {owner}")
            connection.execute(command.format(**parts))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Also while somebody is connected."""
        name = sql.Identifier(url.rpartition("/")[2])
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def url(self, name: str) -> str:
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{name}"

    def _children(self) -> list[str]:
        postmaster = self._process.pid
        return Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()

    @property
    def _identity(self):
        return {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}

    def _run(self, program: str, *arguments) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self._identity,
        )
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}\n{done.stdout}")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                self.connect().close()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{log[-4000:]}")
            time.sleep(0.02)

    def _end(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)
        self._process.wait(START_LIMIT_S)
        self._process = None
        self._executor.communicate(b"ended\n", START_LIMIT_S)
        self._executor = None


@contextlib.contextmanager
def running_server(**options):
    """It is gone afterwards. Who freezes it thaws it again."""
    server = PostgresServer(**options)
    server.start()
    yield server
    server.remove()


def _other_user() -> str | None:
    """Who runs the server in our place, if we are root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise RuntimeError("PostgreSQL refuses to run as root, and there is no user postgres") from None


def _signal(pids: list[str], sign: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), sign)


def _runs(pid: str) -> bool:
    """Not gone, nor waiting for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
