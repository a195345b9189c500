"""Tags: after any change, every page that is served still is as the database has it, and few are dropped in vain."""

import asyncio
import itertools
import random

import msgspec
import pytest

from cache.node import Node
from recado.app.pages import _load_clinic, _load_conversation, _load_thread, _thread_page
from recado.domain import tags
from recado.domain.clinic_commands import UpdateClinic
from recado.domain.commands import (
    DeleteConversation,
    DeleteMessage,
    EditMessage,
    MarkRead,
    RenameContact,
    UpdateConversation,
)
from recado.domain.instants import from_epoch_ms
from recado.domain.values import Seq
from recado.domain.views import ListFilter
from recado.errors import RefusedError
from recado.store.inbox import NEWEST
from stock import MONDAY_8_AM_MS

LABELS = ("exame", "retorno", "a|=b")
CHANGES = 150
IN_VAIN = 0.05
"""The share of pages that may be dropped though nothing in them changed."""


@pytest.fixture
async def colleague(node, stock):
    outcome = await node.writer.execute(stock.invitation())
    return outcome.member_id


class Everything:
    """All pages of all filters, and each conversation's, as the cache has them."""

    def __init__(self, node, members) -> None:
        self.node = node
        statuses, assignees = (None, "open", "resolved", "snoozed"), (None, "", *members)
        self.filters = [
            ListFilter(status=status, assignee_id=assignee, label=label)
            for status, assignee, label in itertools.product(statuses, assignees, (None, *LABELS))
        ]
        self.entries = {}

    async def read(self, threads) -> None:
        self.entries = {}
        for fitting in self.filters:
            before = None
            while True:
                entry = await self.node.page(fitting=fitting, before=before)
                self.entries["list", fitting, before] = entry
                page = msgspec.json.decode(entry.body + b"}")
                if page["before"] is None:
                    break
                before = Seq(int(page["before"]))
        for id_ in threads:
            for kind, load in self.loads(id_).items():
                key = f"clinic:{self.node.clinic_id}:{kind}:{id_}"

                async def read(load=load):
                    return await self.node.database.read(load)

                try:
                    self.entries[kind, id_, None] = await self.node.cache.get(self.node.clinic_id, key, read)
                except RefusedError:
                    continue

    def loads(self, id_):
        which = {"clinic_id": self.node.clinic_id}
        return {
            "clinic": lambda c: _load_clinic(c, **which),
            "conversation": lambda c: _load_conversation(c, **which, conversation_id=id_),
            "thread": lambda c: _load_thread(
                c,
                **which,
                conversation_id=id_,
                read=lambda c: _thread_page(c, **which, conversation_id=id_, limit=10, place=NEWEST),
            ),
        }

    async def truth(self, key):
        kind, which, before = key
        if kind == "list":
            return await self.node.truth(fitting=which, before=before)
        try:
            return (await self.node.database.read(self.loads(which)[kind])).body
        except RefusedError:
            return None


def without_seq(body):
    return (body and body.rpartition(b',"seq":')[0]) or body


def any_change(stock, rng, threads, messages, members):
    """A command, what a clinic does all day."""
    id_, number = rng.choice(threads), rng.randrange(14)
    kind = rng.choices(
        (
            "inbound",
            "reply",
            "status",
            "assign",
            "label",
            "edit",
            "delete",
            "erase",
            "rename",
            "read",
            "clinic",
        ),
        (30, 10, 15, 12, 12, 4, 3, 1, 3, 6, 2),
    )[0]
    later = from_epoch_ms(MONDAY_8_AM_MS + 10**12)
    match kind:
        case "inbound":
            return stock.inbound(f"55{number}")
        case "reply":
            return stock.reply(id_, kind=rng.choice(("message", "note")))
        case "status":
            status = rng.choice(("open", "resolved", "snoozed"))
            until = {"snoozed_until": later} if status == "snoozed" else {}
            return stock.order(UpdateConversation, conversation_id=id_, status=status, **until)
        case "assign":
            return stock.order(
                UpdateConversation, conversation_id=id_, assignee_id=rng.choice((None, *members))
            )
        case "label":
            labels = tuple(rng.sample(LABELS, rng.randrange(3)))
            return stock.order(UpdateConversation, conversation_id=id_, labels=labels)
        case "edit":
            return stock.order(EditMessage, message_id=rng.choice(messages), body=f"{rng.random()}")
        case "delete":
            return stock.order(DeleteMessage, message_id=rng.choice(messages))
        case "erase":
            return stock.order(DeleteConversation, conversation_id=id_)
        case "rename":
            return stock.order(RenameContact, conversation_id=id_, name=f"Maria {rng.random()}")
        case "read":
            return stock.order(MarkRead, conversation_id=id_, up_to=rng.randrange(100))
        case "clinic":
            return stock.settle(UpdateClinic, name=f"Clínica {rng.random()}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2))
async def test_every_page_that_is_served_is_as_the_database_has_it_after_any_change(
    node, stock, threads, colleague, seed
):
    rng, members = random.Random(seed), (stock.member_id, colleague)
    everything, messages = Everything(node, members), []
    messages.append((await node.writer.execute(stock.reply(threads[0], kind="note"))).message.id)
    checked = in_vain = 0
    for _ in range(CHANGES // 2):
        await everything.read(threads)
        try:
            outcome = await node.writer.execute(any_change(stock, rng, threads, messages, members))
        except RefusedError:
            continue
        if outcome.message is not None:
            messages.append(outcome.message.id)
        if outcome.conversation is not None and outcome.conversation.id not in threads:
            threads.append(outcome.conversation.id)
        for key, entry in everything.entries.items():
            served, kept = entry.holds(node.log), without_seq(entry.body)
            same = kept == without_seq(await everything.truth(key))
            assert same or not served, f"{key} is stale after {node.told[-1].record.type}"
            checked += 1
            in_vain += same and not served
    assert in_vain < checked * IN_VAIN, f"{in_vain} of {checked}"


@pytest.mark.parametrize("facts", [{}, {"lists": None}, {"lists": ["open"]}, {"lists": "open"}])
async def test_a_record_that_lacks_a_fact_makes_everything_stale(node, stock, facts):
    [told] = [each for each in node.told if each.record.type == "MessageReceived"] or [None]
    if told is None:
        await node.page()
        await node.writer.execute(stock.inbound("551"))
        told = node.told[-1]
    assert tags.touched(told.record) is not None
    assert tags.touched(msgspec.structs.replace(told.record, facts=facts)) is None
    assert tags.touched(msgspec.structs.replace(told.record, type="Merged")) is None


async def test_two_hundred_members_screens_share_one_page(stock, threads):
    async with Node(stock) as node:
        who = [msgspec.structs.replace(node.identity(), member_id=f"m{n}") for n in range(200)]
        answers = await asyncio.gather(
            *(node.pages.conversations(each, node.clinic_id, limit=5, before=None) for each in who)
        )
        assert len({answer.body for answer, _ in answers}) == 1
        pages = [key for key in node.cache.memory._entries if "@" not in key]
        assert len(pages) == 1
