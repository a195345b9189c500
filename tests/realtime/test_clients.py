"""socket.io-client 4.8.4 under Node, unchanged, over every way of transport: one process per way sees all scenarios."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from realtime.echo import serving
from realtime.test_python_clients import connected

HERE = Path(__file__).parent
NODE_MODULES = HERE.parents[1] / "web" / "node_modules"
PATIENCE_S = 60
WAYS = ["websocket", "polling", "polling,websocket"]
"""What the client is told to use, in this order; the last is where it ends."""
LOST = {"transport close", "transport error"}
"""What socket.io-client says when it is about to come back; the second when its poll found the session gone."""


@pytest.fixture(scope="module")
def node():
    """Node, the system's or the environment's own, and the package in web/node_modules. Their absence is a failure."""
    found = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.fail("node is missing: `make test` installs it; or install Node 20.19 or newer")
    manifest = NODE_MODULES / "socket.io-client" / "package.json"
    if not manifest.exists():
        pytest.fail("socket.io-client is missing in web/node_modules: run `make web`, or `npm ci` in web/")
    assert json.loads(manifest.read_text())["version"] == "4.8.4"
    return found


@contextlib.asynccontextmanager
async def client(node, url, *arguments):
    """The lines that client.mjs writes, as they come."""
    process = await asyncio.create_subprocess_exec(
        node,
        str(HERE / "client.mjs"),
        str(NODE_MODULES),
        url,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )

    async def lines():
        async for line in process.stdout:
            yield json.loads(line)

    try:
        async with asyncio.timeout(PATIENCE_S):
            yield lines()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Sight:
    """What the client saw, by scenario, and what the server knows about it."""

    def __init__(self, way):
        self.last = way.split(",")[-1]
        self.scenarios = {}
        self.sids = set()
        self.exceptions = []

    async def read(self, lines, *, until_ready=False):
        async for line in lines:
            if until_ready and "ready" in line:
                return
            self.scenarios[line["scenario"]] = line["seen"]

    def take(self, echo):
        self.sids |= {session.id for session in echo.root.sessions}
        self.exceptions += echo.log.exceptions


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[(websocket, way) for websocket in ("picows", "asgi") for way in WAYS],
    ids="-".join,
)
async def saw(request, node):
    websocket, way = request.param
    sight = Sight(way)
    options = {"websocket": websocket, "ping_interval_s": 0.3, "ping_timeout_s": 20.0}
    async with contextlib.AsyncExitStack() as stack:
        async with serving(**options) as echo:
            lines = await stack.enter_async_context(client(node, echo.url, way))
            await sight.read(lines, until_ready=True)
            sight.take(echo)
            echo.stop()
            await echo.stopped()
        async with serving(port=echo.port, **options) as echo:
            await sight.read(lines)
            await echo.until_empty()
            sight.take(echo)
    return sight


def test_socketio_client_talks_both_ways(saw):
    seen = saw.scenarios["talks"]
    assert seen.pop("sid") in saw.sids
    assert seen == {
        "auth": [{"token": "t"}],
        "message": [1, "ção", {"a": [None]}],
        "ack": ["x", 2],
        "asked": [{"answer": [42]}],
        "transport": saw.last,
        "afterwards": ["still here"],
    }


def test_socketio_client_reads_a_refusal_and_may_try_again(saw):
    assert saw.scenarios["refused"] == {
        "message": "No valid session came with the request.",
        "data": {"code": "unauthenticated", "retryable": False},
        "active": False,
        "ack": ["let in"],
    }


def test_socketio_client_shares_one_connection_between_namespaces(saw):
    assert saw.scenarios["namespaces"] == {
        "refused": "Invalid namespace",
        "back": ["custom"],
        "differ": True,
        "rootLivesOn": [1],
    }


def test_socketio_client_hears_its_rooms_and_no_others(saw):
    assert saw.scenarios["rooms"] == {
        "joined": [{"ok": True}],
        "heard": {"inside": ["to the room"], "outside": []},
    }


def test_socketio_client_sends_and_receives_900_kilobytes(saw):
    assert saw.scenarios["large"] == {"bytes": 900_000, "same": True, "afterUpgrade": True}


def test_socketio_client_answers_our_heartbeat(saw):
    assert saw.scenarios["heartbeat"] == {"ack": ["alive"]}


def test_socketio_client_comes_back_by_itself_with_what_it_had_to_say(saw):
    assert saw.scenarios["reconnects"].pop("reason") in LOST
    assert saw.scenarios["reconnects"] == {
        "differ": True,
        "buffered": ["buffered"],
    }


def test_socketio_client_stays_away_when_its_session_has_ended(saw):
    assert saw.scenarios["staysAway"] == {"reason": "io server disconnect", "active": False}


def test_socketio_client_comes_back_by_itself_after_a_restart(saw):
    assert saw.scenarios["restart"].pop("reason") in LOST
    assert saw.scenarios["restart"] == {
        "drained": ["reconnectInMs"],
        "differ": True,
        "kept": ["said while it was away"],
        "transport": saw.last,
    }


def test_socketio_client_sends_and_receives_binary_events_and_acknowledgements(saw):
    assert saw.scenarios["binary"] == {
        "event": ["010203", ["", "between", "ff00"]],
        "ack": ["x", "04"],
        "ten": [f"{number:02x}" for number in range(10)],
        "asked": "0129",
        "large": True,
        "afterUpgrade": ["09", "08"],
    }


def test_socketio_client_makes_nothing_fail_here(saw):
    assert saw.exceptions == []


async def test_members_of_all_ways_hear_the_same_text_and_binary_in_the_same_order(node, echo):
    """Also python-socketio's, in the same room; whoever publishes hears it as well."""
    async with contextlib.AsyncExitStack() as stack:
        listeners = [
            await stack.enter_async_context(connected(echo.url, way))
            for way in (["websocket"], ["polling"], ["polling", "websocket"])
        ]
        for listener in listeners:
            assert await listener.next() == ("auth", ({},))
            await listener.call("join", "mixed")
        async with client(node, echo.url, "websocket", "mixed") as lines:
            (seen,) = [line["seen"] async for line in lines]
        first, *others = seen["heard"]
        others += [[hexed((await listener.next())[1]) for _ in range(len(first))] for listener in listeners]
        assert all(other == first for other in others)
        assert sorted(first) == sorted(
            [sender, number, f"0{sender}{number:02x}" if number % 2 else "text"]
            for sender in range(3)
            for number in range(20)
        )
        assert seen["transport"] == ["websocket", "polling", "websocket"]
    assert echo.log.exceptions == []


async def test_a_thousand_upgrades_amid_traffic_both_ways_lose_and_double_nothing(node, echo):
    async def publish():
        for number in itertools.count():
            echo.rooms.emit("load", "msg", number, *([b"attached"] if number % 5 == 0 else []))
            await asyncio.sleep(0.002)

    async with asyncio.TaskGroup() as tasks:
        publisher = tasks.create_task(publish())
        async with client(node, echo.url, "polling,websocket", "upgrades") as lines:
            (seen,) = [line["seen"] async for line in lines]
        publisher.cancel()
    assert seen == {"upgrades": 1_000, "faults": []}
    assert echo.log.exceptions == []


def hexed(args):
    """As client.mjs tells of bytes."""
    return [arg.hex() if isinstance(arg, bytes) else arg for arg in args]
