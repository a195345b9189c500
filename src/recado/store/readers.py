"""Reads on a few threads: those that wait share a connection and a snapshot.

When ten thousand screens come back at once, half of what a short read costs is getting to it: the trip to a thread and
back, a connection, BEGIN and ROLLBACK. While fewer reads wait than there are threads, each has a thread to itself. What
is read is the callers' affair. docs/store.md, "Reading".
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from recado.clock import clock
from recado.errors import RecadoError
from recado.store.answers import tell

T = TypeVar("T")

MAX_TOGETHER = 16
"""Reads of one snapshot: it grows old."""
IN_VAIN_S = 1.0
"""Who has waited so long for a connection that does not come waited for all who wait."""


class _Read(Struct, eq=False):
    """`answers`: more than one where equal work waited. `asked`: the number of the call that asked for it last."""

    work: Callable[[Connection], Any]
    answers: list[asyncio.Future[Any]]
    asked: int


_Waiting = OrderedDict[Callable[[Connection], Any], _Read]
"""By its work, in the order in which it was asked for first."""


class Readers:
    """`open_snapshot` gives a connection whose statements all see one state of the database."""

    def __init__(self, open_snapshot: Callable[[], AbstractContextManager[Connection]], threads: int) -> None:
        self._open_snapshot = open_snapshot
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "recado-read")
        self._lock = threading.Lock()
        self._ahead: _Waiting = OrderedDict()
        self._behind: _Waiting = OrderedDict()
        self._asked = 0
        self._busy = 0

    async def read(self, work: Callable[[Connection], T], *, ahead: bool = False) -> T:
        """`work` sees one snapshot, taken after this call. Raises what `work` or opening the snapshot raises.

        Work that equals what already waits is not done twice: both get the same result, which nobody may change.
        `ahead` of what waits: a short read on which longer ones depend, which would wait twice.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._asked += 1
            lane = self._ahead if ahead else self._behind
            read = lane.setdefault(work, _Read(work, [], 0))
            read.answers.append(answer)
            read.asked = self._asked
            starts = len(read.answers) == 1 and self._busy < self._threads
            self._busy += starts
        if starts:
            self._pool.submit(self._work)
        return await answer

    def close(self) -> None:
        """Wait for what runs and what waits."""
        self._pool.shutdown()

    def _work(self) -> None:
        while self._goes_on():
            self._read_together()

    def _goes_on(self) -> bool:
        with self._lock:
            waits = bool(self._ahead or self._behind)
            self._busy -= not waits
            return waits

    def _read_together(self) -> None:
        """In one snapshot, what has been asked for by now, as long as nobody else takes it. What fails ends it.

        Each is told at once: their loop would have nothing to do while the others are read.
        """
        began, opened = clock(), False
        asked_by_now = iter(partial(self._take, self._asked), None)
        reads = islice(asked_by_now, MAX_TOGETHER)
        read = next(reads, None)
        if read is None:
            return
        try:
            with self._open_snapshot() as connection:
                opened = True
                while read is not None:
                    tell(read.answers, *_result(connection, read))
                    read = next(reads, None)
        except Exception as error:  # noqa: BLE001 - the thread's top: told to the caller
            if read is not None:  # else the connection was lost behind the last read, which has been told
                tell(read.answers, None, error)
            if not opened and clock() - began > IN_VAIN_S:
                for other in asked_by_now:  # who would each wait as long, to hear the same
                    tell(other.answers, None, error)

    def _take(self, asked: int) -> _Read | None:
        """The first that waits, unless it was asked for later."""
        with self._lock:
            lane = self._ahead or self._behind
            first = next(iter(lane.values()), None)
            if first is None or first.asked > asked:
                return None
            del lane[first.work]
            return first


def _result(connection: Connection, read: _Read) -> tuple[Any, RecadoError | None]:
    """A refusal is an answer, too; any other error is raised."""
    if all(answer.cancelled() for answer in read.answers):
        return None, None
    try:
        return read.work(connection), None
    except RecadoError as refusal:
        return None, refusal
