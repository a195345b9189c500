"""A small POST that is known goes past the parser. At the borders of that way nothing changes for a client."""

import asyncio
import contextlib
import socket

import pytest

from realtime.peer import dialled
from recado.realtime.http_protocol import MAX_POST_BYTES
from rest.service import listening

OURS = "/hooks/1"
WAYS = {"short", "long"}


class Posts:
    """Answers with the way and the body, as `LongWay` does; a POST of "wait" when the gate is open."""

    beginnings = (b"POST /hooks/",)

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.done = []

    def take(self, target, _lines, body):
        return self._answer(body) if target == OURS.encode() else None

    async def _answer(self, body):
        if body == b"wait":
            await self.gate.wait()
        self.done.append(body)
        content = b"short %b" % body
        return 200, (b"content-length: %d\r\n\r\n" % len(content), content)


async def long_way(_scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    content = b"long %b" % body
    headers = [(b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture
def posts():
    return Posts()


@pytest.fixture
async def port(posts):
    async with served(posts) as port:
        yield port


@contextlib.asynccontextmanager
async def served(posts, **settings):
    listener = socket.create_server(("127.0.0.1", 0))
    async with listening(long_way, listener, posts=posts, **settings):
        yield listener.getsockname()[1]


def post(body=b"", target=OURS, *fields):
    lines = [f"POST {target} HTTP/1.1", "host: x", *(fields or [f"Content-Length: {len(body)}"])]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def said(peer, *pieces):
    for piece in pieces:
        peer.send(piece)
        await peer.writer.drain()
        await peer_is_read(peer)
    return (await peer.answer()).body


async def peer_is_read(peer):
    """The loop reads in the order in which things came."""
    async with dialled(peer.writer.get_extra_info("peername")[1]) as other:
        other.send(post(b"", "/other"))
        await other.answer()


async def test_what_came_whole_needs_no_parser(port):
    async with dialled(port) as peer:
        for body in (b"one", b"", b"two"):
            assert await said(peer, post(body)) == f"short {body.decode()}"


async def test_a_body_that_follows_its_head_needs_none_either(port):
    async with dialled(port) as peer:
        for _ in range(2):
            whole = post(b"one")
            assert await said(peer, whole[:-3], whole[-3:]) == "short one"


async def test_a_body_in_more_pieces_is_for_the_parser_and_comes_whole(port):
    async with dialled(port) as peer:
        for _ in range(2):
            whole = post(b"one")
            assert await said(peer, whole[:-3], b"o", b"n", b"e") == "long one"
            assert await said(peer, whole[:20], whole[20:]) == "long one"
        assert await said(peer, post(b"two")) == "short two"


@pytest.mark.parametrize(
    "request_",
    [
        post(b"one", "/hooks/2"),
        post(b"one", "/elsewhere"),
        post(b"3\r\none\r\n0\r\n\r\n", OURS, "transfer-encoding: chunked"),
        post(b"one", OURS, "content-length: 3", "content-length: 3"),
        post(b"one", OURS, "content-length:3"),
        post(b"one", OURS, "content-length: 3", "connection: close"),
        post(b"one").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["other id", "other address", "chunked", "two sizes", "untidy", "last", "old"],
)
async def test_what_is_unusual_is_for_the_parser(port, posts, request_):
    async with dialled(port) as peer:
        peer.send(request_)
        answer = await peer.answer()
    assert answer.status in {200, 400}
    assert (answer.body == "long one") == (answer.status == 200)
    assert posts.done == []


async def test_a_large_body_is_for_the_parser(port, posts):
    body = b"x" * (MAX_POST_BYTES + 1)
    async with dialled(port) as peer:
        peer.send(post(body))
        assert (await peer.answer()).body == f"long {body.decode()}"
    assert posts.done == []


async def test_what_is_pipelined_is_answered_in_order(port, posts):
    async with dialled(port) as peer:
        peer.send(post(b"wait"))
        await peer_is_read(peer)
        peer.send(post(b"one") + post(b"two", "/elsewhere"))
        peer.send(post(b"three"))
        await peer_is_read(peer)
        posts.gate.set()
        answers = [(await peer.answer()).body for _ in range(4)]
    assert [answer.split(" ")[1] for answer in answers] == ["wait", "one", "two", "three"]
    assert {answer.split(" ")[0] for answer in answers} == WAYS


async def test_who_hangs_up_is_served_all_the_same(port, posts):
    async with dialled(port) as peer:
        peer.send(post(b"wait"))
        await peer_is_read(peer)
    posts.gate.set()
    async with dialled(port) as other:
        assert await said(other, post(b"after")) == "short after"
    assert posts.done == [b"wait", b"after"]


async def test_a_body_that_does_not_come_is_408(posts):
    async with served(posts, head_timeout_s=0.2) as port, dialled(port) as peer:
        assert await said(peer, post(b"one")) == "short one"
        peer.send(post(b"one")[:-1])
        assert (await peer.answer()).status == 408
        assert await peer.ended()
    assert posts.done == [b"one"]


async def test_a_connection_does_not_idle_while_a_body_is_under_way(posts):
    async with served(posts, keep_alive_s=0.2) as port, dialled(port) as peer:
        assert await said(peer, post(b"one")) == "short one"
        peer.send(post(b"two")[:-3])
        await asyncio.sleep(0.4)  # longer than an idle connection has
        assert await said(peer, b"two") == "short two"
        assert await peer.ended(), "then it idles"


async def test_a_server_that_stops_answers_first(posts):
    async with contextlib.AsyncExitStack() as server:
        port = await server.enter_async_context(served(posts))
        async with dialled(port) as peer:
            peer.send(post(b"wait"))
            await peer_is_read(peer)
            stopping = asyncio.create_task(server.aclose())
            await asyncio.sleep(0)
            posts.gate.set()
            assert (await peer.answer()).body == "short wait"
            assert await peer.ended()
            await stopping
