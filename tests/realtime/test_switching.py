"""A session that changes over to another clinic hears nothing more of the one before; refused, it stays where it is."""

import asyncio
import json
import random

import pytest

from realtime.test_atomic_join import TOKEN, Node, receive
from recado.domain.accounts import Channel
from recado.store import accounts
from stock import new_id


@pytest.fixture
def elsewhere(writing):
    """A second clinic of the member: a patient's message to it."""

    def add(connection):
        clinic_id = accounts.add_clinic(connection, "Outra", writing.sources.now())
        accounts.add_membership(connection, writing.member_id, clinic_id, "admin")
        channel = Channel(id=new_id(), clinic_id=clinic_id, kind="whatsapp", name="W", secret="s" * 32)
        accounts.put_channel(connection, channel)
        return clinic_id, channel

    clinic_id, channel = writing.database.write_now(add)
    return lambda: writing.inbound(clinic_id=clinic_id, channel=channel.ref)


async def seated(node):
    wire, link = node.connect({"token": TOKEN, "clinicId": node.stock.clinic_id})
    await wire.until("40{")
    return wire, link


def ask(link, number, event, **payload):
    receive(link, f"42{number}{json.dumps([event, payload])}")


def lists(packets):
    return [json.loads(each[2:])[1] for each in packets if each.startswith('42["conversation:list:updated"')]


def clinics(packets):
    return [each["clinicId"] for each in lists(packets)]


@pytest.mark.parametrize("seed", range(10))
async def test_after_the_answer_nothing_comes_of_the_clinic_before(writing, elsewhere, seed):
    rng = random.Random(seed)
    known = (await writing.writer.execute(writing.inbound())).conversation
    there = (await writing.writer.execute(elsewhere())).conversation.clinic_id
    node = Node(writing, rng)
    wire, link = await seated(node)

    async def write():
        for number in range(30):
            await writing.writer.execute(elsewhere() if number % 2 else writing.inbound())
            for _ in range(rng.randrange(3)):
                await asyncio.sleep(0)

    patients = asyncio.create_task(write())
    for _ in range(rng.randrange(8)):
        await asyncio.sleep(0)
    ask(link, 1, "conversation:join", conversationId=known.id)
    ask(link, 2, "clinic:join", clinicId=there)
    [answer] = json.loads(await wire.until("432"))
    await wire.until("431")
    await patients
    await asyncio.gather(*node.feed._pulls)
    last = (await writing.writer.execute(elsewhere())).seq
    await wire.until_seq(last)
    behind = wire.heard[next(at for at, packet in enumerate(wire.heard) if packet.startswith("432")) + 1 :]
    assert set(clinics(behind)) == {there}
    seqs = [packet["seq"] for packet in lists(behind)]
    assert seqs == list(range(seqs[0], last + 1)), "what is in the answer's delta may come again"
    assert seqs[0] <= int(answer["cursor"].rpartition(":")[2]) + 1
    link.abort()


@pytest.mark.parametrize(
    "refused", [{"after": "x"}, {"after": "1:0", "conversationIds": [new_id()] * 201}], ids=["after", "ids"]
)
async def test_who_is_refused_stays_where_they_are(writing, elsewhere, refused):
    there = (await writing.writer.execute(elsewhere())).conversation.clinic_id
    wire, link = await seated(Node(writing, random.Random(0)))
    ask(link, 1, "clinic:join", clinicId=there, **refused)
    assert json.loads(await wire.until("431"))[0]["error"]["code"] == "invalid"
    await writing.writer.execute(elsewhere())
    await wire.until_seq((await writing.writer.execute(writing.inbound())).seq)
    assert clinics(wire.heard) == [writing.clinic_id]
    link.abort()


async def test_who_is_refused_a_conversation_is_not_in_its_room(writing):
    known = (await writing.writer.execute(writing.inbound())).conversation
    wire, link = await seated(Node(writing, random.Random(0)))
    ask(link, 1, "conversation:join", conversationId=known.id, after="x")
    assert json.loads(await wire.until("431"))[0]["error"]["code"] == "invalid"
    await wire.until_seq((await writing.writer.execute(writing.inbound())).seq)
    assert not any("message:new" in packet for packet in wire.heard)
    link.abort()
