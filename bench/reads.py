"""HTTP load for servers that answer reads: keep-alive connections that parse no more than they must, one loop.

It must never be the bottleneck: about 40 us of one core for a request and its answer of 38 KB, most of it the kernel's.
An open loop looks what is due every millisecond, which counts as the server's time.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

WARM_UP_S = 1.0
ANSWER_LIMIT_S = 30.0
LENGTH = b"content-length: "

Answered = Callable[[int, bytes], None]
"""With the status, and what came of the answer with its head."""


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._left = 0
        self._head = b""
        self._status = 0
        self._answered: Answered | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, request: bytes, answered: Answered) -> None:
        self._answered = answered
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._status = int(self._head[9:12])
            place = self._head.find(LENGTH, 0, end)
            size = int(self._head[place + len(LENGTH) : self._head.index(b"\r", place)]) if place > 0 else 0
            self._left = size - (len(self._head) - end - 4)
        if self._left == 0:
            self._done(self._status)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._answered is not None:
            self._done(0)

    def _done(self, status: int) -> None:
        answered, head = self._answered, self._head
        self._answered, self._head, self._left = None, b"", 0
        if answered is not None:
            answered(status, head)


@dataclass
class Measured:
    """`answers`: when each request was due, and seconds from then until its answer was there."""

    seconds: float
    answers: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0
    """Without an answer, or with one that says that the server could not."""

    @property
    def rate(self) -> float:
        return len(self.answers) / self.seconds

    def quantile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(took for _, took in self.answers)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    def add(self, status: int, due: float) -> None:
        self.answers.append((due, time.perf_counter() - due))
        self.failed += not 200 <= status < 400


class Load:
    """So many connections to one server, each with at most one request in flight."""

    def __init__(self, port: int, in_flight: int) -> None:
        self._port = port
        self._in_flight = in_flight

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._all = [
            (await loop.create_connection(Connection, "127.0.0.1", self._port))[1]
            for _ in range(self._in_flight)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._all:
            connection.close()

    async def once(self, requests: Sequence[bytes]) -> Measured:
        """Every request once, in turn, on all connections at the same time."""
        measured, turns = Measured(0), iter(requests)
        began = time.perf_counter()
        await asyncio.gather(*(self._in_turn(connection, turns, measured) for connection in self._all))
        measured.seconds = time.perf_counter() - began
        return measured

    async def closed_loop(self, requests: Sequence[bytes], seconds: float) -> Measured:
        """Keep all connections busy; the warm-up is not counted."""
        measured, until = Measured(seconds), time.perf_counter() + WARM_UP_S + seconds
        turns = itertools.takewhile(lambda _: time.perf_counter() < until, itertools.cycle(requests))
        await asyncio.gather(*(self._in_turn(connection, turns, measured) for connection in self._all))
        measured.answers = [answer for answer in measured.answers if answer[0] >= until - seconds]
        return measured

    async def open_loop(self, requests: Iterator[bytes], rate: float, seconds: float) -> Measured:
        """Ask at `rate`, whatever the answers do; times count from when a request was due."""
        measured, wanted = Measured(seconds), int(rate * seconds)
        idle, waiting, done = deque(self._all), deque[float](), asyncio.Event()

        def ask(connection: Connection, due: float) -> None:
            def answered(status: int, _head: bytes) -> None:
                measured.add(status, due)
                if waiting:
                    ask(connection, waiting.popleft())
                else:
                    idle.append(connection)
                if len(measured.answers) == wanted:
                    done.set()

            connection.ask(next(requests), answered)

        start, begun = time.perf_counter(), 0
        while begun < wanted:
            while begun < wanted and (due := start + begun / rate) <= time.perf_counter():
                begun += 1
                if idle:
                    ask(idle.popleft(), due)
                else:
                    waiting.append(due)
            await asyncio.sleep(0.001)
        async with asyncio.timeout(ANSWER_LIMIT_S):
            await done.wait()
        return measured

    async def _in_turn(self, connection: Connection, requests: Iterator[bytes], measured: Measured) -> None:
        """One after the other until there are no more."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def go_on() -> None:
            request = next(requests, None)
            if request is None:
                done.set_result(None)
                return
            due = time.perf_counter()

            def answered(status: int, _head: bytes) -> None:
                measured.add(status, due)
                go_on()

            connection.ask(request, answered)

        go_on()
        await done


def get(path: str, token: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n".encode()


def post(path: str, token: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
