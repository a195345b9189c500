"""The echo server that the protocols' official suites are run against, as its own process."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from realtime.peer import BINARY, TEXT, dialled, frame, head

ROOT = Path(__file__).parents[2]
OPTIONS = {
    "ping-interval-ms": 300,
    "ping-timeout-ms": 200,
    "connect-timeout-ms": 1_000,
    "max-payload": 50_000,
}
START_LIMIT_S = 30


@pytest.fixture(scope="module")
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    options = [f"--{name}={value}" for name, value in OPTIONS.items()]
    command = [sys.executable, "-m", "tests.conformance.echo_app", f"--port={number}", *options]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONWARNINGS": "error"})
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", number)):
            break
        time.sleep(0.02)
    yield number
    process.send_signal(signal.SIGTERM)
    assert process.wait(START_LIMIT_S) == 0


@contextlib.asynccontextmanager
async def opened(port, path):
    """A WebSocket, and its open packet's handshake."""
    async with dialled(port) as peer:
        peer.send(head(f"{path}?EIO=4&transport=websocket"))
        assert (await peer.answer()).status == 101
        yield peer, await peer.text()


async def test_the_handshake_tells_exactly_what_was_asked_for(port):
    for path in ("/engine.io/", "/socket.io/"):
        async with opened(port, path) as (_, opening):
            handshake = json.loads(opening.removeprefix("0"))
            assert len(handshake.pop("sid")) == 20
            assert handshake == {
                "upgrades": [],
                "pingInterval": 300,
                "pingTimeout": 200,
                "maxPayload": 50_000,
            }


async def test_engine_io_returns_text_and_binary_unchanged(port):
    async with opened(port, "/engine.io/") as (peer, _):
        peer.send_text("4olá\u2028")
        assert await peer.text() == "4olá\u2028"
        peer.send(frame(BINARY, bytes(range(256))))
        assert await peer.receive() == (BINARY, bytes(range(256)))
        peer.send(frame(BINARY, b""))
        assert await peer.receive() == (BINARY, b"")


async def test_engine_io_closes_on_what_it_does_not_know(port):
    for packet in ("2", "7", "", "1"):
        async with opened(port, "/engine.io/") as (peer, _):
            peer.send_text(packet)
            assert await peer.close_code() == (1000 if packet == "1" else 1002)


async def test_a_namespace_greets_with_what_it_was_given(port):
    async with opened(port, "/socket.io/") as (peer, _):
        for namespace, auth in (("", ""), ("/custom,", '{"token":"abc"}')):
            peer.send_text(f"40{namespace}{auth}")
            reply = json.loads((await peer.text()).removeprefix(f"40{namespace}"))
            assert set(reply) == {"sid"}
            assert await peer.text() == f'42{namespace}["auth",{auth or "{}"}]'
        peer.send_text("40/random")
        assert await peer.text() == '44/random,{"message":"Invalid namespace"}'


async def test_messages_come_back_and_acknowledgements_carry_them(port):
    async with opened(port, "/socket.io/") as (peer, _):
        peer.send_text("40")
        for _ in range(2):
            await peer.text()
        peer.send_text('42["message",1,"2",{"3":[true]}]')
        assert await peer.text() == '42["message-back",1,"2",{"3":[true]}]'
        peer.send_text('42456["message-with-ack",1,"2",{"3":[false]}]')
        assert await peer.text() == '43456[1,"2",{"3":[false]}]'


async def test_a_room_hears_what_is_published(port):
    async with opened(port, "/socket.io/") as (member, _), opened(port, "/socket.io/") as (publisher, _):
        for peer in (member, publisher):
            peer.send_text("40")
            for _ in range(2):
                await peer.text()
        member.send_text('42["join","r"]')
        member.send_text('42["message",1]')
        assert await member.text() == '42["message-back",1]'
        publisher.send_text('42["pub",{"x":[1]}]')
        assert await member.text() == '42["msg",{"x":[1]}]'


async def test_pings_come_as_often_as_asked_for(port):
    async with opened(port, "/engine.io/") as (peer, _):
        for _ in range(3):
            assert await peer.receive() == (TEXT, b"2")
            peer.send_text("3")
        started = time.monotonic()
        assert await peer.text() == "2"
        assert await peer.close_code() == 4002
        assert time.monotonic() - started < 2
