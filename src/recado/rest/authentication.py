"""Who asks: a bearer token or the session cookie → Identity, in one place. docs/rest.md, "Who asks".

What the identity may do is not judged here, but by the use cases.
"""

from typing import Any, NamedTuple

from litestar.connection import ASGIConnection, Request
from litestar.datastructures import Cookie, State
from litestar.types import ASGIApp, Middleware, Receive, Scope, Send

from recado.app.addresses import Network, client_address
from recado.app.origins import SESSION_COOKIE, OwnOrigins, provenance
from recado.app.sessions import Sessions
from recado.domain.accounts import Identity
from recado.errors import OriginRefusedError

FAILED = "failed"
"""In a request's state: what became of it before, and is only to be told (at_once.py)."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, State]
MemberRequest = Request[Identity, None, State]


class Credentials(NamedTuple):
    token: str | None
    by_cookie: bool


def authentication(sessions: Sessions, own: OwnOrigins) -> Middleware:
    """Puts the verified Identity into `request.user`; runs before a body is read or a parameter judged.

    A closure, because Litestar copies what a router is given, deeply, and `sessions` must stay the one it is.
    """

    def around(app: ASGIApp) -> ASGIApp:
        async def authenticated(scope: Scope, receive: Receive, send: Send) -> None:
            if (failed := scope["state"].pop(FAILED, None)) is not None:
                raise failed
            request: Request[Any, Any, State] = Request(scope)
            if request.method != "OPTIONS":
                token, by_cookie = credentials_of(request)
                if by_cookie and request.method not in SAFE_METHODS:
                    require_own_page(request, own, by_cookie=True)
                scope["user"] = await sessions.verify(token)
            await app(scope, receive, send)

        return authenticated

    return around


def credentials_of(connection: Connection) -> Credentials:
    """A bearer token is meant; a cookie merely comes along. So the token wins."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Credentials(token.strip(), by_cookie=False)
    cookie = connection.cookies.get(SESSION_COOKIE)
    return Credentials(cookie, by_cookie=cookie is not None)


def require_own_page(connection: Connection, own: OwnOrigins, *, by_cookie: bool) -> None:
    """Raises OriginRefusedError for a page of another site and, with the cookie, for whoever does not say."""
    headers = connection.headers
    page = provenance(
        headers.get("origin"), host=headers.get("host"), fetch_site=headers.get("sec-fetch-site"), own=own
    )
    if page == "foreign" or (by_cookie and page != "own"):
        raise OriginRefusedError


def address_of(connection: Connection, trusted: tuple[Network, ...]) -> str:
    peer = connection.scope.get("client")
    forwarded_for = ",".join(connection.headers.getall("x-forwarded-for", []))
    return client_address(peer[0] if peer else None, forwarded_for, trusted)


def session_cookie(token: str, *, max_age_s: int, secure: bool) -> Cookie:
    """An empty token with `max_age_s=0` takes the cookie back."""
    return Cookie(
        key=SESSION_COOKIE,
        value=token,
        path="/",
        max_age=max_age_s,
        secure=secure,
        httponly=True,
        samesite="strict",
    )
