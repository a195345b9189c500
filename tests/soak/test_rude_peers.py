"""A million rude frames, a hundred thousand rude requests, half on each transport: nothing is left, nothing grows."""

import asyncio
import gc
import os
from pathlib import Path

import pytest

from realtime.echo import serving
from realtime.rude import ANSWERS, SHORT, assert_nothing_is_left, send_rude_frames, send_rude_requests
from recado.realtime.first_read import FirstRead
from recado.realtime.head import Head
from recado.realtime.http_protocol import HttpProtocol
from recado.realtime.link import Link
from recado.realtime.picows_protocol import WebSocketProtocol
from recado.realtime.picows_transport import PicowsTransport
from recado.realtime.polling_transport import PollingTransport
from recado.realtime.probe import Probe
from recado.realtime.session import Session

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(3_600),
    pytest.mark.parametrize("websocket", ["picows", "asgi"]),
]

FRAMES = 500_000
REQUESTS = 50_000
ROUNDS = 10
KINDS = (
    FirstRead,
    HttpProtocol,
    WebSocketProtocol,
    PicowsTransport,
    PollingTransport,
    Probe,
    Link,
    Session,
    Head,
    asyncio.Task,
)
SPARE_BYTES = 8_000_000


def size_of(echo):
    """Objects alive and bytes resident, without the records that the test's own application keeps."""
    echo.log.lines.clear()
    for application in (echo.root, echo.custom):
        for records in (application.sessions, application.gone, application.started):
            records.clear()
    gc.collect()
    alive = sum(issubclass(type(each), KINDS) for each in gc.get_objects())
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return alive, resident


async def assert_no_growth(echo, misbehave):
    """`misbehave(seed)` is a round; the first only warms the server."""
    await misbehave(0)
    await assert_nothing_is_left(echo)
    before = size_of(echo)
    for seed in range(1, ROUNDS + 1):
        await misbehave(seed)
        await assert_nothing_is_left(echo)
        after = size_of(echo)
    assert after[0] <= before[0] + 2
    assert after[1] - before[1] < SPARE_BYTES


async def test_rude_frames_leave_nothing_behind(websocket):
    async with serving(websocket=websocket) as echo:
        await assert_no_growth(echo, lambda seed: send_rude_frames(echo.port, FRAMES // ROUNDS, seed=seed))


async def test_rude_requests_leave_nothing_behind(websocket):
    async with serving(websocket=websocket, **SHORT) as echo:

        async def misbehave(seed):
            assert set(await send_rude_requests(echo.port, REQUESTS // ROUNDS, seed=seed)) <= ANSWERS

        await assert_no_growth(echo, misbehave)
