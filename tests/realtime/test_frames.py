"""WebSocket frames on a real socket: RFC 6455's rules, and what each breach is closed with."""

import pytest

from realtime.peer import BINARY, CLOSE, PING, PONG, TEXT, connected, frame, upgraded


async def test_a_fragmented_message_is_one_message(echo):
    async with connected(echo.port) as peer:
        peer.send(frame(TEXT, '42["mess', fin=False))
        peer.send(frame(0, 'age","', fin=False) + frame(PING, "between") + frame(0, 'olá"]'))
        assert await peer.receive() == (PONG, b"between")
        assert await peer.event() == ["message-back", "olá"]


async def test_a_message_may_come_byte_by_byte(echo):
    async with connected(echo.port) as peer:
        for byte in frame(TEXT, '42["message",1]'):
            peer.send(bytes([byte]))
            await peer.writer.drain()
        assert await peer.event() == ["message-back", 1]


@pytest.mark.parametrize("size", [1, 125, 126, 1_800, 65_535, 65_536, 990_000])
async def test_messages_of_every_length_field_pass_both_ways(echo, size):
    async with connected(echo.port) as peer:
        peer.emit("message", "x" * size)
        assert await peer.event() == ["message-back", "x" * size]


async def test_many_messages_in_one_read_keep_their_order(echo):
    async with connected(echo.port) as peer:
        peer.send(b"".join(frame(TEXT, f'42["message",{number}]') for number in range(500)))
        assert [(await peer.event())[1] for _ in range(500)] == list(range(500))


async def test_a_ping_is_answered_with_its_payload(echo):
    async with upgraded(echo.port) as peer:
        peer.send(frame(PING, b"abc"))
        assert await peer.receive() == (PONG, b"abc")


async def test_a_pong_nobody_asked_for_is_ignored(echo):
    async with connected(echo.port) as peer:
        peer.send(frame(PONG, b"abc"))
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param(frame(TEXT, b"4\xff"), 1007, id="text that is not UTF-8"),
        pytest.param(
            frame(TEXT, b"4\xc3", fin=False) + frame(0, b"("), 1007, id="fragments that are not UTF-8"
        ),
        pytest.param(frame(TEXT, "3", masked=False), 1002, id="unmasked frame"),
        pytest.param(frame(TEXT, "3", rsv=4), 1002, id="RSV1 without extension"),
        pytest.param(frame(TEXT, "3", rsv=1), 1002, id="RSV3 without extension"),
        pytest.param(frame(3, "3"), 1002, id="reserved data opcode"),
        pytest.param(frame(11, "3"), 1002, id="reserved control opcode"),
        pytest.param(frame(PING, "3", fin=False), 1002, id="fragmented ping"),
        pytest.param(frame(PING, b"x" * 126), 1002, id="ping over 125 bytes"),
        pytest.param(frame(0, "3"), 1002, id="continuation of nothing"),
        pytest.param(frame(TEXT, "3", fin=False) + frame(TEXT, "3"), 1002, id="message inside a message"),
        pytest.param(frame(TEXT, b"4" * 1_000_001), 1009, id="frame over maxPayload"),
        pytest.param(
            frame(TEXT, b"4" * 600_000, fin=False) + frame(0, b"4" * 600_000),
            1009,
            id="fragments over maxPayload",
        ),
        pytest.param(frame(TEXT, "abc"), 1002, id="no Engine.IO packet"),
        pytest.param(frame(TEXT, ""), 1002, id="empty message"),
        pytest.param(frame(TEXT, "2"), 1002, id="ping from the client"),
        pytest.param(frame(TEXT, "1"), 1000, id="Engine.IO close"),
        pytest.param(frame(BINARY, b"x"), 1002, id="binary without a packet"),
        pytest.param(frame(TEXT, "40"), 1002, id="second CONNECT"),
        pytest.param(frame(TEXT, '42/custom,["message"]'), 1002, id="event outside a namespace"),
        pytest.param(frame(TEXT, '44{"message":""}'), 1002, id="CONNECT_ERROR from a client"),
    ],
)
async def test_a_breach_closes_with_its_code_and_nobody_elses_session(echo, frames, code):
    async with connected(echo.port) as witness, connected(echo.port) as peer:
        peer.send(frames)
        assert await peer.close_code() == code
        assert await peer.ended()
        await echo.root.until(lambda: len(echo.root.gone) == 1)
        witness.emit("message", 1)
        assert await witness.event() == ["message-back", 1]
    assert echo.log.exceptions == []


