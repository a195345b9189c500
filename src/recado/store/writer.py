"""The group-committing writer: what waits is carried out in one transaction. docs/store.md.

Order: commit, then `on_commit` (feed, rooms, outbox), then the callers are answered. So an answer means committed,
and everybody has been told. Of a crowd the next batch is being committed meanwhile.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection

from recado import observe
from recado.domain.commands import Command
from recado.domain.values import ClinicId
from recado.errors import OverloadedError, RecadoError, UnavailableError
from recado.store.batch import Committed, Outcome, Sources, carry_out
from recado.store.database import Database
from recado.store.recent import Recent

MAX_WAITING = 10_000
MAX_BATCH = 256

IDLE_TURNS = 6
"""A frame that is read is a command two turns of the loop later. An idle loop turns in a few microseconds."""

GATHER_S = 0.002

CROWD = 32
"""So many waiting are a batch as they are, begun before the last one is told. With 128 in flight over 500 conversations
that makes 4,900 messages a second of 4,280; of fewer it makes smaller batches: 3,230 of 3,740 with 32 in flight.
"""

log = observe.get_logger("store")

Waiting = tuple[Command, asyncio.Future[Outcome]]


class _Done(NamedTuple):
    """Committed, and to be told."""

    batch: Sequence[Waiting]
    committed: Committed


class Writer:
    """Takes commands from any task of one loop; `run` is the one task that carries them out."""

    def __init__(
        self,
        database: Database,
        sources: Sources,
        on_commit: Callable[[Committed], None],
        on_doubt: Callable[[Iterable[ClinicId]], None] = lambda _clinic_ids: None,
    ) -> None:
        """`on_doubt` hears of clinics whose log may have grown, or not."""
        self._database = database
        self._sources = sources
        self._recent = Recent()
        self._on_commit = on_commit
        self._on_doubt = on_doubt
        self._waiting: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._closing = False

    async def execute(self, command: Command) -> Outcome:
        """Carry `command` out; the answer comes after the commit.

        Raises the command's refusal; `overloaded` when MAX_WAITING commands wait; `unavailable` when the database
        does not answer: then the command may or may not have been carried out, and its key makes it safe to repeat.
        """
        if self._closing:
            raise UnavailableError
        if len(self._waiting) >= MAX_WAITING:
            raise OverloadedError
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        self._wake.set()
        return await answer

    async def run(self) -> None:
        """Commit batch after batch until `close` was called and nothing waits."""
        while self._waiting or not self._closing:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._gather()
            done = await self._commit(self._next_batch())
            while done and len(self._waiting) >= CROWD:
                done = await self._commit(self._next_batch(), done)
            if done:
                self._tell(done)

    def close(self) -> None:
        """Refuse new commands; `run` ends once the waiting ones are done."""
        self._closing = True
        self._wake.set()

    async def _gather(self) -> None:
        """Let the loop take in what came while the last batch was committed, so that it shares this one.

        Ends when a few turns of the loop brought nothing, which is at once if it has nothing else to do.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GATHER_S
        idle = 0
        while idle < IDLE_TURNS and len(self._waiting) < MAX_BATCH and loop.time() < deadline:
            before = len(self._waiting)
            await asyncio.sleep(0)
            idle = 0 if len(self._waiting) > before else idle + 1

    def _next_batch(self) -> Sequence[Waiting]:
        return [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]

    async def _commit(self, batch: Sequence[Waiting], before: _Done | None = None) -> _Done | None:
        """One transaction, to be told by the caller; if it fails, once more with each command alone.

        So one bad command harms no other, and who lost a race against another process finds what that one wrote.
        """
        try:
            return await self._carry_out(batch, before)
        except Exception:  # the task's top: told, answered, and the next batch goes on
            log.exception("commit_failed", commands=len(batch))
            await self._replay(batch)
            return None

    async def _replay(self, batch: Sequence[Waiting]) -> None:
        """Where the database does not answer one command, the rest need not wait to hear the same."""
        silent: RecadoError | None = None
        for command, answer in batch:
            try:
                if silent is None:
                    self._tell(await self._carry_out([(command, answer)]))
            except UnavailableError as error:
                silent = error
            except Exception as error:  # as above
                log.exception("command_failed", command=type(command).__name__)
                _settle([((command, answer), error if isinstance(error, RecadoError) else RecadoError())])
            if silent is not None:
                _settle([((command, answer), silent)])

    async def _carry_out(self, batch: Sequence[Waiting], before: _Done | None = None) -> _Done:
        """Commit. `before` is told as soon as the database has this batch."""
        started = time.perf_counter()
        try:
            committed = await self._begin([command for command, _ in batch], before)
        except BaseException:
            self._on_doubt({command.clinic_id for command, _ in batch})
            raise
        observe.COMMIT_SECONDS.observe(time.perf_counter() - started)
        observe.COMMIT_BATCH.observe(len(batch))
        return _Done(batch, committed)

    def _begin(self, commands: Sequence[Command], before: _Done | None) -> Awaitable[Committed]:
        def work(connection: Connection) -> Committed:
            return carry_out(connection, commands, self._sources, self._recent, whole=True)

        try:
            return self._database.write_whole(work)
        finally:
            if before:
                self._tell(before)

    def _tell(self, done: _Done) -> None:
        """Tell, answer."""
        for told in done.committed.told:
            record = told.record
            log.debug(
                "committed",
                clinic_id=record.clinic_id,
                seq=record.seq,
                type=record.type,
                conversation_id=record.conversation_id,
                message_id=record.message_id,
            )
        try:
            self._on_commit(done.committed)
        except Exception:
            # It is committed: the callers are answered, and the follower catches up from the log.
            log.exception("on_commit_failed")
        _settle(zip(done.batch, done.committed.outcomes, strict=True))


_count = cache(observe.COMMANDS.labels)


def _settle(settled: Iterable[tuple[Waiting, Outcome | RecadoError]]) -> None:
    """Answer who still waits. Counting them one by one would cost as much as answering."""
    counts: Counter[tuple[str, str]] = Counter()
    for (command, answer), outcome in settled:
        if isinstance(outcome, RecadoError):
            code = outcome.code
            if not answer.done():
                answer.set_exception(outcome)
        else:
            code = "repeated" if outcome.repeated else "ok"
            if not answer.done():
                answer.set_result(outcome)
        counts[type(command).__name__, code] += 1
    for labels, count in counts.items():
        _count(*labels).inc(count)
