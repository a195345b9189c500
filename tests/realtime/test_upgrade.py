"""From polling to a WebSocket: the probe, what goes wrong with it, and that nothing is lost, doubled or disordered."""

import asyncio
import contextlib
import json

import pytest

from realtime.peer import BINARY, TEXT, connected, dialled, frame, head, joined, polling, until
from recado.protocol.polling import RELEASES_AT_ONCE

SESSIONS = 1_000
AT_ONCE = 50
PACKETS = 6


@contextlib.asynccontextmanager
async def called(poller):
    """A WebSocket with the session's id, which has said nothing."""
    async with dialled(poller.port) as peer:
        peer.send(head(poller.target(transport="websocket")))
        assert (await peer.answer()).status == 101
        yield peer


@contextlib.asynccontextmanager
async def probing(poller):
    async with called(poller) as peer:
        peer.send_text("2probe")
        assert await peer.text() == "3probe"
        yield peer


def transport_of(echo):
    (link,) = echo.engine._hub.links
    return link.transport_name


async def test_a_session_moves_to_its_websocket(echo):
    async with joined(echo.port) as poller, probing(poller) as peer:
        assert await poller.packets() == ["6"]
        assert transport_of(echo) == "polling"
        peer.send_text("5")
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]
        assert transport_of(echo) in {"picows", "asgi"}
    await echo.root.until(lambda: echo.root.gone)
    assert [id_ for id_, _ in echo.root.gone] == [echo.root.sessions[0].id]
    await echo.until_empty()
    assert echo.engine._hub.probes == set()
    assert echo.engine._hub.polls == {}


async def test_the_probe_releases_a_held_get_at_once(echo):
    async with joined(echo.port) as poller, called(poller) as peer:
        poller.send_get()
        await until(lambda: echo.root.sessions[0].link.writable)
        peer.send_text("2probe")
        assert (await poller.fetching.answer()).body == "6"
        assert await peer.text() == "3probe"


async def test_gets_during_the_probe_are_answered_with_what_waits_or_a_noop(echo):
    async with joined(echo.port) as poller, probing(poller):
        for _ in range(5):
            assert await poller.packets() == ["6"]
        echo.root.sessions[0].emit("now")
        assert await poller.packets() == ['42["now"]']


async def test_what_waits_leaves_on_the_websocket_first_and_in_order(echo):
    async with joined(echo.port, room="r") as poller, probing(poller) as peer:
        for number in range(3):
            echo.rooms.emit("r", "msg", number, b"\x00")
        await until(lambda: echo.root.sessions[0].link._transport.buffered_bytes() > 0)
        peer.send_text("5")
        peer.emit("message", "behind")
        for number in range(3):
            assert await peer.text() == f'451-["msg",{number},{{"_placeholder":true,"num":0}}]'
            assert await peer.receive() == (BINARY, b"\x00")
        assert await peer.event() == ["message-back", "behind"]


async def test_frames_behind_the_upgrade_in_the_same_read_belong_to_the_session(echo):
    async with joined(echo.port) as poller, called(poller) as peer:
        peer.send(
            frame(TEXT, "2probe")
            + frame(TEXT, "5")
            + frame(TEXT, '451-["message",{"_placeholder":true,"num":0}]')
            + frame(BINARY, b"\x01\x02")
        )
        assert await peer.text() == "3probe"
        assert (await peer.text()).startswith('451-["message-back"')
        assert await peer.receive() == (BINARY, b"\x01\x02")


async def test_no_noop_is_ever_sent_on_the_websocket(echo):
    async with joined(echo.port) as poller, probing(poller) as peer:
        for _ in range(RELEASES_AT_ONCE):
            assert await poller.packets() == ["6"]
        poller.send_get()
        await until(lambda: echo.root.sessions[0].link.writable)
        peer.send_text("5")
        assert (await poller.fetching.answer()).body == "6"
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


