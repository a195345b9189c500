"""Joining is atomic with the delta's cursor, however joins, commits, reads and deliveries interleave.

The real gateway, engine, feed and database; only the wire is in memory, and every read of the database waits for as
many turns of the loop as the seed says, before it begins and before its answer is used.
"""

import asyncio
import json
import random
import secrets
import time

import pytest

from recado.app.access import Access
from recado.app.inbox import Inbox
from recado.app.origins import own_origins
from recado.app.queries import Queries
from recado.app.sessions import Sessions, SessionSettings
from recado.domain.instants import shift
from recado.feed.feed import Feed
from recado.observe import get_logger
from recado.protocol.websocket import payload_of
from recado.realtime.engine import Engine
from recado.realtime.gateway import Gateway
from recado.realtime.head import Head
from recado.realtime.hub import Settings
from recado.store import accounts, inbox
from recado.store.accounts import SessionRow
from stock import new_id

TOKEN = "a token"


class SlowReads:
    """A database whose reads begin and end as late as `rng` likes."""

    def __init__(self, database, rng):
        self._database = database
        self._rng = rng
        self.write = database.write

    async def read(self, work, **options):
        await self._turns()
        answer = await self._database.read(work, **options)
        await self._turns()
        return answer

    async def _turns(self):
        for _ in range(self._rng.randrange(12)):
            await asyncio.sleep(0)


class Wire:
    """A transport in memory: what the client would have received, in order."""

    writable = True
    is_fetched = False

    def __init__(self):
        self.heard = []
        self.more = asyncio.Event()

    def send(self, frames):
        self.heard += [payload_of(frame).decode() for frame in frames]
        self.more.set()

    def buffered_bytes(self):
        return 0

    def close(self, close, last):
        self.send(last)
        self.heard.append(f"closed: {close.reason}")
        self.more.set()

    def abort(self):
        self.more.set()

    def pause_reading(self):
        """Nothing is read but what a test says."""

    def resume_reading(self):
        """The same."""

    async def until(self, start):
        """The first packet that begins so, without that beginning."""
        async with asyncio.timeout(20):
            while not any(packet.startswith(start) for packet in self.heard):
                self.more.clear()
                await self.more.wait()
        return next(packet for packet in self.heard if packet.startswith(start)).removeprefix(start)

    async def until_seq(self, seq):
        async with asyncio.timeout(20):
            while f'"seq":{seq},' not in "".join(self.heard):
                self.more.clear()
                await self.more.wait()


class Node:
    """Everything between the writer and the wire."""

    def __init__(self, stock, rng):
        self.stock = stock
        database = SlowReads(stock.database, rng)
        settings = SessionSettings(
            secret="s" * 40, idle_s=3600, lifetime_s=3600, login_attempts=3, login_window_s=300
        )
        now = stock.sources.now
        sessions = Sessions(database, None, settings, now, new_id, secrets.token_bytes)
        row = SessionRow(new_id(), stock.member_id, now(), shift(now(), 3600))
        stock.database.write_now(lambda c: accounts.add_session(c, sessions.hash_of(TOKEN), row))
        access = Access(database)
        self.feed = Feed(database, self._tell)
        self.engine = Engine(Settings(), log=get_logger("test"), clock=time.monotonic)
        self.gateway = Gateway(
            rooms=self.engine.rooms(),
            sessions=sessions,
            access=access,
            queries=Queries(database, access, self.feed),
            clinics=None,
            channels=None,
            inbox=Inbox(stock.writer, access),
            feed=self.feed,
            origins=own_origins("http://127.0.0.1"),
            now=now,
        )
        self.engine.serve("/", self.gateway)
        stock.writer._on_commit = self._committed

    def _tell(self, told):
        self.gateway.tell(told)

    def _committed(self, committed):
        self.stock.committed.append(committed)
        self.feed.advance(committed.told)

    def connect(self, auth=None):
        wire = Wire()
        head = Head("GET", "/socket.io/?EIO=4&transport=websocket", [], peer="127.0.0.1")
        link = self.engine.open(wire, head)
        receive(link, "40" + json.dumps(auth or {"token": TOKEN}))
        return wire, link


def receive(link, text):
    link.receive_text(text, len(text.encode()))


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_interleaves_the_client_misses_nothing_and_sees_no_hole(writing, seed):
    rng = random.Random(seed)
    known = (await writing.writer.execute(writing.inbound("known"))).conversation
    start = writing.database.read_now(lambda c: inbox.heads(c, [writing.clinic_id]))[writing.clinic_id].cursor
    await writing.writer.execute(writing.inbound("known"))
    node = Node(writing, rng)
    wire, link = node.connect()

    async def write():
        for number in range(12):
            command = rng.choice([writing.inbound("known"), writing.inbound(f"new-{number % 3}")])
            await writing.writer.execute(command)
            for _ in range(rng.randrange(6)):
                await asyncio.sleep(0)

    patients = asyncio.create_task(write())
    await wire.until("40{")
    for _ in range(rng.randrange(8)):
        await asyncio.sleep(0)
    join_clinic = {"clinicId": writing.clinic_id, "after": str(start), "conversationIds": [known.id]}
    receive(link, "421" + json.dumps(["clinic:join", join_clinic]))
    receive(
        link, "422" + json.dumps(["conversation:join", {"conversationId": known.id, "after": str(start)}])
    )
    for answer in ("431", "432"):
        assert json.loads(await wire.until(answer))[0]["ok"]
    await patients
    await asyncio.gather(*node.feed._pulls)
    last = max(told.record.seq for told in writing.told)
    [joined] = json.loads(await wire.until("431"))
    # What was committed before the screen was seated is in the delta alone.
    if seq_of(joined["cursor"]) < last:
        await wire.until_seq(last)
    check(wire.heard, writing, known.id, start.seq)
    link.abort()


def seq_of(cursor):
    return int(cursor.rpartition(":")[2])


def check(heard, stock, known_id, start_seq):
    """Play the client of docs/events.md over what was heard, in its order."""
    conversations, messages, cursor, holes = {}, {}, None, 0
    for packet in heard:
        if packet.startswith(("431", "432")):
            [answer] = json.loads(packet[3:])
            for row in answer["conversations"]:
                keep(conversations, row)
            for row in answer["messages"]:
                keep(messages, row)
            if packet.startswith("431"):
                cursor = seq_of(answer["cursor"])
        elif packet.startswith("42"):
            name, payload = json.loads(packet[2:])
            if name == "message:new":
                keep(messages, payload["message"])
            elif name == "conversation:list:updated":
                keep(conversations, payload["conversation"])
                if cursor is not None:
                    holes += payload["seq"] > cursor + 1
                    cursor = max(cursor, payload["seq"])
    assert holes == 0
    told = stock.told
    assert cursor == max(each.record.seq for each in told)
    assert {id_: row["version"] for id_, row in conversations.items()} == {
        each.conversation.id: max(t.record.seq for t in told if t.conversation.id == each.conversation.id)
        for each in told
    }
    ours = [
        each.message.id for each in told if each.conversation.id == known_id and each.record.seq > start_seq
    ]
    assert sorted(messages) == sorted(ours)


def keep(held, row):
    if row["id"] not in held or held[row["id"]]["version"] < row["version"]:
        held[row["id"]] = row
