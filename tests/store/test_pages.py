"""List pages under every filter: exactly what fits, once, newest first, and by way of an index."""

import contextlib
import random
from functools import partial

import pytest
from sqlalchemy import event

from recado.domain.commands import DeleteMessage, MarkRead, UpdateConversation
from recado.domain.cursor import Cursor
from recado.domain.views import ListFilter, ThreadPlace
from recado.store import accounts, bulk, deltas, inbox, lists, outbox, rows, search
from recado.store.batch import carry_out
from recado.store.clinic import clinics_by_id
from store.test_law import live_a_while


def pages(stock, fitting, limit=3):
    """Every conversation of the filtered list, page by page."""
    found, before = [], None
    while True:
        page = stock.database.read_now(
            lambda c, before=before: lists.conversation_page(
                c, stock.clinic_id, stock.member_id, limit, before, fitting
            )
        )
        assert len(page.items) <= limit
        found += page.items
        if page.before is None:
            return found
        before = int(page.before)


def fits(row, marks, fitting, member_id) -> bool:
    mark = marks.get(row.id)
    return (
        fitting.status in {None, row.status}
        and (fitting.assignee_id is None or (row.assignee_id or "") == fitting.assignee_id)
        and (fitting.label is None or fitting.label in row.labels)
        and (not fitting.unread or row.inbound_count > (mark.inbound_read if mark else 0))
    )


@pytest.mark.parametrize("seed", range(4))
async def test_a_filtered_list_is_the_whole_list_without_what_does_not_fit(writing, seed):
    await live_a_while(writing, random.Random(seed), 12)
    whole = writing.database.read_now(
        lambda c: lists.conversation_page(c, writing.clinic_id, writing.member_id, 100, None)
    )
    marks = {mark.conversation_id: mark for mark in whole.reads}
    mine = writing.member_id
    for fitting in [
        *(ListFilter(status=status) for status in ("open", "pending", "snoozed", "resolved")),
        ListFilter(assignee_id=mine),
        ListFilter(assignee_id=""),
        ListFilter(label="exame"),
        ListFilter(label="nobody's"),
        ListFilter(unread=True),
        ListFilter(status="open", assignee_id="", label="exame", unread=True),
    ]:
        expected = [row for row in whole.items if fits(row, marks, fitting, mine)]
        assert pages(writing, fitting) == expected, fitting


async def test_reading_and_labelling_move_a_conversation_between_lists(writing):
    first = (await writing.writer.execute(writing.inbound())).conversation
    assert pages(writing, ListFilter(unread=True)) == [first]
    await writing.writer.execute(writing.order(MarkRead, conversation_id=first.id, up_to=first.last_seq))
    assert pages(writing, ListFilter(unread=True)) == []
    for labels in (("a", "b"), ("b",), ()):
        order = writing.order(UpdateConversation, conversation_id=first.id, labels=labels)
        await writing.writer.execute(order)
        for label in ("a", "b"):
            assert len(pages(writing, ListFilter(label=label))) == (label in labels)


@pytest.mark.parametrize(
    "fitting",
    [
        ListFilter(),
        ListFilter(status="open"),
        ListFilter(assignee_id=""),
        ListFilter(assignee_id="01900000-0000-7000-8000-000000000000"),
        ListFilter(label="exame"),
        ListFilter(unread=True),
    ],
    ids=repr,
)
def test_no_list_reads_or_sorts_a_whole_table(stock, fitting, explain):
    def read(connection):
        lists.conversation_page(connection, stock.clinic_id, stock.member_id, 50, 1000, fitting)

    plan = explain(read)[0]
    assert "ix_conversations" in plan
    for word in ("SCAN conversations", "SCAN messages", "TEMP B-TREE", "Seq Scan on conversations", "Sort"):
        assert word not in plan


@pytest.mark.only("postgresql")
def test_pages_of_any_size_share_one_plan_which_is_made_before_somebody_asks(stock):
    """Planning a page takes PostgreSQL half as long as reading it."""
    plans = "SELECT custom_plans FROM pg_prepared_statements WHERE position('conversations' IN statement) > 0"

    def ask(connection) -> tuple[list[int], list[int]]:
        lists.prepare(connection, 50)
        made = connection.exec_driver_sql(plans).scalars().all()
        for before in 12 * (None, 9, 99_999, 9_999_999_999):
            for clinic_id, member_id in ((stock.clinic_id, stock.member_id), (0, "nobody")):
                with contextlib.suppress(IndexError):  # no such clinic
                    lists.read_page(connection, clinic_id, member_id, 50, before, ListFilter())
        return made, connection.exec_driver_sql(plans).scalars().all()

    made, later = stock.database.read_now(ask)
    assert made == later == [5, 5]


