"""Fixtures of REST's tests: `service` is the whole of it; `serve` starts one with other settings."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import structlog

from recado.app.passwords import Passwords
from rest.service import PASSWORD, Capture, Service, cheap_passwords, filled, serving


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    passwords = cheap_passwords()
    yield passwords
    passwords.close()


@pytest.fixture(scope="session")
def password_hash(passwords) -> str:
    return passwords.hash(PASSWORD)


@pytest.fixture
async def serve(database_url, passwords, password_hash, tmp_path) -> AsyncIterator[Callable]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(*, webapp=tmp_path / "no-webapp", **options) -> Service:
            database = filled(database_url, password_hash)
            return await stack.enter_async_context(serving(database, passwords, webapp=webapp, **options))

        yield start


@pytest.fixture
def capture() -> Iterator[Capture]:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        yield Capture(lines)


@pytest.fixture
async def service(serve) -> Service:
    return await serve()
