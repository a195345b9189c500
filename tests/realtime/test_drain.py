"""SIGTERM: what was begun is finished, clients learn when to come back, nobody new comes in."""

import asyncio

import pytest

from realtime.peer import connected, dialled, head, until, upgraded


async def test_clients_are_told_to_come_back_spread_over_the_window(serve):
    echo = await serve(drain_s=2.0)
    async with (
        connected(echo.port) as one,
        connected(echo.port) as two,
        connected(echo.port) as three,
        connected(echo.port) as four,
    ):
        echo.stop()
        told = []
        for peer in (one, two, three, four):
            name, body = await peer.event()
            assert name == "server:draining"
            told.append(body["reconnectInMs"])
            assert await peer.close_code() == 1001
        assert sorted(told) == [500, 1_000, 1_500, 2_000]
        await echo.stopped()
    assert echo.engine.link_count == 0


async def test_who_has_not_gone_yet_is_served_until_then(serve, monkeypatch):
    monkeypatch.setattr("recado.realtime.engine.LEAVE_APART_S", 3_600)
    echo = await serve(drain_s=3_600.0)
    async with connected(echo.port, room="r") as one, connected(echo.port, room="r") as two:
        echo.stop()
        told = {}
        for peer in (one, two):
            _, body = await peer.event()
            told[body["reconnectInMs"]] = peer
        first, last = (told[moment] for moment in sorted(told))
        assert await first.close_code() == 1001
        last.emit("message-with-ack", 1, ack_id=7)
        assert await last.ack(7) == [1]
        echo.rooms.emit("r", "msg", 2)
        assert await last.event() == ["msg", 2]


async def test_who_is_let_into_its_namespace_hears_so_before_it_goes(echo):
    async with upgraded(echo.port) as peer:
        peer.send_text('40{"wait":1}')
        await echo.root.until(lambda: echo.root.started == [1])
        echo.stop()
        await until(lambda: all(link._departing for link in echo.engine._hub.links))
        echo.root.gate.set()
        assert (await peer.text()).startswith("40{")
        assert await peer.close_code() == 1001


async def test_what_was_begun_is_answered_before_the_end(echo):
    async with connected(echo.port) as peer:
        peer.emit("wait", 1, ack_id=1)
        await echo.root.until(lambda: echo.root.started == [1])
        echo.stop()
        assert (await peer.event())[0] == "server:draining"
        echo.root.gate.set()
        assert await peer.ack(1) == [1]
        assert await peer.close_code() == 1001
        await echo.stopped()


@pytest.mark.only_picows("what an ASGI server has read ahead is not ours yet")
async def test_what_was_read_before_the_drain_is_answered_too(serve):
    echo = await serve(max_in_flight=1)
    async with connected(echo.port) as peer:
        for number in range(5):
            peer.emit("wait", number, ack_id=number)
        await echo.root.until(lambda: echo.root.started == [0])
        echo.stop()
        assert (await peer.event())[0] == "server:draining"
        echo.root.gate.set()
        assert [await peer.ack(number) for number in range(5)] == [[number] for number in range(5)]
        assert await peer.close_code() == 1001


async def test_a_handler_that_never_ends_does_not_hold_the_drain_beyond_its_window(serve):
    echo = await serve(drain_s=0.3)
    async with connected(echo.port) as peer:
        peer.emit("wait", 1, ack_id=1)
        await echo.root.until(lambda: echo.root.started == [1])
        echo.stop()
        assert await peer.close_code() == 1001
        await echo.stopped()


async def test_nothing_new_is_started_while_draining(echo):
    async with connected(echo.port) as busy, upgraded(echo.port) as late, dialled(echo.port) as kept_alive:
        busy.emit("wait", 1, ack_id=1)
        await echo.root.until(lambda: echo.root.started == [1])
        kept_alive.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await kept_alive.answer()).status == 200
        echo.stop()
        assert (await busy.event())[0] == "server:draining"
        await until(lambda: all(link._departing for link in echo.engine._hub.links))
        kept_alive.send(head())
        answer = await kept_alive.answer()
        assert (answer.status, answer.body) == (503, "Draining")
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", echo.port)
        late.send_text("40")
        busy.emit("wait", 2, ack_id=2)
        echo.root.gate.set()
        assert await busy.ack(1) == [1]
        assert await busy.close_code() == 1001
        assert await late.close_code() == 1001
        await echo.stopped()
    assert echo.root.started == [1]


async def test_a_peer_that_does_not_close_is_cut_off(serve):
    echo = await serve(close_timeout_s=0.2, ping_timeout_s=0.2)
    async with connected(echo.port):
        echo.stop()
        await echo.stopped()
    assert echo.engine.link_count == 0


async def test_an_idle_server_stops_at_once(echo):
    echo.stop()
    await echo.stopped()


async def test_who_has_said_nothing_yet_does_not_hold_up_the_end(echo):
    async with dialled(echo.port) as silent:
        async with upgraded(echo.port):
            pass
        echo.stop()
        assert await silent.ended()
        await echo.stopped()
