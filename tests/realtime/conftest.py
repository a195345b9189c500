"""Fixtures of the real-time tests: the product's loop, `serve`, which starts an echo server."""

import contextlib

import pytest
import uvloop

from realtime.echo import serving


def pytest_asyncio_loop_factories():
    """The loop that `recado serve` runs on."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_generate_tests(metafunc):
    """Both transports hold to one suite; `only_picows(reason)` says what ASGI servers cannot promise."""
    if "websocket" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only_picows")
        metafunc.parametrize("websocket", ["picows"] if only else ["picows", "asgi"], indirect=True)


@pytest.fixture
def websocket(request):
    return request.param


@pytest.fixture
async def serve(websocket):
    async with contextlib.AsyncExitStack() as stack:

        async def start(**options):
            options = {"websocket": websocket, **options}
            return await stack.enter_async_context(serving(**options))

        yield start


@pytest.fixture
async def echo(serve):
    return await serve()
