"""Flushes many links in one system call, where there is a ring (uring.py) and their sockets can take it.

Must not know what a ring is made of, nor what frames say. Ruled by docs/realtime.md, "One call for many".
"""

from collections.abc import Sequence

from recado.realtime.flusher import Flushable, flush_one_by_one
from recado.realtime.transport import Wire
from recado.realtime.uring import Ring

FEWEST = 3
"""To fewer links a call each costs less."""
LARGEST_BYTES = 65_536
"""More is mostly more than a socket takes at once."""


class Burst:
    __slots__ = ("_ring",)

    def __init__(self, ring: Ring) -> None:
        self._ring = ring

    def flush(self, links: Sequence[Flushable]) -> None:
        """No code of a link's runs before the ring has sent, so nothing is added to what is on its way."""
        if len(links) < FEWEST:
            flush_one_by_one(links)
            return
        runs: list[tuple[bytes, list[int]]] = []
        wires: list[Wire] = []
        others: list[Flushable] = []
        last, files = b"", list[int]()
        for link in links:
            wire = link.direct
            if wire is None:
                others.append(link)
                continue
            out = link.out
            frame = out[0] if len(out) == 1 else b"".join(out)
            if not 0 < len(frame) <= LARGEST_BYTES:
                others.append(link)
                continue
            if frame is not last:
                last, files = frame, []
                runs.append((frame, files))
            files.append(wire.file)
            wires.append(wire)
            out.clear()
        for place, taken in self._ring.send(runs):
            wires[place].write(_frame_at(runs, place)[taken:])
        flush_one_by_one(others)


def _frame_at(runs: Sequence[tuple[bytes, Sequence[int]]], place: int) -> bytes:
    for frame, files in runs:
        if place < len(files):
            return frame
        place -= len(files)
    raise IndexError(place)
