from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recado.channels.sent_times import age_s, from_epoch, from_rfc3339
from recado.domain.instants import instant

NOW_S = 1_795_428_000.0
NOW = instant(datetime.fromtimestamp(NOW_S, UTC))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T10:42:07Z", "2026-11-22T10:42:07.000Z"),
        ("2026-11-22t10:42:07z", "2026-11-22T10:42:07.000Z"),
        ("2026-11-22 10:42:07.1239999Z", "2026-11-22T10:42:07.124Z"),
        ("2026-11-22T07:42:07.5-03:00", "2026-11-22T10:42:07.500Z"),
        ("2026-11-22T10:42:60Z", "2026-11-22T10:43:00.000Z"),
        ("2026-11-22T10:42:07.123456789012345678901234567890Z", "2026-11-22T10:42:07.123Z"),
    ],
)
def test_rfc3339_becomes_utc_milliseconds(text, expected):
    assert from_rfc3339(text, now_s=NOW_S) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22T10:42:07",
        "2026-13-01T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22T10:42:61Z",
        "1763802000",
        "٢٠٢٦-11-22T10:42:07Z",
        "2026-11-22T10:42:07+24:00",
        "2026-11-22T10:42:07+01:60",
        "2026-W47-1T10:42:07Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_what_is_no_rfc3339_time_is_told_apart(text):
    assert from_rfc3339(text, now_s=NOW_S) is None


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1999-12-31T23:59:59Z",
        "2030-01-01T00:00:00Z",
    ],
)
def test_a_time_that_cannot_be_true_becomes_the_time_of_arrival(text):
    assert from_rfc3339(text, now_s=NOW_S) == NOW


@pytest.mark.parametrize("text", ["", "-1", "0", "1e9", "999999999999", "9" * 400, "abc", "١٢٣"])
def test_a_nonsense_epoch_becomes_the_time_of_arrival(text):
    assert from_epoch(text, now_s=NOW_S) == NOW


def test_an_epoch_in_seconds_becomes_an_instant():
    assert from_epoch("1763802000", now_s=NOW_S) == "2025-11-22T09:00:00.000Z"


def test_an_age_is_told_of_a_time_only():
    assert age_s(f"{NOW_S - 5:.0f}", now_s=NOW_S) == 5
    assert age_s(f"{NOW_S + 5:.0f}", now_s=NOW_S) == -5
    assert [age_s(text, now_s=NOW_S) for text in ("", "soon", "-1", "9" * 400)] == [None] * 4


@given(st.datetimes(timezones=st.timezones()))
def test_every_time_gives_an_instant_of_24_characters(moment):
    at = from_rfc3339(moment.isoformat(), now_s=NOW_S)
    if at is not None:  # isoformat writes seconds into the offsets of old zones, which RFC 3339 does not know
        assert len(at) == 24
