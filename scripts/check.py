"""Run the project's checks, one stage after the other, and sum them up.

    check.py                  all of `make test`
    check.py lint types ...   only these stages

A failing stage shows all that it said and does not stop the others. The last line counts tests:
`N passed, N failed, N skipped`. Standard library only.
"""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

from prepare import (
    BIN,
    MISSING_BROWSER,
    MISSING_POSTGRES,
    MISSING_REDIS,
    ROOT,
    WEB,
    browser,
    postgres_programs,
    tool_env,
)

STAGE_LIMIT_S = 600  # a stage that takes this long hangs
SOAK_LIMIT_S = 3600


@dataclasses.dataclass
class Tests:
    """What a test runner counted; `skips` say why, one line each."""

    passed: int = 0
    failed: int = 0
    skips: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {len(self.skips)} skipped"


Reader = Callable[[Path], Tests]


@dataclasses.dataclass(frozen=True)
class Stage:
    """Commands that all must end well. `{report}` in one of them is a file that `read` finds the counts in.

    `missing` says what the machine lacks for it, if it lacks something.
    """

    name: str
    commands: list[list[str]]
    read: Reader | None = None
    missing: Callable[[], str | None] = lambda: None
    limit_s: float = STAGE_LIMIT_S


@dataclasses.dataclass
class Outcome:
    stage: Stage
    ok: bool
    seconds: float
    output: str
    tests: Tests | None

    def __str__(self) -> str:
        verdict = "ok" if self.ok else "FAILED"
        return f"{self.stage.name:<8} {verdict:<6} {self.seconds:6.1f} s  {self.tests or ''}".rstrip()


def read_junit(report: Path) -> Tests:
    tests = Tests()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        name = f"{case.get('classname')}.{case.get('name')}"
        if (skipped := case.find("skipped")) is not None:
            tests.skips.append(f"{name}: {skipped.get('message')}")
        elif case.find("failure") is not None or case.find("error") is not None:
            tests.failed += 1
        else:
            tests.passed += 1
    return tests


def read_vitest(report: Path) -> Tests:
    tests = Tests()
    for file in json.loads(report.read_text())["testResults"]:
        for case in file["assertionResults"]:
            if case["status"] == "passed":
                tests.passed += 1
            elif case["status"] == "failed":
                tests.failed += 1
            else:
                tests.skips.append(f"{Path(file['name']).name}: {case['fullName']}: {case['status']}")
    return tests


def python_tool(name: str, *arguments: str) -> list[str]:
    return [str(BIN / name), *arguments]


def pytest(*arguments: str) -> list[str]:
    return python_tool("python", "-m", "pytest", "--junitxml={report}", *arguments)


def web_script(name: str, *arguments: str) -> list[str]:
    npm = shutil.which("npm", path=tool_env()["PATH"]) or "npm"
    return [npm, "--silent", "--prefix", str(WEB), "run", name, "--", *arguments]


def without_postgres() -> str | None:
    return None if postgres_programs() else MISSING_POSTGRES


def without_servers() -> str | None:
    return without_postgres() or (None if shutil.which("redis-server") else MISSING_REDIS)


def without_browser() -> str | None:
    return None if browser() else MISSING_BROWSER


LINT = Stage(
    "lint",
    [python_tool("ruff", "check"), python_tool("ruff", "format", "--check"), web_script("lint")],
)
TYPES = Stage(
    "types",
    [python_tool("mypy"), web_script("typecheck"), python_tool("python", "scripts/schema.py", "--check")],
)
IMPORTS = Stage("imports", [python_tool("lint-imports")])
PYTHON = Stage(
    "python",
    [pytest("--ignore=tests/e2e", "-n3", "--dist=loadfile")],  # they wait for disks more than they compute
    read_junit,
    without_servers,
    limit_s=2 * STAGE_LIMIT_S,
)
UNIT = Stage(
    "web",
    [web_script("test", "--reporter=default", "--reporter=json", "--outputFile.json={report}")],
    read_vitest,
)
E2E = Stage("e2e", [pytest("tests/e2e")], read_junit, without_browser)
# Tests that compare the documentation with the code carry one of these words in their name or file.
DOCS = Stage("docs", [pytest("-k", "docs or documented or documentation")], read_junit)
SOAK = Stage("soak", [pytest("-m", "soak")], read_junit, without_servers, limit_s=SOAK_LIMIT_S)

ALL = [LINT, TYPES, IMPORTS, PYTHON, UNIT, E2E]
BY_NAME = {stage.name: stage for stage in [*ALL, DOCS, SOAK]}


def main(names: list[str]) -> int:
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    stages = [BY_NAME[name] for name in names] or ALL
    outcomes = [perform(stage) for stage in stages]
    if len(stages) > 1:
        summarize(outcomes)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def perform(stage: Stage) -> Outcome:
    print(f"{stage.name:<8} ...", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="recado-check-") as folder:
        report = Path(folder) / "report"
        ok, output = run_all(stage, report)
        tests = stage.read(report) if stage.read and report.exists() else None
    outcome = Outcome(stage, ok, time.monotonic() - start, output, tests)
    if not ok:
        print(f"\n{output.rstrip()}\n", flush=True)
    print(outcome, flush=True)
    for skip in tests.skips if tests else ():
        print(f"         skipped {skip}", flush=True)
    return outcome


def run_all(stage: Stage, report: Path) -> tuple[bool, str]:
    """Run every command, since one tool's complaint must not hide another's."""
    if message := stage.missing():
        return False, message
    ok, outputs = True, []
    for command in stage.commands:
        filled = [part.replace("{report}", str(report)) for part in command]
        code, output = run(filled, stage.limit_s)
        ok = ok and code == 0
        outputs.append(f"$ {' '.join(filled)}\n{output}")
    return ok, "\n".join(outputs)


def run(command: list[str], limit_s: float) -> tuple[int, str]:
    """Run it in a process group of its own, so that nothing it started outlives it: servers, browsers."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=tool_env(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = -1
            output.write(f"\nstill running after {limit_s} s: ended\n")
        finally:
            end_group(process)
        output.seek(0)
        return code, output.read()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process and its children; a test runner gets time to stop what it started."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(15)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def summarize(outcomes: list[Outcome]) -> None:
    print()
    for outcome in outcomes:
        print(outcome)
    counted = [outcome.tests for outcome in outcomes if outcome.tests]
    total = Tests(
        sum(tests.passed for tests in counted),
        sum(tests.failed for tests in counted),
        [skip for tests in counted for skip in tests.skips],
    )
    print(f"\n{total}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
