"""Races of docs/cache.md with PostgreSQL's real line for hints, and with a real standby: reads stay true."""

from contextlib import asynccontextmanager

import pytest

from cache.node import Node
from channels.polling import eventually
from recado.clock import clock
from recado.feed import feed as feed_module
from wire import Wire

NEVER_S = 60.0
"""A poll, or the end of a lease, that no test waits for."""

pytestmark = pytest.mark.only("postgresql")


@asynccontextmanager
async def across_a_wire(stock, **options):
    """A node that says hints, one that hears them over a wire, and has the list in memory; and the wire."""
    port = stock.database.url.port
    async with (
        Wire(port) as wire,
        Node(stock, listens_at=port) as here,
        Node(stock, listens_at=wire.port, **options) as there,
    ):
        await eventually(lambda: there.listening and here.listening, "both listen")
        await there.page()
        yield here, there, wire


def message_to(stock, number):
    return stock.inbound(f"55{number}")


async def hears(there, here, stock) -> None:
    """A hint arrives, and what it tells of is read, though nobody asks the log."""
    seen = await here.write(message_to(stock, 6))
    await eventually(lambda: there.log.seq == seen.seq, "the hint arrives")
    assert clock() < there.log.lease
    assert await there.is_fresh()


@pytest.fixture
def only_hints(monkeypatch):
    """No poll and no end of a lease brings what a hint should have."""
    monkeypatch.setattr(feed_module, "POLL_S", NEVER_S)
    monkeypatch.setattr(feed_module, "LEASE_S", NEVER_S)


async def test_a_line_that_breaks_makes_the_next_reader_ask(stock, threads, only_hints):
    async with across_a_wire(stock) as (here, there, wire):
        await hears(there, here, stock)
        wire.cut()
        await here.write(message_to(stock, 3))
        await eventually(lambda: there.log.lease < clock() + NEVER_S / 2, "it notices")
        assert await there.is_fresh()
        await eventually(lambda: there.listening == 2, "it listens again")
        await hears(there, here, stock)


async def test_while_a_line_is_refused_no_read_is_older_than_a_moment(stock, threads, only_hints):
    async with across_a_wire(stock) as (here, there, wire):
        await wire.refuse()
        await eventually(lambda: there.feed.standing().deaf, "it notices")
        for number in range(5):
            written = clock()
            await here.write(message_to(stock, number))
            await eventually(lambda: clock() > there.log.lease, "the lease is short", 5)
            assert await there.is_fresh()
            assert clock() - written < 5
        await wire.accept()
        await eventually(lambda: there.listening == 2, "it listens again")
        await hears(there, here, stock)


async def test_a_line_that_goes_silent_costs_a_lease_at_most(stock, threads, soon_over, monkeypatch):
    monkeypatch.setattr(feed_module, "POLL_S", NEVER_S)
    async with across_a_wire(stock) as (here, there, wire):
        wire.hold()
        seen = await here.write(message_to(stock, 3))
        assert await there.is_fresh(after=seen), "who has seen it"
        written = clock()
        seen = await here.write(message_to(stock, 4))
        await eventually(lambda: clock() > written + feed_module.LEASE_S, "a lease has passed")
        assert await there.is_fresh(), "anybody"
        assert not there.feed.standing().deaf, "it does not know that it hears nothing"
        wire.release()
        seen = await here.write(message_to(stock, 5))
        await eventually(lambda: there.log.seq == seen.seq, "the hint arrives")


async def test_a_line_that_goes_silent_is_made_good_by_the_poll(stock, threads, monkeypatch):
    monkeypatch.setattr(feed_module, "POLL_S", 0.05)
    monkeypatch.setattr(feed_module, "LEASE_S", NEVER_S)
    async with across_a_wire(stock, polls=True) as (here, there, wire):
        wire.hold()
        seen = await here.write(message_to(stock, 3))
        await eventually(lambda: there.log.seq == seen.seq, "the poll finds it")
        assert await there.is_fresh()
