"""The ring, on real sockets: who gets what, what a full or broken socket gives back, and where there is no ring."""

import contextlib
import gc
import itertools
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from recado.realtime.uring import SLOTS, STAGED_BYTES, Ring, open_ring

FORBIDDEN = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
# What a container's seccomp profile does: load the number of the call; if it is io_uring_setup, EPERM; else go on.
program = b"".join(struct.pack("=HBBI", *each) for each in (
    (0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)))
kept = ctypes.create_string_buffer(program)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(4, ctypes.addressof(kept))), 0, 0) == 0
"""


@pytest.fixture
def ring():
    ring = Ring()
    yield ring
    ring.close()


@pytest.fixture
def wires():
    """`wires(3)` are three connected pairs."""
    with contextlib.ExitStack() as stack:

        def make(count):
            pairs = [socket.socketpair() for _ in range(count)]
            for each in itertools.chain.from_iterable(pairs):
                stack.enter_context(each)
            return [Pair(*pair) for pair in pairs]

        yield make


class Pair(NamedTuple):
    ours: socket.socket
    theirs: socket.socket

    @property
    def file(self):
        return self.ours.fileno()

    def received(self, size):
        data = b""
        while len(data) < size and (more := self.theirs.recv(size - len(data))):
            data += more
        return data


def test_each_socket_of_a_run_gets_the_runs_bytes(ring, wires):
    pairs = wires(5)
    files = [pair.file for pair in pairs]
    assert ring.send([(b"first", files[:2]), (b"second", files[2:])]) == []
    assert [pair.theirs.recv(100) for pair in pairs] == [b"first"] * 2 + [b"second"] * 3


def test_nothing_to_send_is_no_call(ring):
    assert ring.send([]) == []


@pytest.mark.parametrize("count", [1, 7, SLOTS - 1, SLOTS, SLOTS + 1, 2 * SLOTS + 3])
def test_however_many_sockets_there_are_each_gets_its_own_again_and_again(ring, wires, count):
    pairs = wires(count)
    files = [pair.file for pair in pairs]
    for round_ in range(5):
        runs = [(b"%d-%d" % (round_, place), [file]) for place, file in enumerate(files)]
        assert ring.send(runs) == []
        for pair, (sent, _) in zip(pairs, runs, strict=True):
            assert pair.received(len(sent)) == sent


def test_more_than_can_be_put_down_at_once_takes_several_calls(ring, wires):
    pairs = wires(40)
    sizes = [STAGED_BYTES // 20 + place for place in range(40)]
    runs = [
        (bytes([place]) * size, [pair.file])
        for place, (pair, size) in enumerate(zip(pairs, sizes, strict=True))
    ]
    assert ring.send(runs) == []
    for pair, (sent, _) in zip(pairs, runs, strict=True):
        assert pair.received(len(sent)) == sent


def test_a_full_socket_tells_what_it_took_and_the_others_get_everything(ring, wires):
    first, full, last = wires(3)
    large = bytes(range(256)) * (STAGED_BYTES // 256)
    ((place, taken),) = ring.send([(b"x", [first.file]), (large, [full.file]), (b"y", [last.file])])
    assert place == 1
    assert 0 < taken < len(large)
    assert ring.send([(b"more", [full.file, first.file])]) == [(0, 0)]
    assert full.received(taken) == large[:taken]
    full.theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        full.theirs.recv(1)
    assert (first.received(5), last.received(1)) == (b"xmore", b"y")


def test_a_peer_that_has_gone_and_a_file_that_is_closed_take_nothing(ring, wires):
    gone, closed, well = wires(3)
    files = [gone.file, closed.file, well.file]
    gone.theirs.close()
    closed.ours.close()
    assert ring.send([(b"news", files)]) == [(0, 0), (1, 0)]
    assert well.received(4) == b"news"


def test_a_ring_that_was_closed_sends_nothing(wires):
    (pair,) = wires(1)
    ring = Ring()
    ring.close()
    ring.close()
    assert ring.send([(b"news", [pair.file])]) == [(0, 0)]


def test_a_ring_leaves_no_file_behind():
    def files():
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.collect()  # what other tests have left
    before = files()
    for _ in range(3):
        Ring().close()
    gc.collect()
    assert files() == before


def test_where_it_is_forbidden_there_is_none():
    told = "from recado.realtime.uring import open_ring; print(open_ring())"
    answer = subprocess.run(
        [sys.executable, "-c", FORBIDDEN + told], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "None"
    assert open_ring() is not None
