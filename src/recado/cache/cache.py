"""Reads an answer once and serves it as long as the log lets it: memory, then Redis, then the loader. docs/cache.md.

Validity is decided when reading, never when storing: a slow loader may store what it likes, and a lost message between
nodes makes nothing untrue. What is cached must be a function of rows whose every change is a record of one clinic.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from msgspec import Struct

from recado import observe
from recado.cache.entry import Entry, Load, Loaded, Log
from recado.cache.memory import Memory
from recado.clock import clock
from recado.domain.cursor import Cursor
from recado.domain.values import ClinicId, Seq
from recado.errors import CursorAheadError, UnavailableError

log = observe.get_logger("cache")


class Logs(Protocol):
    """What this node knows of the clinics' logs: feed/feed.py."""

    @property
    def followed(self) -> Mapping[ClinicId, Log]: ...

    def log_of(self, clinic_id: ClinicId) -> Log | None: ...

    async def follow_reads(self, clinic_id: ClinicId) -> Log: ...

    async def follow_with(self, clinic_id: ClinicId, read: Load) -> Loaded: ...

    async def refresh(self, clinic_id: ClinicId, seq: Seq = ...) -> bool: ...

    async def look_back(self, clinic_id: ClinicId) -> None: ...

    def doubt(self, clinic_ids: list[ClinicId]) -> None: ...


class SecondLevel(Protocol):
    """Shared by all nodes; may lose, delay or bring back what it likes."""

    async def get(self, key: str) -> Entry | None: ...

    def put(self, key: str, entry: Entry) -> None: ...


class Counts(Struct):
    """Since the start. `again`: a joined flight had begun too early. `bypassed`: what the log is could not be told.

    `late`: loads from an old snapshot, refused. `refreshed`: readers who had to ask the log first.
    """

    memory: int = 0
    second: int = 0
    loaded: int = 0
    joined: int = 0
    again: int = 0
    bypassed: int = 0
    late: int = 0
    refreshed: int = 0


