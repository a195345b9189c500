"""Several processes write to one PostgreSQL: no dead-lock, no hole, nothing twice, nothing acknowledged is lost."""

import asyncio
import collections
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import text

from channels.polling import eventually
from recado.domain.accounts import Channel
from recado.errors import ClientKeyReusedError
from recado.store import accounts
from recado.store.batch import carry_out
from recado.store.bulk import insert_rows
from recado.store.database import Database
from recado.store.tables import command_keys
from stock import new_id

NODES = 4
TESTS = Path(__file__).parents[1]


class RunningNode:
    """A node's process, and what it said."""

    def __init__(self, process) -> None:
        self.process = process
        self.said = []

    async def hear(self, told) -> None:
        async for line in self.process.stdout:
            with contextlib.suppress(json.JSONDecodeError):  # the line that its death cut in two
                self.said.append(json.loads(line))
            told.set()
        told.set()

    @property
    def acknowledged(self):
        return [line for line in self.said if "message" in line]

    def ready(self, number) -> bool:
        return {"ready": number} in self.said or self.process.returncode is not None

    def go_on(self) -> None:
        if self.process.returncode is None:
            self.process.stdin.write(b"\n")


async def until_somebody_waits(connection, for_what) -> None:
    """Until a transaction of another connection waits for ours in a statement that has `for_what` in it."""
    query = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
    await eventually(lambda: connection.execute(query, [f"%{for_what}%"]).fetchall(), f"waiting: {for_what}")


async def start_node(order):
    path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    return RunningNode(
        await asyncio.create_subprocess_exec(
            *(sys.executable, TESTS / "store/node.py", json.dumps(order)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
    )


@pytest.fixture
def channels(stock):
    """Of two clinics: a batch of both must take their locks in one order."""
    now = stock.sources.now()
    other = stock.database.write_now(lambda c: accounts.add_clinic(c, "Outra", now))
    theirs = Channel(id=new_id(), clinic_id=other, kind="generic", name="G", secret="s" * 32)
    stock.database.write_now(lambda c: accounts.put_channel(c, theirs))
    return [stock.channel, theirs]


async def run_together(nodes, rounds, *, kill_in_round) -> None:
    """Let all begin each round at once; in one of them the first node dies in the middle of what it does."""
    told = asyncio.Event()
    async with asyncio.timeout(100), asyncio.TaskGroup() as hearing:
        for node in nodes:
            hearing.create_task(node.hear(told))

        async def until(condition) -> None:
            while not condition():
                told.clear()
                await told.wait()

        for number in range(rounds):
            await until(lambda number=number: all(node.ready(number) for node in nodes))
            before = len(nodes[0].said)
            for node in nodes:
                node.go_on()
            if number == kill_in_round:
                await until(lambda before=before: len(nodes[0].said) > before + 5)
                nodes[0].process.send_signal(signal.SIGKILL)
                await nodes[0].process.wait()
    for node in nodes:
        await node.process.wait()


@pytest.mark.only("postgresql")
async def test_four_nodes_and_a_dead_one_leave_every_log_whole(stock, channels, postgres):
    url = stock.database.url.render_as_string(hide_password=False)
    order = {"url": url, "channels": msgspec.to_builtins(channels), "memberId": stock.member_id}
    nodes = [await start_node({**order, "name": f"node-{number}"}) for number in range(NODES)]
    await run_together(nodes, rounds=12, kill_in_round=6)
    assert [node.process.returncode for node in nodes] == [-signal.SIGKILL, 0, 0, 0]

    def rows(query):
        return stock.database.read_now(lambda c: c.execute(text(query)).mappings().all())

    for channel in channels:
        log = rows(f"SELECT * FROM events WHERE clinic_id = {channel.clinic_id} ORDER BY seq")
        [clinic] = rows(f"SELECT seq, head FROM clinics WHERE id = {channel.clinic_id}")
        assert [row["seq"] for row in log] == list(range(1, clinic["seq"] + 1))
        assert [row["prev"] for row in log] == [0, *(row["id"] for row in log[:-1])]
        assert log[-1]["id"] == clinic["head"]
    messages = {row["id"]: row for row in rows("SELECT id, clinic_id, seq FROM messages")}
    for node in nodes:
        assert len(node.acknowledged) > 100
        for line in node.acknowledged:
            found = messages[line["message"]]
            assert (found["clinic_id"], found["seq"]) == (line["clinic"], line["seq"])
    assert rows("SELECT contact_id FROM conversations GROUP BY contact_id HAVING count(*) > 1") == []
    assert (
        rows(
            "SELECT external_id FROM messages WHERE external_id IS NOT NULL"
            " GROUP BY clinic_id, external_id HAVING count(*) > 1"
        )
        == []
    )
    by_key = collections.Counter(
        row["client_key"] for row in rows("SELECT client_key FROM messages WHERE client_key IS NOT NULL")
    )
    assert set(by_key.values()) == {1}
    with postgres.connect() as connection:
        found = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = %s", [stock.database.url.database]
        ).fetchall()
    assert found == [(0,)]


@pytest.mark.only("postgresql")
async def test_the_writers_of_one_clinic_take_turns(writing, postgres):
    other = Database(writing.database.url.render_as_string())
    with postgres.connect(other.url.database) as watching, other.engine.begin() as connection:
        theirs = carry_out(connection, [writing.inbound("same")], writing.sources)
        mine = asyncio.create_task(writing.writer.execute(writing.inbound("same")))
        await until_somebody_waits(watching, "FOR NO KEY UPDATE")
    [first], second = theirs.outcomes, await mine
    other.close()
    assert (first.seq, second.seq) == (1, 2)
    assert first.message.conversation_id == second.message.conversation_id


@pytest.mark.only("postgresql")
async def test_who_loses_a_race_for_a_key_in_another_clinic_finds_what_the_winner_wrote(
    writing, channels, postgres
):
    ours = (await writing.writer.execute(writing.inbound())).message.conversation_id
    theirs = structs.replace(writing.inbound(), clinic_id=channels[1].clinic_id, channel=channels[1].ref)
    theirs = (await writing.writer.execute(theirs)).message.conversation_id
    other = Database(writing.database.url.render_as_string())
    with postgres.connect(other.url.database) as watching, other.engine.begin() as connection:
        winner = writing.reply(theirs, clinic_id=channels[1].clinic_id, client_key="k")
        assert not isinstance(carry_out(connection, [winner], writing.sources).outcomes[0], Exception)
        loser = asyncio.create_task(writing.writer.execute(writing.reply(ours, client_key="k")))
        await until_somebody_waits(watching, "INSERT INTO command_keys")
    with pytest.raises(ClientKeyReusedError):
        await loser
    other.close()


@pytest.mark.only("postgresql")  # a file has one writer
def test_new_keys_are_written_in_one_order_so_that_nobody_waits_in_a_ring(stock):
    names = ["c", "a", "b"]
    rows = [
        {"scope": "s", "key": name, "purpose": "", "clinic_id": 1, "conversation_id": "", "message_id": None}
        for name in names
    ]
    stock.database.write_now(lambda c: insert_rows(c, command_keys, rows))
    written = stock.database.read_now(
        lambda c: c.execute(text("SELECT key FROM command_keys ORDER BY ctid")).scalars().all()
    )
    assert written == ["a", "b", "c"]