async def test_after_the_upgrade_polling_is_a_bad_request(echo):
    async with joined(echo.port) as poller, probing(poller) as peer:
        peer.send_text("5")
        peer.emit("message", 1)
        await peer.event()
        for answer in (await poller.get(), await poller.post("3")):
            assert (answer.status, json.loads(answer.body)["code"]) == (400, 3)
        peer.emit("message", 2)
        assert await peer.event() == ["message-back", 2]


async def test_a_second_websocket_is_let_in_and_closed(echo):
    async with joined(echo.port) as poller, called(poller) as first:
        async with called(poller) as second:
            assert await second.close_code() == 1000
        first.send_text("2probe")
        assert await first.text() == "3probe"
        first.send_text("5")
        async with called(poller) as third:
            assert await third.close_code() == 1000
        first.emit("message", 1)
        assert await first.event() == ["message-back", 1]


async def test_a_websocket_for_no_session_is_refused(echo):
    async with dialled(echo.port) as peer:
        peer.send(head("/socket.io/?EIO=4&transport=websocket&sid=abc"))
        answer = await peer.answer()
        assert (answer.status, answer.body) == (400, "Session ID unknown")


async def goes_on(poller):
    await poller.send('42["message","still here"]')
    assert (await poller.until("42"))[-1] == '42["message-back","still here"]'


@pytest.mark.parametrize("said", ["5", "4hello", "2", "2other", "", "1", "probe"])
async def test_a_wrong_first_word_ends_the_websocket_only(echo, said):
    async with joined(echo.port) as poller:
        async with called(poller) as peer:
            peer.send_text(said)
            assert await peer.close_code() == 1002
        await goes_on(poller)
        async with probing(poller) as again:
            again.send_text("5")
            again.emit("message", 1)
            assert await again.event() == ["message-back", 1]


async def test_a_wrong_second_word_ends_the_websocket_only(echo):
    async with joined(echo.port) as poller:
        async with probing(poller) as peer:
            peer.send(frame(BINARY, b"5"))
            assert await peer.close_code() == 1002
        await goes_on(poller)


@pytest.mark.parametrize("how", ["cut", "goodbye"])
async def test_a_websocket_that_is_lost_while_probing_is_harmless(echo, how):
    async with joined(echo.port) as poller:
        async with probing(poller) as peer:
            if how == "cut":
                peer.writer.transport.abort()
            else:
                peer.send(frame(8, (1000).to_bytes(2)))
            await until(lambda: not echo.engine._hub.probes)
        await goes_on(poller)


async def test_an_upgrade_that_is_not_finished_in_time_is_given_up(serve):
    echo = await serve(upgrade_timeout_s=0.2)
    async with joined(echo.port) as poller:
        for open_ in (called, probing):
            async with open_(poller) as peer:
                assert await peer.close_code() == 4004
        await goes_on(poller)


async def test_a_session_that_ends_while_probing_takes_its_websocket_with_it(echo):
    async with joined(echo.port) as poller, probing(poller) as peer:
        echo.root.sessions[0].close("session ended")
        assert await peer.close_code() == 1000
        assert await poller.packets() == ["41"]
        assert await poller.packets() == ["1"]
    await until(lambda: not echo.engine._hub.probes)


async def test_posts_during_the_probe_are_taken(echo):
    async with joined(echo.port) as poller, probing(poller) as peer:
        await poller.send('42["message",1]', "6")
        peer.send_text("5")
        assert await peer.event() == ["message-back", 1]


async def test_a_session_without_a_get_may_upgrade(echo):
    """As python-socketio does, before it ever polls."""
    async with polling(echo.port) as poller, probing(poller) as peer:
        peer.send_text("5")
        await peer.join()
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


async def test_a_pause_of_reading_moves_with_the_session(serve):
    echo = await serve(max_in_flight=1)
    async with joined(echo.port) as poller:
        await poller.send('42["wait",1]', '42["wait",2]')
        async with probing(poller) as peer:
            peer.send_text("5")
            peer.emit("message", "behind")
            await until(lambda: transport_of(echo) != "polling")
            assert echo.root.started == [1]
            echo.root.gate.set()
            assert await peer.event() == ["message-back", "behind"]
    assert echo.root.most_running == 1


