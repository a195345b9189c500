"""The flusher: one flush for what neighbouring ticks produce, releases before it, nothing twice."""

from recado.realtime.flusher import Flusher
from recado.realtime.statistics import Statistics


class Loop:
    """`call_soon` and ticks, as a loop has them."""

    def __init__(self):
        self.ready = []

    def call_soon(self, callback):
        self.ready.append(callback)

    def tick(self):
        ready, self.ready = self.ready, []
        for callback in ready:
            callback()


class Link:
    def __init__(self):
        self.flushes = 0

    def flush(self):
        self.flushes += 1


def test_what_the_next_tick_adds_shares_the_flush():
    loop = Loop()
    flusher = Flusher(loop.call_soon, float, Statistics())
    first, second = Link(), Link()
    flusher.mark(first)
    loop.tick()
    flusher.mark(second)
    assert (first.flushes, second.flushes) == (0, 0)
    loop.tick()
    assert (first.flushes, second.flushes) == (1, 1)
    assert loop.ready == []


def test_what_leaves_soon_leaves_after_one_tick_with_what_else_does():
    loop = Loop()
    flusher = Flusher(loop.call_soon, float, Statistics())
    batches, links = [], [Link(), Link()]
    flusher.flush_all = batches.append
    for link in links:
        flusher.mark_soon(link)
    loop.tick()
    assert batches == [links]
    assert loop.ready == []


def test_a_release_ends_the_hold_before_the_flush():
    loop = Loop()
    flusher = Flusher(loop.call_soon, float, Statistics())
    order = []

    class Held:
        def end_hold(self):
            order.append("released")
            flusher.dirty.append(link)

    link = Link()
    link.flush = lambda: order.append("flushed")
    flusher.release(Held())
    loop.tick()
    loop.tick()
    assert order == ["released", "flushed"]


def test_what_a_flush_marks_is_flushed_next():
    loop = Loop()
    flusher = Flusher(loop.call_soon, float, Statistics())
    link = Link()

    class Closing(Link):
        def flush(self):
            flusher.mark(link)

    flusher.mark(Closing())
    for _ in range(4):
        loop.tick()
    assert link.flushes == 1
