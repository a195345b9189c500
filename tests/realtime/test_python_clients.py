"""python-socketio's two clients, unchanged, over every way of transport that they know."""

import asyncio
import contextlib

import pytest
import socketio

from realtime.echo import serving

WAYS = [["websocket"], ["polling"], ["polling", "websocket"]]
PATIENCE_S = 20

way = pytest.mark.parametrize("way", WAYS, ids="-".join)


class Client(socketio.AsyncClient):
    """Everything it hears, in order."""

    def __init__(self, **options):
        super().__init__(**{"reconnection": False, **options})
        self.heard = asyncio.Queue()
        self.connects = asyncio.Queue()
        self.on("*", lambda event, *args: self.heard.put_nowait((event, args)))
        self.on("connect", lambda: self.connects.put_nowait(self.get_sid()))

    async def next(self):
        async with asyncio.timeout(PATIENCE_S):
            return await self.heard.get()

    async def next_connect(self):
        async with asyncio.timeout(PATIENCE_S):
            return await self.connects.get()


@contextlib.asynccontextmanager
async def connected(url, way, *, auth=None, **options):
    client = Client(**options)
    await client.connect(url, auth=auth, transports=way, wait_timeout=PATIENCE_S)
    try:
        yield client
    finally:
        await client.disconnect()


@way
async def test_the_async_client_talks_both_ways(echo, way):
    async with connected(echo.url, way, auth={"token": "t"}) as client:
        assert await client.next() == ("auth", ({"token": "t"},))
        assert client.get_sid() == echo.root.sessions[0].id
        client.on("question", lambda number: number + 41)
        assert await client.call("message-with-ack", ("x", 2)) == ("x", 2)
        assert await client.call("ask") == {"answer": [42]}
        assert client.transport() == way[-1]
    await echo.root.until(lambda: len(echo.root.gone) == 1)
    assert echo.log.exceptions == []


@way
async def test_the_async_client_reads_a_refusal(echo, way):
    client = Client()
    refused = asyncio.get_running_loop().create_future()
    client.on("connect_error", lambda data: refused.done() or refused.set_result(data))
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(echo.url, auth={"refuse": ""}, transports=way)
    assert await refused == {
        "message": "No valid session came with the request.",
        "data": {"code": "unauthenticated", "retryable": False},
    }
    await client.disconnect()


@way
async def test_the_async_client_hears_its_rooms_and_no_others(echo, way):
    async with connected(echo.url, way) as inside, connected(echo.url, way) as outside:
        for client in (inside, outside):
            assert await client.next() == ("auth", ({},))
        assert await inside.call("join", "r") == {"ok": True}
        await outside.call("pub-in", ("r", {"b": 1}))
        assert await inside.next() == ("msg", ({"b": 1},))
        await inside.call("leave", "r")
        await outside.call("pub-in", ("r", "to nobody"))
        for client in (inside, outside):
            await client.call("message-with-ack", "nothing more")
            assert client.heard.empty()


@way
async def test_the_async_client_sends_and_receives_900_kilobytes(echo, way):
    text = "x" * 900_000
    async with connected(echo.url, way) as client:
        assert await client.call("message-with-ack", text) == text


@way
async def test_the_async_client_comes_back_by_itself_after_a_restart(websocket, way):
    async with contextlib.AsyncExitStack() as stack:
        async with serving(websocket=websocket) as echo:
            client = await stack.enter_async_context(
                connected(
                    echo.url, way, reconnection=True, reconnection_delay=0.05, reconnection_delay_max=0.1
                )
            )
            first = await client.next_connect()
            echo.stop()
            await echo.stopped()
        async with serving(websocket=websocket, port=echo.port):
            assert await client.next_connect() != first
            assert await client.call("message-with-ack", 1) == 1
            await stack.aclose()


@way
async def test_the_sync_client_talks_both_ways_and_answers_our_heartbeat(serve, way):
    # By polling this client's goodbye gets lost if it leaves while it posts a pong; then the missing heartbeat tells.
    echo = await serve(ping_interval_s=0.2, ping_timeout_s=5.0)

    def talk():
        client = socketio.SimpleClient(reconnection=False)
        client.connect(echo.url, auth={"token": "t"}, transports=way)
        client.client.on("question", lambda number: number + 41)
        seen = [client.receive(PATIENCE_S), client.call("message-with-ack", ("x", 2))]
        seen += [client.call("ask"), client.call("join", "r")]
        client.emit("pub", 1)
        seen.append(client.receive(PATIENCE_S))
        for _ in range(3):
            client.call("message-with-ack", "still here")
        client.disconnect()
        return seen

    assert await asyncio.to_thread(talk) == [
        ["auth", {"token": "t"}],
        ("x", 2),
        {"answer": [42]},
        {"ok": True},
        ["msg", 1],
    ]
    await echo.root.until(lambda: len(echo.root.gone) == 1)
    assert echo.log.exceptions == []


@way
async def test_the_sync_client_reads_a_refusal(echo, way):
    def ask():
        client, heard = socketio.Client(reconnection=False), []
        client.on("connect_error", heard.append)
        with pytest.raises(socketio.exceptions.ConnectionError):
            client.connect(echo.url, auth={"refuse": ""}, transports=way)
        client.disconnect()
        return heard

    assert await asyncio.to_thread(ask) == [
        {
            "message": "No valid session came with the request.",
            "data": {"code": "unauthenticated", "retryable": False},
        }
    ]
