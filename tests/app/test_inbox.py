"""Access and the inbox's use cases: one clinic never sees another."""

import asyncio

import msgspec
import pytest

from feed.listening import polling
from recado.app.access import Access
from recado.app.inbox import Inbox, SendOrder
from recado.app.outbox import LEASE_S, Outbox
from recado.app.pages import Pages
from recado.app.queries import Queries
from recado.cache.cache import Cache
from recado.cache.memory import Memory
from recado.domain.instants import shift
from recado.domain.values import Failure
from recado.domain.views import ConversationPage
from recado.errors import InvalidError, NotFoundError
from recado.feed.feed import Feed
from recado.store import accounts
from recado.store.database import Database
from recado.store.outbox import lease
from stock import identity

NOBODYS = "01900000-0000-7000-8000-000000000000"


@pytest.fixture
def other_clinic(stock):
    return stock.database.write_now(lambda c: accounts.add_clinic(c, "Outra", stock.sources.now()))


@pytest.fixture
def ours(stock):
    return identity(stock.member_id, {stock.clinic_id: "agent"})


@pytest.fixture
def theirs(stock, other_clinic):
    return identity(stock.member_id, {other_clinic: "agent"})


@pytest.fixture
async def feed(stock):
    async with polling(Feed(stock.database, lambda told: None)) as feed:
        yield feed


@pytest.fixture
def access(stock):
    return Access(stock.database)


@pytest.fixture
def queries(stock, access, feed):
    return Queries(stock.database, access, feed)


@pytest.fixture
def pages(stock, access, feed):
    return Pages(stock.database, access, Cache(feed, Memory(1 << 20, 600)))


@pytest.fixture
def inbox(writing, access):
    return Inbox(writing.writer, access)


@pytest.fixture
async def conversation_id(writing):
    return (await writing.writer.execute(writing.inbound())).message.conversation_id


def order(conversation_id, **fields):
    return SendOrder(
        conversation_id=conversation_id,
        client_key=fields.pop("client_key", "k"),
        body=fields.pop("body", "Oi"),
        **fields,
    )


async def test_a_member_answers_under_their_own_name(inbox, ours, conversation_id):
    message = (await inbox.send_message(ours, order(conversation_id))).message
    assert (message.author.name, message.author.id, message.client_key) == ("Ana", ours.member_id, "k")


async def test_another_clinics_conversation_is_absent_to_every_use_case(
    inbox, queries, pages, ours, theirs, conversation_id
):
    calls = [
        lambda who, id_: inbox.send_message(who, order(id_)),
        lambda who, id_: pages.messages(who, id_, limit=10),
        pages.conversation,
        lambda who, id_: queries.conversation_changes(who, id_, None),
    ]
    for call in calls:
        for who, id_ in ((theirs, conversation_id), (ours, NOBODYS)):
            with pytest.raises(NotFoundError) as refused:
                await call(who, id_)
            assert (refused.value.detail, refused.value.state) == (None, {})


async def test_another_clinic_is_absent_to_every_query(queries, pages, theirs, stock):
    for call in (
        pages.conversations(theirs, stock.clinic_id, limit=10, before=None),
        pages.clinic(theirs, stock.clinic_id),
        queries.changes(theirs, stock.clinic_id, after=None),
        queries.changes(theirs, stock.clinic_id, after="1.x:1"),
    ):
        with pytest.raises(NotFoundError):
            await call


async def test_a_delta_leaves_out_messages_of_another_clinic(queries, theirs, other_clinic, conversation_id):
    cursor = (await queries.changes(theirs, other_clinic, after=None)).cursor
    epoch = cursor.rpartition(":")[0]
    delta = await queries.changes(
        theirs, other_clinic, after=f"{epoch}:0", conversation_ids=[conversation_id]
    )
    assert (delta.messages, delta.conversations) == ([], [])


async def test_text_that_no_database_takes_is_cleaned(inbox, ours, conversation_id):
    message = (await inbox.send_message(ours, order(conversation_id, body="a\x00b\ud83d"))).message
    assert message.body == "a\ufffdb\ufffd"


async def test_pages_lead_to_every_conversation_and_message_exactly_once(writing, pages, ours):
    for number in range(23):
        await writing.writer.execute(writing.inbound(f"55{number}"))
    found, before = [], None
    while True:
        answer, _ = await pages.conversations(ours, writing.clinic_id, limit=5, before=before)
        page = msgspec.json.decode(answer.body, type=ConversationPage)
        found += [row.id for row in page.items]
        if (before := page.before) is None:
            break
    assert found == [told.conversation.id for told in reversed(writing.told)]
    assert page.seq == 23


async def test_a_conversation_that_was_on_a_page_is_written_to_without_asking_whose_it_is(
    writing, pages, inbox, ours, theirs, monkeypatch
):
    await writing.writer.execute(writing.inbound("55"))
    answer, _ = await pages.conversations(ours, writing.clinic_id, limit=5, before=None)
    [row] = msgspec.json.decode(answer.body, type=ConversationPage).items
    asked = []
    monkeypatch.setattr("recado.app.access.inbox.clinic_of", lambda *_, **id_: asked.append(id_))
    assert (await inbox.send_message(ours, order(row.id))).message.conversation_id == row.id
    with pytest.raises(NotFoundError):
        await inbox.send_message(theirs, order(row.id))
    assert not asked