@pytest.mark.only("postgresql")
def test_a_clinic_of_any_size_shares_the_plan_that_was_made_for_all(stock):
    """PostgreSQL that sees whose page it plans finds a small clinic's own plan cheaper, and makes it for each page."""
    large, small = stock.clinic_id, a_clinic(stock)
    stock.database.write_now(lambda connection: fill(connection, stock.channel.id, {large: 4_000, small: 2}))
    plans = (
        "SELECT generic_plans > 0, custom_plans FROM pg_prepared_statements"
        " WHERE position('conversations' IN statement) > 0"
    )

    def ask(connection):
        for clinic_id in [small] * 8 + [large, small] * 4:
            for before in (None, 3):
                lists.read_page(connection, clinic_id, stock.member_id, 50, before, ListFilter())
        return connection.exec_driver_sql(plans).all()

    assert stock.database.read_now(ask) == [(True, 5), (True, 5)]


def a_clinic(stock):
    return stock.database.write_now(lambda c: accounts.add_clinic(c, "Outra", stock.sources.now()))


ROWS = """
INSERT INTO contacts (id, clinic_id, channel_id, address, name)
  SELECT clinic || '-' || n, clinic, channel, clinic || '-' || n, 'Maria' FROM wanted;
INSERT INTO conversations (id, clinic_id, channel_id, contact_id, status, labels, last_message_id, last_seq,
    last_inbound_seq, inbound_count, created_at, version, deleted)
  SELECT clinic || '-' || n, clinic, channel, clinic || '-' || n, 'open', '[]', clinic || '-' || n, n, n, 1,
    '2026-01-01T00:00:00.000Z', n, false FROM wanted;
INSERT INTO messages (id, clinic_id, conversation_id, kind, direction, author_type, author_id, author_name, body,
    status, seq, version, created_at)
  SELECT clinic || '-' || n, clinic, clinic || '-' || n, 'message', 'inbound', 'contact', n, 'Maria', 'Oi',
    'received', n, n, '2026-01-01T00:00:00.000Z' FROM wanted;
"""


def fill(connection, channel_id, sizes) -> None:
    """Conversations of one message, as many as `sizes` says of each clinic, and counted."""
    connection.exec_driver_sql("SET LOCAL recado.by_hand = on")
    wanted = (
        "CREATE TEMPORARY TABLE wanted ON COMMIT DROP AS SELECT 0 AS clinic, '' AS channel, 0 AS n LIMIT 0"
    )
    connection.exec_driver_sql(wanted)
    for clinic_id, size in sizes.items():
        values = "INSERT INTO wanted SELECT %s, %s, n FROM generate_series(1, %s) n"
        connection.exec_driver_sql(values, (clinic_id, channel_id, size))
    connection.exec_driver_sql(ROWS)
    connection.exec_driver_sql("ANALYZE")


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_a_thread_can_be_walked_both_ways_from_any_message(writing, limit):
    for _ in range(9):
        await writing.writer.execute(writing.inbound())
        await writing.writer.execute(writing.inbound("another"))
    conversation_id = writing.told[0].conversation.id
    whole = [told.message for told in reversed(writing.told) if told.conversation.id == conversation_id]

    def page(**place):
        return writing.database.read_now(
            lambda c: inbox.message_page(c, writing.clinic_id, conversation_id, limit, ThreadPlace(**place))
        )

    for start in whole:
        around = page(around=start.id)
        assert start in around.items
        assert len(around.items) <= limit
        walked, before, after = around.items, around.before, around.after
        while before is not None:
            older = page(before=int(before))
            walked, before = walked + older.items, older.before
        while after is not None:
            newer = page(after=int(after))
            walked, after = newer.items + walked, newer.after
        assert walked == whole
    newest = page()
    assert (newest.items, newest.after) == (whole[:limit], None)


def test_no_thread_page_or_delta_reads_a_whole_table(stock, explain):
    head = stock.database.read_now(lambda c: inbox.heads(c, [stock.clinic_id]))[stock.clinic_id].cursor
    cursor = head._replace(seq=head.seq - 1)  # at the head itself there is nothing to read
    ids = ["01900000-0000-7000-8000-000000000000"]

    def read(connection):
        inbox.message_page(connection, stock.clinic_id, ids[0], 50, ThreadPlace(before=1000))
        deltas.clinic_delta(connection, stock.clinic_id, stock.member_id, cursor, ids)
        inbox.log_after(connection, stock.clinic_id, 0, 100)
        inbox.heads(connection, [stock.clinic_id])
        rows.read_marks_of(connection, [(ids[0], stock.member_id)])
        inbox.due_to_wake(connection, stock.sources.now(), 10)

    plan = "\n".join(explain(read))
    for index in ("ix_messages_thread", "ix_messages_delta", "ix_conversations_snoozed"):
        assert index in plan
    for table in ("clinics", "conversations", "messages", "events", "read_marks"):
        assert f"SCAN {table}" not in plan
        assert f"Seq Scan on {table}" not in plan


