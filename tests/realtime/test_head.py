"""Heads: fields, cookies, parameters, and what is none."""

from ipaddress import ip_network

import pytest

from recado.realtime.head import Head, find_upgrade, head_of_match, parse_head


def head(*fields, target="/socket.io/?EIO=4", peer="192.0.2.1"):
    return Head("GET", target, fields, peer=peer)


def test_header_names_do_not_care_about_case_and_values_are_kept():
    asked = head(("Host", "a"), ("X-Words", "Olá: b"))
    assert asked.header("host") == "a"
    assert asked.header("x-words") == "Olá: b"
    assert asked.header("words") is None


def test_headers_of_one_name_are_joined():
    assert head(("A", "1"), ("b", "x"), ("a", "2")).header("a") == "1, 2"


@pytest.mark.parametrize(
    ("cookie", "value"),
    [
        ("recado_session=t", "t"),
        ("a=1; recado_session=t; b=2", "t"),
        ("a=1;recado_session=t=", "t="),
        ("xrecado_session=t", None),
        ("recado_session", ""),
        ("", None),
    ],
)
def test_cookies_are_found_by_name(cookie, value):
    assert head(("Cookie", cookie)).cookie("recado_session") == value


def test_no_cookie_header_is_no_cookie():
    assert head().cookie("a") is None


def test_query_parameters_are_decoded():
    asked = head(target="/p?a=%C3%A7&b=&a=2")
    assert (asked.path, asked.parameter("a"), asked.parameter("b")) == ("/p", "ç", None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"GET /",
        b"GET / HTTP/1.0",
        b"GET http://x/ HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1\r\nno colon",
        b"GET / HTTP/1.1\r\n: nameless",
        b"GET / HTTP/1.1\r\n folded: line",
        b"GET / HTTP/1.1\r\nname : value",
    ],
)
def test_what_is_no_head_is_a_value_error(raw):
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract, the text is not
        parse_head(raw, peer="192.0.2.1")


def test_a_head_prints_no_value():
    assert repr(head(("cookie", "segredo"))) == "<Head GET /socket.io/>"


def test_the_client_is_who_trusted_proxies_say_in_any_of_their_headers():
    fields = [("X-Forwarded-For", "203.0.113.9"), ("x-forwarded-for", "10.0.0.2")]
    asked = Head("GET", "/", fields, peer="10.0.0.1", trusted_proxies=[ip_network("10.0.0.0/8")])
    assert asked.client == "203.0.113.9"


ASKS = (
    b"GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Cookie: a=1; b=2\r\nX-Empty: \r\n\r\n"
)


def test_a_whole_upgrade_is_found_and_read_as_a_parser_reads_it():
    found = find_upgrade(ASKS + b"\x81\x80")
    assert found.end() == len(ASKS)
    asked, parsed = head_of_match(found, peer="192.0.2.1"), parse_head(ASKS[:-4], peer="192.0.2.1")
    for name in ("host", "upgrade", "cookie", "x-empty", "absent"):
        assert asked.header(name) == parsed.header(name)
    assert (asked.path, asked.query, asked.client) == (parsed.path, parsed.query, parsed.client)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((b"\r\n\r\n", b"\r\n"), id="not whole"),
        pytest.param((b"Upgrade: websocket", b"Upgrade: h2c"), id="to something else"),
        pytest.param((b"Connection: Upgrade", b"Connection: close"), id="not asked of the next hop"),
        pytest.param((b"Upgrade: websocket\r\n", b"X-Upgrade: websocket\r\n"), id="another header"),
        pytest.param((b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param((b"Cookie: a", b"Cookie : a"), id="a name with a space"),
        pytest.param((b"Cookie: a", b"Cookie: \x00a"), id="a control character"),
        pytest.param((b"Cookie: a", b"Cookie: a\r\n more"), id="a folded line"),
        pytest.param((b"Cookie: a", b"Cookie: a\nInjected: b"), id="a bare line feed"),
    ],
)
def test_what_is_no_tidy_upgrade_is_left_to_the_parser(change):
    assert find_upgrade(ASKS.replace(*change)) is None