class Cache:
    """Keys begin with `clinic:<id>:`. Only a key's own clinic may be read in its loader."""

    def __init__(self, logs: Logs, memory: Memory, second: SecondLevel | None = None) -> None:
        self._logs = logs
        self._followed = logs.followed
        self._second = second
        self._flights: dict[str, asyncio.Task[Entry]] = {}
        self.memory = memory
        self.counts = Counts()

    def at_once(self, clinic_id: ClinicId, key: str, after: Cursor | None = None) -> Entry | None:
        """The answer, if it is at hand and known to be true; else `get` knows what to do."""
        now = clock()  # once: it is a sixth of a hit
        known = self._followed.get(clinic_id)
        # As `_is_current`, `Memory.get` and `holds` have it; each call would be a sixth of a hit.
        if known is None or known.lease <= now or known.need > known.seq:
            return None
        if after is not None and not _reaches(known, after):
            return None
        entries = self.memory.entries
        entry = entries.get(key)
        if entry is None or now > entry.until:
            return None
        if (entry.ok != known.seq or entry.epoch != known.epoch) and not entry.holds(known):
            return None
        entries.move_to_end(key)
        known.used = True
        self.counts.memory += 1
        return entry

    async def get(
        self, clinic_id: ClinicId, key: str, load: Load, after: Cursor | None = None, *, shared: bool = True
    ) -> Entry:
        """The answer as of `after` or later. `load` sees one snapshot, taken after it is called.

        `shared`: other nodes may want it too. Raises what `load` raises; `cursor_ahead`, `unavailable`.
        """
        known = self._logs.log_of(clinic_id)
        if known is None:
            return await self._first(clinic_id, key, load, after, shared=shared)
        known.used = True
        if not _is_current(known, after, clock()) and not await self._catch_up(clinic_id, known, after):
            return await self._past_the_cache(load, after)
        entry = self.memory.get(key, clock())
        if entry is not None and entry.holds(known):
            self.counts.memory += 1
            return entry
        need, epoch = known.seq, known.epoch
        while True:
            own, flight = self._flight(clinic_id, key, load, shared=shared)
            entry = await asyncio.shield(flight)  # who is cancelled takes nobody with them
            if own or (entry.epoch == epoch and entry.ok >= need) or entry.holds(known):
                return entry
            self.counts.again += 1

    def replace(self, key: str, entry: Entry | None) -> None:
        """What is there turned out not to be so; None: there is nothing any more."""
        if entry is None:
            self.memory.remove(key)
            return
        self.memory.put(key, entry)
        if self._second is not None and isinstance(entry.body, bytes):
            self._second.put(key, entry)

    async def _first(
        self, clinic_id: ClinicId, key: str, load: Load, after: Cursor | None, *, shared: bool
    ) -> Entry:
        """`get`, of a clinic that is not followed. Nothing has been promised of it; what has come meanwhile counts."""
        _, flight = self._flight(clinic_id, key, load, shared=shared)
        entry = await asyncio.shield(flight)
        known = self._logs.log_of(clinic_id) or await self._logs.follow_reads(clinic_id)
        if _is_current(known, after, clock()) and entry.holds(known):
            return entry
        return await self.get(clinic_id, key, load, after, shared=shared)

    def _flight(
        self, clinic_id: ClinicId, key: str, load: Load, *, shared: bool
    ) -> tuple[bool, asyncio.Task[Entry]]:
        """The one that is under way, or our own."""
        flight = self._flights.get(key)
        # One that is done waits for its callback; to wait for it again would spin.
        own = flight is None or flight.done()
        if flight is not None and not own:
            self.counts.joined += 1
            return False, flight
        second = self._second if shared else None
        flight = asyncio.get_running_loop().create_task(self._fill(clinic_id, key, load, second))
        self._flights[key] = flight
        flight.add_done_callback(partial(self._landed, key))
        return True, flight

    def _landed(self, key: str, flight: asyncio.Task[Entry]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # whoever waits has it; nobody may

    async def _fill(self, clinic_id: ClinicId, key: str, load: Load, second: SecondLevel | None) -> Entry:
        if second is not None:
            entry = await second.get(key)
            if entry is not None and await self._believes(entry, clinic_id):
                self.counts.second += 1
                entry.load = load
                self.memory.put(key, entry)
                return entry
        entry = await self._load(clinic_id, load)
        self.memory.put(key, entry)  # it may be outdated by now: that is seen by who reads it
        known = self._logs.log_of(clinic_id)
        if known is not None and entry.epoch != known.epoch:
            self._logs.doubt([clinic_id])
        if second is not None and (known is None or entry.holds(known)):
            second.put(key, entry)
        return entry

    async def _load(self, clinic_id: ClinicId, load: Load) -> Entry:
        known = self._logs.log_of(clinic_id)
        if known is None:
            entry = Entry(await self._logs.follow_with(clinic_id, load), load)
            self.counts.loaded += 1
            return entry
        epoch, floor = known.epoch, known.seq
        entry = Entry(await load(), load)
        self.counts.loaded += 1
        if entry.epoch == epoch and entry.label < floor:
            # An old snapshot, or a standby: older than what this node has promised already.
            self.counts.late += 1
            log.error("load_too_old", clinic_id=clinic_id, seq=entry.label, seq_known=floor)
            raise UnavailableError
        return entry

    async def _believes(self, entry: Entry, clinic_id: ClinicId) -> bool:
        """What another wrote may be older than what we know of the log, but not older than the log."""
        known = self._logs.log_of(clinic_id) or await self._logs.follow_reads(clinic_id)
        if entry.epoch == known.epoch and entry.ok < known.base:
            await self._logs.look_back(clinic_id)
        return entry.holds(known)

    async def _catch_up(self, clinic_id: ClinicId, known: Log, after: Cursor | None) -> bool:
        """Ask the log what we have to know; False: it cannot be had."""
        self.counts.refreshed += 1
        current = True
        if not _is_current(known, None, clock()) or (after is not None and after.epoch != known.epoch):
            current = await self._logs.refresh(clinic_id)
        if after is not None and after.epoch == known.epoch and known.seq < after.seq:
            current = await self._logs.refresh(clinic_id, after.seq)
        return current

    async def _past_the_cache(self, load: Load, after: Cursor | None) -> Entry:
        entry = Entry(await load())
        self.counts.bypassed += 1
        if after is not None and after.epoch == entry.epoch and entry.label < after.seq:
            raise CursorAheadError
        return entry


def _is_current(known: Log, after: Cursor | None, now: float) -> bool:
    """Whether all is known that has been promised to somebody, or was seen by who asks."""
    if known.seq < known.need or now >= known.lease:
        return False
    return after is None or _reaches(known, after)


def _reaches(known: Log, after: Cursor) -> bool:
    return after.epoch == known.epoch and after.seq <= known.seq
