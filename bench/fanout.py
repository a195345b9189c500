"""`make bench`: packets to rooms, and what a connection costs, beside Node's socket.io and python-socketio.

Every server has one core to itself, the load (wire_load.c, compiled here) another. Absolute figures belong to the
machine, ratios of one run travel. Prints tables and writes them to docs/benchmarks.md, between its markers.
"""

import argparse
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from document import write
from systems import LOAD_CORE, Recado, free_port, pinned, wait_until

HERE = Path(__file__).parent
PEERS = HERE / "peers"
MISSING = "bench/fanout.py needs a C compiler (cc) for its load, node, and `make peers`."
PATIENT = ("--ping-interval-ms=25000", "--ping-timeout-ms=60000", "--connect-timeout-ms=60000")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
IDLE = 10_000
FEW = 1_000  # python-socketio refuses some of 5,000 connections ("Unable to connect")
SPARE_FILES = 50  # databases keep connections
CLINICS, MEMBERS = 10, 20
RUN_LIMIT_S = 180
ROUNDS = 2


@dataclass(frozen=True)
class Shape:
    """`window`: messages that not everybody in their room has received yet."""

    rooms: int
    members: int
    window: int

    def __str__(self) -> str:
        rooms = f"{self.rooms} rooms" if self.rooms > 1 else "1 room"
        return f"{rooms} of {self.members:,} | {self.window}"


SHAPES = (Shape(1, 1_000, 1), Shape(1, 1_000, 32), Shape(500, 10, 32))
PORT = "{port}"
FLOORS = {"C, one send(2) each": "send", "C, io_uring": "ring"}
"""The least a server can do, and that as Recado sends where it may."""
SYSTEMS = {
    "Recado": (sys.executable, "-m", "tests.conformance.echo_app", "--port", PORT, "--no-greeting", *PATIENT),
    "socket.io (Node)": ("node", str(PEERS / "socketio_fanout.mjs"), PORT),
    "python-socketio": (sys.executable, str(PEERS / "socketio_fanout.py"), PORT),
}


class Server:
    """A process on a core of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._folder = Path("/proc") / str(process.pid)

    def cpu_s(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def open_files(self) -> int:
        return sum(1 for _ in (self._folder / "fd").iterdir())

    def resident_bytes(self) -> int:
        return int((self._folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def serving(command: Sequence[str]) -> Iterator[Server]:
    port = free_port()
    with pinned([word.format(port=port) for word in command], {}) as process:
        wait_until(lambda: _listens(port), process)
        yield Server(process, port)


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port)):
        return True


class Load:
    """wire_load.c on a core of its own."""

    def __init__(self, program: Path) -> None:
        self._program = program

    @contextlib.contextmanager
    def running(self, server: Server, **options: Any) -> Iterator[subprocess.Popen[str]]:
        words = [f"-{name}{value}" for name, given in options.items() for value in _each(given)]
        command = ["taskset", "--cpu-list", str(LOAD_CORE), str(self._program), f"-p{server.port}", *words]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(RUN_LIMIT_S)
            process.stdout.close()

    def fan_out(self, server: Server, shape: Shape, seconds: int) -> dict[str, Any]:
        """Adds `cpu_us`: the server's processor time per delivery."""
        options = {"n": shape.rooms * shape.members, "r": shape.rooms, "w": shape.window, "d": seconds + 1}
        with self.running(server, **options) as process:
            _said(process)
            before = server.cpu_s()
            told = _said(process)
            spent = server.cpu_s() - before
        deliveries = told["deliveries_per_s"] * seconds
        return {**told, "cpu_us": spent / deliveries * 1e6 if deliveries else 0.0}

    def connect(self, server: Server, connections: int = IDLE, **options: Any) -> dict[str, Any]:
        """Idle connections; adds per connection `resident` bytes and `cpu_us` of the server, and `seconds` of all."""
        files = server.open_files()
        before, spent = server.resident_bytes(), server.cpu_s()
        began = time.monotonic()
        with self.running(server, n=connections, i="", **options) as process:
            told = _said(process)
            took, spent = time.monotonic() - began, server.cpu_s() - spent
            time.sleep(1)
            resident = (server.resident_bytes() - before) / connections
        while server.open_files() > files + SPARE_FILES:  # twice 10,000 would be more than a process may have
            time.sleep(0.1)
        return {**told, "resident": resident, "seconds": took, "cpu_us": spent / connections * 1e6}


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _said(process: subprocess.Popen[str]) -> dict[str, Any]:
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the load ended early")
    return dict(json.loads(line))


