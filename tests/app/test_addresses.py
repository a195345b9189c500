"""Whose word about a client's address is believed."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recado.app.addresses import client_address

TRUSTED = tuple(ipaddress.ip_network(text) for text in ("127.0.0.1/32", "10.0.0.0/8", "2001:db8:1::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # nobody we trust says so
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # 1.2.3.4 is the client's own invention
        ("127.0.0.1", "198.51.100.1, 10.1.2.3", "198.51.100.1"),  # two proxies of ours
        ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),  # a client inside our network
        ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("127.0.0.1", "2001:DB8::7", "2001:db8::7"),
        ("::ffff:127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:1::5", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1, nonsense, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", ",", "127.0.0.1"),
        (None, "198.51.100.1", "unknown"),
        ("", None, "unknown"),
        ("/run/recado.sock", "198.51.100.1", "unknown"),
    ],
)
def test_address_is_the_nearest_that_is_no_proxy_of_ours(peer, forwarded_for, expected):
    assert client_address(peer, forwarded_for, TRUSTED) == expected


@given(st.ip_addresses(), st.text())
def test_a_peer_that_is_not_trusted_cannot_choose_its_address(peer, forwarded_for):
    assert client_address(str(peer), forwarded_for, ()) == client_address(str(peer), None, ())


@given(st.text(), st.ip_addresses(v=4, network="203.0.113.0/24"))
def test_what_a_client_prepends_changes_nothing(prefix, client):
    assert client_address("10.0.0.1", f"{prefix},{client}", TRUSTED) == str(client)
