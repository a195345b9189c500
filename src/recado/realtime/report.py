"""An engine's counts, put together for who asks: as one value for administrators, as metrics for Prometheus.

Costs a look at every link, so it is for seconds, not for events. Ruled by docs/realtime.md ("Statistics").
"""

from collections import Counter
from collections.abc import Iterator
from time import monotonic

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from recado.app.statistics import ConnectionStatistics, RealtimeStatistics, TimeStatistics
from recado.realtime.hub import Hub
from recado.realtime.statistics import Times

RATE_OVER_S = 1.0


class Report(Collector):
    """`sample` keeps the rates; call it now and then. Register with Prometheus to be scraped."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sampled = (monotonic(), 0, 0)
        self._rates = (0.0, 0.0)

    def sample(self) -> None:
        """Events in and packets out per second, over the last second or more."""
        at, events, packets = self._sampled
        now, statistics = monotonic(), self._hub.statistics
        if now - at >= RATE_OVER_S:
            passed = now - at
            self._rates = (
                (statistics.events_in - events) / passed,
                (statistics.packets_out - packets) / passed,
            )
            self._sampled = (now, statistics.events_in, statistics.packets_out)

    def statistics(self, *, clinic_connections: int | None = None) -> RealtimeStatistics:
        counts = self._hub.statistics
        return RealtimeStatistics(
            connections=self._connections(),
            clinic_connections=clinic_connections,
            rooms=self._rooms(),
            opened=counts.opened,
            events_in=counts.events_in,
            events_in_per_s=round(self._rates[0], 1),
            packets_out=counts.packets_out,
            packets_out_per_s=round(self._rates[1], 1),
            bytes_in=counts.bytes_in,
            bytes_out=counts.bytes_out,
            writes=counts.writes,
            joined_write_factor=round(counts.packets_out / counts.writes, 2) if counts.writes else None,
            signals_dropped=counts.signals_dropped,
            slow_consumers=counts.closes["slow consumer"],
            refusals=dict(counts.refusals),
            closes=dict(counts.closes),
            handshake=_summary(counts.handshakes),
            ack=_summary(counts.acks),
            delivery=_summary(counts.deliveries),
        )

    def collect(self) -> Iterator[Metric]:
        counts = self._hub.statistics
        open_ = GaugeMetricFamily(
            "recado_realtime_connections",
            "Open connections by transport and state.",
            labels=["transport", "state"],
        )
        for (transport, state), number in self._states().items():
            open_.add_metric([transport, state], number)
        yield open_
        yield GaugeMetricFamily("recado_realtime_rooms", "Rooms that have members.", self._rooms())
        for name, text, value in (
            ("opened", "Connections that were opened.", counts.opened),
            ("messages_in", "Messages that came in, heartbeats included.", counts.messages_in),
            ("events_in", "Clients' events.", counts.events_in),
            ("packets_out", "Packets handed to connections, once per recipient.", counts.packets_out),
            ("bytes_in", "Bytes of messages that came in.", counts.bytes_in),
            ("bytes_out", "Bytes of packets handed to connections.", counts.bytes_out),
            ("writes", "Writes to connections; packets_out by writes is how many share one.", counts.writes),
            ("signals_dropped", "Signals dropped for who could not take them.", counts.signals_dropped),
        ):
            yield CounterMetricFamily(f"recado_realtime_{name}", text, value)
        yield _by_reason("refusals", "Refused handshakes, CONNECTs and events.", counts.refusals)
        yield _by_reason("closes", "Closed connections.", counts.closes)
        yield _histogram("handshake", "From 101 to the CONNECT reply.", counts.handshakes)
        yield _histogram("ack", "From an event to its acknowledgement.", counts.acks)
        yield _histogram("delivery", "From a packet to its write, once per write.", counts.deliveries)

    def _connections(self) -> ConnectionStatistics:
        states = self._states()
        of = Counter[str]()
        by_transport = Counter[str]()
        for (transport, state), number in states.items():
            of[state] += number
            by_transport[transport] += number
        return ConnectionStatistics(
            total=states.total(),
            opening=of["opening"],
            live=of["live"],
            closing=of["closing"],
            by_transport=dict(by_transport),
        )

    def _states(self) -> Counter[tuple[str, str]]:
        return Counter((link.transport_name, link.state) for link in self._hub.links)

    def _rooms(self) -> int:
        return sum(len(namespace.rooms) for namespace in self._hub.namespaces.values())


def _summary(times: Times) -> TimeStatistics:
    count = times.count
    return TimeStatistics(
        count=count,
        mean_ms=round(times.total_s / count * 1000, 3) if count else None,
        p50_ms=_milliseconds(times.quantile_s(0.5)),
        p99_ms=_milliseconds(times.quantile_s(0.99)),
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _by_reason(name: str, text: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(f"recado_realtime_{name}", text, labels=["reason"])
    for reason, number in counts.items():
        family.add_metric([reason], number)
    return family


def _histogram(name: str, text: str, times: Times) -> Metric:
    buckets = [("+Inf" if bound == float("inf") else str(bound), count) for bound, count in times.cumulated()]
    return HistogramMetricFamily(f"recado_realtime_{name}_seconds", text, buckets, times.total_s)
