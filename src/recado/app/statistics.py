"""Shapes of what an administrator is told of the live connections and of the cache. No person, no words.

Numbers of the process; the engine and cache_report.py fill them in, REST sends them. docs/realtime.md, "Statistics";
docs/cache.md, "Operating".
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


class MemoryStatistics(Value, frozen=True, kw_only=True):
    """`evictions`: for want of room; `expired`: as old as RECADO_CACHE_MAX_AGE_S."""

    hits: int
    entries: int
    bytes: int
    evictions: int
    expired: int


class RedisStatistics(Value, frozen=True, kw_only=True):
    """`broken`: nobody asks it just now. `dropped`: writes that were not tried."""

    hits: int
    writes: int
    dropped: int
    errors: int
    breaks: int
    unreadable: int
    broken: bool


class AuditStatistics(Value, frozen=True, kw_only=True):
    """Answers from memory that were read again. `untrue`: the database had it otherwise; must be 0."""

    audited: int
    undecided: int
    untrue: int


class FeedStatistics(Value, frozen=True, kw_only=True):
    """`followed` clinics. `oldestMs`: how long ago the log was asked that was asked longest ago."""

    followed: int
    leases_over: int
    oldest_ms: float
    deaf: bool


class CacheStatistics(Value, frozen=True, kw_only=True):
    """This process, since its start. `misses` were loaded from the database, `joined` waited for another's load.

    `rechecks`: what they waited for had begun too early. `bypasses`: loaded without the cache, as the log could not be
    relied upon. `refreshes`: readers who asked the log first. `refused`: loads from an old snapshot.
    """

    memory: MemoryStatistics
    redis: RedisStatistics | None = None
    feed: FeedStatistics
    audit: AuditStatistics
    misses: int
    joined: int
    rechecks: int
    bypasses: int
    refreshes: int
    refused: int
