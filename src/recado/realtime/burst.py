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
        """What waits for many is joined once.

        No code of a link's runs before the ring has sent: nothing is added to what is on its way.
        """
        if len(links) < FEWEST:
            flush_one_by_one(links)
            return
        runs: list[tuple[bytes, list[int]]] = []
        wires: list[Wire] = []
        others: list[Flushable] = []
        waited, frames, files = list[bytes](), b"", list[int]()
        for link in links:
            wire, out = link.direct, link.out
            if wire is None or not out:
                others.append(link)
                continue
            if out != waited:
                waited, files = out.copy(), []
                frames = b"".join(waited)
                runs.append((frames, files))
            if len(frames) > LARGEST_BYTES:
                others.append(link)
                continue
            files.append(wire.file)
            wires.append(wire)
            out.clear()
        for place, taken in self._ring.send(runs):
            wires[place].write(_frames_at(runs, place)[taken:])
        flush_one_by_one(others)


def _frames_at(runs: Sequence[tuple[bytes, Sequence[int]]], place: int) -> bytes:
    for frames, files in runs:
        if place < len(files):
            return frames
        place -= len(files)
    raise IndexError(place)
