"""Any bytes from anybody: at most their own connection ends, nothing is left, nothing of ours fails."""

import asyncio
import contextlib
import random

from realtime.peer import connected, dialled, frame, head

PACKETS = [
    "40",
    "40{}",
    "40/custom,",
    "41",
    "41/custom,",
    '42["message",1]',
    '421["message-with-ack",1]',
    '422["bug","x"]',
    '42["join","r"]',
    '42["pub",1]',
    '42["ask",0.01]',
    '42["close","slow consumer"]',
    '42["disconnect-me"]',
    '451-["message",{"_placeholder":true,"num":0}]',
    "430[]",
    "1",
    "2",
    "3",
    "6",
    "",
    "nonsense",
]


def rude_bytes(dice):
    """Mostly frames that are nearly right, for plain noise ends at the first byte."""
    match dice.randrange(8):
        case 0:
            return dice.randbytes(dice.randrange(1, 40))
        case 1:
            return frame(dice.randrange(16), dice.randbytes(dice.randrange(200)), fin=dice.random() < 0.7)
        case 2:
            return frame(2, dice.randbytes(3))
        case 3:
            whole = frame(1, dice.choice(PACKETS))
            return whole[: dice.randrange(len(whole))]
        case _:
            return frame(1, dice.choice(PACKETS), fin=dice.random() < 0.95)


async def misbehave(port, seed):
    dice = random.Random(seed)
    async with dialled(port) as peer:
        peer.send(head())
        await peer.answer()
        with contextlib.suppress(ConnectionError):
            for _ in range(dice.randrange(1, 30)):
                peer.send(rude_bytes(dice))
                await peer.writer.drain()
        if dice.random() < 0.3:
            peer.writer.transport.abort()


async def test_rude_frames_end_at_most_their_own_connection(echo):
    async with connected(echo.port) as witness:
        for start in range(0, 600, 20):
            await asyncio.gather(*(misbehave(echo.port, seed) for seed in range(start, start + 20)))
        witness.emit("message", 1)
        assert await witness.event() == ["message-back", 1]
    echo.root.gate.set()
    await echo.until_empty()
    while echo.engine._hub.tasks:
        await asyncio.wait(list(echo.engine._hub.tasks))
    assert len(echo.rooms) == 0
    assert not any(echo.engine._hub.wheel._slots)
    assert set(echo.log.exceptions) <= {"event_failed"}


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
