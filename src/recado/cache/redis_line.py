"""One connection to Redis, on which questions do not wait for the answers before them. Knows nothing of a cache.

redis-py connects and parses. Its pool gives a connection to one question at a time: thirty that come at once have
sixteen handshakes, then wait for each other, which a breaker takes for a Redis that is gone.
"""

import asyncio
import contextlib
import math
from collections import deque
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

TROUBLE = (RedisError, OSError, TimeoutError)
OPENING_S = 1.0
"""One that is frozen lets us in and says nothing; when it thaws, it answers what was asked."""


class RedisLine:
    """It is opened by the first question, and anew by the first after it was lost."""

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            protocol=2,  # what a library speaks by default may change; we use nothing of 3
            socket_connect_timeout=OPENING_S,
            socket_timeout=None,  # whoever asks has a limit of their own
            retry=Retry(NoBackoff(), 0),  # its own would multiply the limit
            health_check_interval=0,
        )
        self._connection: AbstractConnection | None = None
        self._opening: asyncio.Task[AbstractConnection] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._asked: deque[asyncio.Future[Any]] = deque()

    async def ask(self, *words: str | bytes | int) -> Any:
        """The answer: bytes, None, a number. Raises what is in TROUBLE; may take for ever."""
        connection = await self.open()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        try:
            await connection.send_packed_command(connection.pack_command(*words), check_health=False)
            return await answer
        except BaseException:
            answer.cancel()  # it keeps its place: what was asked is answered
            raise

    async def open(self) -> AbstractConnection:
        """At once, if it is open. Raises what is in TROUBLE, after OPENING_S at the latest."""
        if self._connection is not None:
            return self._connection
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open())
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._opening)  # who is cancelled takes no other's opening with them

    def drop(self) -> None:
        """Whoever waits hears that it is lost, and the next question opens another."""
        if self._listening is not None:
            self._listening.cancel()

    async def close(self) -> None:
        for task in (self._opening, self._listening):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _open(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        async with asyncio.timeout(OPENING_S):
            await connection.connect()  # type: ignore[no-untyped-call]
        self._connection = connection
        self._listening = asyncio.get_running_loop().create_task(self._listen(connection))
        return connection

    async def _listen(self, connection: AbstractConnection) -> None:
        """Answers come in the order of the questions; one that nobody waits for any more comes all the same."""
        try:
            while True:
                found: Any
                try:
                    found = await connection.read_response(disable_decoding=True, timeout=math.inf)
                except ResponseError as refusal:
                    found = refusal
                answer = self._asked.popleft()
                if answer.done():
                    continue
                if isinstance(found, ResponseError):
                    answer.set_exception(found)
                else:
                    answer.set_result(found)
        except TROUBLE:
            pass  # told below
        finally:
            self._connection = None
            for answer in self._asked:
                if not answer.done():
                    answer.set_exception(RedisConnectionError("lost"))
            self._asked.clear()
            with contextlib.suppress(*TROUBLE):
                await connection.disconnect(nowait=True)
