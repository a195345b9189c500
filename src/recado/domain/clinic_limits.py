"""The bounds and forms of what a clinic keeps: what was sent → what is kept, or a refusal by path and code. Pure.

The whole is told to every screen with each change, so it must stay small.
"""

import re
from collections.abc import Hashable, Sequence
from itertools import pairwise

from recado.domain.clinic import BusinessHours, CannedReply, Label, OpenHours
from recado.domain.text import SPACES, says_nothing
from recado.errors import ConflictError, FieldError, InvalidError

MAX_CLINIC_NAME_CHARS = 100
MAX_MEMBERS = 500
MAX_CLINIC_LABELS = 50
MAX_LABEL_CHARS = 50
MAX_CANNED_REPLIES = 100
MAX_SHORTCUT_CHARS = 30
MAX_TITLE_CHARS = 100
MAX_CANNED_BODY_CHARS = 2_000
MAX_WAITING_LIMIT_MINUTES = 10_080
"""A week."""
MAX_OPEN_HOURS = 42
MAX_TIME_ZONE_CHARS = 64

COLOUR = r"#[0-9a-f]{6}"
SHORTCUT = rf"[^{SPACES}/]{{1,{MAX_SHORTCUT_CHARS}}}"
OPENS = r"([01][0-9]|2[0-3]):[0-5][0-9]"
CLOSES = rf"({OPENS}|24:00)"
TIME_ZONE = rf"[A-Za-z0-9_+\-/]{{1,{MAX_TIME_ZONE_CHARS}}}"


def clinic_name(name: str) -> str:
    return _text("name", name, MAX_CLINIC_NAME_CHARS)


def labels(asked: Sequence[Label]) -> tuple[Label, ...]:
    """In the order given; names differ."""
    _at_most("labels", asked, MAX_CLINIC_LABELS)
    kept = []
    for number, label in enumerate(asked):
        path = f"labels[{number}]"
        _form(f"{path}.colour", label.colour, COLOUR)
        kept.append(Label(name=_text(f"{path}.name", label.name, MAX_LABEL_CHARS), colour=label.colour))
    _differ("labels", "name", [label.name for label in kept])
    return tuple(kept)


def canned_replies(asked: Sequence[CannedReply]) -> tuple[CannedReply, ...]:
    """In the order given; shortcuts differ."""
    _at_most("cannedReplies", asked, MAX_CANNED_REPLIES)
    kept = []
    for number, reply in enumerate(asked):
        path = f"cannedReplies[{number}]"
        _form(f"{path}.shortcut", reply.shortcut, SHORTCUT)
        if says_nothing(reply.body):
            raise _refused(f"{path}.body", "empty")
        if len(reply.body) > MAX_CANNED_BODY_CHARS:
            raise _refused(f"{path}.body", "too_long")
        title = _text(f"{path}.title", reply.title, MAX_TITLE_CHARS)
        kept.append(CannedReply(shortcut=reply.shortcut, title=title, body=reply.body))
    _differ("cannedReplies", "shortcut", [reply.shortcut for reply in kept])
    return tuple(kept)


def waiting_limit(minutes: int | None) -> int | None:
    if minutes is not None and minutes < 1:
        raise _refused("waitingLimitMinutes", "too_small")
    if minutes is not None and minutes > MAX_WAITING_LIMIT_MINUTES:
        raise _refused("waitingLimitMinutes", "too_large")
    return minutes


def hours(asked: BusinessHours | None) -> BusinessHours | None:
    """By day and hour; what is open twice at once is refused. Whether the time zone exists is asked elsewhere."""
    if asked is None:
        return None
    _form("hours.timeZone", asked.time_zone, TIME_ZONE)
    _at_most("hours.weekly", asked.weekly, MAX_OPEN_HOURS)
    for number, each in enumerate(asked.weekly):
        path = f"hours.weekly[{number}]"
        if not 1 <= each.day <= 7:
            raise _refused(f"{path}.day", "unknown_value")
        _form(f"{path}.opens", each.opens, OPENS)
        _form(f"{path}.closes", each.closes, CLOSES)
        if each.closes <= each.opens:
            raise _contradiction(f"{path}.closes", "too_small")
    week = tuple(sorted(asked.weekly, key=lambda each: (each.day, each.opens)))
    if any(_overlap(*pair) for pair in pairwise(week)):
        raise _contradiction("hours.weekly", "overlapping")
    return BusinessHours(time_zone=asked.time_zone, weekly=week)


def _overlap(earlier: OpenHours, later: OpenHours) -> bool:
    return earlier.day == later.day and later.opens < earlier.closes


def _text(path: str, text: str, limit: int) -> str:
    """One line, without spaces around it."""
    if says_nothing(text):
        raise _refused(path, "empty")
    if len(text) > limit:
        raise _refused(path, "too_long")
    return " ".join(text.split())


def _form(path: str, text: str, pattern: str) -> None:
    if re.fullmatch(pattern, text, re.ASCII if pattern != SHORTCUT else 0) is None:
        raise _refused(path, "wrong_format")


def _at_most(path: str, items: Sequence[object], limit: int) -> None:
    if len(items) > limit:
        raise _refused(path, "too_many")


def _differ(path: str, field: str, keys: Sequence[Hashable]) -> None:
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise _contradiction(f"{path}[{number}].{field}", "repeated")


def _refused(path: str, code: str) -> InvalidError:
    return InvalidError(errors=[FieldError(path, code)])


def _contradiction(path: str, code: str) -> ConflictError:
    """Each value fits its form, but they do not fit each other."""
    return ConflictError(errors=[FieldError(path, code)])
