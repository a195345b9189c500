"""What an engine counts: plain numbers that the hot path adds to, put together only when somebody asks.

Must not know links or transports; the engine adds what only a look at its links can tell. No number here belongs to a
clinic or a person. Ruled by docs/realtime.md ("Statistics").
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

HANDSHAKE_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ACK_BOUNDS_S = (0.0001, 0.00025, 0.0005, *HANDSHAKE_BOUNDS_S)
DELIVERY_BOUNDS_S = ACK_BOUNDS_S


class Times:
    """A histogram of seconds: how many took at most each bound, and how many longer."""

    __slots__ = ("_bounds", "_counts", "total_s")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += times
        self.total_s += seconds * times

    @property
    def count(self) -> int:
        return sum(self._counts)

    def cumulated(self) -> list[tuple[float, int]]:
        """(upper bound, how many took at most that long); the last bound is infinite."""
        rows, sum_ = [], 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            sum_ += count
            rows.append((bound, sum_))
        return rows

    def quantile_s(self, share: float) -> float | None:
        """The bound that at least this share stays within; None before the first and beyond the last bound."""
        wanted = share * self.count
        for bound, sum_ in self.cumulated()[:-1]:
            if sum_ and sum_ >= wanted:
                return bound
        return None


class Statistics:
    """Counts since the start. Public attributes: a call per event would cost more than the event's own counting."""

    __slots__ = (
        "acks",
        "bytes_in",
        "bytes_out",
        "closes",
        "deliveries",
        "events_in",
        "handshakes",
        "messages_in",
        "opened",
        "packets_out",
        "refusals",
        "signals_dropped",
        "writes",
    )

    def __init__(self) -> None:
        self.opened = 0
        self.messages_in = 0
        self.bytes_in = 0
        self.events_in = 0
        self.packets_out = 0
        """Per recipient: a packet to a room of ten counts ten."""
        self.bytes_out = 0
        self.writes = 0
        self.signals_dropped = 0
        self.closes: Counter[str] = Counter()
        """By reason: the keys of `recado.errors.CLOSES`, and what peers and networks do."""
        self.refusals: Counter[str] = Counter()
        """Handshakes by their text, CONNECTs and events by their code."""
        self.handshakes = Times(HANDSHAKE_BOUNDS_S)
        """From 101 to the CONNECT reply."""
        self.acks = Times(ACK_BOUNDS_S)
        """From reading an event to handing over its acknowledgement."""
        self.deliveries = Times(DELIVERY_BOUNDS_S)
        """From the oldest packet of a flush to the write, once per connection written to."""
