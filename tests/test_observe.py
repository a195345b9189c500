"""Log lines: one event name and fields, and never an exception's text, whoever wrote the line."""

import asyncio
import errno
import json
import logging
import sqlite3
from contextlib import closing

import pytest
import structlog

from recado import observe

WORDS = "palavra-da-paciente"


@pytest.fixture
def lines(capfd):
    configure()
    yield lambda: [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    configure()


def configure():
    """As the process does, but uncached, so that later tests can capture every logger."""
    observe.configure("debug", "json")
    structlog.configure(cache_logger_on_first_use=False)


def fail():
    raise ValueError(WORDS)


def test_an_exception_is_told_by_type_and_place(lines):
    try:
        fail()
    except ValueError:
        observe.get_logger("part").exception("it_failed", seq=7)
    [line] = lines()
    assert (line["event"], line["seq"], line["error"], line["level"]) == (
        "it_failed",
        7,
        "ValueError",
        "error",
    )
    assert ":fail:" in line["trace"][-1]
    assert WORDS not in json.dumps(line)


def test_what_led_to_an_exception_is_told_by_type_and_code(lines):
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("PRAGMA max_page_count = 1")
        try:
            try:
                database.execute("CREATE TABLE words (word)")
            except sqlite3.OperationalError as full:
                raise ConnectionResetError(errno.ECONNRESET, WORDS) from full
        except OSError as reset:
            wrapped = RuntimeError(WORDS)
            wrapped.__cause__ = reset
            observe.get_logger("part").error("it_failed", exc_info=wrapped)
    [line] = lines()
    assert line["causes"] == ["ConnectionResetError ECONNRESET", "OperationalError SQLITE_FULL"]
    assert WORDS not in json.dumps(line)


def test_a_librarys_exception_too(lines):
    try:
        fail()
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    [line] = lines()
    assert (line["event"], line["error"]) == ("Exception in ASGI application", "ValueError")
    assert WORDS not in json.dumps(line)


def test_a_logger_from_before_the_configuration_follows_it(capfd):
    log = observe.get_logger("part")
    log.info("earlier")
    capfd.readouterr()
    observe.configure("warning", "json")
    try:
        for _ in range(2):
            log.info("unheard")
            log.warning("heard")
        assert [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()] == ["heard"] * 2
    finally:
        configure()


def test_a_librarys_chatter_is_left_out(lines):
    logging.getLogger("uvicorn.error").info("Started server process")
    assert lines() == []


async def test_a_loops_complaint_names_the_exception_by_type_only(lines):
    loop = asyncio.get_running_loop()
    observe.watch(loop)
    loop.call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": ValueError(WORDS), "future": WORDS}
    )
    [line] = lines()
    assert (line["event"], line["error"]) == ("loop_error", "ValueError")
    assert line["problem"] == "Task exception was never retrieved"
    assert WORDS not in json.dumps(line)


@pytest.mark.parametrize(("level", "told"), [("debug", True), ("info", False)])
def test_whoever_asks_hears_whether_a_line_will_be_written(lines, level, told):
    observe.configure(level, "json")
    structlog.configure(cache_logger_on_first_use=False)
    assert observe.tells("debug") is told
    observe.get_logger("part").debug("seen")
    assert [line["event"] for line in lines()] == ["seen"] * told
