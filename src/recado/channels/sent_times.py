"""When something happened, as providers tell it. Pure.

When a patient wrote becomes an `Instant`. A time that cannot be true (before 2000, or more than a day ahead of us)
becomes the time of arrival: a phone's wrong clock is no reason to refuse a message, and nothing later has to think
about year 1 or year 9999.
"""

import re
from datetime import UTC, datetime

from recado.domain.instants import from_epoch_ms
from recado.domain.values import Instant

EARLIEST_S = 946_684_800
"""2000-01-01T00:00:00Z."""

AHEAD_S = 86_400

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?\d*(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH_S = re.compile(r"\d{1,12}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_rfc3339(text: str, *, now_s: float) -> Instant | None:
    """None if `text` is no RFC 3339 date-time with an offset."""
    form = _RFC3339.fullmatch(text)
    if form is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in form.groups()[:6])
    offset_hour, offset_minute = int(form[9] or 0), int(form[10] or 0)
    if second > 60 or offset_hour > 23 or offset_minute > 59:
        return None
    try:
        whole = datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        return None
    # In seconds, since near year 1 and year 9999 an offset leads out of what datetime can hold.
    offset_s = (offset_hour * 3600 + offset_minute * 60) * (-1 if form[8] == "-" else 1)
    epoch_s = (whole - _EPOCH).total_seconds() - offset_s + second
    return _plausible(epoch_s + float(form[7] or 0), now_s)


def from_epoch(text: str, *, now_s: float) -> Instant:
    """WhatsApp's form, seconds as text; what is not even a number becomes the time of arrival too."""
    return _plausible(float(text) if _EPOCH_S.fullmatch(text) else now_s, now_s)


def age_s(text: str, *, now_s: float) -> float | None:
    """How long ago a time in WhatsApp's form was, below 0 if it lies ahead; None if it is no time."""
    return now_s - float(text) if _EPOCH_S.fullmatch(text) else None


def _plausible(epoch_s: float, now_s: float) -> Instant:
    true = epoch_s if EARLIEST_S <= epoch_s <= now_s + AHEAD_S else now_s
    return from_epoch_ms(round(true * 1000))
