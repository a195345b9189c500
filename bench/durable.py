"""`make bench`: messages sent over real sockets, committed, told to rooms of ten, acknowledged.

Recado beside the stack people write today, in the same run on the same machine: absolute figures belong to the machine,
ratios travel. Prints a table and writes it to docs/benchmarks.md, between its markers.
"""

import argparse
import asyncio
import itertools
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # postgres.py, and what that needs
sys.path.append(str(Path(__file__).parents[1] / "scripts"))

from document import write
from load import Measured, Rooms, quantile, send
from postgres import PostgresServer
from systems import LOAD_CORE, SYSTEMS, Recado, Server
from webhooks import Webhooks

ALL_CORES = os.sched_getaffinity(0)
MEMBERS = 10
IN_FLIGHT = (1, 32, 128)
OPEN_LOOP_RATE = 1_000
OPEN_LOOP_S = 10.0
"""In three seconds one stop of the machine is the slowest hundredth."""
OPEN_LOOPS = ("send", "webhook")
WAL_SEGMENTS = 32
"""More than a run fills: 512 MB."""


@dataclass(frozen=True)
class Layout:
    name: str
    clinics: int
    conversations: int


LAYOUTS = (
    Layout("1 conversation", 1, 1),
    Layout("500 conversations of 100 clinics", 100, 500),
)


@dataclass(frozen=True)
class Row:
    database: str
    system: str
    layout: Layout
    load: str
    measured: Measured


Found = Sequence[tuple[str, Measured]]
"""By the name of its load."""


@contextmanager
def sqlite() -> Iterator[Iterator[str]]:
    """URLs of fresh databases."""
    with tempfile.TemporaryDirectory(prefix="recado-bench-") as folder:
        yield (f"sqlite:///{folder}/{number}.db" for number in itertools.count())


@contextmanager
def postgresql() -> Iterator[Iterator[str]]:
    """The same, on a server with fsync that is started for it, and may use every core."""
    server = PostgresServer(durable=True)
    try:
        os.sched_setaffinity(0, ALL_CORES)
        server.start()
        _lay_out_wal(server)
        os.sched_setaffinity(0, {LOAD_CORE})
        yield (_fresh(server) for _ in itertools.count())
    finally:
        server.remove()


def _fresh(server: PostgresServer) -> str:
    """A new database, when everything that was written to others is on the disk."""
    url = server.create_database()
    with server.connect() as connection:
        connection.execute("CHECKPOINT")
    return url


def _lay_out_wal(server: PostgresServer) -> None:
    """What a server has that is older than a minute: the next WAL segments, left by a checkpoint to be written again.

    A new server makes each of them anew within somebody's commit, which then takes 10 to 80 ms.
    """
    with server.connect() as connection:
        connection.execute(f"ALTER SYSTEM SET min_wal_size = '{16 * WAL_SEGMENTS}MB'")
        connection.execute("SELECT pg_reload_conf()")
        for _ in range(WAL_SEGMENTS):
            connection.execute("SELECT pg_logical_emit_message(true, '', '')")
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")


DATABASES = {"SQLite": sqlite, "PostgreSQL": postgresql}


async def closed_loops(_server: Server, rooms: Rooms, seconds: float) -> Found:
    return [(str(in_flight), await rooms.closed_loop(in_flight, seconds)) for in_flight in IN_FLIGHT]


async def sends(_server: Server, rooms: Rooms) -> Found:
    return [("send", await rooms.open_loop(OPEN_LOOP_RATE, OPEN_LOOP_S, send))]


async def webhooks(server: Recado, rooms: Rooms) -> Found:
    async with Webhooks(server.port, server.doors) as posts:
        posts.write(int(OPEN_LOOP_RATE * OPEN_LOOP_S))
        return [("webhook", await rooms.open_loop(OPEN_LOOP_RATE, OPEN_LOOP_S, posts.post))]


async def drive(server: Server, layout: Layout, load: Callable[[Any, Rooms], Awaitable[Found]]) -> Found:
    """Start the server over its fresh database; what was acknowledged must be stored."""
    places = server.fill(layout.clinics, layout.conversations, MEMBERS)
    with server.serving() as auths:
        async with Rooms(server.port, places) as rooms:
            await rooms.open(auths)
            found = await load(server, rooms)
    if (stored := server.stored()) != rooms.sent:
        raise RuntimeError(f"{server.name}: {rooms.sent} acknowledged, {stored} stored")
    return found


async def measure(seconds: float, only: str) -> list[Row]:
    """Closed and open loops on servers of their own: none is slowed by what another has left or still listens to."""
    rows: list[Row] = []
    for database, fresh in DATABASES.items():
        with fresh() as urls:
            for layout, system in itertools.product(LAYOUTS, SYSTEMS):
                if only not in f"{database} {system.name}".lower():
                    continue
                print(f"{database}, {system.name}: {layout.name} ...", file=sys.stderr, flush=True)
                opened = (sends, webhooks) if layout.clinics > 1 and system is Recado else ()
                for load in (*opened, partial(closed_loops, seconds=seconds)):
                    found = await drive(system(next(urls)), layout, load)
                    rows += [Row(database, system.name, layout, name, measured) for name, measured in found]
    return rows


def table(rows: Sequence[Row]) -> str:
    ours, theirs = ("Recado msg/s | p50, p99 ms", "python-socketio msg/s | p50, p99 ms")
    lines = [f"| database | rooms of 10 | in flight | {ours} | {theirs} | ratio |", "|---" * 8 + "|"]
    found = {(row.database, row.system, row.layout.name, row.load): row.measured for row in rows}
    for database, layout, in_flight in itertools.product(DATABASES, LAYOUTS, IN_FLIGHT):
        our, their = (found.get((database, system.name, layout.name, str(in_flight))) for system in SYSTEMS)
        ratio = f"{our.rate / their.rate:.1f}" if our and their else "–"
        cells = (database, layout.name, in_flight, _cells(our), _cells(their), ratio)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def open_loops(rows: Sequence[Row]) -> str:
    lines = [
        f"Open loop, {OPEN_LOOP_RATE:,} messages/s over 100 clinics, p50, p99 ms:",
        "",
        "| database | | until another member's screen has it | until its sender knows that it is stored |",
        "|---|---|---|---|",
    ]
    for row in rows:
        if row.load in OPEN_LOOPS:
            cells = (
                row.database,
                row.load,
                _quantiles(row.measured.deliveries),
                _quantiles(row.measured.answers),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(measured: Measured | None) -> str:
    if measured is None:
        return "– | –"
    return f"{measured.rate:,.0f} | {_quantiles(measured.answers)}"


def _quantiles(values: Sequence[float]) -> str:
    return ", ".join(f"{quantile(values, share):.1f}" for share in (0.5, 0.99))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="per closed loop")
    parser.add_argument(
        "--only", default="", help="part of a database's and system's name; then nothing is written"
    )
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(measure(options.seconds, options.only.lower()))
    text = f"{table(rows)}\n\n{open_loops(rows)}"
    print(text)
    if not options.only:
        write("durable", text)


if __name__ == "__main__":
    main()
