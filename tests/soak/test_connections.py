"""Connections by the ten thousand and by the hour: nothing is left behind, and nobody pays for a slow neighbour."""

import asyncio
import contextlib
import gc
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e.processes import Server, StandIn, eventually, free_port
from realtime.echo import serving
from realtime.peer import connected, dialled, head
from recado.realtime.first_read import FirstRead
from recado.realtime.head import Head
from recado.realtime.http_protocol import HttpProtocol
from recado.realtime.link import Link
from recado.realtime.picows_protocol import WebSocketProtocol
from recado.realtime.picows_transport import PicowsTransport
from recado.realtime.session import Session
from recado.store.sqlite import PAGE_CACHE_KIB

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]

ROOT = Path(__file__).parents[2]
VISITS = 10_000
AT_ONCE = 50
FLOOD = 100_000
SOAK_S = float(os.environ.get("SOAK_S", "1800"))
WORDS = "oi " * 1_000
FULL_BYTES = 2 * 1_024 * PAGE_CACHE_KIB
"""A database twice as large as what the writer's connection may keep of it in memory; before that, memory must grow."""
SPARE_FILES = 8  # the database's own connections come and go
ALLOCATOR_STEP_BYTES = 1_000_000
MAX_SLOPE_BYTES_PER_HOUR = max(4_000_000, 2 * ALLOCATOR_STEP_BYTES * 3_600 / SOAK_S)
"""In the second half. In the first, the most that allocator and WAL index ever need at once is still to come."""
MAX_GROWTH_BYTES = 32_000_000
"""Of all the rest, from an idle server to one under load for hours."""


def resident_bytes(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def tell(figures):
    """For whoever runs it with `-s`."""
    sys.stderr.write(f"\n{figures}\n")


async def test_ten_thousand_visits_leave_no_object_behind():
    kinds = (FirstRead, HttpProtocol, WebSocketProtocol, PicowsTransport, Link, Session, Head, asyncio.Task)

    def alive():
        gc.collect()
        return sum(isinstance(each, kinds) for each in gc.get_objects())

    async with serving() as echo:

        async def visit(number):
            async with connected(echo.port, room=f"r{number % 100}") as peer:
                peer.emit("pub", number)
                if number % 3 == 0:
                    peer.writer.transport.abort()

        async def visits(count):
            for start in range(0, count, AT_ONCE):
                await asyncio.gather(*(visit(number) for number in range(start, start + AT_ONCE)))
                echo.root.sessions.clear()
                echo.root.gone.clear()
                echo.log.lines.clear()
            await echo.until_empty()

        await visits(AT_ONCE)
        before, memory = alive(), resident_bytes(os.getpid())
        await visits(VISITS)
        hub = echo.engine._hub
        assert (len(hub.links), len(hub.tasks), len(echo.rooms), hub.doors.open) == (0, 0, 0, 0)
        assert not any(hub.wheel._slots)
        assert alive() <= before + 2
        assert resident_bytes(os.getpid()) - memory < 8_000_000


@contextlib.contextmanager
def echo_process():
    port = free_port()
    command = [sys.executable, "-m", "tests.conformance.echo_app", f"--port={port}"]
    calm = ["--ping-interval-ms=3600000", "--ping-timeout-ms=20000", "--connect-timeout-ms=45000"]
    process = subprocess.Popen([*command, *calm], cwd=ROOT)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.05)
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextlib.asynccontextmanager
async def member(port, room="r", **options):
    async with dialled(port, **options) as peer:
        peer.send(head())
        assert (await peer.answer()).status == 101
        await peer.text()
        peer.send_text("40")
        await peer.text()
        await peer.text()
        peer.send_text(f'42["join","{room}"]')
        peer.send_text('42["message",1]')
        assert await peer.event() == ["message-back", 1]
        yield peer


