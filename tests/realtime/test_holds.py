"""Joining is atomic with the cursor: room packets wait until the acknowledgement has gone first."""

import asyncio

import pytest

from realtime.peer import connected


async def held(echo, peer, ack_id=1, room="r"):
    """Start a join that waits at the gate, as one that reads the database would."""
    before = len(echo.root.started)
    peer.emit("held-join", room, ack_id=ack_id)
    await echo.root.until(lambda: len(echo.root.started) == before + 1)


async def test_room_packets_follow_the_acknowledgement_and_direct_ones_do_not_wait(echo):
    async with connected(echo.port) as peer:
        await held(echo, peer)
        echo.rooms.emit("r", "msg", "while joining")
        echo.root.sessions[0].emit("direct", 0)
        peer.emit("message-with-ack", "meanwhile", ack_id=2)
        assert await peer.event() == ["direct", 0]
        assert await peer.ack(2) == ["meanwhile"]
        echo.root.gate.set()
        echo.rooms.emit("r", "msg", "before the answer")
        assert await peer.event() == ["direct", 1]
        assert await peer.ack(1) == [{"ok": True}]
        assert await peer.event() == ["msg", "while joining"]
        assert await peer.event() == ["msg", "before the answer"]
        echo.rooms.emit("r", "msg", "after")
        assert await peer.event() == ["msg", "after"]


async def test_packets_of_rooms_joined_before_are_held_too(echo):
    async with connected(echo.port, room="clinic") as peer:
        await held(echo, peer)
        echo.rooms.emit("clinic", "msg", 1)
        echo.rooms.emit("r", "msg", 2)
        echo.root.gate.set()
        assert await peer.event() == ["direct", 1]
        assert await peer.ack(1) == [{"ok": True}]
        assert [await peer.event() for _ in range(2)] == [["msg", 1], ["msg", 2]]


async def test_holds_nest(echo):
    async with connected(echo.port) as peer:
        (session,) = echo.root.sessions
        echo.rooms.join(session, "r")
        session.hold()
        session.hold()
        echo.rooms.emit("r", "msg", 1)
        session.release()
        peer.emit("message", "still held")
        assert await peer.event() == ["message-back", "still held"]
        session.release()
        assert await peer.event() == ["msg", 1]


async def test_what_is_held_of_rooms_that_are_left_is_heard_no_more(echo):
    async with connected(echo.port) as peer:
        (session,) = echo.root.sessions
        echo.rooms.join(session, "before")
        session.hold()
        echo.rooms.emit("before", "msg", 1)
        echo.rooms.leave_all(session)
        echo.rooms.join(session, "after")
        echo.rooms.emit("after", "msg", 2)
        session.release()
        assert await peer.event() == ["msg", 2]


async def test_signals_are_not_held_but_dropped(echo):
    async with connected(echo.port) as peer:
        (session,) = echo.root.sessions
        echo.rooms.join(session, "r")
        session.hold()
        echo.rooms.emit_volatile("r", "typing")
        session.release()
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


async def test_held_packets_are_bounded_and_beyond_the_bound_the_client_must_resume(serve):
    echo = await serve(max_outbound_bytes=10_000)
    async with connected(echo.port) as peer, connected(echo.port, room="r") as other:
        await held(echo, peer)
        for _ in range(11):
            echo.rooms.emit("r", "msg", "x" * 1_000)
        assert await peer.close_code() == 4008
        for _ in range(11):
            assert (await other.event())[0] == "msg"
    await echo.until_empty()
    assert len(echo.rooms) == 0


@pytest.mark.parametrize("closing", ["peer", "server"])
async def test_a_session_that_closes_while_held_sends_nothing_and_breaks_nothing(echo, closing):
    async with connected(echo.port) as peer:
        await held(echo, peer)
        echo.rooms.emit("r", "msg", 1)
        if closing == "server":
            echo.root.sessions[0].close("slow consumer")
            assert await peer.close_code() == 4008
    await echo.until_empty()
    echo.root.gate.set()
    await asyncio.gather(*echo.engine._hub.tasks)
    assert echo.log.exceptions == []
