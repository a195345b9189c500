"""Schemathesis finds nothing: the document says what the server does, for whatever fits it and whatever does not.

A real server with the demo's data, and the tool's own command with every check and phase, as anybody would run it.
Who logs out meanwhile hears 401 from then on, so that operation has a run of its own.
"""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from e2e.processes import clean_environment

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


@pytest.fixture
def token(server):
    admin = next(member for member in server.demo["members"] if member["role"] == "admin")
    body = {"email": admin["email"], "password": admin["password"]}
    return httpx.post(f"{server.url}/api/v1/auth/login", json=body).raise_for_status().json()["token"]


def examine(server, folder, *options, token=None):
    """Fails with the tool's own report."""
    authorization = ["--header", f"Authorization: Bearer {token}"] if token else []
    done = subprocess.run(
        [
            *(SCHEMATHESIS, "run", f"{server.url}/api/openapi.json", "--no-color", "--continue-on-failure"),
            *("--seed", "1", "--generation-database", "none"),
            *authorization,
            *options,
        ],
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "Traceback" not in server.log.read_text()


def test_a_member_finds_the_document_true(server, token, tmp_path):
    examine(server, tmp_path, "--exclude-operation-id", "logout", "--max-examples", "3", token=token)


def test_logging_out_is_as_documented(server, token, tmp_path):
    examine(server, tmp_path, "--include-operation-id", "logout", "--max-examples", "8", token=token)


def test_nobody_finds_the_document_true(server, tmp_path):
    examine(server, tmp_path, "--phases", "fuzzing", "--max-examples", "3")


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_member_finds_nothing_however_long_they_look(server, token, tmp_path):
    examine(server, tmp_path, "--exclude-operation-id", "logout", "--max-examples", "500", token=token)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nobody_finds_anything_however_long_they_look(server, tmp_path):
    examine(server, tmp_path, "--max-examples", "500")
