"""Hints over PostgreSQL's LISTEN and NOTIFY, on a connection of their own.

Never inside the transaction that writes: NOTIFY takes one lock of the whole cluster until its commit is on disk, which
took 16 writers from 2,750 commits a second to 415. After the commit, and gathered for a millisecond, it costs writers
nothing. Its own commit need not be durable.

The loop watches the socket itself. psycopg's asyncio makes an event, a timeout and a reader for every wait: with a
connection for each way a hint said and heard took 430 us of the loop and 200 of PostgreSQL, now 220 and 120. A node
that is alone saves that. Every broker shares an advisory lock, so who could have it for itself is alone at that moment,
and believes it for ALONE_S from when it asked; who comes trusts its hearing TRUST_S after it got its share. So what
is not said was committed before anybody trusted that it would be, and who begins to trust asks the log.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from recado import observe
from recado.clock import clock
from recado.domain.values import ClinicId, Seq
from recado.feed.broker import Heard
from recado.store.postgres import SERVING_LOCK

CHANNEL = "recado_log"
GATHER_S = 0.001
MAX_PAYLOAD_BYTES = 7_900
"""PostgreSQL refuses 8,000."""
ALONE_S = 0.25
TRUST_S = 0.3
"""Longer, for timers are rounded."""
FIRST_RETRY_S = 0.05
MAX_RETRY_S = 1.0

_OPENING = (
    "SET synchronous_commit = off",
    f"PREPARE say AS SELECT pg_notify('{CHANNEL}', $1)",
    f"PREPARE look AS SELECT pg_try_advisory_lock({SERVING_LOCK}) AND pg_advisory_unlock({SERVING_LOCK})",
    f"LISTEN {CHANNEL}",
    f"SELECT pg_advisory_lock_shared({SERVING_LOCK})",
)

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
        self._look_at = 0.0
        self._alone_until = 0.0

    def hint(self, clinic_id: ClinicId, seq: Seq) -> None:
        """What cannot be said yet waits, the newest number of each clinic."""
        if clock() < self._alone_until:
            return
        self._unsaid[clinic_id] = max(seq, self._unsaid.get(clinic_id, Seq(0)))
        self._more.set()

    def subscribe(
        self, heard: Heard, missed: Callable[[], None], deaf: Callable[[], None] = lambda: None
    ) -> None:
        self._heard.append(heard)
        self._missed.append(missed)
        self._deaf.append(deaf)

    async def run(self) -> None:
        """Connect anew whenever the connection is lost, soon at first; the feed's poll bridges the time."""
        delay_s = FIRST_RETRY_S
        _tell(self._deaf)
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(**self._arguments, autocommit=True)
                try:
                    for statement in _OPENING:
                        await connection.execute(statement)
                    delay_s = FIRST_RETRY_S
                    await self._carry(_Line(connection.pgconn, self._hear, self._more.set))
                finally:
                    await connection.close()
            except psycopg.Error as error:
                log.warning("broker_lost", error=type(error).__name__)
            finally:
                _tell(self._deaf)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, MAX_RETRY_S)

    async def _carry(self, line: "_Line") -> None:
        """Until the line is lost. What comes within GATHER_S goes together."""
        trust = asyncio.get_running_loop().call_later(TRUST_S, _tell, self._missed)
        try:
            with line.watched():
                while True:
                    await self._more.wait()
                    line.check()  # first: what is unsaid is to be said as soon as there is a line again
                    self._more.clear()
                    if await self._nobody_hears(line):
                        self._unsaid.clear()
                    else:
                        await self._say(line)
                        await asyncio.sleep(GATHER_S)
        finally:
            trust.cancel()

    async def _nobody_hears(self, line: "_Line") -> bool:
        """What has been committed by now."""
        asked_at = clock()
        if asked_at >= self._look_at:
            self._look_at = asked_at + ALONE_S
            if await line.ask("look") == b"t":
                self._alone_until = asked_at + ALONE_S
        return clock() < self._alone_until

    async def _say(self, line: "_Line") -> None:
        unsaid, self._unsaid = self._unsaid, {}
        try:
            for payload in payloads(unsaid):
                await line.ask("say", payload)
        except psycopg.Error:
            for clinic_id, seq in unsaid.items():
                self.hint(clinic_id, seq)
            raise

    def _hear(self, payload: str) -> None:
        for clinic_id, seq in read(payload):
            for heard in self._heard:
                heard(clinic_id, seq)


class _Line:
    """A connection that listens: `hear` is called with each payload, `lost` when nothing will come any more."""

    def __init__(self, pgconn: PGconn, hear: Callable[[str], None], lost: Callable[[], object]) -> None:
        self._pgconn = pgconn
        self._socket = pgconn.socket
        self._hear = hear
        self._lost = lost
        self._error: psycopg.Error | None = None
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[bytes | None] | None = None
        self._value: bytes | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._loop.add_reader(self._socket, self._take_in)
        try:
            yield
        finally:
            if self._error is None:
                self._unwatch()

    def check(self) -> None:
        """Raises what broke the line."""
        if self._error is not None:
            raise self._error

    async def ask(self, prepared: str, *values: str) -> bytes | None:
        """One at a time. PostgreSQL's answer, a single value; raises what broke the line."""
        self._answer = self._loop.create_future()
        self._pgconn.send_query_prepared(prepared.encode(), [value.encode() for value in values])
        self._send()
        return await self._answer

    def _send(self) -> None:
        try:
            rest = self._pgconn.flush()
        except psycopg.Error as error:
            self._break(error)
            return
        if rest:
            self._loop.add_writer(self._socket, self._send)
        else:
            self._loop.remove_writer(self._socket)

    def _take_in(self) -> None:
        pgconn = self._pgconn
        try:
            pgconn.consume_input()
            while notice := pgconn.notifies():
                self._hear(notice.extra.decode())
            while self._answer is not None and not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    self._settle(self._value)
                elif result.status != ExecStatus.TUPLES_OK:
                    raise psycopg.DatabaseError
                else:
                    self._value = result.get_value(0, 0)
        except psycopg.Error as error:
            self._break(error)

    def _unwatch(self) -> None:
        """Once: libpq closes a socket that broke, and its number may soon be another's."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)

    def _break(self, error: psycopg.Error) -> None:
        self._unwatch()
        self._error = error
        self._settle(error)
        self._lost()

    def _settle(self, answer: bytes | psycopg.Error | None) -> None:
        asked, self._answer = self._answer, None
        if asked is None or asked.done():
            return
        if isinstance(answer, psycopg.Error):
            asked.set_exception(answer)
        else:
            asked.set_result(answer)


def _tell(listeners: Sequence[Callable[[], None]]) -> None:
    for listener in listeners:
        listener()


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
