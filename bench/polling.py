"""`python bench/polling.py`: what HTTP long-polling costs beside WebSockets, and what an upgrade costs.

The echo server has one core to itself, the load (this process) another. 100 clients; every packet is timed from before
its event is sent to when the kernel had it for its client: 100 clients have 100 processors, and what this one takes to
read answers and to ask again is nobody's latency. Prints tables and writes them to docs/benchmarks.md, between its
markers.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence

import uvloop

from document import write
from fanout import SYSTEMS, Server, serving
from load import quantile
from systems import LOAD_CORE
from wire import READ_BYTES, Client, WireError, arrived, frame, stamped

CLIENTS = 100
EVERYBODY = "everybody"
RATES = {"one client, 400/s": 400, "everybody, 20/s": 20}
UPGRADES = 300
ROUND_TRIPS = 4
"""Of an upgrade: the TCP connection, 101, the probe, and `5` with the first message behind it."""

POLLING = "/socket.io/?EIO=4&transport=polling"

Heard = Callable[[bytes, float], None]


class Timed(Client):
    """Hears with the time at which the kernel had the packet."""

    def listen(self, heard: Heard) -> None:
        self.stamp()
        self.heard = lambda packet: heard(packet, self.at)
        self.watch()


class Poller:
    """A client by long-polling on one connection. It must cost no more than `wire.Client`."""

    def __init__(self) -> None:
        self.sid = ""
        self._received = b""

    async def open(self, port: int, *rooms: str) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", port))
        self.sid = json.loads((await self.ask("GET"))[1:])["sid"]
        self._get = self._request("GET", "")
        await self.ask("POST", "40")
        await self._until(b"40")
        for number, room in enumerate(rooms):
            await self.ask("POST", f'42{number}["join","{room}"]')
            await self._until(b"43%d[" % number)

    def listen(self, heard: Heard) -> None:
        """From now on there is always a GET under way, and each packet is heard."""
        stamped(self._socket)
        self._heard = heard
        self.poll()
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def poll(self) -> None:
        self._socket.send(self._get)

    async def answer(self) -> bytes:
        loop = asyncio.get_running_loop()
        while (answer := self._take(await loop.sock_recv(self._socket, READ_BYTES))) is None:
            pass
        return answer

    async def ask(self, method: str, body: str = "") -> bytes:
        await asyncio.get_running_loop().sock_sendall(self._socket, self._request(method, body))
        return await self.answer()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    async def _until(self, beginning: bytes) -> None:
        while not any(packet.startswith(beginning) for packet in (await self.ask("GET")).split(b"\x1e")):
            pass

    def _hear(self) -> None:
        data, at = arrived(self._socket)
        body = self._take(data)
        if body is not None:
            self.poll()
            for packet in body.split(b"\x1e"):
                self._heard(packet, at)

    def _take(self, data: bytes) -> bytes | None:
        """An answer's body, when it is whole."""
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        start = head.find(b"content-length: ") + 16
        if not data or (body and not head.startswith(b"HTTP/1.1 200")):
            raise WireError("a request was refused")
        if not body or len(body) < int(head[start:].partition(b"\r\n")[0]):
            return None
        self._received = b""
        return body

    def _request(self, method: str, body: str) -> bytes:
        target = f"{POLLING}&sid={self.sid}" if self.sid else POLLING
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"{method} {target} HTTP/1.1\r\nHost: x\r\n{length}\r\n{body}".encode()


async def open_clients(port: int, kind: str, heard: Heard) -> Sequence[Poller | Timed]:
    clients: list[Poller | Timed] = []
    for number in range(CLIENTS):
        rooms = (EVERYBODY, f"room-{number}")
        if kind == "polling":
            poller = Poller()
            await poller.open(port, *rooms)
            clients.append(poller)
        else:
            client = Timed()
            await client.open(port, {})
            for room in rooms:
                client.send(b'["join","%b"]' % room.encode(), unheard)
            clients.append(client)
    for each in clients:
        each.listen(heard)
    await asyncio.sleep(0.5)
    return clients


def unheard(_packet: bytes) -> None: ...


async def deliver(server: Server, kind: str, to: str, seconds: float) -> tuple[list[float], float]:
    """Seconds each packet took, and the server's processor seconds for each."""
    took: list[float] = []

    def heard(packet: bytes, at: float) -> None:
        place = packet.find(b'"at":')
        if place >= 0:
            took.append(at - float(packet[place + 5 : packet.index(b"}", place)]))

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
        publisher.send(b'["pub",{"at":%f},"%b"]' % (time.time(), room.encode()), unheard)
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
    poller.poll()
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
    await poller.answer()
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
