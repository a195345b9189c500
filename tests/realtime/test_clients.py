"""The clients everybody has, unchanged: socket.io-client 4.8.4 under Node, and python-socketio's two."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import socketio

from realtime.echo import serving

HERE = Path(__file__).parent
NODE_MODULES = HERE.parents[1] / "web" / "node_modules"


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


async def run(node, echo, scenario):
    """What the scenario in client.mjs saw."""
    process = await asyncio.create_subprocess_exec(
        node,
        str(HERE / "client.mjs"),
        str(NODE_MODULES),
        echo.url,
        scenario,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_socketio_client_talks_both_ways(node, echo):
    seen = await run(node, echo, "echo")
    assert seen.pop("sid") == echo.root.sessions[0].id
    assert seen == {
        "auth": [{"token": "t"}],
        "message": [1, "ção", {"a": [None]}],
        "ack": ["x", 2],
        "large": 900_000,
        "asked": [{"answer": [42]}],
        "joined": [{"ok": True}],
        "packet": [{"b": 1}],
    }
    await echo.root.until(lambda: len(echo.root.gone) == 1)


async def test_socketio_client_reads_a_refusal_and_may_try_again(node, echo):
    assert await run(node, echo, "refused") == {
        "message": "No valid session came with the request.",
        "data": {"code": "unauthenticated", "retryable": False},
        "active": False,
    }


async def test_socketio_client_shares_one_connection_between_namespaces(node, echo):
    assert await run(node, echo, "namespaces") == {
        "refused": "Invalid namespace",
        "back": ["custom"],
        "differ": True,
        "rootLivesOn": [1],
    }


async def test_socketio_client_answers_our_heartbeat(node, serve):
    echo = await serve(ping_interval_s=0.3, ping_timeout_s=0.2)
    assert await run(node, echo, "heartbeat") == {"ack": ["alive"]}


async def test_socketio_client_comes_back_by_itself_with_what_it_had_to_say(node, echo):
    assert await run(node, echo, "reconnects") == {
        "reason": "transport close",
        "differ": True,
        "buffered": ["buffered"],
    }


async def test_socketio_client_stays_away_when_its_session_has_ended(node, echo):
    assert await run(node, echo, "staysAway") == {"reason": "io server disconnect", "active": False}


async def test_socketio_clients_binary_event_does_not_break_the_session(node, echo):
    assert await run(node, echo, "binary") == {"livesOn": [1]}


async def test_python_socketios_async_client_talks_both_ways(echo):
    client = socketio.AsyncClient(reconnection=False)
    heard = asyncio.Queue()
    client.on("*", lambda event, *args: heard.put_nowait((event, args)))
    client.on("question", lambda number: number + 41)
    await client.connect(echo.url, auth={"token": "t"}, transports=["websocket"])
    assert await heard.get() == ("auth", ({"token": "t"},))
    assert client.get_sid() == echo.root.sessions[0].id
    assert await client.call("message-with-ack", ("x", 2), timeout=10) == ("x", 2)
    assert await client.call("message-with-ack", "x" * 900_000, timeout=10) == "x" * 900_000
    assert await client.call("ask", timeout=10) == {"answer": [42]}
    assert await client.call("join", "r", timeout=10) == {"ok": True}
    await client.emit("pub", {"b": 1})
    assert await heard.get() == ("msg", ({"b": 1},))
    await client.disconnect()
    await echo.root.until(lambda: len(echo.root.gone) == 1)


async def test_python_socketios_async_client_reads_a_refusal(echo):
    client = socketio.AsyncClient(reconnection=False)
    refused = asyncio.get_running_loop().create_future()
    client.on("connect_error", lambda data: refused.done() or refused.set_result(data))
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(echo.url, auth={"refuse": ""}, transports=["websocket"])
    assert (await refused)["data"]["code"] == "unauthenticated"
    await client.disconnect()


async def test_python_socketios_sync_client_talks_both_ways(serve):
    echo = await serve(ping_interval_s=0.3, ping_timeout_s=0.2)

    def talk():
        client = socketio.SimpleClient()
        client.connect(echo.url, auth={"token": "t"}, transports=["websocket"])
        seen = [client.receive(timeout=10), client.call("message-with-ack", ("x", 2), timeout=10)]
        client.call("join", "r", timeout=10)
        client.emit("pub", 1)
        seen.append(client.receive(timeout=10))
        client.disconnect()
        return seen

    assert await asyncio.to_thread(talk) == [["auth", {"token": "t"}], ("x", 2), ["msg", 1]]
    await echo.root.until(lambda: len(echo.root.gone) == 1)


async def test_python_socketios_client_comes_back_after_a_restart():
    client = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1)
    connects = asyncio.Queue()
    client.on("connect", lambda: connects.put_nowait(1))
    async with serving() as echo:
        await client.connect(echo.url, transports=["websocket"])
        await connects.get()
        port = echo.port
        echo.stop()
        await echo.stopped()
    async with serving(port=port) as echo:
        async with asyncio.timeout(20):
            await connects.get()
        assert await client.call("message-with-ack", 1, timeout=10) == 1
        await client.disconnect()
