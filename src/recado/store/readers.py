"""Reads on a few threads: those that wait share a thread's trip, a connection and a snapshot.

When ten thousand screens come back at once, half of what a short read costs is getting to it: the trip to a thread and
back, a connection, BEGIN and ROLLBACK. While fewer reads wait than there are threads, each has a thread to itself. What
is read is the callers' affair. docs/store.md, "Reading".
"""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from recado.errors import RecadoError

T = TypeVar("T")

MAX_TOGETHER = 16
"""A long search keeps those that share its snapshot waiting, so they are few."""


class _Read(NamedTuple):
    work: Callable[[Connection], Any]
    answers: list[asyncio.Future[Any]]
    """More than one where equal work waited."""


class _Answer(NamedTuple):
    read: _Read
    result: Any
    error: BaseException | None


class Readers:
    """`open_snapshot` gives a connection whose statements all see one state of the database."""

    def __init__(self, open_snapshot: Callable[[], AbstractContextManager[Connection]], threads: int) -> None:
        self._open_snapshot = open_snapshot
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "recado-read")
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Callable[[Connection], Any], _Read] = OrderedDict()
        self._busy = 0

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`work` sees one snapshot, taken after this call. Raises what `work` or opening the snapshot raises.

        Work that equals what already waits is not done twice: both get the same result, which nobody may change.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._lock:
            if same := self._waiting.get(work):
                same.answers.append(answer)
            else:
                self._waiting[work] = _Read(work, [answer])
            starts = same is None and self._busy < self._threads
            self._busy += starts
        if starts:
            self._pool.submit(self._work)
        return await answer

    def close(self) -> None:
        """Wait for what runs and what waits."""
        self._pool.shutdown()

    def _work(self) -> None:
        while reads := self._take():
            self._read_together(reads)

    def _take(self) -> deque[_Read]:
        """This thread's share of what waits; none, and it stops."""
        with self._lock:
            share = min(len(self._waiting), MAX_TOGETHER, max(1, len(self._waiting) // self._threads))
            self._busy -= share == 0
            return deque(self._waiting.popitem(last=False)[1] for _ in range(share))

    def _read_together(self, reads: deque[_Read]) -> None:
        """A read that fails takes its snapshot with it: those behind it get another."""
        answers: list[_Answer] = []
        while reads:
            try:
                with self._open_snapshot() as connection:
                    _read_in_turn(connection, reads, answers)
            except Exception as error:  # noqa: BLE001 - the thread's top: told to the caller
                if reads:  # else the connection was lost behind its last read, which has what it asked for
                    answers.append(_Answer(reads.popleft(), None, error))
        _settle(answers)


def _read_in_turn(connection: Connection, reads: deque[_Read], answers: list[_Answer]) -> None:
    """A refusal is an answer; any other error is raised, with its read still the first of `reads`."""
    while reads:
        read = reads[0]
        try:
            wanted = not all(answer.cancelled() for answer in read.answers)
            answer = _Answer(read, read.work(connection) if wanted else None, None)
        except RecadoError as refusal:
            answer = _Answer(read, None, refusal)
        answers.append(answer)
        reads.popleft()


def _settle(answers: Sequence[_Answer]) -> None:
    """In the callers' loop, with one call to it."""
    loop = answers[0].read.answers[0].get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(_answer, answers)


def _answer(answers: Iterable[_Answer]) -> None:
    for read, result, error in answers:
        for answer in read.answers:
            if answer.done():
                continue
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)
