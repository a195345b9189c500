"""The audit: finds what no rule of the cache can see, and raises no alarm for anything else."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest
from structlog.testing import capture_logs

from cache.node import Gate, nodes
from channels.polling import eventually
from recado.cache import audit as audit_module
from recado.cache.audit import Audit
from recado.clock import clock
from recado.domain.commands import DeleteConversation, MarkRead
from recado.errors import UnavailableError
from stock import by_hand

SOMEBODY = "Somebody Else"


def first(recent):
    return recent[0]


def auditing(node, every=1):
    return Audit(node.cache, node.feed, every, first)


def found(audit):
    return audit.findings.audited, audit.findings.undecided, audit.findings.untrue


def served_last(node):
    [recent] = node.cache.memory.recent(1)
    return recent


def rename_by_hand(stock) -> None:
    by_hand(stock.database, f"UPDATE contacts SET name = '{SOMEBODY}'")


async def everything(node, threads):
    """Each kind of answer, as it was served last."""
    ana = node.identity()
    for read in (
        partial(node.pages.conversations, ana, node.clinic_id, limit=5, before=None),
        partial(node.pages.messages, ana, threads[3], limit=5),
        partial(node.pages.conversation, ana, threads[3]),
        partial(node.pages.clinic, ana, node.clinic_id),
    ):
        await read()
    return node.cache.memory.recent(10)


async def test_what_is_as_the_database_has_it_is_no_alarm(node, stock, threads):
    for id_ in threads:  # that of the row behind the page is none of the page's
        await node.write(stock.order(MarkRead, conversation_id=id_, up_to=100))
    audit, kept = auditing(node), await everything(node, threads)
    assert len(kept) == 5, "a list, its marks, a thread, a conversation, the clinic"
    for key, entry in kept:
        await audit.look_at(key, entry)
    assert found(audit) == (5, 0, 0)


@pytest.mark.parametrize("kind", ["list", "thread", "conversation", "clinic", "marks"])
async def test_a_change_that_the_log_does_not_tell_is_told_by_kind_and_clinic_and_nothing_else(
    node, stock, threads, kind
):
    audit, kept = auditing(node), await everything(node, threads)
    by_hand(
        stock.database,
        f"UPDATE contacts SET name = '{SOMEBODY}'",
        f"UPDATE messages SET body = '{SOMEBODY}'",
        f"UPDATE clinics SET name = '{SOMEBODY}'",
        "INSERT INTO read_marks (conversation_id, member_id, clinic_id, up_to, inbound_read, version)"
        f" SELECT id, '{stock.member_id}', clinic_id, 1, 1, 1 FROM conversations",
    )
    known = node.log.seq
    with capture_logs() as lines:
        for key, entry in kept:
            if kind == ("marks" if "@" in key else key.split(":")[2]):
                await audit.look_at(key, entry)
    assert found(audit) == (1, 0, 1)
    alarm = {"event": "cache_untrue", "log_level": "error", "part": "cache", "clinic_id": stock.clinic_id}
    alarm |= {"kind": kind, "seq": known, "seq_known": known}
    assert [line for line in lines if line["event"] == "cache_untrue"] == [alarm]


async def test_what_was_found_untrue_is_served_by_nobody_any_more(stock, threads, redis_url, shared_redis):
    async with nodes(stock, 2, redis_url=redis_url) as (here, there):
        await here.page()
        await eventually(lambda: here.redis.puts, "it is in Redis")
        rename_by_hand(stock)
        assert not await here.is_fresh()
        await auditing(here).look_at(*served_last(here))
        assert await here.is_fresh()
        await eventually(lambda: here.redis.puts == 2, "what is so is in Redis")
        assert await there.is_fresh()
    with shared_redis.client() as client:
        [stored] = client.mget(client.keys())
        assert SOMEBODY.encode() in stored


async def test_what_is_there_no_more_though_no_record_says_so_is_found(node, stock, threads):
    ana, audit = node.identity(), auditing(node)
    await node.pages.conversation(ana, threads[3])
    by_hand(stock.database, f"UPDATE conversations SET deleted = true WHERE id = '{threads[3]}'")
    key, entry = served_last(node)
    await audit.look_at(key, entry)
    assert found(audit) == (1, 0, 1)
    assert node.cache.memory.get(key, clock()) is None


async def test_what_was_deleted_as_it_should_be_is_no_alarm(two, stock, threads):
    here, there = two
    await there.pages.conversation(there.identity(), threads[3])
    kept = served_last(there)
    here.hints = False  # it has not heard of it yet
    await here.write(stock.order(DeleteConversation, conversation_id=threads[3]))
    audit = auditing(there)
    await audit.look_at(*kept)
    assert found(audit) == (0, 1, 0)


async def test_what_changes_while_it_is_read_again_is_no_alarm(node, stock, threads):
    await node.page()
    key, entry = served_last(node)
    audit, entry.load = auditing(node), Gate(entry.load)
    looking = asyncio.create_task(audit.look_at(key, entry))
    await entry.load.reached.wait()
    await node.write(stock.inbound("553"))
    entry.load.open.set()
    await looking
    assert found(audit) == (0, 1, 0)


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_answer_of_the_log_that_was_under_way_before_does_not_count(two, stock, threads, deleted):
    here, there = two
    await there.pages.conversation(there.identity(), threads[3])
    change = stock.order(DeleteConversation, conversation_id=threads[3]) if deleted else stock.inbound("553")
    kept, real, held, answers = served_last(there), there.database.read, asyncio.Event(), []

    async def slow(work, **how):
        answer = await real(work, **how)
        answers.append(answer)
        await held.wait()
        return answer

    there.database.read = slow
    asking = asyncio.create_task(there.feed.refresh(there.clinic_id))
    await eventually(lambda: there.log.pull and answers, "a question has been answered, and waits")
    here.hints, there.database.read = False, real
    await here.write(change)
    audit, asked = auditing(there), asyncio.Event()

    async def refresh(*which, real=there.feed.refresh):
        asked.set()
        return await real(*which)

    there.feed.refresh = refresh
    looking = asyncio.create_task(audit.look_at(*kept))
    await asked.wait()
    await asyncio.sleep(0)  # it joins that question
    held.set()
    await asyncio.gather(looking, asking)
    assert found(audit) == (0, 1, 0)


async def test_a_database_that_does_not_answer_decides_nothing(node, stock, threads):
    await node.page()
    key, entry = served_last(node)

    async def gone():
        raise UnavailableError

    entry.load, audit = gone, auditing(node)
    await audit.look_at(key, entry)
    assert found(audit) == (0, 1, 0)


async def test_an_old_snapshot_says_nothing_about_what_is_newer(node, stock, threads):
    old = await node.loader()()
    await node.write(stock.inbound("553"))
    await node.page()
    key, entry = served_last(node)

    async def standby():
        return old

    entry.load, audit = standby, auditing(node)
    await audit.look_at(key, entry)
    assert found(audit) == (0, 1, 0)


@asynccontextmanager
async def running(audit):
    task = asyncio.create_task(audit.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_one_of_so_many_hits_is_looked_at(node, threads, monkeypatch):
    monkeypatch.setattr(audit_module, "TICK_S", 0.01)
    await node.page()
    audit, looked_at = auditing(node, every=5), []
    audit.look_at = lambda key, entry: looked_at.append(key) or asyncio.sleep(0)
    async with running(audit):
        await asyncio.sleep(0)  # it begins to count
        for _ in range(4):
            await node.page()
        before = node.cache.counts.memory
        assert (before, looked_at) == (4, [])
        await node.page()
        await eventually(lambda: looked_at, "the fifth")
    assert looked_at == [served_last(node)[0]]


async def test_an_audit_that_fails_is_told_and_goes_on(node, threads, monkeypatch):
    monkeypatch.setattr(audit_module, "TICK_S", 0.01)
    await node.page()
    audit, (_, entry) = auditing(node), served_last(node)
    right = entry.load

    async def wrong():
        raise ValueError(SOMEBODY)

    entry.load = wrong
    with capture_logs() as lines:
        async with running(audit):
            await asyncio.sleep(0)
            await node.page()
            await eventually(
                lambda: [line for line in lines if line["event"] == "audit_failed"], "it is told"
            )
            entry.load = right
            await node.page()
            await eventually(lambda: audit.findings.audited, "it goes on")
