"""Hints over PostgreSQL's LISTEN and NOTIFY, on two connections of their own.

Never inside the transaction that writes: NOTIFY takes one lock of the whole cluster until its commit is on disk, which
took 16 writers from 2,750 commits a second to 415. After the commit, and gathered for a few milliseconds, it costs
nothing. Its own commit need not be durable.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import psycopg

from recado import observe
from recado.domain.values import ClinicId, Seq
from recado.feed.broker import Heard

CHANNEL = "recado_log"
GATHER_S = 0.001
MAX_PAYLOAD_BYTES = 7_900
"""PostgreSQL refuses 8,000."""
FIRST_RETRY_S = 0.05
MAX_RETRY_S = 1.0

_HINT = re.compile(r"([0-9]{1,18}):([0-9]{1,18})", re.ASCII)

log = observe.get_logger("broker")


class PostgresBroker:
    """`arguments` are what psycopg connects with."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments
        self._heard: list[Heard] = []
        self._missed: list[Callable[[], None]] = []
        self._deaf: list[Callable[[], None]] = []
        self._unsaid: dict[ClinicId, Seq] = {}
        self._more = asyncio.Event()

    def hint(self, clinic_id: ClinicId, seq: Seq) -> None:
        """What cannot be said yet waits, the newest number of each clinic."""
        self._unsaid[clinic_id] = max(seq, self._unsaid.get(clinic_id, Seq(0)))
        self._more.set()

    def subscribe(
        self, heard: Heard, missed: Callable[[], None], deaf: Callable[[], None] = lambda: None
    ) -> None:
        self._heard.append(heard)
        self._missed.append(missed)
        self._deaf.append(deaf)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again("listen", self._listen))
            tasks.create_task(self._again_and_again("notify", self._notify))

    async def _again_and_again(
        self, what: str, work: Callable[[Callable[[], None]], Awaitable[None]]
    ) -> None:
        """Connect anew whenever the connection is lost, soon at first; the feed's poll bridges the time."""
        delay_s = FIRST_RETRY_S

        def connected() -> None:
            nonlocal delay_s
            delay_s = FIRST_RETRY_S

        while True:
            try:
                await work(connected)
            except psycopg.Error as error:
                log.warning("broker_lost", connection=what, error=type(error).__name__)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, MAX_RETRY_S)

    async def _listen(self, connected: Callable[[], None]) -> None:
        try:
            async with await self._connect() as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                connected()
                for missed in self._missed:  # listening first, then asking: nothing falls between the two
                    missed()
                async for notice in connection.notifies():
                    for clinic_id, seq in read(notice.payload):
                        for heard in self._heard:
                            heard(clinic_id, seq)
        finally:
            for deaf in self._deaf:
                deaf()

    async def _notify(self, connected: Callable[[], None]) -> None:
        """At once when there was silence; what comes within GATHER_S goes together."""
        async with await self._connect() as connection:
            await connection.execute("SET synchronous_commit = off")
            connected()
            while True:
                await self._more.wait()
                self._more.clear()
                unsaid, self._unsaid = self._unsaid, {}
                try:
                    for payload in payloads(unsaid):
                        await connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
                except psycopg.Error:
                    for clinic_id, seq in unsaid.items():
                        self.hint(clinic_id, seq)
                    raise
                await asyncio.sleep(GATHER_S)

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(**self._arguments, autocommit=True)


def payloads(hints: Mapping[ClinicId, Seq]) -> Iterator[str]:
    """`"7:1042 9:3"`, as many as are needed to keep each small enough."""
    words: list[str] = []
    size = 0
    for clinic_id, seq in hints.items():
        word = f"{clinic_id}:{seq}"
        if size + len(word) > MAX_PAYLOAD_BYTES:
            yield " ".join(words)
            words, size = [], 0
        words.append(word)
        size += len(word) + 1
    if words:
        yield " ".join(words)


def read(payload: str) -> Iterator[tuple[ClinicId, Seq]]:
    """Anybody with access to the database may notify: what is no hint is passed over."""
    for word in payload.split(" "):
        if hint := _HINT.fullmatch(word):
            yield ClinicId(int(hint[1])), Seq(int(hint[2]))
