"""The feed: every record once, in order, without holes, whoever wrote it and however it arrives."""

import asyncio
import contextlib
import itertools
import random

import pytest
from sqlalchemy import event, text

from feed.listening import Told, polling
from recado.domain.commands import UpdateConversation
from recado.feed import feed as feed_module
from recado.feed.feed import Feed
from recado.store.batch import carry_out


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def resets():
    """The clinics whose log turned out to be another."""
    return []


@pytest.fixture
async def feed(stock, told, resets, monkeypatch):
    """A running feed that polls fast enough to be waited for."""
    monkeypatch.setattr(feed_module, "POLL_S", 0.01)
    async with polling(Feed(stock.database, told.append, resets.append)) as feed:
        yield feed


@pytest.fixture
def statements(stock):
    """What SQLAlchemy is asked for meanwhile."""

    @contextlib.contextmanager
    def noting():
        asked = []

        def note(_connection, _cursor, statement, *_):
            asked.append(statement)

        event.listen(stock.database._reading, "before_cursor_execute", note)
        yield asked
        event.remove(stock.database._reading, "before_cursor_execute", note)

    return noting


def seqs(told):
    return [each.record.seq for each in told]


async def test_own_commits_are_told_at_once(writing, feed, told):
    await feed.follow(writing.clinic_id)
    await writing.writer.execute(writing.inbound())
    feed.advance(writing.told)
    assert seqs(told) == [1]


async def test_what_was_before_is_not_told(writing, feed, told):
    await writing.writer.execute(writing.inbound())
    await feed.follow(writing.clinic_id)
    await writing.writer.execute(writing.inbound())
    await told.until(1)
    assert seqs(told) == [2]


async def test_another_process_is_heard(writing, feed, told):
    await feed.follow(writing.clinic_id)
    for _ in range(5):
        await writing.writer.execute(writing.inbound())
    await told.until(5)
    assert seqs(told) == [1, 2, 3, 4, 5]


async def test_commits_that_arrive_out_of_turn_are_told_in_order(writing, feed, told):
    await feed.follow(writing.clinic_id)
    for _ in range(3):
        await writing.writer.execute(writing.inbound())
    feed.advance([writing.told[2]])
    feed.advance([writing.told[0]])
    feed.advance([writing.told[1]])
    await told.until(3)
    feed.advance(writing.told)
    assert seqs(told) == [1, 2, 3]


async def test_a_repeat_shows_what_a_lost_answer_left_untold(writing, told):
    feed = Feed(writing.database, told.append)  # which does not poll
    await feed.follow(writing.clinic_id)
    await asyncio.gather(*feed._pulls)
    command = writing.inbound(external_id="once")
    writing.database.write_now(lambda c: carry_out(c, [command], writing.sources))
    assert (await writing.writer.execute(command)).repeated
    feed.take_in(writing.committed[-1])
    await told.until(1)
    assert seqs(told) == [1]


async def test_a_command_that_changes_nothing_shows_what_it_has_found(writing, told):
    feed = Feed(writing.database, told.append)  # which does not poll
    conversation_id = (await writing.writer.execute(writing.inbound())).conversation.id
    await feed.follow(writing.clinic_id)
    await asyncio.gather(*feed._pulls)
    elsewhere, here = (
        writing.order(UpdateConversation, conversation_id=conversation_id, status="resolved")
        for _ in range(2)
    )
    writing.database.write_now(lambda c: carry_out(c, [elsewhere], writing.sources))
    await writing.writer.execute(here)
    assert not writing.committed[-1].told
    feed.take_in(writing.committed[-1])
    await told.until(1)
    assert seqs(told) == [2]


async def test_nobody_is_told_of_a_clinic_nobody_follows(writing, feed, told):
    await feed.follow(writing.clinic_id)
    feed.unfollow(writing.clinic_id)
    await writing.writer.execute(writing.inbound())
    feed.advance(writing.told)
    assert told == []


async def test_a_clinic_that_is_only_read_of_is_heeded_without_its_rows(writing, told, statements):
    heeded = []
    feed = Feed(writing.database, told.append, heed=heeded.append)
    await feed.follow_reads(writing.clinic_id)
    await writing.writer.execute(writing.inbound())
    with statements() as asked:
        assert await feed.refresh(writing.clinic_id, 1)
    assert [record.seq for record in heeded] == [1]
    assert told == []
    assert not [text for text in asked if "FROM messages" in text or "FROM conversations" in text]


