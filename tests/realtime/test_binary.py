"""Binary arguments both ways: attachments stay behind their packet, on every transport, in one room."""

import asyncio
import base64
import json

import pytest

from realtime.peer import BINARY, TEXT, connected, frame, joined
from recado.errors import CLOSES

pytestmark = pytest.mark.usefixtures("websocket")


def header(kind, data, count, ack_id=""):
    return f"4{kind}{count}-{ack_id}{json.dumps(data, separators=(',', ':'))}"


def placeholders(count):
    return [{"_placeholder": True, "num": number} for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 10])
async def test_one_to_ten_attachments_come_back_in_an_event_and_in_an_acknowledgement(echo, count):
    data = [bytes([number]) * number for number in range(count)]
    async with connected(echo.port) as peer:
        for name, ack_id, kind in (("message", "", "5"), ("message-with-ack", "7", "6")):
            peer.send_text(header("5", [name, *placeholders(count)], count, ack_id))
            for each in data:
                peer.send(frame(BINARY, each))
            args = ["message-back", *placeholders(count)] if kind == "5" else placeholders(count)
            assert await peer.text() == header(kind, args, count, ack_id)
            for each in data:
                assert await peer.receive() == (BINARY, each)


async def test_bytes_are_found_however_deep_they_lie(echo):
    async with connected(echo.port) as peer:
        echo.root.sessions[0].emit(
            "deep", {"a": [{"b": b"\x01"}], "c": bytearray(b"\x02")}, memoryview(b"\x03")
        )
        text = await peer.text()
        assert text == (
            '453-["deep",{"a":[{"b":{"_placeholder":true,"num":0}}],"c":{"_placeholder":true,"num":1}},'
            '{"_placeholder":true,"num":2}]'
        )
        for byte in (b"\x01", b"\x02", b"\x03"):
            assert await peer.receive() == (BINARY, byte)


async def test_more_than_ten_attachments_are_refused_before_anything_is_sent(echo):
    async with connected(echo.port, room="r") as peer:
        (session,) = echo.root.sessions
        eleven = [b"x"] * 11
        for send in (
            lambda: session.emit("many", *eleven),
            lambda: echo.rooms.emit("r", "many", eleven),
            lambda: session.emit_volatile("many", *eleven),
        ):
            with pytest.raises(ValueError, match="10 attachments"):
                send()
        peer.emit("message", "still here")
        assert await peer.event() == ["message-back", "still here"]


async def test_attachments_together_are_bounded(serve):
    echo = await serve(max_payload_bytes=10_000)
    async with connected(echo.port) as peer:
        peer.send_text(header("5", ["message", *placeholders(2)], 2))
        peer.send(frame(BINARY, b"x" * 6_000) + frame(BINARY, b"x" * 6_000))
        assert await peer.close_code() == CLOSES["message too big"].code


async def test_attachments_that_do_not_come_in_time_end_the_connection(serve):
    echo = await serve(ping_interval_s=30, ping_timeout_s=0.2)
    async with connected(echo.port) as peer:
        peer.send_text(header("5", ["message", *placeholders(1)], 1))
        assert await peer.close_code() == CLOSES["protocol error"].code


async def test_a_text_message_among_attachments_ends_the_connection(echo):
    async with connected(echo.port) as peer:
        peer.send_text(header("5", ["message", *placeholders(1)], 1))
        peer.emit("message", 1)
        assert await peer.close_code() == CLOSES["protocol error"].code


async def test_a_room_of_both_transports_hears_binary_each_in_its_form(echo):
    data = bytes(range(256))
    async with (
        connected(echo.port, room="r") as peer,
        joined(echo.port, room="r") as poller,
        connected(echo.port, room="r") as other,
    ):
        echo.rooms.emit("r", "msg", data, {"again": data})
        text = '452-["msg",{"_placeholder":true,"num":0},{"again":{"_placeholder":true,"num":1}}]'
        for each in (peer, other):
            assert await each.receive() == (TEXT, text.encode())
            assert [await each.receive(), await each.receive()] == [(BINARY, data)] * 2
        form = "b" + base64.b64encode(data).decode()
        assert await poller.packets() == [text, form, form]


async def test_nothing_comes_between_a_packet_and_its_attachments(echo):
    async with connected(echo.port, room="r") as peer:
        (session,) = echo.root.sessions
        for number in range(50):
            echo.rooms.emit("r", "room", number, b"room")
            session.emit("own", number, b"own")
            peer.emit("message", number)
            await asyncio.sleep(0)
        seen = 0
        while seen < 100:
            got = await peer.receive()
            assert got.opcode == TEXT
            if got.payload.startswith(b"451-"):
                seen += 1
                kind = json.loads(got.payload[4:])[0]
                assert await peer.receive() == (BINARY, kind.encode())


async def test_held_packets_keep_their_attachments(echo):
    async with connected(echo.port) as peer:
        peer.emit("held-join", "r", ack_id=1)
        await echo.root.until(lambda: echo.root.started == ["held"])
        echo.rooms.emit("r", "msg", b"held")
        echo.root.gate.set()
        assert await peer.event() == ["direct", 1]
        assert await peer.ack(1) == [{"ok": True}]
        assert (await peer.text()).startswith('451-["msg"')
        assert await peer.receive() == (BINARY, b"held")


async def test_a_question_may_carry_bytes_and_its_answer_too(echo):
    async with connected(echo.port) as peer:
        (session,) = echo.root.sessions
        asking = asyncio.ensure_future(session.call("question", b"\x01", timeout_s=5))
        assert await peer.text() == '451-0["question",{"_placeholder":true,"num":0}]'
        assert await peer.receive() == (BINARY, b"\x01")
        peer.send_text('461-0[{"_placeholder":true,"num":0}]')
        peer.send(frame(BINARY, b"\x02"))
        assert await asking == [b"\x02"]
