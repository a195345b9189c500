"""The second level: Redis as a store of bytes. GET and SET, nothing else, and nothing it does can make an answer wrong.

A time limit for each operation, and a breaker: while Redis is gone, reads do without it, and only `run` tries whether
it is back. docs/cache.md, "Redis".
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable
from typing import TypeVar

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError

from recado import observe
from recado.cache.entry import Entry, Loaded
from recado.cache.redis_line import TROUBLE, RedisLine
from recado.clock import clock
from recado.domain.cursor import Cursor
from recado.domain.values import Seq

LIMIT_S = 0.025
TURNS = 30
"""Of the loop, after the limit: a busy one has the answer in its socket, and a new connection asks several times."""
TRIES = 3
"""Redis may be slow by chance; so many times in a row it is not. Who waits beside one another waits once."""
PROBE_EVERY_S = 0.25
MAX_WRITES = 100
FORM = "recado:2"
"""Another form of the bodies or of this record gets another number, so that versions do not read each other's."""

log = observe.get_logger("cache")

T = TypeVar("T")


class Stored(msgspec.Struct, array_like=True, frozen=True):
    key: str
    epoch: str
    ok: Seq
    tags: list[str]
    shown: int
    body: bytes


_decode = msgspec.msgpack.Decoder(Stored).decode
_encode = msgspec.msgpack.Encoder().encode


class RedisLevel:
    def __init__(self, url: str, max_age_s: float) -> None:
        self._line = RedisLine(url)
        self._max_age_ms = int(max_age_s * 1000)
        self._silences = 0
        self._silent_at = -math.inf
        self._writes: set[asyncio.Task[None]] = set()
        self._broken = asyncio.Event()
        self.errors = self.breaks = self.puts = self.dropped = self.unreadable = 0

    @property
    def broken(self) -> bool:
        """The breaker is open: nobody asks Redis just now."""
        return self._broken.is_set()

    async def get(self, key: str) -> Entry | None:
        """What is stored under `key`, not yet judged."""
        if self.broken:
            return None
        asked_at = clock()
        try:
            raw = await _in_time(self._line.ask("GET", f"{FORM}:{key}"))
        except TROUBLE as error:
            self._fail(error, asked_at)
            return None
        self._silences = 0
        if not isinstance(raw, bytes):
            return None
        try:
            stored = _decode(raw)
        except msgspec.MsgspecError:
            self.unreadable += 1
            return None
        if stored.key != key:
            self.unreadable += 1
            return None
        label = Cursor(stored.epoch, stored.ok)
        return Entry(Loaded(label, stored.tags, stored.body, stored.shown))

    def put(self, key: str, entry: Entry) -> None:
        """In the background; when too many wait already, not at all."""
        if self.broken or len(self._writes) >= MAX_WRITES:
            self.dropped += 1
            return
        raw = _encode(Stored(key, entry.epoch, entry.ok, list(entry.tags), entry.shown, entry.body))
        writing = asyncio.get_running_loop().create_task(self._put(f"{FORM}:{key}", raw))
        self._writes.add(writing)
        writing.add_done_callback(self._writes.discard)

    async def run(self) -> None:
        """Until cancelled: whenever it is broken, try until it is not. No reader ever waits for that."""
        try:
            with contextlib.suppress(*TROUBLE):
                await self._line.open()  # else thirty first readers wait for it, and take that for silence
            while True:
                await self._broken.wait()
                await asyncio.sleep(PROBE_EVERY_S)
                if await self._answers():
                    self._silences = 0
                    self._broken.clear()
                    log.info("redis_back")
        finally:
            await self._close()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(4 * LIMIT_S):
                await self._line.ask("PING")
        except TROUBLE:
            self._line.drop()  # a network may have lost it without a word
            return False
        return True

    async def _put(self, name: str, raw: bytes) -> None:
        asked_at = clock()
        try:
            await self._line.ask("SET", name, raw, "PX", self._max_age_ms)
        except TROUBLE as error:
            if not self.broken:  # else it is told already what became of it
                self._fail(error, asked_at)
        else:
            self.puts += 1

    def _fail(self, error: BaseException, asked_at: float) -> None:
        """Who refuses us is gone; who is silent may be slow, and was so once for all who asked meanwhile."""
        self.errors += 1
        if asked_at >= self._silent_at:
            self._silences += 1
            self._silent_at = clock()
        refused = isinstance(error, (RedisConnectionError, OSError)) and not isinstance(error, TimeoutError)
        if not self.broken and (refused or self._silences >= TRIES):
            self.breaks += 1
            self._broken.set()
            log.warning("redis_lost", error=type(error).__name__)

    async def _close(self) -> None:
        for writing in self._writes:
            writing.cancel()
        await asyncio.gather(*self._writes, return_exceptions=True)
        await self._line.close()


async def _in_time(operation: Awaitable[T]) -> T:
    """What Redis answers. Raises TimeoutError after LIMIT_S and TURNS."""
    answer = asyncio.ensure_future(operation)
    try:
        await asyncio.wait({answer}, timeout=LIMIT_S)
        for _ in range(TURNS):
            if answer.done():
                break
            await asyncio.sleep(0)
        else:
            raise TimeoutError
        return answer.result()
    finally:
        answer.cancel()
