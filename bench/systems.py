"""The servers under load: each is started on one core with a fresh database, told its clinics, and counted after."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from load import Place
from recado.app.passwords import Passwords
from recado.domain.accounts import Channel
from recado.domain.commands import ReceiveMessage
from recado.domain.values import ClinicId
from recado.server import SOURCES
from recado.store import accounts
from recado.store.batch import carry_out
from recado.store.database import Database
from recado.store.inbox import heads
from recado.store.migrate import upgrade
from webhooks import SECRET as CHANNEL_SECRET
from webhooks import Door

SERVER_CORE, LOAD_CORE = 0, 1
START_LIMIT_S = 30.0
PASSWORD = "only-for-the-bench"  # noqa: S105 - of members that live as long as the bench
SECRET = "only-for-the-bench-and-long-enough-to-be-one"  # noqa: S105 - the same
ROOT = Path(__file__).parents[1]
PEER = Path(__file__).with_name("peers") / "socketio_sqlalchemy.py"


class Recado:
    """`recado serve`. On SQLite: WAL, synchronous=FULL."""

    name = "Recado"

    def __init__(self, url: str) -> None:
        self._url = url
        self.port = free_port()
        self.process: subprocess.Popen[bytes]
        self.settings: dict[str, str] = {}
        """Beside those that every bench has."""
        self.doors: dict[Place, Door] = {}
        """Of every place's patient."""
        self._members = 0

    def fill(self, clinics: int, conversations: int, members: int) -> list[Place]:
        """Through the store, not through the door: every member may enter every clinic, and one password is hashed."""
        database = Database(self._url)
        upgrade(database)
        self._members = members
        passwords = Passwords()
        password_hash, now = passwords.hash(PASSWORD), SOURCES.now()
        passwords.close()
        staff = [SOURCES.new_id() for _ in range(members)]

        def work(connection: Any) -> list[Place]:
            clinic_ids = [
                accounts.add_clinic(connection, f"Clinic {number}", now) for number in range(clinics)
            ]
            for number, member_id in enumerate(staff):
                accounts.add_member(connection, member_id, _email(number), f"M{number}", password_hash, now)
                for clinic_id in clinic_ids:
                    accounts.add_membership(connection, member_id, clinic_id, "agent")
            channels = [
                Channel(
                    id=SOURCES.new_id(), clinic_id=clinic_id, kind="generic", name="C", secret=CHANNEL_SECRET
                )
                for clinic_id in clinic_ids
            ]
            for channel in channels:
                accounts.put_channel(connection, channel)
            greetings = [
                ReceiveMessage(
                    clinic_id=channel.clinic_id,
                    channel=channel.ref,
                    external_id=f"greeting-{number}",
                    contact_address=f"patient-{number}",
                    contact_name=f"Patient {number}",
                    body="Bom dia",
                    sent_at=now,
                )
                for number in range(conversations)
                for channel in [channels[number % clinics]]
            ]
            opened = carry_out(connection, greetings, SOURCES).outcomes
            places = [Place(each.conversation.clinic_id, each.conversation.id) for each in opened]
            doors = [Door(each.channel.id, each.contact_address) for each in greetings]
            self.doors = dict(zip(places, doors, strict=True))
            return places

        places = database.write_now(work)
        database.close()
        return places

    @contextlib.contextmanager
    def serving(self) -> Iterator[list[dict[str, Any]]]:
        """While it serves; gives each member's CONNECT auth."""
        settings = {
            "RECADO_PORT": str(self.port),
            "RECADO_DATABASE_URL": self._url,
            "RECADO_SECRET": SECRET,
            "RECADO_LOG_LEVEL": "warning",
            "RECADO_DRAIN_S": "0.1",
        }
        command = [str(Path(sys.executable).with_name("recado")), "serve"]
        with pinned(command, settings | self.settings) as process:
            self.process = process
            url = f"http://127.0.0.1:{self.port}"
            wait_until(lambda: httpx.get(f"{url}/readyz").is_success, process)
            logins = [
                httpx.post(f"{url}/api/v1/auth/login", json={"email": _email(number), "password": PASSWORD})
                for number in range(self._members)
            ]
            yield [
                {"token": login.raise_for_status().json()["token"], "client": "bench/0"} for login in logins
            ]

    def first_cursor(self, clinic_id: int) -> str:
        """Everything that ever happened in the clinic comes after it."""
        database = Database(self._url)
        try:
            head = database.read_now(lambda connection: heads(connection, [ClinicId(clinic_id)]))
        finally:
            database.close()
        return f"{str(head[ClinicId(clinic_id)].cursor).rpartition(':')[0]}:0"

    def stored(self) -> int:
        """Messages of members, and of patients after their greetings."""
        return _count(self._url, "SELECT count(*) FROM messages") - len(self.doors)


class Peer:
    """peers/socketio_sqlalchemy.py, with the same settings of the database."""

    name = "python-socketio + SQLAlchemy"

    def __init__(self, url: str) -> None:
        self._url = url
        self.port = free_port()
        self._members = 0
        self._places: list[Place] = []

    def fill(self, clinics: int, conversations: int, members: int) -> list[Place]:
        self._members = members
        self._places = [Place(number % clinics + 1, SOURCES.new_id()) for number in range(conversations)]
        return self._places

    @contextlib.contextmanager
    def serving(self) -> Iterator[list[dict[str, Any]]]:
        scheme, _, place = self._url.partition("://")
        url = f"{scheme}+{'aiosqlite' if scheme == 'sqlite' else 'asyncpg'}://{place}"
        command = [sys.executable, str(PEER), str(self.port), url]
        with pinned(command, {}, json.dumps(self._places)) as process:
            wait_until(lambda: httpx.get(f"http://127.0.0.1:{self.port}/").status_code == 404, process)
            yield [{"name": f"M{number}"} for number in range(self._members)]

    def stored(self) -> int:
        return _count(self._url, "SELECT count(*) FROM messages")


Server = Recado | Peer
SYSTEMS: Sequence[type[Server]] = (Recado, Peer)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _email(number: int) -> str:
    return f"m{number}@bench.example"


@contextlib.contextmanager
def pinned(command: list[str], settings: dict[str, str], said: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A server alone on its core, in the project's folder; ended when the block is left."""
    words = ["taskset", "--cpu-list", str(SERVER_CORE), *command]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECADO_")}
    process = subprocess.Popen(words, cwd=ROOT, env=inherited | settings, stdin=subprocess.PIPE)
    try:
        process.stdin.write(said.encode())
        process.stdin.close()
        yield process
    finally:
        process.terminate()
        process.wait(START_LIMIT_S)


def wait_until(answers: Any, process: subprocess.Popen[bytes]) -> None:
    """Raises RuntimeError if the server has not answered by then, or has ended."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        with contextlib.suppress(httpx.TransportError, OSError):
            if answers():
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.05)


def _count(url: str, query: str) -> int:
    database = Database(url)
    try:
        return int(database.read_now(lambda connection: connection.exec_driver_sql(query).scalar_one()))
    finally:
        database.close()
