"""`recado simulate`: plays patients by posting real, signed webhooks to a running server, and times its answers.

Knows the server only by its address. docs/channels.md, "Playing patients".
"""

import asyncio
import random as randomness
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import httpx
import msgspec
from msgspec import Struct

from recado.channels.patient_words import Delivery, Patient, PatientChannel
from recado.channels.sender import http_client

MAX_PATIENTS = 100_000
MAX_AT_ONCE = 64
"""Posts under way. When the server is slower than the rate, the rate gives way."""

REPEAT_SHARE = 0.03
"""Of the deliveries that come twice, as providers' do."""

MAX_TIMED = 100_000
"""The newest answers, which the percentiles are of."""

PROGRESS_S = 1.0


class Report(Struct, frozen=True, kw_only=True):
    """What a run came to.

    `refused` counts answers other than 200 by status, `unanswered` posts without an answer of Recado's;
    `latency_ms` has p50, p95, p99 and max, and is empty before the first answer.
    """

    seconds: float
    posted: int
    accepted: int
    repeated: int
    ignored: int
    refused: Mapping[int, int]
    unanswered: int
    latency_ms: Mapping[str, float]


async def play(
    channels: Sequence[PatientChannel],
    base_url: str,
    *,
    patients: int,
    rate: float,
    seconds: float,
    random: randomness.Random,
    clock: Callable[[], float],
    on_progress: Callable[[Report], None],
) -> Report:
    """Post `rate` messages a second, at random moments, for `seconds`. `clock` is Unix time.

    The patients are spread over the channels. `on_progress` hears of it about once a second.
    """
    if not channels or not 1 <= patients <= MAX_PATIENTS or rate <= 0 or seconds <= 0:
        raise ValueError("play needs a channel, 1 to MAX_PATIENTS patients, and a positive rate and time")
    people = [Patient(number, channels[number % len(channels)]) for number in range(patients)]
    async with http_client() as client:
        run = _Run(client, base_url.rstrip("/"), clock)
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(_tell(run, on_progress))
            await _write(run, tasks, people, rate, seconds, random)
            await run.all_answered()
            telling.cancel()
    report = run.report()
    on_progress(report)
    return report


async def _write(
    run: "_Run",
    tasks: asyncio.TaskGroup,
    people: Sequence[Patient],
    rate: float,
    seconds: float,
    random: randomness.Random,
) -> None:
    """Start the posts, each at its moment and as soon as there is room."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    due = loop.time() + random.expovariate(rate)
    while due < end and loop.time() < end:
        await asyncio.sleep(due - loop.time())
        await run.room.acquire()
        delivery = random.choice(people).write(random, run.clock())
        tasks.create_task(run.post(delivery, times=2 if random.random() < REPEAT_SHARE else 1))
        due += random.expovariate(rate)


async def _tell(run: "_Run", on_progress: Callable[[Report], None]) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        on_progress(run.report())


class _Run:
    """Posts, and counts what came of them."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.room = asyncio.Semaphore(MAX_AT_ONCE)
        self._client = client
        self._base_url = base_url
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._posted = self._unanswered = 0
        self._items: Counter[str] = Counter()
        self._refused: Counter[int] = Counter()
        self._latencies_s: deque[float] = deque(maxlen=MAX_TIMED)

    async def post(self, delivery: Delivery, *, times: int) -> None:
        """Gives back the room that its caller took."""
        try:
            for _ in range(times):
                await self._post_once(delivery)
        finally:
            self.room.release()

    async def all_answered(self) -> None:
        for _ in range(MAX_AT_ONCE):
            await self.room.acquire()

    async def _post_once(self, delivery: Delivery) -> None:
        self._posted += 1
        started = self._loop.time()
        try:
            answer = await self._client.post(
                self._base_url + delivery.path, content=delivery.body, headers=delivery.headers(self.clock())
            )
            self._latencies_s.append(self._loop.time() - started)
            if answer.status_code == 200:
                self._items.update(msgspec.json.decode(answer.content, type=dict[str, int]))
            else:
                self._refused[answer.status_code] += 1
        except (httpx.HTTPError, msgspec.DecodeError):
            self._unanswered += 1

    def report(self) -> Report:
        return Report(
            seconds=self._loop.time() - self._started,
            posted=self._posted,
            accepted=self._items["accepted"],
            repeated=self._items["repeated"],
            ignored=self._items["ignored"],
            refused=dict(self._refused),
            unanswered=self._unanswered,
            latency_ms=_percentiles_ms(self._latencies_s),
        )


def _percentiles_ms(latencies_s: Iterable[float]) -> dict[str, float]:
    ordered = sorted(latencies_s)
    if not ordered:
        return {}
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[round(share * last)] * 1000, 2) for name, share in shares.items()}
