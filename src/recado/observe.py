"""What the process tells its operator: log lines and metrics. Ids and numbers only; never a patient's words.

A log line is one event name and fields. At debug level one connection (`connection`) and one message (`seq`,
`message_id`) can be followed through every layer. Metrics carry no label that names a clinic or a person.
"""

import asyncio
import errno
import logging
import sys
from typing import Any, Protocol, cast

import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.typing import Processor

COMMANDS = Counter("recado_commands_total", "Commands by name and outcome code.", ["command", "code"])
COMMIT_BATCH = Histogram(
    "recado_commit_batch_size", "Commands per transaction.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
COMMIT_SECONDS = Histogram("recado_commit_seconds", "Time of one transaction, load to commit.")
FEED_PULLS = Counter("recado_feed_pulls_total", "Reads of the log because a number was missing.")
CHANNEL_ITEMS = Counter(
    "recado_channel_items_total", "Webhook items by kind of channel and of item.", ["channel", "item"]
)
OUTBOX_POSTS = Counter(
    "recado_outbox_posts_total", "Posts to providers by kind of channel and outcome.", ["channel", "outcome"]
)
OUTBOX_POST_SECONDS = Histogram(
    "recado_outbox_post_seconds", "Time of one post to a provider, with its answer.", ["channel"]
)
TASKS = Gauge("recado_tasks", "Tasks of the event loop.")
LOGINS = Counter("recado_logins_total", "Logins by outcome code.", ["code"])


def configure(level: str, form: str) -> None:
    """Send our log lines, and the libraries' warnings, to standard error as `console` or `json`."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, _without_text, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.__stderr__),
        cache_logger_on_first_use=True,
    )
    library = logging.StreamHandler(sys.__stderr__)
    library.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_text, renderer],
            foreign_pre_chain=shared,
        )
    )
    logging.raiseExceptions = False  # a handler in trouble would print the message it failed with
    logging.basicConfig(level=logging.WARNING, handlers=[library], force=True)


class Log(Protocol):
    """A logger as we use it: one event name, and fields that hold ids and numbers."""

    def debug(self, event: str, /, **fields: Any) -> Any: ...

    def info(self, event: str, /, **fields: Any) -> Any: ...

    def warning(self, event: str, /, **fields: Any) -> Any: ...

    def error(self, event: str, /, **fields: Any) -> Any: ...

    def exception(self, event: str, /, **fields: Any) -> Any: ...


class _Remembering:
    """structlog's logger, asked for each level once: its own cache takes 0.8 µs a line, told or not."""

    def __init__(self, part: str) -> None:
        self._log = structlog.get_logger(part=part)

    def __getattr__(self, level: str) -> Any:
        tell = getattr(self._log, level)
        if structlog.get_config()["cache_logger_on_first_use"]:
            setattr(self, level, tell)
        return tell


def get_logger(part: str) -> Log:
    return cast(Log, _Remembering(part))


def tells(level: str) -> bool:
    """Whether lines of this level are written; if not, to gather their fields is in vain."""
    return bool(structlog.get_logger().is_enabled_for(getattr(logging, level.upper())))


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Tell what the loop complains of in our way, for asyncio's own quotes exceptions; and how many tasks it has."""
    log = get_logger("loop")

    def complain(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        log.error("loop_error", problem=context["message"], exc_info=context.get("exception"))

    loop.set_exception_handler(complain)
    TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))


def _without_text(_logger: Any, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An exception is told by type, code and place. Its text may quote what broke it, so it never reaches a line."""
    info = line.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        line["error"] = type(error).__name__
        line["trace"] = _places(error)
        if causes := _causes(error):
            line["causes"] = causes
    line.pop("exception", None)
    return line


def _places(error: BaseException) -> list[str]:
    """The innermost five frames as `module:function:line`."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        places.append(f"{frame.f_globals.get('__name__')}:{frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places[-5:]


def reason(error: BaseException) -> str:
    """What began it, by type and code: its text may quote."""
    return [_named(error), *_causes(error)][-1]


def _causes(error: BaseException) -> list[str]:
    """What led to it, the last cause first."""
    causes = []
    while error.__cause__ is not None:
        error = error.__cause__
        causes.append(_named(error))
    return causes


def _named(error: BaseException) -> str:
    """With the code that the system or the database has for it."""
    return " ".join([type(error).__name__, *_codes(error)])


def _codes(error: BaseException) -> list[str]:
    """As `ENOSPC`, `SQLITE_FULL` or, of PostgreSQL, `53100`."""
    system = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    database = [getattr(error, name, None) for name in ("sqlite_errorname", "sqlstate")]
    return [code for code in (system, *database) if code]
