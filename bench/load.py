"""What is done to a server: rooms of members, sends with a number in flight, sends at a rate."""

import asyncio
import gc
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Self

from wire import Client

DRAIN_S = 0.05
"""How often a screen that nobody times is read, if there are not too many for it."""

DRAIN_SLICE_S = 0.002
"""A few at a time: a thousand at once kept sends that were due, and a database on the same core, waiting for 10 ms."""

DRAIN_SLICE = 4
"""At most. Of a thousand screens each gets little, and is read every half second; twenty times a second would be a
third of this process's time, in which sends are due."""

WARM_UP_S = 1.0
ANSWER_LIMIT_S = 30.0
OPENING = 50
"""Connections that are set up at the same time."""

SENDS_PER_SCREEN = 16
"""Of one screen at the same time; nobody types faster, and servers bound what one connection may have in flight."""

BODY = (
    "Bom dia, Maria. O resultado do seu exame chegou; a doutora pede um retorno na semana que vem, de manha."
)

MARK = b"bench-"
"""What a message's key begins with, and nothing else that is told."""

_keys = itertools.count(1)


class Place(NamedTuple):
    clinic_id: int
    conversation_id: str


Taken = Callable[[float], None]
"""With when (by `time.time()`) it was known that the message is stored."""

Begin = Callable[[Client, Place, Taken], bytes]
"""Sends a message to the place, from this screen or for one of its patients. Returns the message's key."""


@dataclass
class Measured:
    """Latencies in seconds: until the acknowledgement, and until another member's screen had the message."""

    seconds: float
    answers: list[float] = field(default_factory=list)
    deliveries: list[float] = field(default_factory=list)
    received: int = 0
    """Events that all screens together got."""

    @property
    def rate(self) -> float:
        """Acknowledged messages per second."""
        return len(self.answers) / self.seconds


