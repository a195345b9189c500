"""Fixtures of REST's tests: `service` is the whole of it; `serve` starts one with other settings."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from recado.app.passwords import Passwords
from rest.service import Capture, Service, cheap_passwords, make_template, serving


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    passwords = cheap_passwords()
    yield passwords
    passwords.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory, passwords) -> Path:
    path = tmp_path_factory.mktemp("template") / "recado.db"
    make_template(path, passwords)
    return path


@pytest.fixture
async def serve(template, passwords, tmp_path) -> AsyncIterator[Callable]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(**options) -> Service:
            return await stack.enter_async_context(serving(template, tmp_path, passwords, **options))

        yield start


@pytest.fixture
def capture() -> Iterator[Capture]:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        yield Capture(lines)


@pytest.fixture
async def service(serve) -> Service:
    return await serve()
