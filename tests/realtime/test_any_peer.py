"""Any bytes from anybody: at most their own session ends, nothing is left, nothing of ours fails."""

import random

from realtime.peer import connected, dialled, head
from realtime.rude import ANSWERS, SHORT, assert_nothing_is_left, send_rude_frames, send_rude_requests

FRAMES = 50_000
REQUESTS = 5_000
"""On each of the two transports; tests/soak/test_rude_peers.py does ten times as many."""


async def test_rude_frames_end_at_most_their_own_connections(echo):
    async with connected(echo.port) as witness:
        await send_rude_frames(echo.port, FRAMES)
        witness.emit("message", 1)
        assert await witness.event() == ["message-back", 1]
    await assert_nothing_is_left(echo)


async def test_rude_requests_end_at_most_their_own_sessions(serve):
    echo = await serve(**SHORT)
    statuses = await send_rude_requests(echo.port, REQUESTS)
    assert set(statuses) <= ANSWERS
    assert statuses[200] > REQUESTS / 3
    await assert_nothing_is_left(echo)


async def test_rude_heads_leave_no_link(echo):
    dice = random.Random(7)
    for _ in range(200):
        raw = bytearray(head())
        for _ in range(dice.randrange(1, 6)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        async with dialled(echo.port) as peer:
            peer.send(bytes(raw[: dice.randrange(1, len(raw))] if dice.random() < 0.2 else raw))
            await peer.writer.drain()
    async with connected(echo.port) as witness:
        witness.emit("message", 1)
        assert await witness.event() == ["message-back", 1]
    await echo.until_empty()
    assert echo.log.exceptions == []