async def flood(port, quick, messages):
    """Seconds from publishing to receipt of each message by each quick member, ten messages in flight."""
    latencies, slots, padding = [], asyncio.Semaphore(10), "x" * 1_000
    sent_at = [0.0] * messages

    async def read(peer, *, frees):
        for _ in range(messages):
            number = json.loads((await peer.text())[2:])[1]["n"]
            latencies.append(time.perf_counter() - sent_at[number])
            if frees:
                slots.release()

    async with member(port, room="elsewhere") as publisher, asyncio.TaskGroup() as tasks:
        for place, peer in enumerate(quick):
            tasks.create_task(read(peer, frees=place == 0))
        for number in range(messages):
            await slots.acquire()
            sent_at[number] = time.perf_counter()
            publisher.send_text(f'42["pub",{{"n":{number},"p":"{padding}"}}]')
    return sorted(latencies)[int(len(latencies) * 0.99)]


async def test_a_client_that_stops_reading_costs_neither_memory_nor_anybody_elses_time():
    with echo_process() as (port, pid):
        async with member(port) as one, member(port) as two:
            alone = await flood(port, [one, two], FLOOD // 5)
            before = resident_bytes(pid)
            async with member(port, receive_buffer=4_096) as slow:
                slow.writer.transport.pause_reading()
                watching = asyncio.create_task(highest(pid))
                beside = await flood(port, [one, two], FLOOD)
                watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watching
                grown = max(peak.pop(), resident_bytes(pid)) - before
                slow.writer.transport.resume_reading()
                assert await slow.close_code() in {4008, None}
            alone = max(alone, await flood(port, [one, two], FLOOD // 5))
    tell(
        f"grown {grown / 1e6:.2f} MB, p99 {alone * 1e3:.1f} ms alone, {beside * 1e3:.1f} ms beside a slow reader"
    )
    assert grown < 4_000_000, grown
    assert beside < 2 * alone, (alone, beside)


peak: list[int] = []


async def highest(pid):
    """The largest resident size seen until it is cancelled."""
    peak[:] = [0]
    while True:
        peak[0] = max(peak[0], resident_bytes(pid))
        await asyncio.sleep(0.05)


class Screen:
    """A member's connection to the product, as bare as can be."""

    def __init__(self, peer):
        self.peer = peer
        self._numbers = itertools.count(1)

    async def call(self, event, payload):
        number = next(self._numbers)
        self.peer.emit(event, payload, ack_id=number)
        while not (text := await self.peer.text()).startswith(f"43{number}["):
            if text == "2":
                self.peer.send_text("3")
        [answer] = json.loads(text[text.index("[") :])
        assert answer["ok"], answer
        return answer


@contextlib.asynccontextmanager
async def screen(port, token, clinic_id):
    async with dialled(port) as peer:
        peer.send(head())
        assert (await peer.answer()).status == 101
        await peer.text()
        peer.send_text("40" + json.dumps({"token": token, "clinicId": clinic_id}))
        assert (await peer.text()).startswith("40{")
        yield Screen(peer)


async def come_and_go(server, seat, conversation_ids, numbers, seed, over, answered_at):
    """A member's screen that joins, writes and goes, by the door or through the wall, again and again."""
    dice, cursor = random.Random(seed), None
    while not over.is_set():
        async with silence_explained(server, answered_at), screen(server.port, *seat) as member:
            joining = {"clinicId": seat[1]} | ({"after": cursor} if cursor else {})
            cursor = (await member.call("clinic:join", joining))["cursor"]
            for _ in range(dice.randrange(1, 8)):
                about = {"conversationId": dice.choice(conversation_ids)}
                await member.call("conversation:join", about)
                note = {"clientKey": f"soak-{next(numbers)}", "kind": "note", "body": WORDS}
                await member.call("message:send", about | note)
                answered_at[seed] = time.monotonic()
            if dice.random() < 0.5:
                member.peer.writer.transport.abort()


@contextlib.asynccontextmanager
async def silence_explained(server, answered_at):
    """Who waits in vain also says how the others fare, and what the server says of itself."""
    try:
        yield
    except TimeoutError as silence:
        now = time.monotonic()
        ago = {seed: round(now - at, 1) for seed, at in sorted(answered_at.items())}
        silence.add_note(f"Seconds since each screen's last note was acknowledged: {ago}")
        silence.add_note(f"The server's log: {server.log.read_text()[-2_000:]}")
        try:
            silence.add_note(f"Its figures: {dict(await asyncio.to_thread(figures, server))}")
        except httpx.TransportError as deaf:
            silence.add_note(f"It gives no figures: {deaf!r}")
        raise


async def resident_over(seconds, server):
    """(time, bytes) again and again, from when the server's database is larger than its page cache."""
    samples = []
    while server.database.stat().st_size < FULL_BYTES:  # noqa: ASYNC110 - another process, which signals to nobody
        await asyncio.sleep(1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        samples.append((time.monotonic(), resident_bytes(server.process.pid)))
        await asyncio.sleep(min(1.0, seconds / 100))
    return samples


async def test_hours_of_coming_and_going_leave_memory_files_and_tasks_as_they_were(tmp_path):
    standin = StandIn(tmp_path)
    standin.start()
    server = Server(tmp_path, standin, LOG_LEVEL="warning")
    server.start()
    pid, clinic_id = server.process.pid, server.clinic_ids()[0]
    with server.api(server.members(clinic_id)[0]) as api:
        token = api.headers["authorization"].removeprefix("Bearer ")
        rows = api.get(f"/clinics/{clinic_id}/conversations").raise_for_status().json()["items"]
    about = server, (token, clinic_id), [row["id"] for row in rows]
    numbers, over, answered_at = itertools.count(1), asyncio.Event(), {}
    idle_files, idle_bytes, idle_tasks = open_files(pid), resident_bytes(pid), figures(server)["recado_tasks"]
    try:
        async with asyncio.TaskGroup() as tasks:
            for seed in range(8):
                tasks.create_task(come_and_go(*about, numbers, seed, over, answered_at))
            samples = await resident_over(SOAK_S, server)
            over.set()
        slope = slope_per_hour(samples[len(samples) // 2 :])
        few = [(round(at - samples[0][0]), size) for at, size in samples[:: len(samples) // 20]]
        tell(
            f"{next(numbers)} sends, idle {idle_bytes} bytes, then (s, bytes) {few}, {slope:.0f} bytes an hour"
        )
        left = f"no connection, room, task (idle: {idle_tasks}) or file (idle: {idle_files}) is left"
        eventually(lambda: is_as_it_was(server, idle_files, idle_tasks), left)
        assert slope < MAX_SLOPE_BYTES_PER_HOUR, few
        assert max(size for _, size in samples) - idle_bytes < 1_024 * PAGE_CACHE_KIB + MAX_GROWTH_BYTES
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
        standin.stop()


def figures(server):
    """What the server counts, by name, its labels added up."""
    sums = Counter()
    for family in text_string_to_metric_families(httpx.get(f"{server.url}/metrics").text):
        for sample in family.samples:
            sums[sample.name] += sample.value
    return sums


def is_as_it_was(server, idle_files, idle_tasks):
    """Everybody has gone, and nothing is left of them."""
    now = figures(server)
    return (
        now["recado_realtime_connections"] == now["recado_realtime_rooms"] == 0
        and now["recado_tasks"] <= idle_tasks
        and open_files(server.process.pid) <= idle_files + SPARE_FILES
    )


def slope_per_hour(samples):
    """Least squares."""
    count = len(samples)
    mean_at = sum(at for at, _ in samples) / count
    mean = sum(size for _, size in samples) / count
    above = sum((at - mean_at) * (size - mean) for at, size in samples)
    return above / sum((at - mean_at) ** 2 for at, _ in samples) * 3_600