async def test_what_was_before_is_asked_once_and_only_for_who_must_judge_by_it(writing, told, statements):
    for _ in range(4):
        await writing.writer.execute(writing.inbound())
    feed = Feed(writing.database, told.append, history=2)
    with statements() as asked:
        log = await feed.follow_reads(writing.clinic_id)
        assert (log.base, log.seq) == (4, 4)
        assert not [text for text in asked if "FROM events" in text]
    await writing.writer.execute(writing.inbound())
    feed.advance(writing.told[-1:])
    with statements() as asked:
        first = asyncio.ensure_future(feed.look_back(writing.clinic_id))
        await asyncio.sleep(0)
        while not [text for text in asked if "FROM events" in text]:
            pass  # the loop stands still: the answer is on its way, and nobody has it yet
        await asyncio.gather(first, feed.look_back(writing.clinic_id))
        await feed.look_back(writing.clinic_id)
        assert (log.base, log.seq) == (2, 5)
        assert len([text for text in asked if "FROM events" in text]) == 1


async def test_who_follows_while_the_log_is_read_for_readers_is_told_what_comes_of_it(writing, told):
    feed = Feed(writing.database, told.append)
    await feed.follow_reads(writing.clinic_id)
    await writing.writer.execute(writing.inbound())
    refreshing = asyncio.ensure_future(feed.refresh(writing.clinic_id, 1))
    for _ in range(3):  # turns of the loop: until the log is asked
        await asyncio.sleep(0)
    await feed.follow(writing.clinic_id)
    assert await refreshing
    assert seqs(told) == [1]


async def test_two_followers_count_as_one_telling(writing, feed, told):
    await feed.follow(writing.clinic_id)
    await feed.follow(writing.clinic_id)
    feed.unfollow(writing.clinic_id)
    await writing.writer.execute(writing.inbound())
    feed.advance(writing.told)
    assert seqs(told) == [1]


async def test_whenever_a_clinics_following_changes_the_count_of_changes_does(stock, feed):
    said = set()
    for _ in range(2):
        for change in (feed.follow, feed.follow, feed.unfollow, feed.unfollow):
            if (changing := change(stock.clinic_id)) is not None:
                await changing
            said.add((feed.followed_since(stock.clinic_id), feed.follow_changes()))
    sinces, counts = zip(*said, strict=True)
    assert len(said) == len(set(counts)) == 4, "followed, not followed, and both once more"
    assert len(set(sinces)) == 3


async def test_a_clinic_that_does_not_exist_cannot_be_followed_and_leaves_no_trace(stock, feed):
    with pytest.raises(KeyError):
        await feed.follow(stock.clinic_id + 1)
    assert feed._clinics == {}


async def test_waiting_ends_with_the_next_record_and_after_the_time(writing, feed):
    await feed.follow(writing.clinic_id)
    waiting = asyncio.create_task(feed.wait_past(writing.clinic_id, 0, 30))
    await feed.wait_past(writing.clinic_id, 0, 0.01)
    assert not waiting.done()
    await writing.writer.execute(writing.inbound())
    feed.advance(writing.told)
    await waiting
    await feed.wait_past(writing.clinic_id, 0, 30)


async def test_the_end_lets_everybody_go_who_waits_or_is_about_to(stock, feed):
    await feed.follow(stock.clinic_id)
    waiting = asyncio.create_task(feed.wait_past(stock.clinic_id, 0, 30))
    await asyncio.sleep(0)
    feed.release_waiting()
    await waiting
    await feed.wait_past(stock.clinic_id, 0, 30)


@pytest.mark.parametrize("seed", range(10))
async def test_any_mixture_of_own_late_and_lost_news_is_told_once_in_order(writing, feed, told, seed):
    rng = random.Random(seed)
    await feed.follow(writing.clinic_id)
    late = []
    for _ in range(30):
        before = len(writing.told)
        await asyncio.gather(*(writing.writer.execute(writing.inbound()) for _ in range(rng.randrange(1, 4))))
        fate, news = rng.random(), writing.told[before:]
        if fate < 0.5:
            feed.advance(news)
        elif fate < 0.8:
            late.append(news)
        if late and rng.random() < 0.3:
            feed.advance(late.pop(rng.randrange(len(late))))
    await told.until(len(writing.told))
    assert seqs(told) == list(itertools.islice(itertools.count(1), len(writing.told)))


LOST_COMMIT = (
    "DELETE FROM events WHERE seq = 2",
    "DELETE FROM search_documents WHERE message_id = (SELECT id FROM messages WHERE seq = 2)",
    "UPDATE clinics SET seq = 1, head = (SELECT id FROM events)",
)
RESTORE = ("UPDATE history SET id = 'restored'",)


@pytest.mark.parametrize("what", [LOST_COMMIT, RESTORE])
async def test_another_history_resets_once_and_then_goes_on(writing, feed, told, resets, what):
    await feed.follow(writing.clinic_id)
    for seq in (1, 2):
        await writing.writer.execute(writing.inbound())
        await told.until(seq)
    waiting = asyncio.create_task(feed.wait_past(writing.clinic_id, 2, 30))
    writing.database.write_now(lambda c: [c.execute(text(statement)) for statement in what])
    await waiting
    await writing.writer.execute(writing.inbound())
    await told.until(3)
    assert resets == [writing.clinic_id]
    assert told[2].record.id == writing.told[2].record.id
