"""Wakes snoozed conversations when their time has come. One task of the server."""

import asyncio
from collections.abc import Callable
from functools import partial

from recado import observe
from recado.domain.values import Instant
from recado.errors import RecadoError
from recado.store import inbox
from recado.store.database import Database
from recado.store.writer import Writer

LOOK_EVERY_S = 1.0
AT_ONCE = 200

log = observe.get_logger("snoozed")


class Alarm:
    """Waking twice is harmless, so every node may have one."""

    def __init__(self, database: Database, writer: Writer, now: Callable[[], Instant]) -> None:
        self._database = database
        self._writer = writer
        self._now = now

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.ring()
            except RecadoError as error:
                log.warning("wake_failed", code=error.code)

    async def ring(self) -> None:
        """Wake what is due; as much as there is."""
        while True:
            due = await self._database.read(partial(inbox.due_to_wake, now=self._now(), limit=AT_ONCE))
            await asyncio.gather(*(self._writer.execute(command) for command in due))
            if len(due) < AT_ONCE:
                return