def measure_fan_out(load: Load, seconds: int, floor: Path) -> str:
    """Systems take turns for ROUNDS; each is judged by its best, for a neighbour on the machine only ever takes."""
    lines = [
        "| rooms | in flight | system | deliveries/s | p50, p99 ms | server's µs per delivery | Recado is |",
        "|---|---|---|---|---|---|---|",
    ]
    systems = SYSTEMS | {name: (str(floor), way, PORT) for name, way in FLOORS.items()}
    for shape in SHAPES:
        found: dict[str, dict[str, Any]] = {}
        for round_, (name, command) in itertools.product(range(ROUNDS), systems.items()):
            if name == "python-socketio" and (shape.rooms > 1 or round_):
                continue  # see FEW; and it takes its time to come and go
            print(f"{name}: {shape} ...", file=sys.stderr, flush=True)
            with serving(command) as server:
                told = load.fan_out(server, shape, seconds)
            best = found.setdefault(name, told)
            found[name] = max(best, told, key=lambda each: each["deliveries_per_s"])
        ours = found["Recado"]["deliveries_per_s"]
        for name, told in found.items():
            ratio = "" if name == "Recado" else f"{_times(ours / told['deliveries_per_s'])} ×"
            lines.append(
                f"| {shape} | {name} | {told['deliveries_per_s']:,} | {told['p50_ms']:.1f}, {told['p99_ms']:.1f} "
                f"| {told['cpu_us']:.2f} | {ratio} |"
            )
    return "\n".join(lines)


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def measure_connections(load: Load) -> str:
    lines = ["| system | connects/s | server's µs each | memory per idle connection |", "|---|---|---|---|"]
    for name, command in SYSTEMS.items():
        print(f"{name}: {IDLE:,} connections ...", file=sys.stderr, flush=True)
        with serving(command) as server:
            told = load.connect(server, FEW if name == "python-socketio" else IDLE)
        lines.append(
            f"| {name} | {told['connects_per_s']:,} | {told['cpu_us']:.0f} | {told['resident'] / 1000:.1f} KB |"
        )
    return "\n".join(lines)


def measure_returning(load: Load, folder: Path) -> str:
    """`recado serve` itself: authenticated, with a cursor."""
    print(f"Recado: {IDLE:,} screens come back ...", file=sys.stderr, flush=True)
    recado = Recado(f"sqlite:///{folder}/fanout.db")
    recado.fill(CLINICS, CLINICS * 10, MEMBERS)
    clinics = range(1, CLINICS + 1)
    orders = [{"clinicId": clinic, "after": recado.first_cursor(clinic)} for clinic in clinics]
    joining = [json.dumps(["clinic:join", order]) for order in orders]
    with recado.serving() as seats:
        server = Server(recado.process, recado.port)
        hellos = [json.dumps({**seat, "clinicId": place % CLINICS + 1}) for place, seat in enumerate(seats)]
        idle = load.connect(server, a=hellos)
        back = load.connect(server, a=hellos, j=joining, c=IDLE)
    return (
        f"`recado serve` with a session token checked at every CONNECT: {idle['connects_per_s']:,} connects/s, "
        f"{idle['resident'] / 1000:.1f} KB per idle connection at {IDLE:,}. {IDLE:,} screens of {MEMBERS} members of "
        f"{CLINICS} clinics that come back at once with a cursor are all live (connected, and given what they missed) "
        f"after {back['seconds']:.1f} s, {back['cpu_us']:.0f} µs of the server each."
    )


def compiled(folder: Path, source: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or shutil.which("node") is None or not (PEERS / "node_modules/socket.io").exists():
        raise SystemExit(MISSING)
    program = folder / source.stem
    subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5, help="per measurement, after a second of warm-up")
    parser.add_argument(
        "--only", default="", help="a part: fanout, connections or returning; the others' tables stay"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recado-bench-") as name:
        folder = Path(name)
        load = Load(compiled(folder, HERE / "wire_load.c"))
        floor = compiled(folder, PEERS / "fanout_floor.c")
        parts = {
            "fanout": lambda: measure_fan_out(load, options.seconds, floor),
            "connections": lambda: measure_connections(load),
            "returning": lambda: measure_returning(load, folder),
        }
        for mark, measure in parts.items():
            if options.only in mark:
                text = measure()
                print(f"{text}\n")
                write(mark, text)


if __name__ == "__main__":
    main()
