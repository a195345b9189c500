"""Arithmetic on `Instant` texts. Pure: nobody here knows what time it is."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from recado.domain.values import Instant

_EPOCH = datetime.fromtimestamp(0, UTC)


def instant(moment: datetime) -> Instant:
    """An aware datetime → `2026-11-23T10:42:07.123Z`; what is finer than a millisecond is cut off."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return Instant(utc.isoformat(timespec="milliseconds") + "Z")


def moment(at: Instant) -> datetime:
    return datetime.fromisoformat(at)


@lru_cache(maxsize=16)
def from_epoch_ms(epoch_ms: int) -> Instant:
    """What is asked is the time now, by every command of a batch."""
    second, millisecond = divmod(epoch_ms, 1000)
    return Instant(f"{_to_the_second(second)}.{millisecond:03}Z")


@lru_cache(maxsize=16)
def _to_the_second(second: int) -> str:
    """What is asked is the time now, again and again within a second."""
    return (_EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat()


def shift(at: Instant, seconds: float) -> Instant:
    return instant(moment(at) + timedelta(seconds=seconds))


def seconds_between(earlier: Instant, later: Instant) -> float:
    return (moment(later) - moment(earlier)).total_seconds()
