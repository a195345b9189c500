import os
import select
import sys

import check
import pytest

TESTS = """
import pytest

def test_holds(): pass
def test_does_not_hold(): assert 1 == 2
@pytest.fixture
def broken(): raise RuntimeError
def test_cannot_start(broken): pass
@pytest.mark.skip(reason="needs a moon")
def test_waits(): pass
"""


@pytest.fixture
def stage(tmp_path):
    (tmp_path / "test_sample.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", f"--rootdir={tmp_path}", str(tmp_path), "--junitxml={report}"]
    return check.Stage("sample", [command], check.read_junit)


def test_failing_stage_is_counted_and_shown_in_full(stage, capsys):
    outcome = check.perform(stage)
    assert not outcome.ok
    assert str(outcome.tests) == "1 passed, 2 failed, 1 skipped"
    said = capsys.readouterr().out
    assert "assert 1 == 2" in said
    assert "test_sample.test_waits: needs a moon" in said


def test_a_stage_does_all_its_commands_even_if_the_first_fails(capsys):
    outcome = check.perform(check.Stage("two", [["sh", "-c", "echo first; exit 1"], ["echo", "second"]]))
    assert not outcome.ok
    assert "first" in outcome.output
    assert "second" in outcome.output


def test_the_last_line_counts_the_tests_of_all_stages(capsys):
    good = check.Outcome(check.IMPORTS, ok=True, seconds=1, output="", tests=None)
    python = check.Outcome(check.PYTHON, ok=True, seconds=1, output="", tests=check.Tests(3, 0, ["a: why"]))
    web = check.Outcome(check.UNIT, ok=False, seconds=1, output="", tests=check.Tests(4, 1))
    check.summarize([good, python, web])
    assert capsys.readouterr().out.splitlines()[-1] == "7 passed, 1 failed, 1 skipped"


def test_a_stage_leaves_no_process_behind(tmp_path):
    fifo = tmp_path / "held-open"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert check.run(["sh", "-c", f"exec 3>{fifo}; sleep 300 &"], limit_s=60)[0] == 0
        assert select.select([reader], [], [], 10)[0], "the child still holds the other end"
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


def test_a_stage_that_hangs_is_ended():
    code, output = check.run(["sh", "-c", "echo started; sleep 300"], limit_s=0.2)
    assert code != 0
    assert "started" in output
    assert "still running" in output