async def test_nothing_follows_a_breach(echo):
    async with connected(echo.port) as peer:
        peer.send(frame(TEXT, "2") + frame(TEXT, '42["message",1]'))
        assert (await peer.receive()).opcode == CLOSE
        peer.send(frame(TEXT, '42["message",1]') + frame(CLOSE, b"\x03\xe8"))
        assert await peer.ended()


async def test_a_clients_close_is_answered(echo):
    async with connected(echo.port) as peer:
        peer.send(frame(CLOSE, b"\x03\xe8"))
        assert await peer.close_code() == 1000
        assert await peer.ended()
    await echo.root.until(lambda: [reason for _, reason in echo.root.gone] == ["peer closed"])


@pytest.mark.only_picows("the server under ASGI answers with the code it got")
@pytest.mark.parametrize("payload", [b"", b"\x0f\xa1", b"\x0b\xb8bye"])
async def test_a_close_without_or_with_any_legal_code_is_answered(echo, payload):
    async with upgraded(echo.port) as peer:
        peer.send(frame(CLOSE, payload))
        assert await peer.close_code() == 1000


async def test_a_connection_that_just_ends_is_a_lost_transport(echo):
    async with connected(echo.port):
        pass
    await echo.root.until(lambda: [reason for _, reason in echo.root.gone] == ["transport lost"])
    await echo.until_empty()


async def test_a_binary_event_does_not_break_the_session(echo):
    async with connected(echo.port) as peer:
        peer.send(frame(TEXT, '451-["nothing",{"_placeholder":true,"num":0}]') + frame(BINARY, b"\x00\x01"))
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


@pytest.mark.only_picows("the server under ASGI answers pings")
async def test_a_peer_that_pings_but_does_not_read_does_not_fill_our_memory(echo):
    async with connected(echo.port, receive_buffer=4_096) as peer:
        peer.writer.transport.pause_reading()
        (link,) = echo.engine._hub.links
        pings = frame(PING, b"x" * 125) * 1_000
        for _ in range(100):  # 12 MB of pings, hence of pongs
            peer.send(pings)
            await peer.writer.drain()
            if not link.writable:
                break
        assert not link.writable
        peer.send(pings * 20 + frame(TEXT, '42["wait",1]'))
        await echo.root.until(lambda: echo.root.started == [1])
        assert link._transport.buffered_bytes() < 300_000


async def test_a_bug_of_ours_closes_with_1011_and_its_text_is_told_to_nobody(echo):
    async with connected(echo.port) as peer, connected(echo.port) as other:
        unlucky = echo.root.sessions[0].link

        class Broken:
            def receive_text(self, _text, _now):
                raise RuntimeError("segredo")

            def close(self, _reason):
                return []

        unlucky._connection = Broken()
        peer.emit("message", 1)
        assert await peer.close_code() == 1011
        other.emit("message", 1)
        assert await other.event() == ["message-back", 1]
    await echo.until_empty()
    assert echo.log.exceptions == ["socket_callback_failed"]
    assert "segredo" not in str(echo.log.lines)


async def test_what_is_not_utf8_is_closed_without_a_word_in_the_log(echo, caplog):
    async with connected(echo.port) as peer:
        peer.send(frame(TEXT, b"4segredo \xff"))
        assert await peer.close_code() == 1007
    await echo.until_empty()
    assert [record.name for record in caplog.records if record.exc_info] == []
