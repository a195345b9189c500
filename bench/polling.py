"""`python bench/polling.py`: what HTTP long-polling costs beside WebSockets, and what an upgrade costs.

The echo server has one core to itself, the load (this process) another. 100 clients; every packet is timed from before
its event is sent to when it has been read. Prints tables and writes them to docs/benchmarks.md, between its markers.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence

import uvloop

from document import write
from fanout import SYSTEMS, Server, serving
from load import quantile
from systems import LOAD_CORE
from wire import Client, WireError, frame

CLIENTS = 100
EVERYBODY = "everybody"
RATES = {"one client, 400/s": 400, "everybody, 20/s": 20}
UPGRADES = 300
ROUND_TRIPS = 4
"""Of an upgrade: the TCP connection, 101, the probe, and `5` with the first message behind it."""

POLLING = "/socket.io/?EIO=4&transport=polling"


class Poller(asyncio.Protocol):
    """A client by long-polling on one connection. It must cost no more than `wire.Client`."""

    def __init__(self) -> None:
        self.heard: Callable[[bytes], None] | None = None
        """From now on there is always a GET under way, and each packet goes here."""
        self.sid = ""
        self._received = b""
        self._answer: asyncio.Future[bytes]
        self._get = b""

    async def open(self, port: int, *rooms: str) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        self.sid = json.loads((await self.ask("GET"))[1:])["sid"]
        self._get = self._request("GET", "")
        await self.ask("POST", "40")
        await self._until(b"42[")
        for number, room in enumerate(rooms):
            await self.ask("POST", f'42{number}["join","{room}"]')
            await self._until(b"43%d[" % number)

    async def _until(self, beginning: bytes) -> None:
        while not any(packet.startswith(beginning) for packet in (await self.ask("GET")).split(b"\x1e")):
            pass

    async def ask(self, method: str, body: str = "") -> bytes:
        return await self.asked(self._request(method, body))

    def asked(self, question: bytes) -> asyncio.Future[bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(question)
        return self._answer

    def poll(self) -> asyncio.Future[bytes]:
        return self.asked(self._get)

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._received + data
        head, _, body = data.partition(b"\r\n\r\n")
        start = head.find(b"content-length: ") + 16
        if not body or len(body) < int(head[start:].partition(b"\r\n")[0]):
            self._received = data
            return
        self._received = b""
        if self.heard is not None:
            self._transport.write(self._get)
            for packet in body.split(b"\x1e"):
                self.heard(packet)
        elif head.startswith(b"HTTP/1.1 200"):
            self._answer.set_result(body)
        else:
            self._answer.set_exception(WireError("a request was refused"))

    def _request(self, method: str, body: str) -> bytes:
        target = f"{POLLING}&sid={self.sid}" if self.sid else POLLING
        return f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def open_clients(port: int, kind: str, heard: Callable[[bytes], None]) -> Sequence[Poller | Client]:
    clients: list[Poller | Client] = []
    for number in range(CLIENTS):
        if kind == "polling":
            poller = Poller()
            await poller.open(port, EVERYBODY, f"room-{number}")
            poller.heard = heard
            poller.poll()
            clients.append(poller)
        else:
            client = Client()
            await client.open(port, {})
            for room in (EVERYBODY, f"room-{number}"):
                client.send(b'["join","%b"]' % room.encode(), heard)
            client.heard = heard
            client.watch()
            clients.append(client)
    await asyncio.sleep(0.5)
    return clients


async def deliver(server: Server, kind: str, to: str, seconds: float) -> tuple[list[float], float]:
    """Seconds each packet took, and the server's processor seconds for each."""
    took: list[float] = []

    def heard(payload: bytes) -> None:
        at = payload.find(b'"at":')
        if at >= 0:
            took.append(time.perf_counter() - float(payload[at + 5 : payload.index(b"}", at)]))

    clients = await open_clients(server.port, kind, heard)
    publisher = Client()
    await publisher.open(server.port, {})
    publisher.watch()
    one = to.startswith("one")
    count = int(RATES[to] * seconds)
    before = server.cpu_s()
    start = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / RATES[to] - time.perf_counter()))
        room = f"room-{number % CLIENTS}" if one else EVERYBODY
        publisher.send(b'["pub",{"at":%f},"%b"]' % (time.perf_counter(), room.encode()), heard)
    wanted = count if one else count * CLIENTS
    async with asyncio.timeout(10):
        while len(took) < wanted:  # noqa: ASYNC110 - it is a few milliseconds
            await asyncio.sleep(0.01)
    spent = server.cpu_s() - before
    for client in (*clients, publisher):
        client.close()
    return took, spent / wanted


def measure_deliveries(seconds: float) -> str:
    lines = [
        "| to | transport | p50, p99 ms | server's µs per delivery | polling's p99 is |",
        "|---|---|---|---|---|",
    ]
    for to in RATES:
        p99 = {}
        for kind in ("websocket", "polling"):
            with serving(SYSTEMS["Recado"]) as server:
                took, spent = uvloop.run(deliver(server, kind, to, seconds))
            p99[kind] = quantile(took, 0.99)
            ratio = f"{p99['polling'] / p99['websocket']:.1f} ×" if kind == "polling" else ""
            lines.append(
                f"| {to} | {kind} | {quantile(took, 0.5):.2f}, {p99[kind]:.2f} | {spent * 1e6:.0f} | {ratio} |"
            )
    return "\n".join(lines)


async def upgrade(port: int) -> tuple[float, float]:
    """Seconds from the opening of the WebSocket to the first answer on it, and of a round trip after that."""
    poller = Poller()
    await poller.open(port)
    held = poller.poll()
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    target = POLLING.replace("polling", "websocket")
    writer.write(
        f"GET {target}&sid={poller.sid} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.write(frame(b"2probe"))
    await reader.readuntil(b"3probe")
    await held
    writer.write(frame(b"5") + frame(b'42["message","0"]'))
    await reader.readuntil(b'"0"]')
    upgraded = time.perf_counter()
    writer.write(frame(b'42["message","1"]'))
    await reader.readuntil(b'"1"]')
    ended = time.perf_counter()
    writer.close()
    poller.close()
    return upgraded - began, ended - upgraded


async def upgrades(port: int) -> list[tuple[float, float]]:
    return [await upgrade(port) for _ in range(UPGRADES)]


def measure_upgrades() -> str:
    with serving(SYSTEMS["Recado"]) as server:
        taken = uvloop.run(upgrades(server.port))[UPGRADES // 10 :]
    whole = [took for took, _ in taken]
    trip = quantile([trip for _, trip in taken], 0.5)
    beyond = [took - ROUND_TRIPS * trip / 1000 for took in whole]
    p50, p99 = quantile(beyond, 0.5), quantile(beyond, 0.99)
    return (
        f"An upgrade of a session whose GET is held, from the opening of its WebSocket to the first answer on it: "
        f"{quantile(whole, 0.5):.2f} ms at p50, {quantile(whole, 0.99):.2f} at p99. That is {p50:.2f} and {p99:.2f} ms "
        f"beyond its {ROUND_TRIPS} round trips of {trip:.2f} ms."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5, help="per measurement")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    for mark, measure in (
        ("polling", lambda: measure_deliveries(options.seconds)),
        ("upgrades", measure_upgrades),
    ):
        print(f"{mark} ...", file=sys.stderr, flush=True)
        text = measure()
        print(f"{text}\n")
        if not options.dry:
            write(mark, text)


if __name__ == "__main__":
    main()
