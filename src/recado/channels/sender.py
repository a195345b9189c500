"""The outbox's sender: leases what is due, posts it, and turns answers into commands. One task of the server.

A lease outlives every attempt, so a message is posted by one at a time; if this process dies, the lease runs out and
the message comes due again, under the same idempotency key. docs/channels.md, "Out".
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import assert_never

import httpx
from msgspec import Struct

from recado import __version__
from recado.app.outbox import Outbox
from recado.channels.providers import GAVE_UP, INCOMPLETE, Again, Answer, Sent, compose, read_answer
from recado.domain.instants import seconds_between
from recado.domain.values import ChannelId, Failure, Instant
from recado.errors import UnavailableError
from recado.observe import OUTBOX_POST_SECONDS, OUTBOX_POSTS, get_logger
from recado.store.outbox import Departure

MAX_AT_ONCE = 64
MAX_OF_CHANNEL = 16
SLOW_S = 2.0
"""A channel whose last answer took longer, if one came at all, has one post under way at a time. All such channels
together leave half of the room to the others: one clinic's dead provider must not hold up another's replies."""
MAX_ANSWER_BYTES = 65_536
STEP_S = 10.0
"""For connecting, for writing, and for each piece of an answer."""
HEAD_S = 20.0
BODY_S = 5.0
"""For all until the answer's head, and for the rest of it. With RECORD_DELAYS_S, and the database's own patience at
each try, one attempt stays below the lease (app/outbox.py, LEASE_S)."""

MAX_BACKOFF_S = 300.0
RECORD_DELAYS_S = (0.2, 1.0, 3.0)
"""How long to wait for a busy database before each further try to write an answer down."""

LOOK_AGAIN_S = 30.0
"""At the latest, in case the clock was set."""
MIN_PAUSE_S = 0.25

log = get_logger("outbox")


class SenderSettings(Struct, frozen=True, kw_only=True):
    """`give_up_s` counts from the moment the message was queued; `stop_within_s` is what a stop waits for posts."""

    whatsapp_url: str
    give_up_s: float
    stop_within_s: float = 5.0


def http_client() -> httpx.AsyncClient:
    """No redirects (a key or token must not follow one), and no proxy on the way to this machine itself."""
    tls = httpx.create_ssl_context()
    direct = httpx.AsyncHTTPTransport(verify=tls)
    return httpx.AsyncClient(
        verify=tls,
        timeout=STEP_S,
        follow_redirects=False,
        headers={"User-Agent": f"recado/{__version__}", "Accept-Encoding": "identity"},
        mounts={f"all://{host}": direct for host in ("127.0.0.1", "localhost", "[::1]")},
    )


class Sender:
    """`run` is one task; `stop` makes it end when what is being posted is done, or soon after."""

    def __init__(
        self,
        outbox: Outbox,
        http_client: Callable[[], httpx.AsyncClient],
        settings: SenderSettings,
        *,
        now: Callable[[], Instant],
        random: random.Random,
    ) -> None:
        self._outbox = outbox
        self._http_client = http_client
        self._settings = settings
        self._now = now
        self._random = random
        self._posting: dict[asyncio.Task[None], ChannelId] = {}
        self._slow: set[ChannelId] = set()
        self._stopping = False

    async def run(self) -> None:
        async with self._http_client() as client:
            try:
                while not self._stopping:
                    await self._pause(await self._start_due(client))
            finally:
                await self._finish()

    def stop(self) -> None:
        self._stopping = True
        self._outbox.wake.set()

    async def _start_due(self, client: httpx.AsyncClient) -> float:
        """Start posting what is due, as far as there is room. Seconds until there may be more to do."""
        self._outbox.wake.clear()  # before looking, so that nothing queued meanwhile is slept through
        try:
            while await self._start_shares(client):
                pass
            if not self._slow <= (full := self._full()):
                await self._start(client, self._room_of_slow(), of_each=1, without=full)
            if len(self._posting) == MAX_AT_ONCE:
                return LOOK_AGAIN_S
            due_in_s = await self._outbox.next_due_in_s(without=self._full())
        except Exception:
            log.exception("outbox_unreadable")  # the sender's top: nothing is lost, the rows wait
            return 1.0
        return LOOK_AGAIN_S if due_in_s is None else due_in_s

    async def _start_shares(self, client: httpx.AsyncClient) -> bool:
        """Of each channel but the slow as many as the busiest may still have. Whether another may have more."""
        full, under_way = self._full(), Counter(self._posting.values())
        share = MAX_OF_CHANNEL - max((under_way[id_] for id_ in under_way.keys() - full), default=0)
        started = await self._start(client, MAX_AT_ONCE, of_each=share, without=full | self._slow)
        return any(started[id_] == share for id_ in started.keys() - self._full())

    async def _start(
        self, client: httpx.AsyncClient, limit: int, *, of_each: int, without: set[ChannelId]
    ) -> Counter[ChannelId]:
        """How many of which channel."""
        room = min(limit, MAX_AT_ONCE - len(self._posting))
        leased = await self._outbox.lease(room, of_each=of_each, without=without) if room else []
        for departure in leased:
            task = asyncio.create_task(self._send(client, departure))
            self._posting[task] = departure.channel.id
            task.add_done_callback(self._ended)
        return Counter(each.channel.id for each in leased)

    def _full(self) -> set[ChannelId]:
        """Channels that must wait until a post ends."""
        under_way = Counter(self._posting.values())
        full = {id_ for id_, posts in under_way.items() if posts >= MAX_OF_CHANNEL or id_ in self._slow}
        return full if self._room_of_slow() > 0 else full | self._slow

    def _room_of_slow(self) -> int:
        return MAX_AT_ONCE // 2 - sum(id_ in self._slow for id_ in self._posting.values())

    async def _pause(self, seconds: float) -> None:
        """Until something was queued, a post has ended, `stop` was called, or the time has come."""
        try:
            async with asyncio.timeout(min(max(seconds, MIN_PAUSE_S), LOOK_AGAIN_S)):
                await self._outbox.wake.wait()
        except TimeoutError:
            pass

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._posting[task]
        self._outbox.wake.set()

    async def _finish(self) -> None:
        if self._posting:
            _, late = await asyncio.wait(self._posting, timeout=self._settings.stop_within_s)
            for task in late:  # their leases run out, and the next sender posts them again
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _send(self, client: httpx.AsyncClient, departure: Departure) -> None:
        """One attempt, from request to record. A task's top."""
        kind = departure.channel.kind
        ids = {"message_id": departure.message_id, "channel": departure.channel.id}
        started_at = time.monotonic()
        try:
            answer = await self._attempt(client, departure)
        except Exception:
            log.exception("outbox_fault", **ids)
            answer = Again()
        self._timed(departure, time.monotonic() - started_at)
        try:
            outcome = await self._record(departure, answer)
        except Exception:
            outcome = "unrecorded"  # it comes due again when its lease ends
            log.exception("outbox_unrecorded", **ids)
        OUTBOX_POSTS.labels(kind, outcome).inc()

    def _timed(self, departure: Departure, took_s: float) -> None:
        OUTBOX_POST_SECONDS.labels(departure.channel.kind).observe(took_s)
        if took_s > SLOW_S:
            self._slow.add(departure.channel.id)
        else:
            self._slow.discard(departure.channel.id)

    async def _attempt(self, client: httpx.AsyncClient, departure: Departure) -> Answer:
        post = compose(departure, whatsapp_url=self._settings.whatsapp_url, now=self._now())
        if isinstance(post, Failure):
            return post
        ids = {"message_id": departure.message_id, "channel": departure.channel.id}
        try:
            request = client.build_request("POST", post.url, headers=post.headers, content=post.content)
            async with asyncio.timeout(HEAD_S):
                response = await client.send(request, stream=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError):
            return INCOMPLETE  # an address or a token that no request can carry
        except (httpx.HTTPError, TimeoutError) as error:
            # The provider may have taken it all the same: that is what the idempotency key is for.
            log.info("outbox_unanswered", error=type(error).__name__, attempt=departure.attempts, **ids)
            return Again()
        log.debug("outbox_answered", status=response.status_code, attempt=departure.attempts, **ids)
        body = await _body_of(response)
        return read_answer(
            departure.channel.kind, response.status_code, response.headers, body, now=self._now()
        )

    async def _record(self, departure: Departure, answer: Answer) -> str:
        """Write the answer down, as the outbox's command. The outcome's name, for the metric."""
        ids = {"message_id": departure.message_id, "channel": departure.channel.id}
        match answer:
            case Sent():
                await _insist(partial(self._outbox.sent, departure, answer.external_id))
                return "sent"
            case Failure():
                log.warning("outbox_refused", code=answer.code, **ids)
                await _insist(partial(self._outbox.failed, departure, answer))
                return "refused"
            case Again():
                left_s = self._settings.give_up_s - seconds_between(departure.queued_at, self._now())
                if left_s <= 0:
                    log.warning("outbox_gave_up", attempt=departure.attempts, **ids)
                    await _insist(partial(self._outbox.failed, departure, GAVE_UP))
                    return "gave_up"
                wait_s = max(self._backoff_s(departure.attempts), answer.retry_after_s)
                await _insist(partial(self._outbox.postpone, departure, min(wait_s, left_s)))
                return "again"
            case _:
                assert_never(answer)

    def _backoff_s(self, attempts: int) -> float:
        """Full jitter: anything up to 1 s, 2 s, 4 s … MAX_BACKOFF_S, so that a crowd does not come back as one."""
        return self._random.uniform(0.0, min(MAX_BACKOFF_S, 2.0 ** min(attempts - 1, 30)))


async def _body_of(response: httpx.Response) -> bytes:
    """The answer as far as it is worth reading. If it breaks off, its status stands: a 200 is not posted again."""
    body = b""
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    break
    except (httpx.HTTPError, TimeoutError):
        return b""
    finally:
        await response.aclose()
    return body


async def _insist(write: Callable[[], Awaitable[None]]) -> None:
    """Raises UnavailableError when the database stays away; then the message comes due when its lease ends."""
    for delay_s in RECORD_DELAYS_S:
        try:
            return await write()
        except UnavailableError:
            await asyncio.sleep(delay_s)
    return await write()
