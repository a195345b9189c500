"""A burst: what many links flush together arrives whole and in order, whatever their sockets take."""

import contextlib

import pytest

from realtime.peer import connected
from recado.realtime.burst import Burst

pytestmark = pytest.mark.only_picows("an ASGI server keeps its sockets to itself")

LARGE = "x" * 30_000


@contextlib.asynccontextmanager
async def members(echo, number, **options):
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(connected(echo.port, room="r", **options)) for _ in range(number)
        ]


class CountingRing:
    """The engine's ring; `sockets` are how many each call was for."""

    def __init__(self, ring):
        self._ring = ring
        self.sockets = []

    def send(self, runs):
        self.sockets.append(sum(len(files) for _, files in runs))
        return self._ring.send(runs)


@pytest.fixture
def counted(monkeypatch):
    def count(echo):
        counting = CountingRing(echo.engine._ring)
        monkeypatch.setattr(echo.engine._hub.flusher, "flush_all", Burst(counting).flush)
        return counting.sockets

    return count


async def test_a_packet_to_a_room_is_one_call_for_all(serve, counted):
    echo = await serve()
    async with members(echo, 5) as peers:
        sockets = counted(echo)
        echo.rooms.emit("r", "msg", 1)
        assert [await peer.event() for peer in peers] == [["msg", 1]] * 5
        assert sockets == [5]


async def test_each_link_of_a_burst_gets_what_waited_for_it(serve, counted):
    """Joined frames of some, a lone one of others."""
    echo = await serve()
    async with members(echo, 4) as peers:
        sockets = counted(echo)
        for number, session in enumerate(echo.root.sessions):
            session.emit("own", number)
            if number % 2:
                session.emit("own", -number)
        echo.rooms.emit("r", "msg", "all")
        for number, peer in enumerate(peers):
            assert await peer.event() == ["own", number]
            if number % 2:
                assert await peer.event() == ["own", -number]
            assert await peer.event() == ["msg", "all"]
        assert sockets == [4]


async def test_who_reads_late_gets_everything_in_order(serve, counted):
    echo = await serve(max_outbound_bytes=1 << 30)
    async with members(echo, 3, receive_buffer=4_096) as peers:
        late = peers[0]
        late.writer.transport.pause_reading()
        sockets = counted(echo)
        session = echo.root.sessions[0]
        number = 0
        while session.link.writable or sockets[-1] == 3:  # and a burst or two more, past the one that waits
            echo.rooms.emit("r", "msg", number, LARGE)
            for peer in peers[1:]:
                assert await peer.event() == ["msg", number, LARGE]
            number += 1
        late.writer.transport.resume_reading()
        for expected in range(number):
            assert await late.event() == ["msg", expected, LARGE]
        assert min(sockets) == 2
        for _ in range(100):
            echo.rooms.emit("r", "msg", "again")
            assert [await peer.event() for peer in peers] == [["msg", "again"]] * 3
            if sockets[-1] == 3:
                break
        assert sockets[-1] == 3


async def test_one_that_was_cut_off_ends_and_the_others_hear_everything(serve, counted):
    echo = await serve()
    async with members(echo, 4) as peers:
        sockets = counted(echo)
        peers[1].writer.transport.abort()
        for number in range(50):
            echo.rooms.emit("r", "msg", number)
            for peer in (peers[0], peers[2], peers[3]):
                assert await peer.event() == ["msg", number]
        await echo.root.until(lambda: len(echo.root.gone) == 1)
        assert echo.rooms.count("r") == 3
        assert sockets[-1] == 3


async def test_what_is_larger_than_a_burst_takes_goes_its_own_way(serve, counted):
    echo = await serve()
    async with members(echo, 3) as peers:
        sockets = counted(echo)
        echo.rooms.emit("r", "msg", LARGE * 3)
        assert [await peer.event() for peer in peers] == [["msg", LARGE * 3]] * 3
        assert sockets == [0]


async def test_without_a_ring_everything_is_sent_all_the_same(serve):
    echo = await serve(io_uring=False)
    assert echo.engine._ring is None
    async with members(echo, 5) as peers:
        echo.rooms.emit("r", "msg", 1)
        assert [await peer.event() for peer in peers] == [["msg", 1]] * 5
