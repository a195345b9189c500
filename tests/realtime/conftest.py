"""Fixtures of the real-time tests: the product's loop, and `serve`, which starts an echo server."""

import contextlib

import pytest
import uvloop

from realtime.echo import serving


def pytest_asyncio_loop_factories():
    """The loop that `recado serve` runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def serve():
    async with contextlib.AsyncExitStack() as stack:

        async def start(**options):
            return await stack.enter_async_context(serving(**options))

        yield start


@pytest.fixture
async def echo(serve):
    return await serve()
