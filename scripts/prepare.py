"""Make what the other commands stand on, each part only if what it is made from has changed.

    prepare.py app                  .venv, Python packages, this project, Node, the web app
    prepare.py app tools            and what lint and types need
    prepare.py app tools postgres redis browser   and what tests need: servers and a browser
    prepare.py app bench            and the servers that we are compared with

A part's stamp in .stamps/ is a hash of its inputs' contents: a checkout changes every file's time, and must
not cost a build. Standard library only, since nothing else is there yet; knows nothing of git.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
WEB = ROOT / "web"
PEERS = ROOT / "bench/peers"
STAMPS = ROOT / ".stamps"
POSTGRES_VERSION = 15
POSTGRES_HOMES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/opt/postgresql@*/bin")
MISSING_POSTGRES = (
    "The tests start a PostgreSQL of their own, 15 or newer, and found no initdb and postgres on the PATH, where\n"
    "pg_config points, or in a distribution's usual place. On Debian: apt-get install postgresql. Elsewhere install\n"
    "its server, then put the folder of its programs on the PATH."
)
MISSING_REDIS = (
    "The tests start a Redis of their own, and found no redis-server on the PATH. On Debian: apt-get install\n"
    "redis-server. Elsewhere install Redis, 6 or newer, or Valkey with its redis-server."
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING_BROWSER = (
    f"The end-to-end tests need Chromium, and none of {', '.join(BROWSERS)} is on the PATH.\n"
    "On Debian: apt-get install chromium. Elsewhere install Chrome or Chromium, then name it:\n"
    "make test CHROMIUM=/path/to/chromium"
)


def main(goals: list[str]) -> None:
    os.chdir(ROOT)
    # As an exception, SIGTERM also ends the pip or npm that is being waited for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with one_at_a_time():
        if "app" in goals:
            prepare_app()
        if "tools" in goals:
            install("dev")
        if "bench" in goals:
            install("bench")
            install_node_peers()
        if "postgres" in goals:
            need_postgres()
        if "redis" in goals:
            need_redis()
        if "browser" in goals and not browser():
            install_browser()


def prepare_app() -> None:
    make_venv()
    install("run")
    make(
        "project",
        "this project",
        inputs=[ROOT / "pyproject.toml", ROOT / "src/recado/__init__.py"],
        output=BIN / "recado",
        build=lambda: pip("--no-deps", "--no-build-isolation", "--editable", "."),
    )
    if not system_node():
        install("node")
    make(
        "node_modules",
        "web packages",
        inputs=[WEB / "package-lock.json", WEB / "package.json"],
        output=WEB / "node_modules/.package-lock.json",
        # Development packages too, whatever NODE_ENV says, since they build the app. No package's own scripts.
        build=lambda: npm("ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"),
    )
    make(
        "webapp",
        "web app",
        inputs=web_sources(),
        output=ROOT / "src/recado/webapp/index.html",
        build=lambda: npm("run", "build"),
    )


def make_venv() -> None:
    """Make .venv, anew if its Python or its place changed: its scripts name both."""
    python = getattr(sys, "_base_executable", sys.executable)  # the one outside, if the old .venv's runs this

    def build() -> None:
        for stamp in STAMPS.iterdir():  # they speak of what was installed in the old one
            stamp.unlink()
        run([python, "-m", "venv", "--clear", str(VENV)])

    inputs = [str(ROOT), f"{sys.version_info.major}.{sys.version_info.minor}", sys.base_prefix]
    make("venv", "Python environment", inputs, output=BIN / "pip", build=build)


def install(name: str) -> None:
    """Install requirements/{name}.txt, refusing whatever its hashes do not name."""
    lock = ROOT / f"requirements/{name}.txt"
    make(
        name,
        f"packages of requirements/{name}.txt",
        inputs=[lock],
        output=BIN,
        build=lambda: pip("--require-hashes", "--requirement", str(lock)),
    )


def install_node_peers() -> None:
    """Node's own Socket.IO server, which ours is measured against."""
    make(
        "node_peers",
        "Node's servers for the bench",
        inputs=[PEERS / "package-lock.json", PEERS / "package.json"],
        output=PEERS / "node_modules/.package-lock.json",
        build=lambda: npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=PEERS),
    )


def need_postgres() -> None:
    """From the distribution, if we may; if not, the stage that needs it says what is missing."""
    if not postgres_programs() and may_install():
        with progress("PostgreSQL, from the distribution's packages"):
            install_package("postgresql")