@pytest.mark.parametrize(("limit", "before"), [(0, None), (101, None), (10, "x"), (10, "-1"), (10, "9" * 30)])
async def test_a_page_nobody_could_have_asked_for_is_refused(pages, ours, stock, limit, before):
    with pytest.raises(InvalidError):
        await pages.conversations(ours, stock.clinic_id, limit=limit, before=before)


@pytest.mark.parametrize("after", ["", "1", "x:", ":1", "x:-1", "x:1e3", "ã:1", "x" * 200 + ":1"])
async def test_a_malformed_cursor_is_refused(queries, ours, stock, after):
    with pytest.raises(InvalidError) as refused:
        await queries.changes(ours, stock.clinic_id, after=after)
    assert refused.value.errors == (("after", "wrong_format"),)


async def test_a_long_poll_answers_when_something_happens_and_empty_after_its_time(
    writing, queries, feed, ours
):
    cursor = (await queries.changes(ours, writing.clinic_id, after=None)).cursor
    empty = await queries.changes(ours, writing.clinic_id, after=cursor, wait_s=0.01)
    assert (empty.cursor, empty.conversations) == (cursor, [])
    waiting = asyncio.create_task(queries.changes(ours, writing.clinic_id, after=cursor, wait_s=25))
    await writing.writer.execute(writing.inbound())
    feed.advance(writing.told)
    delta = await waiting
    assert [row.id for row in delta.conversations] == [writing.told[0].conversation.id]
    assert feed._clinics == {}


class TestOutbox:
    @pytest.fixture
    def outbox(self, writing, inbox):
        return Outbox(writing.database, inbox, writing.sources.now)

    @pytest.fixture
    async def replies(self, inbox, ours, conversation_id):
        return [
            (await inbox.send_message(ours, order(conversation_id, client_key=f"k{n}"))).message
            for n in range(3)
        ]

    async def test_of_a_conversation_only_the_first_message_may_leave(self, outbox, replies):
        [first] = await outbox.lease(10)
        assert (first.message_id, first.attempts) == (replies[0].id, 1)
        assert await outbox.lease(10) == []
        await outbox.sent(first, "wamid.1")
        [second] = await outbox.lease(10)
        assert second.message_id == replies[1].id

    async def test_a_lease_comes_due_again_if_its_holder_dies(self, outbox, replies, writing):
        await outbox.lease(10)
        due = await outbox.next_due_in_s()
        assert LEASE_S - 1 < due <= LEASE_S
        later = Outbox(writing.database, outbox._inbox, lambda: shift(writing.sources.now(), LEASE_S))
        [again] = await later.lease(10)
        assert (again.message_id, again.attempts) == (replies[0].id, 2)

    @pytest.mark.only("sqlite")
    async def test_a_dead_senders_leases_can_be_taken_over_but_not_what_was_postponed(
        self, outbox, inbox, ours, replies, writing
    ):
        [first] = await outbox.lease(10)
        await outbox.take_over()
        [again] = await outbox.lease(10)
        assert (again.message_id, again.attempts) == (first.message_id, 2)
        await outbox.postpone(again, 600)
        await outbox.take_over()
        assert await outbox.lease(10) == []

    @pytest.mark.only("postgresql")
    async def test_where_other_nodes_may_live_a_lease_runs_its_time(self, outbox, replies):
        await outbox.lease(10)
        await outbox.take_over()
        assert await outbox.lease(10) == []

    @pytest.mark.only("postgresql")
    async def test_what_another_node_is_leasing_is_left_to_it(self, outbox, inbox, ours, writing):
        for number in range(4):
            thread = (await writing.writer.execute(writing.inbound(f"55{number}"))).message.conversation_id
            await inbox.send_message(ours, order(thread, client_key=f"k{number}"))
        now = writing.sources.now()
        other = Database(writing.database.url.render_as_string())
        with other.engine.begin() as connection:
            theirs = lease(connection, now, shift(now, LEASE_S), 2, of_each=2)
            mine = await outbox.lease(10)
        assert await outbox.lease(10) == []
        other.close()
        assert (len(theirs), len(mine)) == (2, 2)
        assert {each.message_id for each in theirs}.isdisjoint(each.message_id for each in mine)

    async def test_what_is_blocked_does_not_count_as_due(self, outbox, replies):
        [first] = await outbox.lease(10)
        await outbox.postpone(first, 600)
        assert await outbox.next_due_in_s() > 500

    async def test_nothing_waits_when_nothing_was_sent(self, outbox):
        assert await outbox.next_due_in_s() is None

    async def test_a_failure_is_told_and_lets_the_next_one_go(self, outbox, replies, writing):
        [first] = await outbox.lease(10)
        await outbox.failed(first, Failure(code="refused", message="Refused."))
        assert writing.told[-1].message.failure.code == "refused"
        [second] = await outbox.lease(10)
        assert second.message_id == replies[1].id
        assert outbox.wake.is_set()
