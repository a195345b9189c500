"""What a newcomer does: start it, log in, paste the printed line, see a patient write, answer."""

import re
import signal
import subprocess

import pytest
from playwright.sync_api import expect

from e2e.processes import Program, eventually


class FirstRun(Program):
    """`recado serve --demo` in a folder where nothing is yet; `printed` is what it says to a newcomer."""

    def __init__(self, folder):
        super().__init__(folder, "first-run", "serve", "--demo", PORT="{port}")

    def start(self):
        super().start("/readyz")

    @property
    def printed(self) -> str:
        return self.log.read_text()

    def login(self) -> dict:
        """The first printed login."""
        email, password = re.search(r"(\S+@\S+)\s+(\S+)", self.printed).groups()
        return {"email": email, "password": password}

    def curl_line(self) -> str:
        return re.search(r"^\s*(curl (?:.*\\\n)*.*)$", self.printed, re.MULTILINE)[1]


@pytest.fixture
def server(tmp_path):
    """In place of the fixture of the same name, so that windows open on this one."""
    program = FirstRun(tmp_path)
    program.start()
    yield program
    if program.process.poll() is None:
        program.stop()


def test_printed_curl_line_reaches_an_open_window_and_the_reply_shows_as_sent(server, open_window):
    assert server.url in server.printed
    screen = open_window(server.login())
    before = screen.conversations.inner_text()

    curl = ["bash", "-c", f"set -o pipefail; {server.curl_line()}"]
    done = subprocess.run(curl, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr

    eventually(lambda: screen.conversations.inner_text() != before, "the list shows what the patient wrote")
    screen.open_newest()
    expect(screen.bubbles).not_to_have_count(0)
    screen.reply("Bom dia! Como podemos ajudar?")
    expect(screen.bubble("Bom dia! Como podemos ajudar?")).to_have_attribute("data-status", "sent")


def test_second_start_keeps_what_the_first_one_made(server):
    login, url = server.login(), server.curl_line().split()[1]
    assert server.stop() == 0
    server.log.unlink()
    server.start()
    assert server.login() == login
    assert server.curl_line().split()[1] == url


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_hand_it_leaves_nothing_running_and_complains_of_nothing(how, server):
    assert server.stop(how) == 0
    assert not server.left_something_running
    assert "Traceback" not in server.printed
    assert "error" not in server.printed
