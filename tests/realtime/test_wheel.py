"""The timing wheel: never early, at most a slot late, and no trace of what was cancelled."""

from hypothesis import given
from hypothesis import strategies as st

from recado.realtime.wheel import TimingWheel


class Item:
    def __init__(self, at=0.0):
        self.at = at
        self.slot = -1


def wheel(*, now=0.0):
    return TimingWheel(slot_s=0.25, horizon_s=10.0, now=now)


times = st.floats(0.0, 10.0)


@given(
    st.floats(0, 1e6), st.lists(times, max_size=30), st.lists(st.floats(0.001, 3.0), min_size=1, max_size=60)
)
def test_an_item_comes_out_once_never_early_and_at_most_a_slot_late(start, delays, steps):
    turning = wheel(now=start)
    items = [Item(start + delay) for delay in delays]
    for item in items:
        turning.schedule(item, item.at)
    now, previous, seen = start, start, []
    for step in [*steps, 10.5]:
        previous, now = now, now + step
        for item in turning.turn(now):
            seen.append(item)
            assert item.slot == -1
            assert item.at <= now + 1e-6
            assert item.at + 0.25 >= previous - 0.25 - 1e-6
    assert sorted(map(id, seen)) == sorted(map(id, items))


@given(st.lists(times, min_size=1, max_size=10))
def test_an_item_that_is_scheduled_again_moves(moves):
    turning, item = wheel(), Item()
    for at in moves:
        turning.schedule(item, at)
    assert sum(len(slot) for slot in turning._slots) == 1
    came = [now for now in (step / 4 for step in range(60)) if turning.turn(now)]
    assert len(came) == 1
    assert moves[-1] <= came[0] <= moves[-1] + 0.5


def test_a_cancelled_item_is_gone():
    turning, item = wheel(), Item()
    turning.schedule(item, 1.0)
    turning.cancel(item)
    turning.cancel(item)
    assert not any(turning._slots)
    assert turning.turn(100.0) == []


def test_what_lies_beyond_the_horizon_comes_out_at_the_horizon():
    turning, item = wheel(), Item()
    turning.schedule(item, 1e9)
    assert turning.turn(9.9) == []
    assert turning.turn(10.5) == [item]


def test_what_is_overdue_comes_out_at_the_next_slot():
    turning, item = wheel(now=100.0), Item()
    turning.schedule(item, 1.0)
    assert turning.turn(100.0) == []
    assert turning.turn(100.25) == [item]


def test_a_long_pause_brings_everything_out_once():
    turning = wheel()
    items = [Item() for _ in range(20)]
    for number, item in enumerate(items):
        turning.schedule(item, number / 2)
    assert set(turning.turn(1e6)) == set(items)
    turning.schedule(items[0], 1e6 + 1)
    assert turning.turn(1e6 + 2) == [items[0]]
