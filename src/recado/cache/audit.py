"""Reads again what was served from memory, and compares: a wrong tag or an unlogged change of rows shows nowhere else.

In the background, one at a time, a share of the hits. There are no false alarms: an answer that is still held for true
after the log was asked must be what the database has. docs/cache.md, "Guards".
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from recado import observe
from recado.cache.cache import Cache
from recado.cache.entry import Entry, Log
from recado.domain.values import ClinicId, Seq
from recado.errors import NotFoundError, RecadoError

TICK_S = 0.25
RECENT = 8
"""Of these one is taken: the last ones alone would always be the marks beside a list."""

Choose = Callable[[Sequence[tuple[str, Entry]]], tuple[str, Entry]]

log = observe.get_logger("cache")


class Logs(Protocol):
    def log_of(self, clinic_id: ClinicId) -> Log | None: ...

    async def refresh(self, clinic_id: ClinicId, seq: Seq = ...) -> bool: ...


class Findings(Struct):
    """Since the start. `undecided`: it changed meanwhile, or the database did not answer."""

    audited: int = 0
    undecided: int = 0
    untrue: int = 0


class Audit:
    """After `every` hits one of the answers that were served last is looked at, at most one per TICK_S."""

    def __init__(self, cache: Cache, logs: Logs, every: int, choose: Choose) -> None:
        self._cache = cache
        self._logs = logs
        self._every = every
        self._choose = choose
        self.findings = Findings()

    async def run(self) -> None:
        """Until cancelled."""
        hits = self._cache.counts.memory
        while True:
            await asyncio.sleep(TICK_S)
            if self._cache.counts.memory - hits < self._every:
                continue
            hits = self._cache.counts.memory
            recent = [each for each in self._cache.memory.recent(RECENT) if each[1].load]
            if not recent:
                continue
            try:
                await self.look_at(*self._choose(recent))
            except Exception as error:  # no reader must pay for it
                log.exception("audit_failed", exc_info=error)

    async def look_at(self, key: str, entry: Entry) -> None:
        """Read it again. If it is not so, and held for true all the same: alarm, and serve what is so."""
        clinic_id = ClinicId(int(key.split(":")[1]))
        try:
            now = await _read_again(entry)
            held = await self._is_held(clinic_id, entry, now)
        except RecadoError:
            held = False
        if not held:
            self.findings.undecided += 1
            return
        self.findings.audited += 1
        if now is not None and now.body == entry.body:
            return
        self.findings.untrue += 1
        kind = key.split(":")[2] if isinstance(entry.body, bytes) else "marks"
        log.error("cache_untrue", clinic_id=clinic_id, kind=kind, seq=entry.label, seq_known=entry.ok)
        self._cache.replace(key, now)

    async def _is_held(self, clinic_id: ClinicId, entry: Entry, now: Entry | None) -> bool:
        """Whether it is held for true of the log as it was when `now` was read, or later."""
        if now is None:
            # This question may have been under way before; the next one is ours.
            await self._logs.refresh(clinic_id)
        elif now.epoch != entry.epoch or now.label < entry.label:  # of another history, or from a standby
            return False
        current = await self._logs.refresh(clinic_id, entry.label if now is None else now.label)
        known = self._logs.log_of(clinic_id)
        return current and known is not None and entry.holds(known)


async def _read_again(entry: Entry) -> Entry | None:
    """None: it is not there any more."""
    if entry.load is None:
        return entry
    try:
        return Entry(await entry.load(), entry.load)
    except NotFoundError:
        return None
