"""The cache's counts, put together for who asks: as one value for administrators, as metrics for Prometheus.

Costs a look at every followed clinic, so it is for seconds, not for reads. docs/cache.md, "Operating".
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from recado.app.statistics import (
    AuditStatistics,
    CacheStatistics,
    FeedStatistics,
    MemoryStatistics,
    RedisStatistics,
)
from recado.cache.audit import Audit
from recado.cache.cache import Cache
from recado.cache.redis_level import RedisLevel
from recado.feed.feed import Feed


class CacheReport(Collector):
    """Register with Prometheus to be scraped."""

    def __init__(self, cache: Cache, redis: RedisLevel | None, feed: Feed, audit: Audit) -> None:
        self._cache = cache
        self._audit = audit
        self._redis = redis
        self._feed = feed

    def statistics(self) -> CacheStatistics:
        counts = self._cache.counts
        return CacheStatistics(
            memory=self._of_memory(),
            redis=self._of_redis(self._redis) if self._redis else None,
            feed=self._of_feed(),
            audit=self._of_audit(),
            misses=counts.loaded,
            joined=counts.joined,
            rechecks=counts.again,
            bypasses=counts.bypassed,
            refreshes=counts.refreshed,
            refused=counts.late,
        )

    def collect(self) -> Iterator[Metric]:
        now = self.statistics()
        hits = CounterMetricFamily(
            "recado_cache_hits", "Answers that were at hand, by level.", labels=["level"]
        )
        hits.add_metric(["memory"], now.memory.hits)
        if now.redis:
            hits.add_metric(["redis"], now.redis.hits)
        yield hits
        for name, text, number in (
            ("misses", "Loads from the database.", now.misses),
            ("joined", "Readers who waited for another's load.", now.joined),
            ("rechecks", "Loads that had begun too early for who waited.", now.rechecks),
            ("bypasses", "Loads without the cache, as the log could not be relied upon.", now.bypasses),
            ("refreshes", "Readers who asked the log first.", now.refreshes),
            ("refused", "Loads from a snapshot older than what was known.", now.refused),
            ("evictions", "Answers put out of memory for want of room.", now.memory.evictions),
            ("expired", "Answers put out of memory for their age.", now.memory.expired),
            ("audited", "Answers from memory that were read again and compared.", now.audit.audited),
            ("audits_undecided", "Others that changed while they were read again.", now.audit.undecided),
            ("untrue", "Audited answers that the database had otherwise.", now.audit.untrue),
        ):
            yield CounterMetricFamily(f"recado_cache_{name}", text, number)
        yield GaugeMetricFamily("recado_cache_bytes", "Memory of the answers, about.", now.memory.bytes)
        yield GaugeMetricFamily("recado_cache_entries", "Answers in memory.", now.memory.entries)
        yield from _feed_metrics(now.feed)
        if now.redis:
            yield from _redis_metrics(now.redis)

    def _of_audit(self) -> AuditStatistics:
        found = self._audit.findings
        return AuditStatistics(audited=found.audited, undecided=found.undecided, untrue=found.untrue)

    def _of_memory(self) -> MemoryStatistics:
        memory = self._cache.memory
        return MemoryStatistics(
            hits=self._cache.counts.memory,
            entries=len(memory),
            bytes=memory.bytes,
            evictions=memory.evictions,
            expired=memory.expired,
        )

    def _of_redis(self, redis: RedisLevel) -> RedisStatistics:
        return RedisStatistics(
            hits=self._cache.counts.second,
            writes=redis.puts,
            dropped=redis.dropped,
            errors=redis.errors,
            breaks=redis.breaks,
            unreadable=redis.unreadable,
            broken=redis.broken,
        )

    def _of_feed(self) -> FeedStatistics:
        standing = self._feed.standing()
        return FeedStatistics(
            followed=standing.followed,
            leases_over=standing.leases_over,
            oldest_ms=round(standing.oldest_s * 1000, 1),
            deaf=standing.deaf,
        )


def _feed_metrics(feed: FeedStatistics) -> Iterator[Metric]:
    yield GaugeMetricFamily("recado_feed_clinics", "Clinics whose log is followed.", feed.followed)
    yield GaugeMetricFamily(
        "recado_feed_leases_over", "Clinics whose next reader asks the log.", feed.leases_over
    )
    yield GaugeMetricFamily(
        "recado_feed_lease_age_seconds",
        "Since the log was asked that was asked longest ago.",
        feed.oldest_ms / 1000,
    )
    yield GaugeMetricFamily("recado_feed_deaf", "1: hints of other nodes cannot be heard.", float(feed.deaf))


def _redis_metrics(redis: RedisStatistics) -> Iterator[Metric]:
    for name, text, number in (
        ("writes", "Answers stored.", redis.writes),
        ("dropped", "Answers not stored: too many waited, or it was broken.", redis.dropped),
        ("errors", "Operations that failed or took too long.", redis.errors),
        ("breaks", "Times that it was given up for a while.", redis.breaks),
        ("unreadable", "Stored answers that could not be read.", redis.unreadable),
    ):
        yield CounterMetricFamily(f"recado_cache_redis_{name}", text, number)
    yield GaugeMetricFamily("recado_cache_redis_broken", "1: nobody asks it just now.", float(redis.broken))
