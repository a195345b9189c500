"""A real Redis for tests: started by them on a free port, and theirs to stop, kill, freeze and start again empty.

It keeps nothing on disk. A watcher ends it when the tests' process dies.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import time

import redis
from prepare import MISSING_REDIS

START_LIMIT_S = 30

WATCH = """
read -r _
kill -KILL "$1" 2>/dev/null
"""
"""Reads until the pipe ends, which is when its owner has ended it, or died."""


class RedisServer:
    def __init__(self, *options: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError(MISSING_REDIS)
        self._program = program
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Return when it answers. It is empty."""
        settings = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(
            [self._program, *settings, *self._options], cwd="/", start_new_session=True, **quiet
        )
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCH, "watch", str(self._process.pid)],
            start_new_session=True,
            **{**quiet, "stdin": subprocess.PIPE},
        )
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.01)

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, protocol=2)

    def freeze(self) -> None:
        """It says nothing more, and its connections stay."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a crash does; what it had is gone."""
        self._process.kill()
        self._process.wait(START_LIMIT_S)
        self._process = None
        self._watcher.communicate(timeout=START_LIMIT_S)
        self._watcher = None

    def remove(self) -> None:
        if self._process is not None:
            self.kill()

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return client.ping()
        return False
