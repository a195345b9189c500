"""What every end-to-end test stands on: real processes, a real browser, and evidence when it fails."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from e2e.network import Network
from e2e.processes import Server, StandIn
from e2e.screen import Screen

EVIDENCE = Path(__file__).resolve().parents[2] / "var/e2e-failures"
# As root there is no sandbox, containers give little /dev/shm, and its background work looks for hosts it cannot reach.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def evidence(request) -> Callable[[], Path | None]:
    """If the test has failed, the folder where its pictures and logs shall go."""
    folder = EVIDENCE / request.node.name.replace("/", "-")
    shutil.rmtree(folder, ignore_errors=True)

    def folder_if_failed() -> Path | None:
        if not request.node.stash.get(FAILED, False):
            return None
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    return folder_if_failed


@pytest.fixture(scope="module")  # its loop must be gone before another module's asynchronous tests
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def standin(tmp_path) -> Iterator[StandIn]:
    standin = StandIn(tmp_path)
    standin.start()
    yield standin
    standin.stop()


@pytest.fixture
def own_server(tmp_path, standin, evidence) -> Iterator[Server]:
    """For one test alone."""
    server = Server(tmp_path, standin)
    server.start()
    yield server
    code = server.stop()
    if folder := evidence():
        shutil.copy(server.log, folder)
    else:
        assert code == 0, f"SIGTERM ended it with {code}"
        assert "Traceback" not in server.log.read_text()


@pytest.fixture
def patient() -> str:
    """Somebody whom no other test knows."""
    return f"Paciente {next(NUMBERS)}"


NUMBERS = itertools.count(1)


@pytest.fixture
def left(server) -> Callable[[], list[str]]:
    """Bodies of the replies that have left for a provider since the test began, oldest first."""
    before = len(server.standin.messages())
    return lambda: server.standin.bodies()[before:]


@pytest.fixture
def network(server) -> Iterator[Network]:
    """A way to the server that may break."""
    network = Network(server.port)
    yield network
    network.close()


@pytest.fixture
def open_window(server, browser, evidence) -> Iterator[Callable[..., Screen]]:
    """Logs a member in, in a window with cookies of its own; `settings` are the browser's."""
    screens: list[Screen] = []

    def open_window(member: dict | None = None, url: str | None = None, **settings) -> Screen:
        wide = {"width": 1280, "height": 800}
        context = browser.new_context(
            **{"locale": "pt-BR", "viewport": wide, "reduced_motion": "reduce"} | settings
        )
        screens.append(Screen(context.new_page(), url or server.url))
        if member:
            screens[-1].log_in(member)
        return screens[-1]

    yield open_window
    for number, screen in enumerate(screens, start=1):
        if folder := evidence():
            screen.page.screenshot(path=folder / f"window-{number}.png")
        screen.page.context.close()
    assert [crash for screen in screens for crash in screen.crashes] == []
