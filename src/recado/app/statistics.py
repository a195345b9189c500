"""Shapes of what an administrator is told of the live connections. Numbers of the process; no person, no words.

The engine fills them in, REST sends them. docs/realtime.md, "Statistics".
"""

from recado.domain.values import Value


class ConnectionStatistics(Value, frozen=True, kw_only=True):
    """Open connections. `opening` ones are in no namespace yet, `closing` ones are saying goodbye."""

    total: int
    opening: int
    live: int
    closing: int
    by_transport: dict[str, int]


class TimeStatistics(Value, frozen=True, kw_only=True):
    """Of `count` measurements since the start; quantiles are the bounds of a histogram, in milliseconds."""

    count: int
    mean_ms: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None


class RealtimeStatistics(Value, frozen=True, kw_only=True):
    """This process, since its start. `joinedWriteFactor` is how many packets shared a write."""

    connections: ConnectionStatistics
    clinic_connections: int | None = None
    rooms: int
    opened: int
    events_in: int
    events_in_per_s: float
    packets_out: int
    packets_out_per_s: float
    bytes_in: int
    bytes_out: int
    writes: int
    joined_write_factor: float | None = None
    signals_dropped: int
    slow_consumers: int
    refusals: dict[str, int]
    closes: dict[str, int]
    handshake: TimeStatistics
    ack: TimeStatistics
    delivery: TimeStatistics
