"""A trimmed log answers every `after` as before."""

import asyncio
import random

import pytest

from recado.domain.cursor import Cursor
from recado.domain.instants import shift
from recado.feed.feed import Feed
from recado.store import deltas, inbox, retention
from store.test_law import live_a_while


@pytest.fixture
async def trimmed(writing, monkeypatch):
    """A clinic with a life behind it, and a way to forget all of its log but the newest three records."""
    monkeypatch.setattr(retention, "KEPT", 3)
    await live_a_while(writing, random.Random(1), 8)
    tomorrow = shift(writing.sources.now(), 86_400)
    return lambda: writing.database.write_now(lambda c: retention.trim(c, tomorrow))


def answers(stock):
    head = stock.database.read_now(lambda c: inbox.heads(c, [stock.clinic_id]))[stock.clinic_id].cursor
    ids = list({told.conversation.id for told in stock.talked})
    return [
        stock.database.read_now(
            lambda c, seq=seq: deltas.clinic_delta(
                c, stock.clinic_id, stock.member_id, Cursor(head.epoch, seq), ids
            )
        )
        for seq in range(head.seq + 2)
    ]


async def test_no_answer_of_after_changes(writing, trimmed):
    before = answers(writing)
    assert trimmed() == len(writing.told) - 3
    assert answers(writing) == before


async def test_young_records_and_the_newest_stay(writing, trimmed):
    yesterday = shift(writing.sources.now(), -86_400)
    assert writing.database.write_now(lambda c: retention.trim(c, yesterday)) == 0
    trimmed()
    assert trimmed() == 0


async def test_a_feed_that_is_behind_the_trimmed_part_goes_on_with_what_is_there(writing, trimmed):
    told = []
    feed = Feed(writing.database, told.append)
    await feed.follow(writing.clinic_id)
    await asyncio.gather(*feed._pulls)  # it has looked once for what came while it began to follow
    start = len(writing.told)
    await live_a_while(writing, random.Random(2), 3)
    trimmed()
    feed.advance(writing.told[-1:])
    await asyncio.gather(*feed._pulls)
    assert [each.record.seq for each in told] == [each.record.seq for each in writing.told[-3:]]
    assert told[0].record.seq > start
