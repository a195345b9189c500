"""Follows the logs of the clinics that somebody here looks at, and tells each record once, in order, without holes.

Own commits arrive from memory; what another process wrote, or what arrived out of turn, is read from the log. Hints
of other nodes say when to look, and a poll stands behind them. Sockets and packets are the listeners' affair.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct, field

from recado import observe
from recado.domain.packets import Told
from recado.domain.values import ClinicId, Seq
from recado.errors import RecadoError
from recado.store import inbox
from recado.store.database import Database
from recado.store.inbox import Head

POLL_S = 1.0
PULL_ROWS = 500

log = observe.get_logger("feed")


class _Followed(Struct, eq=False):
    """A clinic somebody looks at: where its log has been told to, and who counts on it."""

    seq: Seq | None = None
    since: float = 0.0
    head: int = 0
    epoch: str = ""
    followers: int = 0
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    pulling: asyncio.Lock = field(default_factory=asyncio.Lock)


class Feed:
    """`tell` is called on the loop, record after record, and must not block or fail.

    `reset` is called when a clinic's log is not the one that was followed: the database was restored, or a standby
    without the last commits was promoted. Who listens must read afresh.
    """

    def __init__(
        self,
        database: Database,
        tell: Callable[[Told], None],
        reset: Callable[[ClinicId], None] = lambda _clinic_id: None,
    ) -> None:
        self._database = database
        self._tell = tell
        self._reset = reset
        self._clinics: dict[ClinicId, _Followed] = {}
        self._pulls: set[asyncio.Task[None]] = set()
        self._released = False
        self._follow_changes = 0
        self._ask = asyncio.Event()

    async def follow(self, clinic_id: ClinicId) -> None:
        """From the moment this returns, every later record is told. Pair with `unfollow`."""
        clinic = self._clinics.setdefault(clinic_id, _Followed())
        clinic.followers += 1
        try:
            async with clinic.pulling:
                if clinic.seq is None:
                    await self._start(clinic_id, clinic)
        except BaseException:
            self.unfollow(clinic_id)
            raise

    def unfollow(self, clinic_id: ClinicId) -> None:
        clinic = self._clinics[clinic_id]
        clinic.followers -= 1
        if not clinic.followers:
            del self._clinics[clinic_id]
            self._follow_changes += 1

    def followed_since(self, clinic_id: ClinicId) -> float | None:
        """Since when (monotonic) every record of the clinic is told; None if nobody follows it."""
        clinic = self._clinics.get(clinic_id)
        return clinic.since if clinic is not None and clinic.seq is not None else None

    def follow_changes(self) -> int:
        """As long as this is the same, `followed_since` says the same of every clinic."""
        return self._follow_changes

    def advance(self, told: Sequence[Told]) -> None:
        """Take in what this process has just committed: told at once where it continues what is known."""
        for each in told:
            clinic = self._clinics.get(each.record.clinic_id)
            if clinic is None or clinic.seq is None or each.record.seq <= clinic.seq:
                continue
            if each.record.seq == clinic.seq + 1 and each.record.prev == clinic.head:
                self._apply(clinic, each)
            else:
                self._pull_soon(each.record.clinic_id, clinic, each.record.seq)

    def hear(self, clinic_id: ClinicId, seq: Seq) -> None:
        """A node says that the clinic's log has come as far as `seq`; the log itself is asked."""
        clinic = self._clinics.get(clinic_id)
        if clinic is not None and clinic.seq is not None and seq > clinic.seq:
            self._pull_soon(clinic_id, clinic, seq)

    def poll_soon(self) -> None:
        """Hints may have been lost."""
        self._ask.set()

    async def wait_past(self, clinic_id: ClinicId, seq: Seq, timeout_s: float) -> None:
        """Return when the followed clinic's log is past `seq`, or after `timeout_s`."""
        clinic = self._clinics[clinic_id]
        if self._released or (clinic.seq is not None and clinic.seq > seq):
            return
        moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        clinic.waiting.append(moved)
        try:
            async with asyncio.timeout(timeout_s):
                await moved
        except TimeoutError:
            pass
        finally:
            if moved in clinic.waiting:
                clinic.waiting.remove(moved)

    def release_waiting(self) -> None:
        """Let everybody go on who waits, or is about to; for the end of the process."""
        self._released = True
        for clinic in self._clinics.values():
            _wake(clinic)

    async def run(self) -> None:
        """Ask for all followed heads once a second, so that no record of another process stays untold."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._ask.wait()
            self._ask.clear()
            try:
                await self._poll()
            except RecadoError as error:
                log.warning("feed_poll_failed", code=error.code)

    async def _poll(self) -> None:
        if not self._clinics:
            return
        asked = [(id_, clinic, clinic.seq) for id_, clinic in self._clinics.items() if clinic.seq is not None]
        heads = await self._database.read(lambda c: inbox.heads(c, [clinic_id for clinic_id, *_ in asked]))
        for clinic_id, clinic, seq_before in asked:
            epoch, seq = heads[clinic_id].cursor
            if (
                epoch != clinic.epoch or seq < seq_before
            ):  # not `clinic.seq`: it may have moved since we asked
                self._begin_again(clinic_id, clinic, heads[clinic_id])
            elif seq > seq_before:
                self._pull_soon(clinic_id, clinic, seq)

    async def _start(self, clinic_id: ClinicId, clinic: _Followed) -> None:
        """Begin at the log's present end. What is committed meanwhile is pulled, not lost: seq is set first."""
        found = await self._database.read(lambda connection: inbox.heads(connection, [clinic_id]))
        self._stand_at(clinic, head := found[clinic_id])
        self._pull_soon(clinic_id, clinic, Seq(head.cursor.seq + 1))

    def _begin_again(self, clinic_id: ClinicId, clinic: _Followed, head: Head) -> None:
        log.error("history_changed", clinic_id=clinic_id, seq_known=clinic.seq, seq=head.cursor.seq)
        self._stand_at(clinic, head)
        self._reset(clinic_id)
        _wake(clinic)

    def _pull_soon(self, clinic_id: ClinicId, clinic: _Followed, until: Seq) -> None:
        task = asyncio.get_running_loop().create_task(self._pull(clinic_id, clinic, until))
        self._pulls.add(task)
        task.add_done_callback(self._pulls.discard)

    async def _pull(self, clinic_id: ClinicId, clinic: _Followed, until: Seq) -> None:
        """Tell what the log has after `clinic.seq`. One at a time per clinic; a late one finds nothing to do.

        `until` is what somebody said that the log has; if it has less, that was no truth.
        """
        async with clinic.pulling:
            while (clinic.seq or 0) < until:
                observe.FEED_PULLS.inc()
                try:
                    told = await self._database.read(
                        partial(
                            inbox.log_after, clinic_id=clinic_id, seq=clinic.seq or Seq(0), limit=PULL_ROWS
                        )
                    )
                except RecadoError as error:
                    log.warning("feed_pull_failed", clinic_id=clinic_id, code=error.code)
                    return
                for each in told:
                    # Where the log was trimmed it begins later: screens see the jump, and ask for what they lack.
                    if clinic.seq is not None and each.record.seq > clinic.seq:
                        self._apply(clinic, each)
                if len(told) < PULL_ROWS:
                    return

    def _apply(self, clinic: _Followed, told: Told) -> None:
        clinic.seq, clinic.head = told.record.seq, told.record.id
        self._tell(told)
        _wake(clinic)

    def _stand_at(self, clinic: _Followed, head: Head) -> None:
        (clinic.epoch, clinic.seq), clinic.head = head.cursor, head.id
        clinic.since = time.monotonic()
        self._follow_changes += 1


def _wake(clinic: _Followed) -> None:
    for moved in clinic.waiting:
        if not moved.done():
            moved.set_result(None)
    clinic.waiting.clear()
