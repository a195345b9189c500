"""Linux' io_uring, as far as sends to many sockets need it: a request for each, one system call for all.

Nothing outlives a call: what a socket does not take at once is the caller's again. Must not know links or frames. The
layouts are those of <linux/io_uring.h>. Why, and where it is not to be had: docs/realtime.md, "One call for many".
"""

import ctypes
import mmap
import os
import socket
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence

SLOTS = 1_024
STAGED_BYTES = 1 << 20

_SETUP, _ENTER = 425, 426  # the same on every architecture
_SUBMIT_ALL = 1 << 7  # one request that is refused does not keep the next from being looked at
_SQES = 0x10000000
_SQE_BYTES, _CQE_BYTES = 64, 16
_SEND, _SKIP_SUCCESS = 26, 1 << 6  # only failures are told

_DONTWAIT, _WAITALL, _NOSIGNAL = 0x40, 0x100, 0x4000
_FLAGS = _DONTWAIT | _WAITALL | _NOSIGNAL
"""Never wait, and count half a send as a failure, which then tells how much was taken."""

_ERRORS = 1 << 31
"""Results from here on are negative, read as they are without a sign."""

_ORDERS = memoryview(array("I", range(SLOTS)) * 2)

_system = ctypes.PyDLL(None, use_errno=True).syscall
"""Without letting go of the interpreter, as send(2) from picows: to get it back may take longer than the call."""


class _Parameters(ctypes.Structure):
    """Offsets. `sq`: head, tail, mask, entries, flags, dropped, array; `cq`: head, tail, mask, entries, -, cqes."""

    _fields_ = (
        ("sq_entries", ctypes.c_uint32),
        ("cq_entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("unused", ctypes.c_uint32 * 7),
        ("sq", ctypes.c_uint32 * 10),
        ("cq", ctypes.c_uint32 * 10),
    )


class Ring:
    """For one thread. Raises OSError where the system does not let us, or does not do what we rely on."""

    __slots__ = (
        "_addresses",
        "_answers",
        "_answers_mask",
        "_base",
        "_descriptor",
        "_files",
        "_head",
        "_order",
        "_read",
        "_sizes",
        "_staging",
        "_tail",
        "_written",
    )

    def __init__(self) -> None:
        parameters = _Parameters(flags=_SUBMIT_ALL)
        self._descriptor = _checked(_system(_SETUP, SLOTS, ctypes.byref(parameters)))
        try:
            self._map(parameters)
            self._prove()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """After it, sockets take nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def send(self, runs: Iterable[tuple[bytes, Sequence[int]]]) -> list[tuple[int, int]]:
        """Bytes, at most STAGED_BYTES, and the sockets that get them; no socket twice. Never waits.

        Of those that did not take all: their place, counted over all runs, and how many bytes they took. Why not more
        is for an ordinary write of the rest to find out.
        """
        failures: list[tuple[int, int]] = []
        sent = count = staged = 0
        for data, files in runs:
            size, done = len(data), 0
            while done < len(files):
                if count == SLOTS or staged + size > STAGED_BYTES:
                    failures += self._submit(count, sent)
                    sent, count, staged = sent + count, 0, 0
                some = files[done : done + SLOTS - count]
                end = count + len(some)
                self._staging[staged : staged + size] = data
                self._files[count:end] = array("i", some)
                self._addresses[count:end] = array("Q", [self._base + staged]) * len(some)
                self._sizes[count:end] = array("I", [size]) * len(some)
                count, staged, done = end, staged + size, done + len(some)
        return failures + self._submit(count, sent)

    def _submit(self, count: int, sent: int) -> list[tuple[int, int]]:
        """What is in the first `count` slots; `sent` were before them."""
        tail = self._tail[0]
        first = tail % SLOTS
        self._order[:] = _ORDERS[SLOTS - first : 2 * SLOTS - first]
        self._tail[0] = (tail + count) % (1 << 32)
        submitted = max(0, _system(_ENTER, self._descriptor, count, 0, 0, None, 0))
        failures = [(sent + slot, taken) for slot, taken in self._failures()]
        if submitted < count:  # the kernel stops where it has no memory left
            self._tail[0] = self._head[0]
            failures += [(sent + slot, 0) for slot in range(submitted, count)]
        return failures

    def _failures(self) -> Iterator[tuple[int, int]]:
        at, end = self._read[0], self._written[0]
        while at != end:
            slot = 4 * (at & self._answers_mask)
            result = self._answers[slot + 2]
            yield self._answers[slot], result if result < _ERRORS else 0
            at = (at + 1) % (1 << 32)
        self._read[0] = end

    def _map(self, parameters: _Parameters) -> None:
        sq, cq = parameters.sq, parameters.cq
        size = max(sq[6] + 4 * SLOTS, cq[5] + _CQE_BYTES * parameters.cq_entries)
        words = memoryview(mmap.mmap(self._descriptor, size)).cast("I")
        self._head, self._tail, self._order = (words[offset // 4 :] for offset in (sq[0], sq[1], sq[6]))
        self._order = self._order[:SLOTS]
        self._read, self._written, self._answers = (words[offset // 4 :] for offset in (cq[0], cq[1], cq[5]))
        self._answers_mask = parameters.cq_entries - 1

        requests = memoryview(mmap.mmap(self._descriptor, SLOTS * _SQE_BYTES, offset=_SQES))
        for slot in range(SLOTS):
            struct.pack_into("=BB26xIQ", requests, slot * _SQE_BYTES, _SEND, _SKIP_SUCCESS, _FLAGS, slot)
        self._files = requests.cast("i")[1::16]
        self._addresses = requests.cast("Q")[2::8]
        self._sizes = requests.cast("I")[6::16]

        self._staging = mmap.mmap(-1, STAGED_BYTES)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._staging))

    def _prove(self) -> None:
        """A full socket takes a part and says so, and nothing goes on later. Kernels before 5.19 fail here."""
        here, there = socket.socketpair()
        with here, there:
            runs = [(bytes(STAGED_BYTES), [here.fileno()])]
            first, again = self.send(runs), self.send(runs)
            here.close()
            taken = 0
            while data := there.recv(STAGED_BYTES):
                taken += len(data)
        if not 0 < taken < STAGED_BYTES or first != [(0, taken)] or again != [(0, 0)]:
            raise OSError("io_uring does not tell how much was sent")


def open_ring() -> Ring | None:
    """None where there is none to be had: another system, an older kernel, a container that forbids it."""
    if sys.platform != "linux":
        return None
    try:
        return Ring()
    except OSError:
        return None


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