def need_redis() -> None:
    """As `need_postgres`."""
    if not shutil.which("redis-server") and may_install():
        with progress("Redis, from the distribution's packages"):
            install_package("redis-server")


def install_browser() -> None:
    """From the distribution, if it has one and we may; if not, the end-to-end stage says what is missing."""
    if may_install():
        with progress("Chromium, from the distribution's packages"):
            install_package("chromium")  # Ubuntu has only a snap


def may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_package(name: str) -> None:
    """From Debian's or Ubuntu's archive. If that fails, the stage that needs it says what is missing."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with contextlib.suppress(SystemExit):
        run(["apt-get", "update", "-q"], env=env)
        run(["apt-get", "install", "-qy", "--no-install-recommends", name], env=env)


def postgres_programs() -> Path | None:
    """The folder with initdb and postgres, 15 or newer: on the PATH, where pg_config points, or a usual place."""
    named = [shutil.which("initdb"), shutil.which("pg_config")]
    folders = [Path(path).parent for path in named if path]
    if named[1]:
        bindir = subprocess.run([named[1], "--bindir"], capture_output=True, text=True, check=False).stdout
        folders.append(Path(bindir.strip()))
    folders += sorted((path for home in POSTGRES_HOMES for path in Path("/").glob(home[1:])), reverse=True)
    return next(filter(is_postgres, folders), None)


def is_postgres(folder: Path) -> bool:
    if not all((folder / program).exists() for program in ("initdb", "postgres")):
        return False
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"\b(\d+)", said.stdout)
    return version is not None and int(version[1]) >= POSTGRES_VERSION


def browser() -> str | None:
    """Path of the browser for the end-to-end tests: $CHROMIUM, or the first known name on the PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def system_node() -> bool:
    """True if there are npm and a Node that Vite 8 runs on: 20.19 or a later 20, or 22.12 or later."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    try:
        major, minor = (int(part) for part in answer.strip().lstrip("v").split(".")[:2])
    except ValueError:
        return False
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def web_sources() -> list[Path]:
    """What the built app depends on: sources, settings and the lock, but no tests, packages or reports."""
    top = [path for path in WEB.glob("*") if path.suffix in {".html", ".json", ".ts"}]
    deep = [path for folder in ("src", "public") for path in (WEB / folder).rglob("*")]
    return [path for path in top + deep if path.is_file() and ".test." not in path.name]


def tool_env() -> dict[str, str]:
    """Our environment, with the tools installed in .venv before the machine's."""
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # Playwright brings a Node of its own, which asks for a library that a bare Debian lacks; ours does not.
    return {**os.environ, "PATH": path, "PLAYWRIGHT_NODEJS_PATH": shutil.which("node", path=path) or ""}


def pip(*arguments: str) -> None:
    command = [str(BIN / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    run([*command, "--quiet", *arguments])


def npm(*arguments: str, folder: Path = WEB) -> None:
    # found by hand: subprocess looks for a program in the PATH that we have, not in the one that we give
    run([shutil.which("npm", path=tool_env()["PATH"]) or "npm", *arguments], cwd=folder, env=tool_env())


def make(
    name: str, title: str, inputs: Iterable[Path | str], output: Path, build: Callable[[], None]
) -> None:
    """Build unless `output` is there and was made from the same inputs: contents of paths, and plain words."""
    stamp, key = STAMPS / name, digest(inputs)
    if output.exists() and stamp.exists() and stamp.read_text() == key:
        return
    with progress(title):
        build()
    stamp.write_text(key)


def digest(inputs: Iterable[Path | str]) -> str:
    whole = hashlib.sha256()
    for part in sorted(inputs, key=str):
        content = part.read_bytes() if isinstance(part, Path) else b""
        name = part.relative_to(ROOT) if isinstance(part, Path) else part
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


@contextlib.contextmanager
def progress(title: str) -> Iterator[None]:
    print(f"preparing {title} ...", end=" ", flush=True)
    start = time.monotonic()
    yield
    print(f"{time.monotonic() - start:.0f} s", flush=True)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two makes in one clone take turns."""
    STAMPS.mkdir(exist_ok=True)
    folder = os.open(STAMPS, os.O_RDONLY)  # locked until this process ends
    fcntl.flock(folder, fcntl.LOCK_EX)
    yield
    os.close(folder)


def run(command: list[str], cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run it silently; if it fails, show all that it said and stop."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        sys.exit(f"failed\n\n{done.stdout}\n{' '.join(command)} ended with {done.returncode}")


if __name__ == "__main__":
    main(sys.argv[1:])
