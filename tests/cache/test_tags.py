"""Tags: after any change, every page that is served still is as the database has it, and few are dropped in vain."""

import asyncio
import contextlib
import itertools
import random
from functools import partial

import msgspec
import pytest

from cache.node import LIMIT, Node, load_list
from channels.polling import eventually
from recado.app.pages import _load_clinic, _load_conversation, _load_thread, _thread_page
from recado.domain import tags
from recado.domain.clinic_commands import UpdateChannel, UpdateClinic
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
from recado.errors import NotFoundError, RefusedError
from recado.store.inbox import NEWEST
from stock import MONDAY_8_AM_MS

LABELS = ("exame", "retorno", "a|=b")
CHANGES = 60
FILTERS = 20
IN_VAIN = 0.05
"""The share of pages that may be dropped though nothing in them changed."""


@pytest.fixture
async def colleague(node, stock):
    outcome = await node.writer.execute(stock.invitation())
    return outcome.member_id


class Everything:
    """All pages of all filters, and each conversation's own, as the cache has them, each with its loader."""

    def __init__(self, node, rng, members) -> None:
        self.node = node
        statuses, assignees = (None, "open", "resolved", "snoozed"), (None, "", *members)
        filters = [
            ListFilter(status=status, assignee_id=assignee, label=label)
            for status, assignee, label in itertools.product(statuses, assignees, (None, *LABELS))
        ]
        self.filters = rng.sample(filters, FILTERS)
        self.entries = {}

    async def read(self, threads) -> None:
        self.entries = {}
        for fitting in self.filters:
            before = None
            while True:
                load = self.loads(load_list, limit=LIMIT, before=before, fitting=fitting)
                entry = await self.entry(f"list {fitting} {before}", load)
                page = msgspec.json.decode(entry.body + b"}")
                if page["before"] is None:
                    break
                before = Seq(int(page["before"]))
        await self.entry("clinic", self.loads(_load_clinic))
        for id_ in threads:
            page = self.loads(_thread_page, conversation_id=id_, limit=10, place=NEWEST)
            with contextlib.suppress(NotFoundError):
                await self.entry(f"conversation {id_}", self.loads(_load_conversation, conversation_id=id_))
                await self.entry(f"thread {id_}", self.loads(_load_thread, conversation_id=id_, read=page))

    async def entry(self, name, load):
        clinic_id, read = self.node.clinic_id, partial(self.node.database.read, load)
        entry = await self.node.cache.get(clinic_id, f"clinic:{clinic_id}:{name}", read)
        self.entries[name] = entry, load
        return entry

    def loads(self, load, **which):
        return partial(load, clinic_id=self.node.clinic_id, **which)

    async def now(self):
        """What the loaders read now, by name; None for what is not there any more."""
        return await self.node.database.read(
            lambda connection: {name: body_of(load, connection) for name, (_, load) in self.entries.items()}
        )


def body_of(load, connection):
    try:
        return load(connection).body
    except NotFoundError:
        return None


def changes(stock, rng, threads, messages, members):
    """What a clinic does all day: each command, and how often it comes beside the others."""
    id_, message_id, later = rng.choice(threads), rng.choice(messages), from_epoch_ms(MONDAY_8_AM_MS + 10**12)
    status = rng.choice(("open", "resolved", "snoozed"))
    until = {"snoozed_until": later} if status == "snoozed" else {}
    updated, labels = {"conversation_id": id_}, tuple(rng.sample(LABELS, rng.randrange(3)))
    return [
        (30, stock.inbound(f"55{rng.randrange(14)}")),
        (10, stock.reply(id_, kind=rng.choice(("message", "note")))),
        (15, stock.order(UpdateConversation, status=status, **until, **updated)),
        (12, stock.order(UpdateConversation, assignee_id=rng.choice((None, *members)), **updated)),
        (12, stock.order(UpdateConversation, labels=labels, **updated)),
        (4, stock.order(EditMessage, message_id=message_id, body=f"{rng.random()}")),
        (3, stock.order(DeleteMessage, message_id=message_id)),
        (1, stock.order(DeleteConversation, conversation_id=id_)),
        (3, stock.order(RenameContact, conversation_id=id_, name=f"Maria {rng.random()}")),
        (6, stock.order(MarkRead, conversation_id=id_, up_to=rng.randrange(100))),
        (2, stock.settle(UpdateClinic, name=f"Clínica {rng.random()}")),
        (2, stock.settle(UpdateChannel, channel_id=stock.channel.id, name=f"Canal {rng.random()}")),
    ]


