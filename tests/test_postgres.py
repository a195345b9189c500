"""The tests' own PostgreSQL leaves nothing behind, however its runner ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from postgres import PostgresServer

RUNNER = """
from postgres import PostgresServer
server = PostgresServer()
server.start()
print(server.folder, server.port, server._process.pid, flush=True)
input()
"""


def test_a_killed_runner_takes_its_server_with_it():
    paths = os.pathsep.join(path for path in sys.path if path)
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    folder, port, pid = runner.stdout.readline().split()
    connection = psycopg.connect(host="127.0.0.1", port=port, user="postgres")
    runner.kill()
    runner.communicate()
    deadline = time.monotonic() + 30
    while Path(folder).exists():
        assert time.monotonic() < deadline, "the server outlived its runner"
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


def test_a_server_that_was_ended_in_order_has_no_last_will():
    server = PostgresServer()
    server.start()
    executor = server._executor
    server.stop()
    assert executor.returncode == 0
    assert server.folder.exists()
    server.start()
    server.remove()
    assert not server.folder.exists()
