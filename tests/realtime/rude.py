"""Peers without manners: nearly right frames and nearly right requests, by the thousand, each on its own session."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter

from realtime.peer import PATIENCE_S, Answer, dialled, frame, head

PACKETS = [
    "40",
    "40{}",
    "40/custom,",
    "41",
    "41/custom,",
    '42["message",1]',
    '421["message-with-ack",1]',
    '422["bug","x"]',
    '42["join","r"]',
    '42["pub",1]',
    '42["ask",0.01]',
    '42["close","slow consumer"]',
    '42["close","session ended"]',
    '42["disconnect-me"]',
    '451-["message",{"_placeholder":true,"num":0}]',
    "bAQID",
    "430[]",
    "1",
    "2",
    "2probe",
    "3",
    "5",
    "6",
    "",
    "nonsense",
]
HARMLESS = [
    '42["message",1]',
    '421["message-with-ack",1]',
    '42["join","r"]',
    '42["pub","x"]',
    '42["leave","r"]',
    "3",
    "6",
]
POLLING = "/socket.io/?EIO=4&transport=polling"
UPGRADE = "/socket.io/?EIO=4&transport=websocket"
AT_ONCE = 20
FRAMES_EACH = 200
REQUESTS_EACH = 50
SHORT = {"ping_interval_s": 0.3, "ping_timeout_s": 0.3, "connect_timeout_s": 1.0, "farewell_timeout_s": 0.5}
"""A server's times for clients that never come again."""
ANSWERS = {0, 101, 200, 204, 400, 405, 408, 413}
"""What rude requests may be answered with, 0 being none: no 500."""


def rude_bytes(dice):
    """Mostly frames that are nearly right, for plain noise ends at the first byte."""
    match dice.randrange(8):
        case 0:
            return dice.randbytes(dice.randrange(1, 40))
        case 1:
            return frame(dice.randrange(16), dice.randbytes(dice.randrange(200)), fin=dice.random() < 0.7)
        case 2:
            return frame(2, dice.randbytes(3))
        case 3:
            whole = frame(1, dice.choice(PACKETS))
            return whole[: dice.randrange(len(whole))]
        case _:
            return frame(1, dice.choice(PACKETS), fin=dice.random() < 0.95)


async def send_frames(port, dice, count):
    """Up to `count` frames, until the connection ends; returns how many left."""
    rudeness = dice.choice((0.01, 0.05, 1.0))
    sent = 0
    async with dialled(port) as peer:
        peer.send(head())
        await peer.answer()
        peer.send(frame(1, "40"))
        with contextlib.suppress(ConnectionError):
            while sent < count and not peer.reader.at_eof():
                burst = dice.randrange(1, 20)
                for _ in range(burst):
                    is_rude = dice.random() < rudeness
                    peer.send(rude_bytes(dice) if is_rude else frame(1, dice.choice(HARMLESS)))
                sent += burst
                await peer.writer.drain()
                await asyncio.sleep(0)
                peer.reader._buffer.clear()
        if dice.random() < 0.3:
            peer.writer.transport.abort()
    return sent


def request(method, target, body=None, **fields):
    headers = {"host": "127.0.0.1"} | {name.replace("_", "-"): value for name, value in fields.items()}
    if body is not None:
        headers.setdefault("content-length", str(len(body)))
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode() + (body or b"")


def payload(dice):
    match dice.randrange(10):
        case 0:
            return dice.randbytes(dice.randrange(60))
        case 1:
            return b"b" + dice.randbytes(dice.randrange(20))
        case 2:
            return b"\x1e" * dice.randrange(50)
        case _:
            packets = [
                dice.choice(HARMLESS if dice.random() < 0.8 else PACKETS) for _ in range(dice.randrange(1, 8))
            ]
            return "\x1e".join(packets).encode()


