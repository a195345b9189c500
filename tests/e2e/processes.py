"""The real programs, as processes on loopback: a Recado with its own database, and a stand-in of the providers.

They know nothing of each other but addresses, so a test may kill one and start it again on the same port and files.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

RECADO = str(Path(sys.executable).with_name("recado"))
DEADLINE_S = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(question: Callable[[], object], what: str, deadline_s: float = DEADLINE_S):
    """The first true answer to a question asked again and again; fails after the deadline."""
    end = time.monotonic() + deadline_s
    while not (answer := question()):
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.02)
    return answer


def clean_environment(**settings: str) -> dict[str, str]:
    """This environment without settings of whoever runs the tests, and with these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECADO_")}
    return inherited | {f"RECADO_{name}": value for name, value in settings.items()}


class Program:
    """One `recado` process; `{port}` in an argument or setting is its own. Its output is kept across restarts."""

    def __init__(self, folder: Path, name: str, *arguments: str, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        self.arguments = [argument.format(port=self.port) for argument in arguments]
        self.environment = clean_environment(
            **{name: value.format(port=self.port) for name, value in settings.items()}
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, ready_at: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [RECADO, *self.arguments],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group, so that a test can ask what is left of it
            )
        eventually(lambda: self._answers(ready_at), f"{self.url}{ready_at} answers")

    def _answers(self, path: str) -> bool:
        assert self.process.poll() is None, f"ended by itself:\n{self.log.read_text()}"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(self.url + path).is_success
        return False

    def kill(self) -> None:
        """As a power cut would: no chance to finish anything."""
        self.process.kill()
        self.process.wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """As an operator would, or with SIGINT as Ctrl-C does; its exit code."""
        self.process.send_signal(how)
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    @property
    def left_something_running(self) -> bool:
        """True if a process that it started has outlived it."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


class StandIn(Program):
    """Takes what replies send to the providers and tells what it took."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "standin", "standin", "--port", "{port}")

    def start(self) -> None:
        super().start("/messages")

    def messages(self) -> list[dict]:
        """Accepted messages, oldest first; a repeated idempotency key makes no second one."""
        return httpx.get(self.url + "/messages").raise_for_status().json()["items"]

    def bodies(self) -> list[str]:
        return [message["body"] for message in self.messages()]


class Server(Program):
    """`recado serve` with the demo's clinics, on a SQLite file of its own unless another database is given."""

    def __init__(
        self, folder: Path, standin: StandIn, database_url: str | None = None, **settings: str
    ) -> None:
        self.database = folder / "recado.db"
        self.standin = standin
        super().__init__(
            folder,
            "server",
            "serve",
            PORT="{port}",
            SECRET="only-for-this-test-and-long-enough-to-be-one",
            DATABASE_URL=database_url or f"sqlite:///{self.database}",
            STANDIN_URL=standin.url,
            **{"LOG_LEVEL": "debug", "LOG_FORMAT": "json"} | settings,
        )
        self.demo = json.loads(self.run("demo", "--json"))

    def start(self) -> None:
        super().start("/readyz")

    def run(self, *arguments: str) -> str:
        """What another `recado` command prints, with the same settings."""
        done = subprocess.run(
            [RECADO, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"recado {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def members(self, clinic_id: int) -> list[dict]:
        return [member for member in self.demo["members"] if member["clinicId"] == clinic_id]

    def channel(self, clinic_id: int, kind: str) -> dict:
        return next(
            channel
            for channel in self.demo["channels"]
            if channel["clinicId"] == clinic_id and channel["kind"] == kind
        )

    def clinic_ids(self) -> list[int]:
        return sorted({member["clinicId"] for member in self.demo["members"]})

    def api(self, member: dict) -> httpx.Client:
        """An HTTP client with this member's bearer token."""
        login = {"email": member["email"], "password": member["password"]}
        token = httpx.post(f"{self.url}/api/v1/auth/login", json=login).raise_for_status().json()["token"]
        return httpx.Client(base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {token}"})


@contextlib.contextmanager
def shared_server(folder: Path, **settings: str) -> Iterator[Server]:
    """One server for a module's tests, each with patients of its own: starting one takes seconds."""
    standin = StandIn(folder)
    standin.start()
    server = Server(folder, standin, **settings)
    server.start()
    yield server
    assert server.stop() == 0
    standin.stop()
    assert "Traceback" not in server.log.read_text()