async def test_many_records_and_clinics_are_asked_for_in_the_words_for_one(writing, texts_of):
    # Drivers keep what they have prepared by its text: one for each number is memory, and prepared anew.
    await live_a_while(writing, random.Random(5), 30)
    clinic_id = writing.clinic_id
    head = writing.database.read_now(lambda c: inbox.heads(c, [clinic_id]))[clinic_id].cursor.seq
    whole = texts_of(lambda c: inbox.log_after(c, clinic_id, 0, 1000))
    assert any("read_marks" in text for text in whole)
    for count in range(1, head):
        assert texts_of(lambda c, after=head - count: inbox.log_after(c, clinic_id, after, 1000)) <= whole
    one = texts_of(lambda c: inbox.heads(c, [clinic_id]))
    assert texts_of(lambda c: inbox.heads(c, [clinic_id, clinic_id + 1])) == one


async def test_what_reads_by_many_ids_asks_in_the_words_for_one(writing, texts_of):
    opened = [await writing.writer.execute(writing.inbound(f"55{number}")) for number in range(3)]
    ids = [each.conversation.id for each in opened]
    cursor = Cursor(writing.database.read_now(lambda c: inbox.heads(c, [1]))[1].cursor.epoch, 0)
    for ask in (
        lambda c, count: deltas.clinic_delta(c, 1, writing.member_id, cursor, ids[:count]),
        lambda c, count: search.find(c, 1, "bom dia", count, None),
        lambda c, count: clinics_by_id(c, range(1, 1 + count)),
    ):
        one, three = (texts_of(partial(ask, count=count)) for count in (1, 3))
        assert one == three


async def test_many_commands_and_leases_are_carried_out_in_the_words_for_one(stock, texts_of):
    [first, *others] = [carried_out(stock, stock.inbound(f"55{number}"))[0] for number in range(5)]

    def all_of(threads):
        """An order of every kind that looks at more than its conversation."""
        told = carried_out(stock, *(stock.reply(each.conversation.id) for each in threads))
        carried_out(stock, *(stock.order(DeleteMessage, message_id=each.message.id) for each in told))
        for command, fields in (
            (MarkRead, {"up_to": threads[0].seq}),
            (UpdateConversation, {"assignee_id": stock.member_id, "labels": ("exame",)}),
        ):
            carried_out(
                stock,
                *(stock.order(command, conversation_id=each.conversation.id, **fields) for each in threads),
            )
        carried_out(stock, *(stock.reply(each.conversation.id) for each in threads))
        leased = stock.database.write_now(lambda c: outbox.lease(c, "9", "8", 10, of_each=10))
        assert len(leased) == len(threads)
        stock.database.write_now(lambda c: [outbox.postpone(c, each.message_id, "a") for each in leased])

    one = texts_of(lambda _: all_of([first]))
    assert texts_of(lambda _: all_of(others)) == one


def carried_out(stock, *commands):
    return stock.database.write_now(lambda c: carry_out(c, commands, stock.sources)).outcomes


async def test_what_a_pull_asks_of_messages_is_prepared_before(writing, texts_of):
    written = await writing.writer.execute(writing.inbound("55"))
    clinic_id, before = writing.clinic_id, written.seq - 1

    def pull(connection):
        assert inbox.heads(connection, [clinic_id])[clinic_id].cursor.seq == written.seq
        assert inbox.log_after(connection, clinic_id, before, 10)[0].message == written.message

    assert texts_of(pull) <= texts_of(inbox.prepare)


@pytest.fixture
def texts_of(stock):
    """What SQLAlchemy gives the driver to prepare when a function runs."""

    def texts_of(work) -> set[str]:
        texts = set()

        def note(connection, cursor, statement, parameters, context, many):
            texts.add(statement)

        engines = stock.database.engine, stock.database._reading
        for engine in engines:
            event.listen(engine, "before_cursor_execute", note)
        stock.database.read_now(work)
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
        return texts

    return texts_of


@pytest.fixture
def explain(stock, monkeypatch):
    """How the database would carry out each statement that a function runs, in its own words."""

    def explain(work) -> list[str]:
        statements = []

        def note(connection, cursor, statement, parameters, context, many):
            if statement.lstrip().startswith(("SELECT", "WITH")):
                statements.append((statement, parameters))

        def run(connection, statement, parameters):
            text, own = bulk.compiled(statement, connection.dialect)
            statements.append((text, own | parameters))
            return bulk.run(connection, statement, parameters)

        monkeypatch.setattr(lists, "run", run)  # on the driver's cursor, of which no event tells
        event.listen(stock.database._reading, "before_cursor_execute", note)
        stock.database.read_now(work)
        event.remove(stock.database._reading, "before_cursor_execute", note)

        def ask(connection) -> list[str]:
            sqlite = connection.dialect.name == "sqlite"
            if not sqlite:  # an empty table is always read whole, unless that is forbidden
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
                connection.exec_driver_sql("SET LOCAL enable_sort = off")
            form = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            rows = [connection.exec_driver_sql(form + text, values).all() for text, values in statements]
            return ["\n".join(str(tuple(row)) for row in each) for each in rows]

        return stock.database.read_now(ask)

    return explain
