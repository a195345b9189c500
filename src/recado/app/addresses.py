"""Who is at the other end of a connection, seen through the proxies we trust. Pure.

REST and the realtime transports ask here, and only here: uvicorn's own `proxy_headers` must be off, since it would
change the peer before we see it, and it never sees a WebSocket upgrade. docs/rest.md, "Behind a proxy".
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

UNKNOWN = "unknown"
"""The client's address where the transport has none (a Unix socket)."""


def client_address(peer: str | None, forwarded_for: str | None, trusted: Iterable[Network]) -> str:
    """The nearest address that is no proxy of ours: the TCP peer, or what trusted proxies say of theirs.

    `forwarded_for` is X-Forwarded-For, several headers joined by commas. Each proxy appends its peer, so it is read
    from the right, and only as long as the speaker is trusted: what a client wrote in it itself is never reached.
    """
    if not forwarded_for:
        return _peer_alone(peer or "")
    address = _parse_peer(peer or "")
    if address is None:
        return UNKNOWN
    networks = tuple(trusted)
    claims = forwarded_for.split(",")
    while claims and any(address in network for network in networks):
        claimed = _parse(claims.pop())
        if claimed is None:
            break
        address = claimed
    return str(address)


def neighbourhood(address: str) -> str:
    """Whose attempts count as one's: of IPv6 the /64, for every home line has one and may choose within it."""
    known = _parse(address)
    if not isinstance(known, ipaddress.IPv6Address):
        return address
    return str(ipaddress.ip_network((known, 64), strict=False))


def is_loopback(peer: str) -> bool:
    address = _parse(peer)
    return address is not None and address.is_loopback


def _parse(text: str) -> Address | None:
    """`192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7` or `[2001:db8::7]:4711`; IPv4 in IPv6 clothes becomes IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


_parse_peer = lru_cache(1_024)(_parse)
"""A proxy's address, or an office's, comes again with each of their connections."""


@lru_cache(1_024)
def _peer_alone(peer: str) -> str:
    address = _parse(peer)
    return UNKNOWN if address is None else str(address)
