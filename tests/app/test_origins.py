"""Which pages may use the session cookie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recado.app.origins import own_origins, parse_origin, provenance

INBOX = own_origins("https://inbox.example/recado", ["http://localhost:5173"])
LOCAL = own_origins("http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("origin", "host", "own", "expected"),
    [
        ("https://inbox.example", "inbox.example", INBOX, "own"),
        ("https://inbox.example", "backend:8000", INBOX, "own"),  # a proxy that rewrites Host
        ("https://inbox.example:443", "backend:8000", INBOX, "own"),
        ("https://inbox.example", None, INBOX, "own"),
        ("http://localhost:5173", "inbox.example", INBOX, "own"),  # allowed by name
        ("https://other.example", "other.example", INBOX, "own"),  # a second name of this server
        ("https://other.example", "other.example:443", INBOX, "own"),
        ("https://OTHER.example", "other.EXAMPLE", INBOX, "own"),
        ("https://other.example:8443", "other.example:8443", INBOX, "own"),
        ("http://192.168.0.7:8000", "192.168.0.7:8000", LOCAL, "own"),
        ("http://[::1]:8000", "[::1]:8000", LOCAL, "own"),
        ("https://evil.example", "inbox.example", INBOX, "foreign"),
        ("https://inbox.example.evil.example", "inbox.example", INBOX, "foreign"),
        ("https://evilinbox.example", "inbox.example", INBOX, "foreign"),
        ("https://sub.inbox.example", "inbox.example", INBOX, "foreign"),
        ("https://inbox.example:8443", "inbox.example", INBOX, "foreign"),
        ("http://inbox.example", "inbox.example", INBOX, "foreign"),  # the same host, but anybody on the line
        ("http://127.0.0.1:8001", "127.0.0.1:8000", LOCAL, "foreign"),
        ("http://localhost:8000", "127.0.0.1:8000", LOCAL, "foreign"),
        ("http://evil.example", "a@evil.example", LOCAL, "foreign"),
        ("http://evil.example", "", LOCAL, "foreign"),
        ("null", "inbox.example", INBOX, "foreign"),
        ("", "inbox.example", INBOX, "foreign"),
        ("https://inbox.example/", "inbox.example", INBOX, "foreign"),
        ("https://inbox.example, https://evil.example", "inbox.example", INBOX, "foreign"),
        ("https://inbox.example@evil.example", "inbox.example", INBOX, "foreign"),
        ("https://inbox.example:port", "inbox.example", INBOX, "foreign"),
        ("file://", "inbox.example", INBOX, "foreign"),
    ],
)
def test_only_our_own_origins_are_own(origin, host, own, expected):
    assert provenance(origin, host=host, fetch_site=None, own=own) == expected


@pytest.mark.parametrize(
    ("fetch_site", "expected"),
    [
        (None, "unstated"),
        ("same-origin", "own"),
        ("same-site", "foreign"),
        ("cross-site", "foreign"),
        ("none", "foreign"),
        ("", "foreign"),
    ],
)
def test_without_origin_the_browsers_own_word_decides(fetch_site, expected):
    assert provenance(None, host="inbox.example", fetch_site=fetch_site, own=INBOX) == expected


def test_a_foreign_origin_is_not_mended_by_fetch_site():
    assert (
        provenance("https://evil.example", host="inbox.example", fetch_site="same-origin", own=INBOX)
        == "foreign"
    )


@given(st.text() | st.from_regex(r"https?://[a-z.:@/\[\]0-9]*", fullmatch=True), st.text())
def test_whatever_a_client_writes_gets_an_answer(origin, host):
    assert provenance(origin, host=host, fetch_site=None, own=INBOX) in {"own", "foreign"}


@given(st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True), st.integers(1, 65_535))
def test_an_origin_never_passes_for_another_host(host, port):
    origin = f"https://{host}:{port}"
    expected = "own" if parse_origin(origin) in INBOX.listed else "foreign"
    assert provenance(origin, host="third.example", fetch_site=None, own=INBOX) == expected
