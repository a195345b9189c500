"""Which channel a webhook belongs to, remembered for a second. docs/channels.md, "Settings".

A provider posts many times a second, and to read its channel each time is a sixth of a webhook. Those that are asked
for are read together: a hundred one by one cost a server at 1,000 messages/s a tenth of its time, and who came first
after a start, or after a second's silence, waited for a hundred reads.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial

from msgspec import Struct

from recado import observe
from recado.clock import clock
from recado.domain.accounts import Channel
from recado.domain.clinic_events import ChannelUpdated
from recado.domain.events import Record
from recado.domain.values import ChannelId
from recado.errors import NotFoundError, RecadoError
from recado.store import accounts
from recado.store.database import Database

REMEMBER_S = 1.0
"""A change that no log record tells this node of counts after this time at the latest."""

REFRESH_S = 0.5
"""Before that time is over, those that webhooks ask for are read again."""

log = observe.get_logger("channels")


class _Remembered(Struct, frozen=True):
    channel: Channel
    until: float


class KnownChannels:
    """Of one process; any task of its loop may ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: dict[ChannelId, _Remembered] = {}
        self._asked: set[ChannelId] = set()
        """Since they were last read again."""
        self._changes = 0
        self._reading = asyncio.Lock()
        self._missed: set[ChannelId] = set()
        self._next: asyncio.Task[Mapping[ChannelId, Channel]] | None = None
        """Will read what is missed until the reading that is under way has ended."""

    async def get(self, channel_id: str) -> Channel:
        """For its provider. Raises NotFoundError, also for one that is switched off."""
        known_id = ChannelId(channel_id)
        kept = self._remembered.get(known_id)
        if kept is None or clock() >= kept.until:
            channel = await self._look_up(known_id)
        else:
            channel = kept.channel
            self._asked.add(known_id)
        if not channel.active:
            raise NotFoundError
        return channel

    async def run(self) -> None:
        """Keep what is asked for often from getting too old to be believed."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.refresh()
            except RecadoError as error:  # then each is read when it is asked for
                log.warning("refresh_failed", code=error.code)

    async def refresh(self) -> None:
        """Read again, in one go, those that were asked for since the last time; forget the others in time."""
        asked, self._asked = self._asked, set()
        now = clock()
        self._remembered = {id_: kept for id_, kept in self._remembered.items() if now < kept.until}
        if asked:
            await self._read(asked)

    def heed(self, record: Record) -> None:
        """A log record, our own or another node's: what it makes untrue is forgotten at once."""
        if record.type == ChannelUpdated.__name__:
            self._changes += 1
            self._remembered.clear()

    async def _look_up(self, channel_id: ChannelId) -> Channel:
        self._missed.add(channel_id)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._read_missed())
            self._next.add_done_callback(lambda task: task.cancelled() or task.exception())
        found = await asyncio.shield(self._next)  # who is cancelled takes no other's reading with them
        if channel_id not in found:
            raise NotFoundError
        return found[channel_id]

    async def _read_missed(self) -> Mapping[ChannelId, Channel]:
        async with self._reading:
            missed, self._missed, self._next = self._missed, set(), None
            return await self._read(missed)

    async def _read(self, ids: Iterable[ChannelId]) -> Mapping[ChannelId, Channel]:
        changes, until = self._changes, clock() + REMEMBER_S
        read = partial(accounts.channels_by_id, channel_ids=frozenset(ids))
        found = {each.id: each for each in await self._database.read(read)}
        if changes == self._changes:  # else what was read may be what was before
            self._remembered |= {id_: _Remembered(each, until) for id_, each in found.items() if each.active}
        return found