class RudeClient:
    """One polling session after the other."""

    def __init__(self, port, dice):
        self.port = port
        self.dice = dice
        self.sid = ""
        self.statuses = Counter()
        self.requests = 0
        self._polls = []
        self._is_over = False

    async def run(self, count):
        """Returns the statuses."""
        await self._open()
        while self.requests < count:
            await self._misbehave()
            if self._is_over:
                await self._open()
        await self._ask(request("POST", self._target(), b"1", connection="close"))
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*self._polls)
        return self.statuses

    def _target(self):
        return f"{POLLING}&sid={self.sid}"

    async def _open(self):
        answer = await self._ask(request("GET", POLLING, connection="close"))
        assert answer.status == 200, answer
        self._is_over = False
        self.sid = answer.body[answer.body.index('"sid":"') + 7 :].partition('"')[0]
        await self._ask(request("POST", self._target(), b"40", connection="close"))

    async def _misbehave(self):
        dice, target = self.dice, self._target()
        match dice.randrange(14):
            case 0 | 1 | 2 | 3 | 4 | 5:
                answer = await self._ask(request("POST", target, payload(dice), connection="close"))
                self._is_over = answer.status == 400
            case 6 | 7:
                await self._poll()
            case 8:
                await self._break_off(request("GET", target))
            case 9:
                await self._break_off(request("POST", target, payload(dice), content_length="9999"))
            case 10:
                await self._ask(request("POST", target, payload(dice), **self._odd_fields()))
            case 11:
                method = dice.choice(["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
                await self._ask(request(method, dice.choice([POLLING, target]), b"", connection="close"))
            case 12:
                await self._ask(request("GET", self._odd_target(), connection="close"))
            case _:
                await self._upgrade()

    def _odd_fields(self):
        odd = [
            {"content_type": "application/octet-stream"},
            {"content_length": "1000001"},
            {"transfer_encoding": "chunked"},
            {"origin": "https://elsewhere.example"},
            {"origin": "\x7f"},
        ]
        return {"connection": "close"} | self.dice.choice(odd)

    def _odd_target(self):
        """Nothing that opens a session or holds a GET."""
        unknown = "".join(self.dice.choices("abcdefghijkmnopqrstuvwxyz", k=20))
        odd = [
            f"{POLLING}&sid={unknown}",
            f"{UPGRADE}&sid={self.sid}",
            f"{self._target()}&EIO=".replace("EIO=4", "EIO=3"),
            "/socket.io/?EIO=3&transport=polling",
            "/socket.io/?EIO=4&transport=carrier-pigeon",
            "/socket.io/?%00&&=&transport",
            "/socket.io/",
        ]
        return self.dice.choice(odd)

    async def _poll(self):
        """Its answer may be long in coming: other things are asked meanwhile."""
        asked = self._ask(request("GET", self._target(), connection="close"))
        self._polls.append(asyncio.ensure_future(asked))
        await asyncio.sleep(0)

    async def _break_off(self, data):
        self.requests += 1
        async with dialled(self.port) as peer:
            peer.send(data)
            await peer.writer.drain()
            await asyncio.sleep(self.dice.random() / 500)
            if self.dice.random() < 0.5:
                peer.writer.transport.abort()

    async def _upgrade(self):
        self.requests += 1
        dice = self.dice
        async with dialled(self.port) as peer:
            peer.send(head(f"{UPGRADE}&sid={self.sid}"))
            answer = await peer.answer()
            self.statuses[answer.status] += 1
            with contextlib.suppress(ConnectionError):
                for text in dice.choice((["2probe"], ["2probe", "5"], ["5"], ["2probe", "5", "40"], [])):
                    peer.send_text(text)
                for _ in range(dice.randrange(4)):
                    peer.send(rude_bytes(dice))
                await peer.writer.drain()
                if dice.random() < 0.3:
                    peer.writer.transport.abort()

    async def _ask(self, data):
        """What was answered; 0 if the connection ended without."""
        self.requests += 1
        answer = Answer(0, {}, "")
        async with dialled(self.port) as peer:
            peer.send(data)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                answer = await peer.answer()
        self.statuses[answer.status] += 1
        return answer


async def all_of(dices, misbehave):
    """The results of `misbehave(dice)`, AT_ONCE at a time."""
    results = []
    while some := list(itertools.islice(dices, AT_ONCE)):
        results += await asyncio.gather(*map(misbehave, some))
    return results


def dices(seed):
    """Without end; another seed's are others."""
    return (random.Random(f"{seed}.{number}") for number in itertools.count())


async def send_rude_frames(port, count, *, seed=0):
    async def misbehave(dice):
        return await send_frames(port, dice, FRAMES_EACH)

    sent, thrown = 0, dices(seed)
    while sent < count:
        sent += sum(await all_of(itertools.islice(thrown, 5 * AT_ONCE), misbehave))


async def send_rude_requests(port, count, *, seed=0):
    """Returns the statuses of all answers."""

    async def misbehave(dice):
        return await RudeClient(port, dice).run(REQUESTS_EACH)

    clients = itertools.islice(dices(seed), count // REQUESTS_EACH)
    return sum(await all_of(clients, misbehave), Counter())


async def assert_nothing_is_left(echo):
    """When all have gone, or their time is over."""
    echo.root.gate.set()
    await echo.until_empty()
    hub = echo.engine._hub
    while hub.tasks:
        await asyncio.wait(list(hub.tasks))
    assert (len(echo.rooms), len(hub.polls), len(hub.probes), hub.doors.open) == (0, 0, 0, 0)
    assert not any(hub.wheel._slots)
    assert set(echo.log.exceptions) <= {"event_failed"}  # the handler `bug`
