"""Heartbeat, deadlines and the wheel that turns them, on real sockets with short times."""

import asyncio
import time

import pytest

from realtime.peer import TEXT, connected, dialled, frame, head, upgraded

QUICK = {"ping_interval_s": 0.3, "ping_timeout_s": 0.2, "connect_timeout_s": 1.0}


async def test_the_server_pings_every_interval_and_a_pong_keeps_the_session(serve):
    echo = await serve(**QUICK)
    async with connected(echo.port) as peer:
        started = time.monotonic()
        for number in range(1, 5):
            assert await peer.text() == "2"
            assert 0.3 * number - 0.01 <= time.monotonic() - started
            peer.send_text("3")
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


async def test_a_silent_client_is_closed_with_ping_timeout(serve):
    echo = await serve(**QUICK)
    async with connected(echo.port) as peer:
        started = time.monotonic()
        assert await peer.text() == "2"
        assert await peer.close_code() == 4002
        assert 0.45 <= time.monotonic() - started < 5
    assert [reason for _, reason in echo.root.gone] == ["ping timeout"]


@pytest.mark.only_picows("what an ASGI server has read reaches us ticks later")
async def test_a_stalled_loop_does_not_take_its_own_delay_for_its_clients_silence(serve):
    echo = await serve(**QUICK)
    async with connected(echo.port) as peer:
        assert await peer.text() == "2"
        peer.send_text("3")
        time.sleep(0.8)  # noqa: ASYNC251 - the stall: longer than interval and timeout together
        assert await peer.text() == "2"
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


async def test_traffic_alone_keeps_the_session(serve):
    echo = await serve(**QUICK)
    async with connected(echo.port) as peer:
        pings = 0
        while pings < 4:
            pings += await peer.text() == "2"
            peer.emit("nothing")
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


@pytest.mark.only_picows("an ASGI server keeps pings to itself")
async def test_a_websocket_ping_proves_life(serve):
    echo = await serve(**QUICK)
    async with connected(echo.port) as peer:
        for _ in range(4):
            while (got := await peer.receive()).opcode != TEXT:
                pass
            assert got.payload == b"2"
            peer.send(frame(9, b""))


@pytest.mark.only_picows("an ASGI server tells of whole messages only")
async def test_a_message_that_takes_long_to_come_proves_life_with_each_of_its_bytes(serve):
    """Longer than interval and timeout together: a photo's description over a bad line."""
    echo = await serve(**QUICK)
    async with connected(echo.port) as peer:
        slow = frame(TEXT, '42["message","slow"]')
        for place in range(6):
            peer.send(slow[place : place + 1])
            assert await peer.text() == "2"
        peer.send(slow[6:])
        assert await peer.event() == ["message-back", "slow"]


async def test_a_client_that_joins_no_namespace_is_closed_with_connect_timeout(serve):
    echo = await serve(**QUICK)
    async with upgraded(echo.port) as peer:
        started = time.monotonic()
        for _ in range(2):
            assert await peer.text() == "2"
            peer.send_text("3")
        assert await peer.close_code() == 4003
        assert 0.95 <= time.monotonic() - started < 5


async def test_a_refused_client_that_only_waits_is_closed_with_connect_timeout(serve):
    echo = await serve(ping_interval_s=5, ping_timeout_s=0.2, connect_timeout_s=0.3)
    async with upgraded(echo.port) as peer:
        peer.send_text('40{"refuse":""}')
        assert (await peer.text()).startswith("44")
        assert await peer.close_code() == 4003


async def test_a_client_that_left_its_last_namespace_is_closed_with_connect_timeout(serve):
    echo = await serve(ping_interval_s=5, ping_timeout_s=0.2, connect_timeout_s=0.3)
    async with connected(echo.port) as peer:
        peer.send_text("41")
        assert await peer.close_code() == 4003


async def test_a_peer_that_ignores_our_close_is_cut_off(serve):
    echo = await serve(close_timeout_s=0.2, ping_timeout_s=0.2)
    async with connected(echo.port) as peer:
        echo.root.sessions[0].close()
        await echo.until_empty()
        assert await peer.close_code() == 1000


async def test_a_goodbye_is_heard_even_if_reading_had_paused(serve):
    echo = await serve(max_in_flight=1, close_timeout_s=60)
    async with connected(echo.port) as peer:
        for number in range(3):
            peer.emit("wait", number)
        await echo.root.until(lambda: echo.root.started)
        echo.root.sessions[0].close()
        assert await peer.close_code() == 1000
        await echo.until_empty()


async def test_a_peer_that_does_not_even_read_is_cut_off(serve):
    echo = await serve(close_timeout_s=0.2, ping_timeout_s=0.2)
    async with connected(echo.port, receive_buffer=4_096) as peer:
        peer.writer.transport.pause_reading()
        (session,) = echo.root.sessions
        while session.link.writable:
            session.emit("flood", "x" * 100_000)
            await asyncio.sleep(0)
        session.close()
        await echo.until_empty()
    assert echo.log.exceptions == []


async def test_many_deadlines_in_one_slot_do_not_stall_the_loop(serve):
    echo = await serve(ping_interval_s=0.5, ping_timeout_s=5)
    async with connected(echo.port):
        turns = []
        engine = echo.engine
        (link,) = engine._hub.links
        ticks = []

        class Many:
            slot = -1
            id = "many"

            def tick(self, _now):
                ticks.append(1)

        for _ in range(1_000):
            engine._due.append(Many())
        engine._tick_some()
        while engine._due:
            turns.append(len(ticks))
            await asyncio.sleep(0)
        assert len(ticks) == 1_000
        assert len(turns) >= 3
        assert link.slot >= 0


@pytest.mark.parametrize("failing", ["tick", "flush"])
async def test_trouble_with_one_link_is_logged_and_ends_that_link_only(serve, failing):
    echo = await serve(**QUICK)
    async with connected(echo.port) as peer, connected(echo.port) as other:
        unlucky, _ = (session.link for session in echo.root.sessions)

        class Broken:
            closed = False
            writable = True

            def tick(self, _now):
                raise RuntimeError("segredo")

            def due(self):
                return 0.0

            def close(self, _reason):
                return []

            def send(self, _frames):
                raise RuntimeError("segredo")

            def abort(self):
                transport.abort()

        transport = unlucky._transport
        if failing == "tick":
            unlucky._connection = Broken()
        else:
            unlucky._transport = Broken()
            echo.root.sessions[0].emit("anything")
        assert await peer.close_code() is None
        assert await other.text() == "2"
    assert echo.log.exceptions == [f"{failing}_failed"]


async def test_a_connection_that_never_finishes_its_head_holds_no_link(echo):
    async with dialled(echo.port) as peer:
        peer.send(head()[:-10])
        await peer.writer.drain()
        assert echo.engine.link_count == 0
