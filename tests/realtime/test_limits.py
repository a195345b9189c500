"""Bounds on what one peer may take: each has a clear refusal, and none costs anybody else's session."""

import asyncio
import json
import os
import socket
import struct
from ipaddress import ip_network
from pathlib import Path

import pytest

from realtime.peer import connected, dialled, head, upgraded
from recado.errors import UnauthenticatedError
from recado.realtime.head import Head
from recado.realtime.limits import Allowance, Doors
from recado.realtime.serving import BACKLOG

SOMAXCONN = int(Path("/proc/sys/net/core/somaxconn").read_text())


async def refusal(port, **fields):
    async with dialled(port) as peer:
        peer.send(head(**fields))
        answer = await peer.answer()
        return answer.status, answer.body


async def test_beyond_the_bound_of_connections_the_next_is_refused_and_the_others_live_on(serve):
    echo = await serve(max_connections=2)
    async with connected(echo.port) as witness:
        async with connected(echo.port):
            assert await refusal(echo.port) == (503, "Too many connections")
            witness.emit("message", 1)
            assert await witness.event() == ["message-back", 1]
        await echo.root.until(lambda: len(echo.root.gone) == 1)
        while echo.engine.link_count > 1:
            await peer_turn(witness)
        async with connected(echo.port):
            pass
    assert echo.engine.report.statistics().refusals == {"Too many connections": 1}


async def peer_turn(peer):
    peer.emit("message")
    await peer.event()


async def test_an_address_has_its_own_bound_seen_through_trusted_proxies(serve):
    echo = await serve(max_connections_per_address=1, trusted_proxies=[ip_network("127.0.0.0/8")])
    async with dialled(echo.port) as ana, dialled(echo.port) as bruno:
        for peer, address in ((ana, "192.0.2.1"), (bruno, "192.0.2.2")):
            peer.send(head(x_forwarded_for=address))
            assert (await peer.answer()).status == 101
        assert await refusal(echo.port, x_forwarded_for="192.0.2.1") == (
            429,
            "Too many connections from this address",
        )
    await echo.until_empty()
    assert echo.engine._hub.doors._by_address == {}


async def test_events_beyond_the_rate_are_refused_and_the_session_lives_on(serve):
    echo = await serve(max_events_per_s=5)
    async with connected(echo.port) as peer:
        for number in range(20):
            peer.emit("message-with-ack", number, ack_id=number)
        texts = [await peer.text() for _ in range(20)]
        answers = [json.loads(text[text.index("[") :])[0] for text in texts]
        refused = [answer["error"] for answer in answers if isinstance(answer, dict)]
        assert sorted(answer for answer in answers if isinstance(answer, int)) == list(range(5))
        assert len(refused) == 15
        assert {(error["code"], error["retryable"], error["retryAfter"]) for error in refused} == {
            ("rate_limited", True, 1)
        }
    assert echo.engine.report.statistics().refusals == {"rate_limited": 15}


def test_an_allowance_refills_with_time_up_to_a_seconds_worth():
    allowance = Allowance(10, 0.0)
    assert [allowance.take(0.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert [allowance.take(0.25) for _ in range(3)] == [True, True, False]
    assert [allowance.take(60.0) for _ in range(11)] == [True] * 10 + [False]


def test_doors_forget_an_address_that_has_gone():
    doors = Doors(0, 1)
    one, other = (Head("GET", "/", [], peer=f"192.0.2.{number}") for number in (1, 2))
    doors.enter(one)
    assert doors.refusal(one).status == 429
    assert doors.refusal(other) is None
    doors.leave(one)
    assert doors.refusal(one) is None
    assert (doors.open, doors._by_address) == (0, {})


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", head()[:-10]])
async def test_a_head_that_does_not_come_is_refused_in_time(serve, sent):
    echo = await serve(head_timeout_s=0.2)
    async with dialled(echo.port) as peer:
        peer.send(sent)
        assert (await peer.answer()).status == 408
        assert await peer.ended()
    async with upgraded(echo.port) as peer, dialled(echo.port) as later:
        later.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await later.answer()).status == 200
        later.send(b"GET / HTTP/1.1\r\n")
        assert (await later.answer()).status == 408
        peer.send_text("40")
        assert (await peer.text()).startswith("40{")


async def test_as_many_may_wait_for_their_turn_as_we_said(echo):
    """The kernel tells a listening socket's bound in place of what a connection's peer has received out of order."""
    with socket.socket(fileno=os.dup(echo._server.servers[0].sockets[0].fileno())) as listening:
        told = struct.unpack("8B6I", listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32))
    assert told[-1] == min(BACKLOG, SOMAXCONN)


async def test_each_silent_connection_has_its_own_time(serve):
    echo = await serve(head_timeout_s=0.3)
    loop = asyncio.get_running_loop()
    async with dialled(echo.port) as one:
        async with upgraded(echo.port):
            pass
        opened = loop.time()
        async with dialled(echo.port) as two:
            assert (await one.answer()).status == 408
            assert (await two.answer()).status == 408
            assert loop.time() - opened > 0.29


async def test_a_bug_in_a_plain_handler_is_refused_like_any_other(echo):
    def event(_session, _name, _args):
        raise ValueError("segredo")

    async with connected(echo.port) as peer:
        echo.root.event = event
        peer.emit("anything", ack_id=7)
        (answer,) = await peer.ack(7)
        assert answer["error"]["code"] == "internal"
        del echo.root.event
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]
    assert echo.log.exceptions == ["event_failed"]
    assert "segredo" not in str(echo.log.lines)


async def test_a_plain_handlers_answer_needs_no_task(echo):
    async with connected(echo.port) as peer:
        echo.root.event = lambda _session, _name, args: tuple(args)
        tasks = echo.engine._hub.tasks
        peer.emit("anything", 1, 2, ack_id=1)
        assert await peer.ack(1) == [1, 2]
        assert not tasks


async def test_a_plain_connect_needs_no_task_and_its_reply_comes_before_what_it_emits(echo):
    tasks_seen = []

    def connect(session, auth):
        session.emit("auth", auth)
        tasks_seen.append(set(echo.engine._hub.tasks))

    echo.root.connect = connect
    async with connected(echo.port) as peer:
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]
    assert tasks_seen == [set()]


@pytest.mark.parametrize(
    ("error", "code", "logged"),
    [
        (UnauthenticatedError(), "unauthenticated", []),
        (ValueError("segredo"), "internal", ["connect_failed"]),
    ],
)
async def test_a_plain_connect_that_raises_is_refused_like_any_other(echo, error, code, logged):
    def connect(_session, _auth):
        raise error

    async with upgraded(echo.port) as peer:
        echo.root.connect = connect
        peer.send_text("40")
        reply = await peer.text()
        assert reply.startswith("44{")
        assert json.loads(reply[2:])["data"]["code"] == code
        del echo.root.connect
        await peer.join()
    assert echo.log.exceptions == logged
    assert "segredo" not in str(echo.log.lines)
