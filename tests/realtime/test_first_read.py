"""What a client says before the server's loop has begun to read, in whole and in parts."""

import asyncio
import contextlib
import socket
import struct

import pytest

from realtime.peer import TEXT, Peer, frame, head

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@contextlib.asynccontextmanager
async def spoken(port, data):
    """A connection that has said `data` when the server, in the same loop, accepts it."""
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(data)
    peer = Peer(*await asyncio.open_connection(sock=stream))
    try:
        yield peer
    finally:
        await peer.close()


async def test_a_head_that_came_with_the_connection_opens_a_session(echo):
    async with spoken(echo.port, head()) as peer:
        assert (await peer.answer()).status == 101
        assert (await peer.text()).startswith("0{")
        await peer.join()


async def test_frames_that_came_with_head_and_connection_belong_to_the_session(echo):
    auth = "x" * 9_000
    async with spoken(echo.port, head() + frame(TEXT, f'40{{"x":"{auth}"}}')) as peer:
        assert (await peer.answer()).status == 101
        assert (await peer.text()).startswith("0{")
        assert (await peer.text()).startswith("40{")
        assert await peer.event() == ["auth", {"x": auth}]


@pytest.mark.parametrize("cut", [1, 100])
async def test_half_a_head_may_come_with_the_connection(echo, cut):
    whole = head()
    async with spoken(echo.port, whole[:cut]) as peer:
        peer.send(whole[cut:])
        assert (await peer.answer()).status == 101
        assert (await peer.text()).startswith("0{")


async def test_a_head_longer_than_what_is_read_ahead_opens_a_session(echo):
    async with spoken(echo.port, head(cookie="c" * 6_000)) as peer:
        assert (await peer.answer()).status == 101
        assert (await peer.text()).startswith("0{")


async def test_a_refusal_ends_a_connection_that_came_with_its_head(echo):
    async with spoken(echo.port, head("/socket.io/?EIO=3&transport=websocket")) as peer:
        assert (await peer.answer()).status == 400
        assert await peer.ended()


async def test_requests_that_came_with_the_connection_are_answered_in_order(echo):
    async with spoken(echo.port, GET * 500) as peer:
        peer.send(GET * 500)
        for _ in range(1_000):
            assert (await peer.answer()).body == "ok"


@pytest.mark.parametrize("said", [b"", GET[:9], head()])
async def test_who_is_gone_before_the_loop_has_read_leaves_nothing_open(echo, said):
    stream = socket.create_connection(("127.0.0.1", echo.port))
    stream.sendall(said)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not ended
    stream.close()
    async with spoken(echo.port, head()) as peer:
        assert (await peer.answer()).status == 101
    await echo.until_empty()
    assert echo.log.exceptions == []
