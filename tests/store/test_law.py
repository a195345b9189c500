"""The law: old snapshot + packets or deltas, in any order and repeated = fresh snapshot."""

import asyncio
import random

import pytest

from recado.domain.cursor import parse_cursor
from recado.domain.packets import ConversationPacket, MessagePacket, packets
from recado.store import inbox


class Screen:
    """What a client holds: rows by id, of which a newer version wins. docs/events.md, "Ingest"."""

    def __init__(self) -> None:
        self.conversations = {}
        self.messages = {}

    def ingest(self, conversations=(), messages=()) -> None:
        for held, rows in ((self.conversations, conversations), (self.messages, messages)):
            for row in rows:
                if row.id not in held or held[row.id].version < row.version:
                    held[row.id] = row

    def hear(self, payload) -> None:
        match payload:
            case MessagePacket():
                self.ingest(messages=[payload.message])
            case ConversationPacket():
                self.ingest(conversations=[payload.conversation])


def snapshot(stock) -> Screen:
    screen = Screen()

    def read(connection) -> None:
        page = inbox.conversation_page(connection, stock.clinic_id, 100, None)
        screen.ingest(conversations=page.items)
        for row in page.items:
            said = inbox.message_page(connection, stock.clinic_id, row.id, 1000, None)
            screen.ingest(messages=said.items)

    stock.database.read_now(read)
    return screen


async def live_a_while(stock, rng, steps) -> None:
    """Patients write, members answer, providers report: some of it at once."""
    for _ in range(steps):
        known = [told.conversation.id for told in stock.told]
        sent = [told.message for told in stock.told if told.message.direction == "outbound"]
        commands = [stock.inbound(f"55{rng.randrange(5)}") for _ in range(rng.randrange(1, 4))]
        if known:
            commands.append(stock.reply(rng.choice(known), kind=rng.choice(["message", "note"])))
        if sent:
            outcome = rng.choice(["sent", "failed"])
            commands.append(stock.delivered(rng.choice(sent), outcome, external_id=f"ours-{rng.random()}"))
        await asyncio.gather(*(stock.writer.execute(command) for command in commands))


@pytest.mark.parametrize("seed", range(8))
async def test_packets_in_any_order_with_repeats_lead_to_the_fresh_snapshot(writing, seed):
    rng = random.Random(seed)
    await live_a_while(writing, rng, 3)
    screen, before = snapshot(writing), len(writing.told)
    await live_a_while(writing, rng, 10)
    later = [packet.payload for told in writing.told[before:] for packet in packets(told)]
    heard = later + rng.choices(later, k=len(later) // 2)
    rng.shuffle(heard)
    for payload in heard:
        screen.hear(payload)
    assert vars(screen) == vars(snapshot(writing))


@pytest.mark.parametrize("seed", range(8))
async def test_a_delta_leads_to_the_fresh_snapshot_whatever_was_heard_before(writing, seed, monkeypatch):
    monkeypatch.setattr(inbox, "DELTA_ROWS", rng_rows := random.Random(seed).randrange(1, 20))
    rng = random.Random(seed)
    await live_a_while(writing, rng, 3)
    screen = snapshot(writing)
    cursor = writing.database.read_now(lambda c: inbox.heads(c, [writing.clinic_id]))[
        writing.clinic_id
    ].cursor
    before = len(writing.told)
    await live_a_while(writing, rng, 10)
    later = [packet.payload for told in writing.told[before:] for packet in packets(told)]
    for payload in rng.choices(later, k=5):
        screen.hear(payload)
    every_thread = list({told.conversation.id for told in writing.told})
    more = True
    while more:
        delta = writing.database.read_now(
            lambda c, after=cursor: inbox.clinic_delta(c, writing.clinic_id, after, every_thread)
        )
        assert len(delta.conversations) + len(delta.messages) <= rng_rows + 1
        screen.ingest(delta.conversations, delta.messages)
        cursor, more = parse_cursor(delta.cursor), delta.more
    assert vars(screen) == vars(snapshot(writing))
    assert cursor.seq == len(writing.told)


async def test_live_packets_equal_those_read_from_the_log(writing):
    await writing.writer.execute(writing.inbound())
    [told] = writing.told
    [read] = writing.database.read_now(lambda c: inbox.log_after(c, writing.clinic_id, 0, 10))
    assert list(packets(read)) == list(packets(told))


async def test_every_record_is_told_to_the_clinic_exactly_once_and_last(writing):
    await live_a_while(writing, random.Random(1), 5)
    for told in writing.told:
        rooms = [packet.room for packet in packets(told)]
        assert rooms == [f"conversation:{told.conversation.id}", f"clinic:{writing.clinic_id}"]


async def test_a_cursor_of_another_history_or_ahead_is_reset(writing):
    await writing.writer.execute(writing.inbound())
    head = writing.database.read_now(lambda c: inbox.heads(c, [writing.clinic_id]))[writing.clinic_id].cursor
    for after in (head._replace(epoch="1.other"), head._replace(seq=head.seq + 1)):
        delta = writing.database.read_now(
            lambda c, after=after: inbox.clinic_delta(c, writing.clinic_id, after, [])
        )
        assert (delta.reset, delta.cursor, delta.conversations) == (True, str(head), [])