async def test_pings_follow_the_session(serve):
    echo = await serve(ping_interval_s=0.3, ping_timeout_s=0.2, connect_timeout_s=30)
    async with joined(echo.port) as poller, probing(poller) as peer:
        peer.send_text("5")
        for _ in range(3):
            assert await peer.text() == "2"
            peer.send_text("3")
        assert await peer.text() == "2"
        assert await peer.close_code() == 4002


async def climb(echo, number, upgraded):
    """One session that is talked to and talks while it upgrades; returns what it heard, in order."""
    async with joined(echo.port) as poller:
        await poller.send('421["join","all"]')
        heard = await poller.until("431")
        poller.send_get()
        async with called(poller) as peer:
            peer.send_text("2probe")
            answered = asyncio.ensure_future(poller.fetching.answer())
            await poller.send(*[f'42["message","{number}",{each}]' for each in range(PACKETS)])
            assert await peer.text() == "3probe"
            heard += (await answered).body.split("\x1e")
            if number % 3 == 0:
                heard += await poller.packets()
            peer.send_text("5")
            for each in range(PACKETS, 2 * PACKETS):
                peer.emit("message", str(number), each)
            upgraded.append(number)
            last = {'42["msg","last"]', f'42["message-back","{number}",{2 * PACKETS - 1}]'}
            while not last.issubset(heard):
                heard.append(await peer.text())
                assert heard[-1] != "6"
    return heard


async def test_nothing_is_lost_or_doubled_by_a_thousand_upgrades_under_traffic(serve):
    echo = await serve(connect_timeout_s=60)
    for start in range(0, SESSIONS, AT_ONCE):
        upgraded = []
        climbs = [
            asyncio.ensure_future(climb(echo, number, upgraded)) for number in range(start, start + AT_ONCE)
        ]
        sent = 0
        while len(upgraded) < AT_ONCE and not any(each.done() for each in climbs):
            echo.rooms.emit("all", "msg", sent)
            sent += 1
            await asyncio.sleep(0.01)
        echo.rooms.emit("all", "msg", "last")
        for number, heard in enumerate(await asyncio.gather(*climbs), start=start):
            events = [json.loads(packet[2:]) for packet in heard if packet.startswith("42")]
            own = [event[2] for event in events if event[0] == "message-back"]
            assert own == list(range(2 * PACKETS))
            assert {event[1] for event in events if event[0] == "message-back"} == {str(number)}
            shared = [event[1] for event in events if event[0] == "msg"][:-1]
            assert shared == list(range(sent - len(shared), sent))
            assert {packet for packet in heard if not packet.startswith("42")} <= {"6", '431[{"ok":true}]'}
    await echo.until_empty()
    assert echo.log.exceptions == []


async def test_a_client_without_binary_gets_it_as_text_on_its_websocket_too(echo):
    async with dialled(echo.port) as peer:
        peer.send(head("/socket.io/?EIO=4&transport=websocket&b64=1"))
        assert (await peer.answer()).status == 101
        await peer.text()
        await peer.join()
        peer.send_text('451-["message",{"_placeholder":true,"num":0}]')
        peer.send_text("bAQI=")
        assert await peer.text() == '451-["message-back",{"_placeholder":true,"num":0}]'
        assert await peer.text() == "bAQI="
    async with joined(echo.port) as poller, dialled(echo.port) as peer:
        peer.send(head(poller.target(transport="websocket", b64="1")))
        assert (await peer.answer()).status == 101
        peer.send_text("2probe")
        assert await peer.text() == "3probe"
        peer.send_text("5")
        echo.root.sessions[-1].emit("data", b"\x01\x02")
        assert await peer.text() == '451-["data",{"_placeholder":true,"num":0}]'
        assert await peer.text() == "bAQI="


async def test_statistics_count_an_upgraded_session_once(echo):
    async with joined(echo.port) as poller, probing(poller) as peer, connected(echo.port):
        peer.send_text("5")
        peer.emit("message", 1)
        await peer.event()
        statistics = echo.engine.report.statistics()
        assert statistics.connections.total == 2
        assert "polling" not in statistics.connections.by_transport
        assert statistics.opened == 2
