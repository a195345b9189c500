"""A screen that stops reading while its clinic goes on: let go with a code, and complete as soon as it is back."""

import asyncio
import contextlib
import itertools

import httpx

from e2e.patients import deliver
from soak.inbox_client import InboxClient, Snapshot

NOTE = "x" * 16_000
PATIENCE_S = 30
IN_FLIGHT = 16


class SlowWay:
    """A relay on loopback; while `open` is not set, nothing more is read of what the server says."""

    def __init__(self, port):
        self.open = asyncio.Event()
        self.open.set()
        self._port = port
        self._carrying = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.open.set()
        self._server.close()
        await asyncio.gather(*self._carrying)

    async def _carry(self, from_client, to_client):
        self._carrying.add(asyncio.current_task())
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port, limit=4_096)
        await asyncio.gather(
            self._pour(from_client, to_server, always=True), self._pour(from_server, to_client, always=False)
        )

    async def _pour(self, source, sink, *, always):
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(4_096):
                if not always:
                    await self.open.wait()
                sink.write(piece)
                await sink.drain()
        sink.close()
        with contextlib.suppress(ConnectionError):
            await sink.wait_closed()


async def write_until_one_is_let_go(server, screen, conversation_id):
    """Notes, many at once, until the server says that it closed a slow consumer; none is refused."""
    numbers, let_go = itertools.count(), asyncio.Event()

    async def write(log):
        while not let_go.is_set():
            number = next(numbers)
            assert await screen.send(conversation_id, f"note-{number}", f"{number} {NOTE}")
            if any('"slow consumer"' in line for line in log):
                let_go.set()

    with server.log.open() as log:
        await asyncio.gather(*(write(log) for _ in range(IN_FLIGHT)))


async def test_a_screen_that_stops_reading_is_let_go_and_complete_when_it_returns(server):
    clinic_id = server.clinic_ids()[0]
    deliver(server, clinic_id, "+55 11 90000-0001", "Bom dia")
    tokens, ids = [], []
    for member in server.members(clinic_id)[:2]:
        with server.api(member) as api:
            tokens.append(api.headers["Authorization"].removeprefix("Bearer "))
            ids.append(api.get("/me").json()["member"]["id"])
    held = (await Snapshot.read(server.url, tokens[0], clinic_id)).conversations
    quick = InboxClient(server.url, tokens[0], clinic_id, ids[0], list(held))
    await quick.connect()
    async with SlowWay(httpx.URL(server.url).port) as way:
        slow = InboxClient(way.url, tokens[1], clinic_id, ids[1], list(held))
        await slow.connect()
        known = slow.cursor
        way.open.clear()
        async with asyncio.timeout(PATIENCE_S):
            await write_until_one_is_let_go(server, quick, next(iter(held)))
        way.open.set()
        async with asyncio.timeout(PATIENCE_S):
            await slow.gone()
        assert slow.cursor != quick.cursor
        assert slow.cursor.rpartition(":")[0] == known.rpartition(":")[0]
        await slow.connect()
        fresh = await Snapshot.read(server.url, tokens[1], clinic_id)
        await slow.catch_up()
        assert slow.cursor == quick.cursor
        assert slow.messages == {
            id_: row for id_, row in fresh.messages.items() if row["conversationId"] in held
        }
        assert slow.conversations == fresh.conversations
        await slow.disconnect()
    await quick.disconnect()
