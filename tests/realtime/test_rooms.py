"""Fan-out: encoded once, joined into one write, in order, and nothing left behind by who has gone."""

import asyncio
import contextlib
import gc

import msgspec
import pytest

from realtime.peer import connected, dialled, head, joined
from recado.realtime.first_read import FirstRead
from recado.realtime.head import Head
from recado.realtime.http_protocol import HttpProtocol
from recado.realtime.link import Link
from recado.realtime.picows_protocol import WebSocketProtocol
from recado.realtime.picows_transport import PicowsTransport
from recado.realtime.polling_transport import PollingTransport
from recado.realtime.probe import Probe
from recado.realtime.session import Session


@contextlib.asynccontextmanager
async def members(echo, number, room="r"):
    async with contextlib.AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(connected(echo.port)) for _ in range(number)]
        for peer in peers:
            peer.emit("join", room, ack_id=1)
            await peer.ack(1)
        yield peers


async def test_every_member_gets_a_packet_and_nobody_else_does(echo):
    async with members(echo, 3) as peers, connected(echo.port) as outsider:
        outsider.emit("pub", {"a": 1})
        for peer in peers:
            assert await peer.event() == ["msg", {"a": 1}]
        outsider.emit("message", 1)
        assert await outsider.event() == ["message-back", 1]


async def test_who_left_gets_nothing_more(echo):
    async with members(echo, 2) as (leaver, stayer):
        leaver.emit("leave", ack_id=1)
        await leaver.ack(1)
        stayer.emit("pub", 1)
        assert await stayer.event() == ["msg", 1]
        leaver.emit("message", 2)
        assert await leaver.event() == ["message-back", 2]


async def test_a_packet_is_encoded_once_and_all_members_share_its_bytes(echo):
    async with members(echo, 3):
        echo.rooms.emit("r", "msg", 1)
        frames = [link.out[-1] for link in echo.engine._hub.links]
        assert len(frames) == 3
        assert len({id(frame) for frame in frames}) == 1


async def test_payloads_may_be_structs_or_json_made_before(echo):
    class Count(msgspec.Struct, rename="camel"):
        all_of_them: int

    async with members(echo, 1) as (peer,):
        echo.rooms.emit("r", "msg", Count(2), msgspec.Raw(b'{"made":"before"}'))
        assert await peer.event() == ["msg", {"allOfThem": 2}, {"made": "before"}]


async def test_what_one_tick_produces_leaves_in_one_write_in_order(echo):
    async with members(echo, 1) as (peer,):
        (session,) = echo.root.sessions
        transport = session.link._transport
        writes = []
        send = transport.send

        class Counting:
            writable = True

            def send(self, frames):
                writes.append(len(frames))
                send(frames)

        session.link._transport = Counting()
        for number in range(50):
            echo.rooms.emit("r", "msg", number)
            session.emit("direct", number)
        got = [await peer.event() for _ in range(100)]
        session.link._transport = transport
        assert got == [event for number in range(50) for event in (["msg", number], ["direct", number])]
        assert writes == [100]


async def test_signals_reach_who_can_take_them(echo):
    async with members(echo, 2) as peers:
        echo.rooms.emit_volatile("r", "typing", True)
        echo.root.sessions[0].emit_volatile("only", 1)
        assert await peers[0].event() == ["typing", True]
        assert await peers[1].event() == ["typing", True]
        assert await peers[0].event() == ["only", 1]


async def test_rooms_count_their_members_and_empty_rooms_do_not_exist(echo):
    async with members(echo, 2) as (one, _):
        assert echo.rooms.count("r") == 2
        assert set(echo.rooms.members("r")) == set(echo.root.sessions)
        one.emit("join", ack_id=2)
        await one.ack(2)
        assert echo.rooms.count("r") == 2
        one.emit("leave", ack_id=3)
        await one.ack(3)
        one.emit("leave", "never joined", ack_id=4)
        await one.ack(4)
        assert echo.rooms.count("r") == 1
        echo.rooms.emit("nobody here", "msg")
        echo.rooms.emit_volatile("nobody here", "msg")
        assert len(echo.rooms) == 1
    await echo.until_empty()
    assert len(echo.rooms) == 0


async def test_a_closed_session_cannot_join(echo):
    async with members(echo, 1):
        pass
    await echo.until_empty()
    (session,) = echo.root.sessions
    echo.rooms.join(session, "ghosts")
    assert len(echo.rooms) == 0


async def by_websocket(echo):
    async with connected(echo.port) as peer:
        peer.emit("join", ack_id=1)
        await peer.ack(1)


async def by_polling(echo):
    async with joined(echo.port) as poller:
        await poller.send('421["join"]')
        await poller.until("431")
        await poller.send("1")
        await poller.get()


async def by_upgrade(echo):
    async with joined(echo.port) as poller, dialled(echo.port) as peer:
        peer.send(head(poller.target(transport="websocket")))
        await peer.answer()
        peer.send_text("2probe")
        await peer.text()
        peer.send_text("5")
        peer.emit("join", ack_id=1)
        await peer.ack(1)


@pytest.mark.parametrize("way", [by_websocket, by_polling, by_upgrade])
async def test_a_closed_session_leaves_no_trace(echo, way):
    async def visit():
        await way(echo)

    def alive():
        kinds = (FirstRead, WebSocketProtocol, PicowsTransport, PollingTransport, Probe, Link, Session, Head)
        if way is by_websocket:
            kinds += (HttpProtocol, asyncio.Task)  # uvicorn's own of plain requests are the collector's
        return sum(isinstance(each, kinds) for each in gc.get_objects())

    await visit()
    await echo.until_empty()
    echo.root.sessions.clear()
    echo.root.gone.clear()
    gc.collect()
    before = alive()
    gc.disable()
    try:
        for _ in range(40):
            await visit()
        await echo.until_empty()
        echo.root.sessions.clear()
        for _ in range(5):  # what the transports still have to tell each other
            await asyncio.sleep(0)
        hub = echo.engine._hub
        assert (len(hub.links), len(hub.tasks), len(echo.rooms)) == (0, 0, 0)
        assert not any(hub.wheel._slots)
        assert alive() <= before + 10, "freed without the garbage collector's help"
    finally:
        gc.enable()