@pytest.mark.parametrize("seed", range(2))
async def test_every_page_that_is_served_is_as_the_database_has_it_after_any_change(
    node, stock, threads, colleague, seed
):
    rng, members = random.Random(seed), (stock.member_id, colleague)
    note = await node.writer.execute(stock.reply(threads[0], kind="note"))
    everything, messages = Everything(node, rng, members), [note.message.id]
    checked = in_vain = 0
    for _ in range(CHANGES):
        await everything.read(threads)
        weights, commands = zip(*changes(stock, rng, threads, messages, members), strict=True)
        [command] = rng.choices(commands, weights)
        try:
            outcome = await node.writer.execute(command)
        except RefusedError:
            continue
        messages += [outcome.message.id] if outcome.message else []
        if outcome.conversation is not None and outcome.conversation.id not in threads:
            threads.append(outcome.conversation.id)
        now = await everything.now()
        for name, (entry, _) in everything.entries.items():
            served, same = entry.holds(node.log), entry.body == now[name]
            assert same or not served, f"{name} is stale after {node.heard[-1].type}"
            checked += 1
            in_vain += same and not served
    assert in_vain < checked * IN_VAIN, f"{in_vain} of {checked}"


async def test_whether_a_page_is_the_last_depends_on_the_row_behind_it(node, stock, threads):
    place = {"limit": len(threads) - 1, "fitting": ListFilter(status="open")}
    assert b'"before":null' not in (await node.page(**place)).body
    await node.writer.execute(stock.order(UpdateConversation, conversation_id=threads[0], status="resolved"))
    assert await node.is_fresh(**place)
    assert b'"before":null' in (await node.page(**place)).body


@pytest.mark.parametrize("facts", [{}, {"lists": None}, {"lists": ["open"]}, {"lists": "open"}])
async def test_a_record_that_lacks_a_fact_makes_everything_stale(node, stock, facts):
    await node.page()
    await node.writer.execute(stock.inbound("551"))
    record = node.heard[-1]
    assert record.type == "MessageReceived"
    assert tags.touched(record) is not None
    assert tags.touched(msgspec.structs.replace(record, facts=facts)) is None
    assert tags.touched(msgspec.structs.replace(record, type="Merged")) is None


async def test_how_far_a_member_has_read_is_on_their_next_page_and_on_nobody_elses(
    node, stock, threads, colleague
):
    async def reads(who):
        answer, _ = await node.pages.conversations(who, node.clinic_id, limit=5, before=None)
        return msgspec.json.decode(answer.body)["reads"]

    ana, bruno = node.identity(), msgspec.structs.replace(node.identity(), member_id=colleague)
    assert (await reads(ana), await reads(bruno)) == ([], [])
    for up_to in (len(threads) - 1, len(threads)):
        await node.writer.execute(stock.order(MarkRead, conversation_id=threads[-1], up_to=up_to))
        [mark] = await reads(ana)
        assert mark["conversationId"] == threads[-1]
        assert await reads(bruno) == []


@pytest.mark.parametrize("at_hand", [False, True])
async def test_a_page_read_ahead_of_what_the_node_knows_has_no_marks_from_before_it(
    two, stock, threads, at_hand
):
    here, there = two
    ana = there.identity()
    bruno = msgspec.structs.replace(ana, member_id="bruno")

    async def list_page(who):
        answer, target = await there.pages.conversations(who, there.clinic_id, limit=5, before=None)
        if at_hand:
            answer = there.pages.at_once(who, target) or answer
        return msgspec.json.decode(answer.body), answer.cursor

    await list_page(ana)
    written = await here.write(stock.inbound("5511"))  # it shows the same rows: only the page is read anew
    await eventually(lambda: there.log.seq == written.seq, "the other node knows")
    here.hints = False
    read = await here.write(stock.order(MarkRead, conversation_id=threads[-1], up_to=100))
    await list_page(bruno)  # he has it loaded, with his own marks
    page, cursor = await list_page(ana)
    assert (page["seq"], len(page["reads"])) == (read.seq, 1)
    assert cursor == read


async def test_two_hundred_members_screens_share_one_page(stock, threads):
    async with Node(stock) as node:
        who = [msgspec.structs.replace(node.identity(), member_id=f"m{n}") for n in range(200)]
        answers = await asyncio.gather(
            *(node.pages.conversations(each, node.clinic_id, limit=5, before=None) for each in who)
        )
        assert len({answer.body for answer, _ in answers}) == 1
        pages = [key for key in node.cache.memory.entries if "@" not in key]
        assert len(pages) == 1
