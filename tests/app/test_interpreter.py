"""What the loop does for every read keeps the interpreter: a store thread would have it for half a millisecond."""

import sys
import threading
import time

import pytest

from recado.app.pages import _checksum
from recado.app.sessions import Sessions, SessionSettings

CALLS = 2_000


@pytest.fixture
def others_turns():
    """How often another thread has got the interpreter, which nobody takes away meanwhile, only gives up."""
    turns, stopped = [], threading.Event()

    def wait_for_it():
        while not stopped.is_set():
            turns.append(1)
            time.sleep(1e-4)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(10)
    other = threading.Thread(target=wait_for_it)
    other.start()
    yield lambda: len(turns)
    stopped.set()
    other.join()
    sys.setswitchinterval(interval)


def hash_a_token():
    settings = SessionSettings(secret="s" * 40, idle_s=1, lifetime_s=1, login_attempts=1, login_window_s=1)
    sessions = Sessions(None, None, settings, None, None, None)
    return lambda: sessions.hash_of("t" * 43)


def sum_up_a_hundred_marks():
    marks = b"m" * 14_000
    return lambda: _checksum(marks)


@pytest.mark.parametrize("make", [hash_a_token, sum_up_a_hundred_marks])
def test_what_every_read_does_keeps_the_interpreter(make, others_turns):
    work = make()
    before = others_turns()
    for _ in range(CALLS):
        work()
    assert others_turns() == before
