"""Fixtures of the channels' tests: the real stack, and routes over it as the REST application serves them."""

from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Litestar

from channels.stack import Stack, new_id, now, running
from recado.channels.inbound import channel_routes
from recado.rest.problems import EXCEPTION_HANDLERS


@pytest.fixture
async def stack(database_url) -> AsyncIterator[Stack]:
    async with running(Stack(database_url)) as stack:
        yield stack


def application(inbox, channels) -> Litestar:
    return Litestar(
        [channel_routes(inbox, channels, now=now, new_id=new_id)],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
    )


@pytest.fixture
async def client(stack) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(stack.inbox, stack.channels))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://recado.test/api/v1/channels"
    ) as client:
        yield client
