"""What is counted is what happened; nothing names a clinic or a person."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from realtime.peer import connected, dialled, frame, head, upgraded
from recado.realtime.statistics import Times


async def test_connections_are_told_by_transport_and_state(echo, websocket):
    async with connected(echo.port), connected(echo.port), upgraded(echo.port):
        told = echo.engine.report.statistics().connections
        assert (told.total, told.opening, told.live, told.closing) == (3, 1, 2, 0)
        assert told.by_transport == {websocket: 3}
    await echo.until_empty()
    told = echo.engine.report.statistics()
    assert (told.connections.total, told.opened) == (0, 3)
    assert sum(told.closes.values()) == 3


async def test_packets_bytes_and_writes_are_counted_once_per_recipient(echo):
    async with connected(echo.port, room="r") as one, connected(echo.port, room="r") as two:
        before = echo.engine.report.statistics()
        for number in range(10):
            echo.rooms.emit("r", "msg", number)
        for peer in (one, two):
            assert [(await peer.event())[1] for _ in range(10)] == list(range(10))
        after = echo.engine.report.statistics()
        assert after.packets_out - before.packets_out == 20
        assert after.writes - before.writes == 2
        size = len(frame(1, '42["msg",0]', masked=False))
        assert after.bytes_out - before.bytes_out == 20 * size
        assert after.delivery.count - before.delivery.count == 2
        assert after.rooms == 1


async def test_events_acknowledgements_and_refusals_are_counted(echo):
    async with connected(echo.port) as peer:
        before = echo.engine.report.statistics()
        peer.emit("message-with-ack", "olá", ack_id=1)
        await peer.ack(1)
        peer.send_text('40/custom,{"refuse":"no"}')
        assert (await peer.text()).startswith("44/custom,")
        after = echo.engine.report.statistics()
    assert after.events_in - before.events_in == 1
    assert after.ack.count - before.ack.count == 1
    assert after.handshake.count == 1
    assert after.handshake.p99_ms > 0
    assert after.refusals == {"unauthenticated": 1}
    sent = len('421["message-with-ack", "olá"]'.encode()) + len('40/custom,{"refuse":"no"}')
    assert after.bytes_in - before.bytes_in >= sent - 4


@pytest.mark.only_picows("the server under ASGI refuses by itself what is malformed")
async def test_refusals_that_never_come_to_the_engine_are_counted_too(echo):
    heads = (head("/elsewhere"), head(sec_websocket_version="12"), head(cookie="a=" + "x" * 17_000))
    for request in heads:
        async with dialled(echo.port) as peer:
            peer.send(request)
            assert (await peer.answer()).status >= 400
    assert echo.engine.report.statistics().refusals == {
        "Not found": 1,
        "Unsupported WebSocket version": 1,
        "Request header fields too large": 1,
    }


async def test_prometheus_reads_the_same_numbers(echo, websocket):
    async with connected(echo.port) as peer:
        peer.emit("message-with-ack", 1, ack_id=1)
        await peer.ack(1)
        registry = CollectorRegistry()
        registry.register(echo.engine.report)
        text = generate_latest(registry).decode()
    assert f'recado_realtime_connections{{state="live",transport="{websocket}"}} 1.0' in text
    assert "recado_realtime_events_in_total 1.0" in text
    assert 'recado_realtime_ack_seconds_bucket{le="+Inf"} 1.0' in text


def test_times_tell_the_bound_that_a_share_stays_within():
    times = Times((0.001, 0.01, 0.1))
    assert times.quantile_s(0.5) is None
    for seconds, count in ((0.0005, 50), (0.005, 49), (5.0, 1)):
        times.add(seconds, count)
    assert times.count == 100
    assert (times.quantile_s(0.5), times.quantile_s(0.99), times.quantile_s(1.0)) == (0.001, 0.01, None)
    assert times.cumulated() == [(0.001, 50), (0.01, 99), (0.1, 99), (float("inf"), 100)]
