"""Follows the logs of the clinics that somebody here looks at, and tells each record once, in order, without holes.

Own commits arrive from memory; what another process wrote, or what arrived out of turn, is read from the log. Hints
of other nodes say when to look, and a poll stands behind them. Sockets and packets are the listeners' affair; whether
something read from a clinic is still true is judged by what is known here of its log (followed.py, docs/cache.md).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from recado import observe
from recado.clock import clock
from recado.domain.cursor import Cursor
from recado.domain.events import Record
from recado.domain.packets import Told
from recado.domain.tags import touched
from recado.domain.values import ClinicId, Seq
from recado.errors import RecadoError
from recado.feed.followed import UNKNOWN, Followed
from recado.store import inbox
from recado.store.batch import Committed, Outcome
from recado.store.database import Database
from recado.store.inbox import Head

POLL_S = 1.0
LEASE_S = 3.0
DEAF_LEASE_S = 0.05
"""While no hint can reach us, whoever reads asks; but not for every single read."""
IDLE_S = 600.0
PULL_ROWS = 500
TRIES = 3
"""A question that was under way already when we came may be answered with less than we know; the next one is ours."""

log = observe.get_logger("feed")


class Placed(Protocol):
    """What was read in a snapshot, with where the clinic's log stood in it: `head` is its newest record's random id."""

    @property
    def label(self) -> Cursor: ...

    @property
    def head(self) -> int | None: ...


P = TypeVar("P", bound=Placed)


class Standing(Struct, frozen=True):
    """How current a node is. `leases_over`: of how many clinics the next reader asks the log.

    `oldest_s`: how long ago the log was asked that was asked longest ago.
    """

    followed: int
    leases_over: int
    oldest_s: float
    deaf: bool


class Feed:
    """`tell` is called on the loop, record after record, and must not block or fail.

    Of a clinic that is only read of it need not be called; `heed` is called of each record.

    `reset` is called when a clinic's log is not the one that was followed: the database was restored, or a standby
    without the last commits was promoted. Who listens must read afresh. `history`: how far `look_back` looks.
    """

    def __init__(
        self,
        database: Database,
        tell: Callable[[Told], None],
        reset: Callable[[ClinicId], None] = lambda _clinic_id: None,
        *,
        heed: Callable[[Record], None] = lambda _record: None,
        history: int = 0,
    ) -> None:
        self._database = database
        self._tell = tell
        self._reset = reset
        self._heed = heed
        self._history = history
        self._clinics: dict[ClinicId, Followed] = {}
        self.followed: Mapping[ClinicId, Followed] = self._clinics
        """Also those of which nothing is known yet: their lease is over."""
        self._pulls: set[asyncio.Task[None]] = set()
        self._released = False
        self._follow_changes = 0
        self._deaf = False
        self._ask = asyncio.Event()

    def standing(self) -> Standing:
        now, known = clock(), [clinic for clinic in self._clinics.values() if clinic.known]
        return Standing(
            followed=len(known),
            leases_over=sum(now >= clinic.lease for clinic in known),
            oldest_s=max((now - clinic.heard_at for clinic in known), default=0.0),
            deaf=self._deaf,
        )

    async def follow(self, clinic_id: ClinicId) -> None:
        """From the moment this returns, every later record is told. Pair with `unfollow`."""
        clinic = self._clinics.setdefault(clinic_id, Followed(clinic_id))
        clinic.followers += 1
        try:
            await self._begin(clinic)
        except BaseException:
            self.unfollow(clinic_id)
            raise

    def unfollow(self, clinic_id: ClinicId) -> None:
        clinic = self._clinics[clinic_id]
        clinic.followers -= 1
        if not clinic.followers and not clinic.used and not clinic.used_at:
            self._drop(clinic)

    def log_of(self, clinic_id: ClinicId) -> Followed | None:
        """What is known of the clinic's log, if it is followed."""
        clinic = self._clinics.get(clinic_id)
        return clinic if clinic is not None and clinic.known else None

    async def follow_reads(self, clinic_id: ClinicId) -> Followed:
        """The clinic's log, followed until nobody has set `used` for IDLE_S."""
        clinic = self._clinics.setdefault(clinic_id, Followed(clinic_id))
        clinic.used, clinic.used_at = True, clock()
        try:
            await self._begin(clinic)
        except BaseException:
            self._drop_unknown(clinic)
            raise
        return clinic

    async def follow_with(self, clinic_id: ClinicId, read: Callable[[], Awaitable[P]]) -> P:
        """What `read` gives; a clinic of which nothing is known is followed from its snapshot on, as by `follow_reads`.

        `read` takes its snapshot after it is called. A hint that comes meanwhile stands, so whoever reads asks the log.
        """
        clinic = self._clinics.setdefault(clinic_id, Followed(clinic_id))
        asked_at = clinic.used_at = clock()
        clinic.used = True
        try:
            found = await read()
        except BaseException:
            self._drop_unknown(clinic)
            raise
        if found.head is not None and not clinic.known and self._clinics.get(clinic_id) is clinic:
            self._stand_at(clinic, Head(found.label, found.head))
            self._renew(clinic, asked_at)
        return found

    async def refresh(self, clinic_id: ClinicId, seq: Seq = UNKNOWN) -> bool:
        """Ask the log. False: it does not reach `seq`, or cannot be relied upon. Raises `unavailable`."""
        for _ in range(TRIES):
            clinic = self._clinics.get(clinic_id)
            if clinic is None:
                return False
            await asyncio.shield(self._pull_soon(clinic))
            if clinic.seq >= max(clinic.need, seq) and clock() < clinic.lease:
                return True
        return False

    async def look_back(self, clinic_id: ClinicId) -> None:
        """Learn once what happened before we followed the clinic, so that what others read then can be judged.

        Not when the following begins: whoever reads first would wait for it, and mostly nobody asks.
        """
        clinic = self._clinics.get(clinic_id)
        if clinic is None or not self._history:
            return
        async with clinic.looking_back:
            if (root := clinic.root) is None:
                return
            past = partial(inbox.records_before, clinic_id=clinic_id, seq=clinic.base, limit=self._history)
            records = await self._database.read(past, ahead=True)
            if clinic.root == root:
                clinic.remember(records, [touched(record) for record in records])

    def doubt(self, clinic_ids: Iterable[ClinicId]) -> None:
        """Something may have been committed that nobody told us: ask before the next answer."""
        now = clock()
        for clinic_id in clinic_ids:
            if clinic := self._clinics.get(clinic_id):
                clinic.lease, clinic.doubted_at = 0.0, now

    def followed_since(self, clinic_id: ClinicId) -> float | None:
        """Since when (monotonic) every record of the clinic is told; None if nobody follows it."""
        clinic = self.log_of(clinic_id)
        return clinic.since if clinic else None

    def follow_changes(self) -> int:
        """As long as this is the same, `followed_since` says the same of every clinic."""
        return self._follow_changes

    def take_in(self, committed: Committed) -> None:
        """A batch of this process: what it wrote, and what it found written by others, or by us without an answer.

        A command that changes nothing, or repeats another, is answered with what another node may have written just
        now. When a connection breaks during a commit nobody is told; the command is carried out again, finding its key.
        """
        self.advance(committed.told)
        for outcome in committed.outcomes:
            if isinstance(outcome, Outcome):
                self.hear(outcome.clinic_id, outcome.seq)

    def advance(self, told: Sequence[Told]) -> None:
        """Take in what this process has just committed: told at once where it continues what is known."""
        for each in told:
            record = each.record
            clinic = self._clinics.get(record.clinic_id)
            if clinic is None:
                continue
            if record.seq == clinic.seq + 1 and record.prev == clinic.head:
                self._apply(clinic, record, each)
            elif (record.seq, record.id) != (clinic.seq, clinic.head):
                # Out of turn, or of another history than the one that is known here.
                clinic.lease = 0.0
                self._want(clinic, record.seq)

    def hear(self, clinic_id: ClinicId, seq: Seq) -> None:
        """A node says that the clinic's log has come as far as `seq`; the log itself is asked."""
        clinic = self._clinics.get(clinic_id)
        if clinic is not None and seq > clinic.seq:
            self._want(clinic, seq)

    def poll_soon(self) -> None:
        """Hints are heard again, and some may have been lost."""
        self._deaf = False
        self.doubt(self._clinics)
        self._ask.set()

    def deafen(self) -> None:
        """From now on hints may be lost, until `poll_soon`."""
        self._deaf = True
        self.doubt(self._clinics)

    async def wait_past(self, clinic_id: ClinicId, seq: Seq, timeout_s: float) -> None:
        """Return when the followed clinic's log is past `seq`, or after `timeout_s`."""
        clinic = self._clinics[clinic_id]
        if self._released or clinic.seq > seq:
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
            clinic.wake()

    async def run(self) -> None:
        """Ask for all followed heads once a second: heartbeat, what nobody hinted at, and everybody's lease in one."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._ask.wait()
            self._ask.clear()
            self._drop_idle()
            try:
                await self._poll()
            except RecadoError as error:
                log.warning("feed_poll_failed", code=error.code)

    async def _poll(self) -> None:
        asked = [(clinic, clinic.place) for clinic in self._clinics.values() if clinic.known]
        if not asked:
            return
        asked_at = clock()
        ids = [clinic.clinic_id for clinic, _ in asked]
        heads = await self._database.read(lambda connection: inbox.heads(connection, ids), ahead=True)
        for clinic, place in asked:
            head = heads.get(clinic.clinic_id)
            if head is None or self._clinics.get(clinic.clinic_id) is not clinic:
                continue
            # Judged by what was known when we asked: it may have moved since.
            (epoch, seq), moved = head.cursor, place[1] < head.cursor.seq <= clinic.seq
            if (epoch, seq, head.id) == place or (epoch == clinic.epoch and moved):
                self._renew(clinic, asked_at)
            else:
                clinic.lease = 0.0
                self._want(clinic, seq)

    async def _begin(self, clinic: Followed) -> None:
        while not clinic.known:
            await asyncio.shield(self._pull_soon(clinic))

    def _want(self, clinic: Followed, seq: Seq) -> None:
        clinic.need = max(clinic.need, seq)
        clinic.hinted = max(clinic.hinted, seq)
        self._pull_soon(clinic)

    def _pull_soon(self, clinic: Followed) -> asyncio.Task[None]:
        """The one pull of this clinic that is under way, or a new one."""
        if clinic.pull is None or clinic.pull.done():
            clinic.pull = asyncio.get_running_loop().create_task(self._pull(clinic))
            self._pulls.add(clinic.pull)
            clinic.pull.add_done_callback(partial(self._pulled, clinic))
        return clinic.pull

    def _pulled(self, clinic: Followed, task: asyncio.Task[None]) -> None:
        self._pulls.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            # Who waits is told; who does not asks before the next answer, for `need` stands.
            code = error.code if isinstance(error, RecadoError) else type(error).__name__
            log.warning("feed_pull_failed", clinic_id=clinic.clinic_id, code=code)
        elif clinic.need > clinic.seq and self._clinics.get(clinic.clinic_id) is clinic:
            self._pull_soon(clinic)

    async def _pull(self, clinic: Followed) -> None:
        if not clinic.known:
            await self._stand(clinic)
        else:
            while await self._read_on(clinic):
                pass

    async def _stand(self, clinic: Followed) -> None:
        """Begin at the log's present end. What is committed meanwhile is wanted by then, and pulled."""
        asked_at, clinic.hinted = clock(), UNKNOWN
        head = await self._database.read(partial(inbox.head_of, clinic_id=clinic.clinic_id), ahead=True)
        if clinic.known:
            return  # a reader's own snapshot came first, and more may have been told since
        self._stand_at(clinic, head)
        self._settle(clinic, asked_at)

    async def _read_on(self, clinic: Followed) -> bool:
        """Tell what the log has after what is known. Returns whether there may be more."""
        asked_at, clinic.hinted, place = clock(), UNKNOWN, clinic.place
        told_of = clinic.followers > 0
        observe.FEED_PULLS.inc()
        head, news = await self._database.read(
            partial(_rest_of_log, clinic_id=clinic.clinic_id, seq=place[1], with_rows=told_of), ahead=True
        )
        if self._clinics.get(clinic.clinic_id) is not clinic:
            return False
        if clinic.followers and not told_of:
            return True  # somebody has come meanwhile, to be told
        if clinic.is_another(place, head, news[0][0] if news else None):
            log.error("epoch_begun", clinic_id=clinic.clinic_id, seq_known=place[1], seq=head.cursor.seq)
            known = clinic.epoch
            await self._database.write(partial(inbox.begin_epoch, clinic_id=clinic.clinic_id, known=known))
            return True
        if head.cursor.epoch != clinic.epoch:
            self._begin_again(clinic, head)
            return True
        for record, told in news:
            # Where the log was trimmed it begins later: screens see the jump, and ask for what they lack.
            if record.seq > clinic.seq:
                self._apply(clinic, record, told)
        if len(news) == PULL_ROWS:
            return True
        if clinic.seq < head.cursor.seq:  # the end of the log is not there
            self._begin_again(clinic, head)
            return True
        self._settle(clinic, asked_at)
        return False

    def _begin_again(self, clinic: Followed, head: Head) -> None:
        log.error("history_changed", clinic_id=clinic.clinic_id, seq_known=clinic.seq, seq=head.cursor.seq)
        self._stand_at(clinic, head)
        self._reset(clinic.clinic_id)
        clinic.wake()

    def _settle(self, clinic: Followed, asked_at: float) -> None:
        """The log is known as it was after `asked_at`; a hint of more that we had by then was no truth."""
        clinic.need = clinic.hinted
        self._renew(clinic, asked_at)

    def _renew(self, clinic: Followed, asked_at: float) -> None:
        """From the question, not from its answer, which may have been long on its way, and outlived by a doubt."""
        clinic.heard_at = max(clinic.heard_at, asked_at)
        if asked_at >= clinic.doubted_at:
            clinic.lease = max(clinic.lease, asked_at + (DEAF_LEASE_S if self._deaf else LEASE_S))

    def _apply(self, clinic: Followed, record: Record, told: Told | None) -> None:
        clinic.take(record, touched(record))
        self._heed(record)
        if told is not None:
            self._tell(told)
        clinic.wake()

    def _drop_idle(self) -> None:
        now = clock()
        for clinic in list(self._clinics.values()):
            if clinic.used:
                clinic.used, clinic.used_at = False, now
            elif clinic.used_at and now - clinic.used_at > IDLE_S:
                clinic.used_at = 0.0
                if not clinic.followers:
                    self._drop(clinic)

    def _drop_unknown(self, clinic: Followed) -> None:
        """Who began to follow it has failed, and nobody else has begun."""
        if not clinic.known and not clinic.followers and self._clinics.get(clinic.clinic_id) is clinic:
            self._drop(clinic)

    def _drop(self, clinic: Followed) -> None:
        del self._clinics[clinic.clinic_id]
        self._follow_changes += 1
        clinic.forget()

    def _stand_at(self, clinic: Followed, head: Head) -> None:
        self._follow_changes += 1
        clinic.stand_at(head)


def _rest_of_log(
    connection: Connection, clinic_id: ClinicId, seq: Seq, *, with_rows: bool
) -> tuple[Head, list[tuple[Record, Told | None]]]:
    """At most PULL_ROWS records; their rows take five statements more, and a cache needs none of them."""
    head = inbox.head_of(connection, clinic_id)
    if not with_rows:
        return head, [(record, None) for record in inbox.records_after(connection, clinic_id, seq, PULL_ROWS)]
    return head, [(told.record, told) for told in inbox.log_after(connection, clinic_id, seq, PULL_ROWS)]
