"""Fixtures of the channels' tests: the real stack, and routes over it as the REST application serves them."""

import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Litestar

from channels.stack import Stack, running
from recado.channels.inbound import Webhooks, channel_posts, channel_routes
from recado.rest.posts import Posts
from recado.rest.problems import EXCEPTION_HANDLERS
from rest.service import listening
from stock import new_id, now


@pytest.fixture
async def stack(database_url) -> AsyncIterator[Stack]:
    async with running(Stack(database_url)) as stack:
        yield stack


def application(inbox, channels) -> Litestar:
    return Litestar(
        [channel_routes(Webhooks(inbox, channels, now=now, new_id=new_id))],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
    )


@pytest.fixture(params=["by the parser", "past the parser"])
async def client(stack, request) -> AsyncIterator[httpx.AsyncClient]:
    """Of the product's HTTP protocol, which knows two ways."""
    posts = Posts(channel_posts(Webhooks(stack.inbox, stack.known_channels, now=now, new_id=new_id)))
    ways = {"posts": posts} if request.param == "past the parser" else {}
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1/channels"
    async with (
        listening(application(stack.inbox, stack.known_channels), listener, **ways),
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield client
