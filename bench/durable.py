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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from document import write
from load import Measured, Rooms, quantile
from systems import LOAD_CORE, SYSTEMS, Recado, System

MEMBERS = 10
IN_FLIGHT = (1, 32, 128)
OPEN_LOOP_RATE = 1_000
OPEN_LOOP = f"{OPEN_LOOP_RATE:,}/s"


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
    system: str
    layout: Layout
    load: str
    measured: Measured


def sqlite_urls(folder: Path) -> Iterator[str]:
    return (f"sqlite:///{folder}/{number}.db" for number in itertools.count())


async def drive(system: System, url: str, layout: Layout, seconds: float) -> Iterable[Row]:
    """All loads on one system and layout, on a fresh database; checks that what was acknowledged is stored."""
    server = system(url)
    rows = []
    places = server.fill(layout.clinics, layout.conversations, MEMBERS)
    with server.serving() as auths:
        async with Rooms(server.port, places) as rooms:
            await rooms.open(auths)
            for in_flight in IN_FLIGHT:
                measured = await rooms.closed_loop(in_flight, seconds)
                rows.append(Row(system.name, layout, str(in_flight), measured))
            if layout.clinics > 1 and system is Recado:
                measured = await rooms.open_loop(OPEN_LOOP_RATE, seconds)
                rows.append(Row(system.name, layout, OPEN_LOOP, measured))
    if (stored := server.stored()) != rooms.sent:
        raise RuntimeError(f"{system.name}: {rooms.sent} acknowledged, {stored} stored")
    return rows


async def measure(seconds: float, only: str) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="recado-bench-") as folder:
        urls = sqlite_urls(Path(folder))
        for layout, system in itertools.product(LAYOUTS, SYSTEMS):
            if only in system.name.lower():
                print(f"{system.name}: {layout.name} ...", file=sys.stderr, flush=True)
                rows += await drive(system, next(urls), layout, seconds)
    return rows


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| rooms of 10 | in flight | Recado msg/s | p50, p99 ms | python-socketio msg/s | p50, p99 ms | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    found = {(row.system, row.layout.name, row.load): row.measured for row in rows}
    for layout, in_flight in itertools.product(LAYOUTS, IN_FLIGHT):
        ours, theirs = (found.get((system.name, layout.name, str(in_flight))) for system in SYSTEMS)
        ratio = f"{ours.rate / theirs.rate:.1f}" if ours and theirs else "–"
        lines.append(f"| {layout.name} | {in_flight} | {_cells(ours)} | {_cells(theirs)} | {ratio} |")
    return "\n".join(lines)


def open_loop(rows: Sequence[Row]) -> str:
    [measured] = [row.measured for row in rows if row.load == OPEN_LOOP]
    return (
        f"Open loop, {OPEN_LOOP_RATE:,} messages/s over 100 clinics: send → frame received by another member "
        f"p50 {quantile(measured.deliveries, 0.5):.1f} ms, p99 {quantile(measured.deliveries, 0.99):.1f} ms; "
        f"send → acknowledgement p50 {quantile(measured.answers, 0.5):.1f} ms, "
        f"p99 {quantile(measured.answers, 0.99):.1f} ms."
    )


def _cells(measured: Measured | None) -> str:
    if measured is None:
        return "– | –"
    low, high = (quantile(measured.answers, share) for share in (0.5, 0.99))
    return f"{measured.rate:,.0f} | {low:.1f}, {high:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    parser.add_argument("--only", default="", help="part of a system's name; then nothing is written")
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(measure(options.seconds, options.only.lower()))
    print(table(rows))
    if any(row.load == OPEN_LOOP for row in rows):
        print(f"\n{open_loop(rows)}")
    if not options.only:
        write("durable", f"{table(rows)}\n\n{open_loop(rows)}")


if __name__ == "__main__":
    main()