def quantile(values: Sequence[float], share: float) -> float:
    """In milliseconds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class Rooms:
    """Every member has one screen in every clinic, and has joined all its conversations given here.

    As few members send as the load needs; the last one's screens are those that deliveries are timed on.
    """

    def __init__(self, port: int, places: Sequence[Place]) -> None:
        self._port = port
        self._places = places
        self._screens: dict[int, list[Client]] = {}
        self.sent = 0
        """Acknowledged sends of all loops."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._draining.cancel()
        for screen in self._all():
            screen.close()

    async def open(self, auths: Sequence[dict[str, Any]]) -> None:
        """One screen in every clinic for each of `auths`."""
        rooms: dict[int, list[str]] = {}
        for place in self._places:
            rooms.setdefault(place.clinic_id, []).append(place.conversation_id)
        self._screens = {clinic_id: [Client() for _ in auths] for clinic_id in rooms}
        turn = asyncio.Semaphore(OPENING)

        async def seat(screen: Client, auth: dict[str, Any], clinic_id: int) -> None:
            async with turn:
                await screen.open(self._port, {**auth, "clinicId": clinic_id})
                for conversation_id in rooms[clinic_id]:
                    await screen.call("conversation:join", {"conversationId": conversation_id})

        async with asyncio.TaskGroup() as tasks:
            for clinic_id, screens in self._screens.items():
                for screen, auth in zip(screens, auths, strict=True):
                    tasks.create_task(seat(screen, auth, clinic_id))
        self._draining = asyncio.create_task(self._drain())

    async def closed_loop(self, in_flight: int, seconds: float) -> Measured:
        """Keep `in_flight` sends waiting, over all conversations in turn; the warm-up is not counted."""
        answers: list[float] = []
        turns, flying, running = self._turns(in_flight), in_flight, True
        idle = asyncio.Event()

        def begin() -> None:
            began = time.perf_counter()
            screen, place = next(turns)

            def acknowledged(answer: bytes) -> None:
                nonlocal flying
                _must_be_ok(answer)
                answers.append(time.perf_counter() - began)
                if running:
                    begin()
                    return
                flying -= 1
                if not flying:
                    idle.set()

            screen.send(message(place)[1], acknowledged)

        for _ in range(in_flight):
            begin()
        await asyncio.sleep(WARM_UP_S)
        warm, began, before = len(answers), time.perf_counter(), self._received()
        await asyncio.sleep(seconds)
        counted, took = answers[warm:], time.perf_counter() - began
        received = self._received() - before
        running = False
        async with asyncio.timeout(ANSWER_LIMIT_S):
            await idle.wait()
        self.sent += len(answers)
        return Measured(took, counted, received=received)

    async def open_loop(self, rate: int, seconds: float, begin: Begin) -> Measured:
        """Send at `rate`, whatever the answers do.

        Times count from when a send was due, not from when it went, until the kernel had what came for its screen:
        screens have processors of their own, and what this one takes to read is nobody's latency.
        """
        measured, wanted = Measured(seconds), int(rate * seconds)
        due: dict[bytes, float] = {}
        done = asyncio.Event()

        def count() -> None:
            if len(measured.answers) == len(measured.deliveries) == wanted:
                done.set()

        def heard(payload: bytes, screen: Client) -> None:
            if payload.startswith(b'42["message:new"'):
                began = payload.rindex(MARK)
                if (at := due.pop(payload[began : payload.index(b'"', began)], None)) is not None:
                    measured.deliveries.append(screen.at - at)
                    count()

        self._time(heard)
        gc.freeze()  # or a collection goes through all that bench and screens are, for 80 ms in which sends are due
        start = time.time() + 0.1
        for number, (screen, place) in zip(range(wanted), self._turns(len(self._screens)), strict=False):
            at = start + number / rate
            if (ahead := at - time.time()) > 0:
                await asyncio.sleep(ahead)

            def taken(answered_at: float, at: float = at) -> None:
                measured.answers.append(answered_at - at)
                count()

            due[begin(screen, place, taken)] = at
        async with asyncio.timeout(ANSWER_LIMIT_S):
            await done.wait()
        self.sent += wanted
        return measured

    def _time(self, heard: Callable[[bytes, Client], None]) -> None:
        """Let the last screen of each clinic be heard, and be told when what it and the first one get has come."""
        for first, *_, last in self._screens.values():
            last.heard = partial(heard, screen=last)
            last.watch()
            first.stamp()
            last.stamp()

    def _turns(self, in_flight: int) -> Iterator[tuple[Client, Place]]:
        """Who sends next, and where: all conversations in turn, and in each clinic the members that send."""
        senders = math.ceil(in_flight / len(self._screens) / SENDS_PER_SCREEN)
        sending = {clinic_id: screens[:senders] for clinic_id, screens in self._screens.items()}
        for screens in sending.values():
            for screen in screens:
                screen.watch()
        turns = {clinic_id: itertools.cycle(screens) for clinic_id, screens in sending.items()}
        for place in itertools.cycle(self._places):
            yield next(turns[place.clinic_id]), place

    async def _drain(self) -> None:
        screens = self._all()
        turns = itertools.cycle(screens)
        share = min(DRAIN_SLICE, math.ceil(len(screens) * DRAIN_SLICE_S / DRAIN_S))
        while True:
            await asyncio.sleep(DRAIN_SLICE_S)
            for screen in itertools.islice(turns, share):
                screen.drain()

    def _all(self) -> list[Client]:
        return [screen for screens in self._screens.values() for screen in screens]

    def _received(self) -> int:
        return sum(screen.received for screen in self._all())


def new_key() -> bytes:
    return MARK + b"%d" % next(_keys)


def message(place: Place) -> tuple[bytes, bytes]:
    """A fresh client key, and `message:send` with it. A note: it is stored and told like a reply, and never leaves."""
    key = new_key()
    return key, b'["message:send",{"conversationId":"%s","clientKey":"%s","kind":"note","body":"%s"}]' % (
        place.conversation_id.encode(),
        key,
        BODY.encode(),
    )


def send(screen: Client, place: Place, taken: Taken) -> bytes:
    """As a member does."""
    key, event = message(place)

    def acknowledged(answer: bytes) -> None:
        _must_be_ok(answer)
        taken(screen.at)

    screen.send(event, acknowledged)
    return key


def _must_be_ok(answer: bytes) -> None:
    if b'"ok":true' not in answer:
        raise RuntimeError(f"refused: {answer[:300].decode()}")
