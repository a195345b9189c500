"""One timing wheel for all links: pings, deadlines and timeouts cost no timer of their own.

An item comes out at the first turn at or after its time, so at most one slot late. Time is handed in.
"""

from math import ceil
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    """What a wheel holds. `slot` is the wheel's own: -1 while the item is in none."""

    slot: int

    def __hash__(self) -> int: ...


Item = TypeVar("Item", bound=Timed)


class TimingWheel(Generic[Item]):
    """Times beyond the horizon come out at the horizon; whoever they are for looks again."""

    __slots__ = ("_slots", "_turned", "slot_s")

    def __init__(self, *, slot_s: float, horizon_s: float, now: float) -> None:
        self.slot_s = slot_s
        self._slots: list[set[Item]] = [set() for _ in range(ceil(horizon_s / slot_s) + 2)]
        self._turned = int(now / slot_s)  # every slot up to this one has come out

    def schedule(self, item: Item, at: float) -> None:
        """Put `item` at time `at`, or move it there."""
        slot = min(max(ceil(at / self.slot_s), self._turned + 1), self._turned + len(self._slots) - 1)
        if item.slot == slot:
            return
        self.cancel(item)
        item.slot = slot
        self._slots[slot % len(self._slots)].add(item)

    def cancel(self, item: Item) -> None:
        if item.slot >= 0:
            self._slots[item.slot % len(self._slots)].discard(item)
            item.slot = -1

    def turn(self, now: float) -> list[Item]:
        """Everything whose time has come, oldest slots first; it is in the wheel no more."""
        due: list[Item] = []
        last = int(now / self.slot_s)
        for number in range(self._turned + 1, min(last, self._turned + len(self._slots)) + 1):
            slot = self._slots[number % len(self._slots)]
            for item in slot:
                item.slot = -1
            due.extend(slot)
            slot.clear()
        self._turned = max(self._turned, last)
        return due
