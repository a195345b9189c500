"""A client that does not read: what it costs, when it goes, and that nobody else notices."""

import asyncio
import resource

import pytest

from realtime.peer import connected


async def stall(echo, peer, session):
    """Stop reading and fill the wire."""
    peer.writer.transport.pause_reading()
    while session.link.writable:
        session.emit("flood", "x" * 50_000)
        await tick(echo)


async def tick(echo):
    """Everything that was sent so far has been written, or waits in the transport."""
    for _ in range(4):
        await asyncio.sleep(0)
    assert not echo.engine._hub.flusher._scheduled


async def test_a_slow_client_is_closed_at_the_bound_and_the_others_get_everything(serve):
    echo = await serve(max_outbound_bytes=200_000)
    async with (
        connected(echo.port, receive_buffer=4_096, room="r") as slow,
        connected(echo.port, room="r") as quick,
    ):
        stalled = echo.root.sessions[0]
        slow.writer.transport.pause_reading()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(20_000):
            echo.rooms.emit("r", "msg", number, "x" * 1_000)
            assert (await quick.event())[1] == number
            if stalled.closed:
                break
        assert stalled.closed
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kb < 20_000
        slow.writer.transport.resume_reading()
        assert await slow.close_code() == 4008
        quick.emit("message", 1)
        assert await quick.event() == ["message-back", 1]
    assert "slow consumer" in [reason for _, reason in echo.root.gone]


async def test_signals_are_dropped_first(echo):
    async with connected(echo.port, receive_buffer=4_096, room="r") as slow:
        (session,) = echo.root.sessions
        await stall(echo, slow, session)
        waiting = session.link._transport.buffered_bytes()
        for _ in range(100):
            session.emit_volatile("typing", "x" * 1_000)
            echo.rooms.emit_volatile("r", "typing", "x" * 1_000)
        await tick(echo)
        assert session.link._transport.buffered_bytes() <= waiting
        session.emit("kept", 1)
        slow.writer.transport.resume_reading()
        events = [(await slow.event())[0]]
        while events[-1] == "flood":
            events.append((await slow.event())[0])
        assert events[-1] == "kept"


async def test_one_large_answer_on_an_idle_wire_is_no_offence(serve):
    echo = await serve(max_outbound_bytes=10_000)
    async with connected(echo.port, receive_buffer=4_096) as peer:
        (session,) = echo.root.sessions
        session.emit("large", "x" * 900_000)
        await tick(echo)
        assert not session.closed
        assert await peer.event() == ["large", "x" * 900_000]


@pytest.mark.parametrize("size", [1_000, 100_000])
async def test_a_client_that_catches_up_again_loses_nothing(serve, size):
    echo = await serve(max_outbound_bytes=3_000_000)
    async with connected(echo.port, receive_buffer=4_096) as peer:
        (session,) = echo.root.sessions
        peer.writer.transport.pause_reading()
        number = 0
        while session.link.writable:
            session.emit("msg", number, "x" * size)
            number += 1
            await tick(echo)
        session.emit("msg", number, "")
        peer.writer.transport.resume_reading()
        assert [(await peer.event())[1] for _ in range(number + 1)] == list(range(number + 1))
        assert session.link.writable
