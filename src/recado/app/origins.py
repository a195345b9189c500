"""Which pages may act with the session cookie. Pure; asked by REST and by the WebSocket handshake alike.

A browser attaches the cookie by itself, so whatever changes something (and a handshake, which opens a door to
changes) must prove that one of our own pages asked. A bearer token proves that by itself. docs/rest.md, "Origins".
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

SESSION_COOKIE = "recado_session"

Provenance = Literal["own", "foreign", "unstated"]
"""Who asked: a page of ours, any other page, or a client that says nothing, which no current browser does.

The cookie is worth something with `own` only. Login, where no cookie is needed, is refused to `foreign` only.
"""

DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class OwnOrigins(NamedTuple):
    """Where our pages live. With `https_only` (the public URL is https) a plain http page is never ours by Host."""

    listed: frozenset[Origin]
    https_only: bool


def own_origins(public_url: str, allowed: Iterable[str] = ()) -> OwnOrigins:
    """`public_url` may carry a path. What does not parse is left out: it could match nothing."""
    listed = {origin for url in (public_url, *allowed) if (origin := _origin_of_url(url))}
    return OwnOrigins(frozenset(listed), https_only=urlsplit(public_url).scheme == "https")


def provenance(
    origin: str | None, *, host: str | None, fetch_site: str | None, own: OwnOrigins
) -> Provenance:
    """The headers Origin, Host and Sec-Fetch-Site → who asked.

    Ours is an origin that is listed, or that has the authority which the request itself was sent to: a page
    cannot choose its own address and ours at once. A proxy that rewrites Host needs RECADO_PUBLIC_URL.
    """
    if origin is not None:
        page = parse_origin(origin)
        return "own" if page and (page in own.listed or _is_host(page, host, own)) else "foreign"
    if fetch_site is not None:
        return "own" if fetch_site == "same-origin" else "foreign"
    return "unstated"


def parse_origin(text: str) -> Origin | None:
    """`https://inbox.example:8443`, as RFC 6454 section 6.1 writes it. None for `null` and everything else."""
    origin = _origin_of_url(text)
    # A serialized origin has nothing behind its authority, and nobody's name in it.
    return origin if origin and text.count("/") == 2 and not set(text) & set("@?#\\") else None


def _origin_of_url(url: str) -> Origin | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return None
    return Origin(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme])


def _is_host(page: Origin, host: str | None, own: OwnOrigins) -> bool:
    if not host or (own.https_only and page.scheme != "https"):
        return False
    # Host leaves the scheme's own port out, and behind a proxy that speaks TLS only the page knows the scheme.
    return parse_origin(f"{page.scheme}://{host}") == page
