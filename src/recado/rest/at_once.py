"""Reads of addresses that are known, answered before anything else looks at them. docs/cache.md, "Over HTTP".

An address is understood once, by its route; when it comes again, what it asks for is known, and so is how to read it.
Lists, as our own screens ask for them, are understood here: of a first read the framework would be a quarter. Whatever
is refused or fails goes the long way, which explains.
"""

import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from litestar import Response
from litestar.connection import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from msgspec import Struct
from uuid_utils import uuid7

from recado.app.origins import SESSION_COOKIE
from recado.app.pages import Answer, Pages, Target, list_target
from recado.app.paging import MAX_PAGE
from recado.app.sessions import Sessions
from recado.app.whole_answer import WHOLE_ANSWER
from recado.domain.accounts import Identity
from recado.domain.cursor import parse_cursor
from recado.domain.values import ClinicId, Seq
from recado.errors import RecadoError
from recado.observe import get_logger
from recado.rest.envelope import ALWAYS, REQUEST_ID, TAME_REQUEST_ID, UNLESS_STATED, RawHeader

MAX_ADDRESSES = 20_000
JSON = "application/json"
CURSOR_HEADER = "Recado-Cursor"
NO_TOKEN = ""

FIXED = [(b"content-type", JSON.encode()), *ALWAYS, *UNLESS_STATED]

LIST = re.compile(
    rb"/api/v1/clinics/([1-9][0-9]{0,8})/conversations\?limit=([1-9][0-9]{0,2})(?:&before=([0-9]{1,18}))?"
)
LIST_ROUTE = "/api/v1/clinics/{clinicId}/conversations"

log = get_logger("rest")


class Known(Struct, frozen=True):
    """An address that a route has understood."""

    target: Target
    route: str


class Reads:
    """Pages, and the addresses whose page is known. When there are too many, all are forgotten."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self._known: dict[bytes, Known] = {}

    def learn(self, scope: HTTPScope, target: Target) -> None:
        if len(self._known) >= MAX_ADDRESSES:
            self._known.clear()
        route: Any = scope.get("path_template")
        self._known[_address(scope)] = Known(target, route)

    def find(self, address: bytes) -> Known | None:
        return self._known.get(address) or _list_at(address)


@lru_cache(2_000)
def _list_at(address: bytes) -> Known | None:
    asked = LIST.fullmatch(address)
    if asked is None or int(asked[2]) > MAX_PAGE:
        return None
    before = None if asked[3] is None else Seq(int(asked[3]))
    return Known(list_target(ClinicId(int(asked[1])), int(asked[2]), before), LIST_ROUTE)


def _address(scope: HTTPScope) -> bytes:
    """As the request's first line has it."""
    return scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")


class AtOnce:
    """`app` is the long way."""

    def __init__(self, app: ASGIApp, reads: Reads, sessions: Sessions) -> None:
        self._app = app
        self._reads = reads
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] == "GET":
            known = self._reads.find(_address(scope))
            if known is not None and await self._answered(scope, known, send):
                return
        await self._app(scope, receive, send)

    def take(self, address: bytes, lines: bytes) -> tuple[int, bytes] | None:
        """A GET with these header lines → status and what follows the server's own headers, if it is at hand.

        For our own server, which then needs neither parser nor task: a fifth of a hit.
        """
        known = self._reads.find(address)
        if known is None:
            return None
        started_at = time.perf_counter()
        fields = [line.partition(b": ") for line in lines.split(b"\r\n")[1:]]
        token, after, unless, request_id = _headers_of((name.lower(), value) for name, _, value in fields)
        identity = self._sessions.recall(token)
        if identity is None:
            return None
        try:
            seen = parse_cursor(after) if after else None
            answer = self._reads.pages.at_once(identity, known.target, seen)
        except RecadoError:
            return None
        if answer is None:
            return None
        request_id = _id_of(request_id)
        status, headers, body = _told(answer, unless, request_id)
        _log(known, request_id, status, started_at, identity)
        return status, b"%b\r\n%b" % (b"".join([b"%b: %b\r\n" % header for header in headers]), body)

    async def _answered(self, scope: HTTPScope, known: Known, send: Send) -> bool:
        started_at = time.perf_counter()
        token, after, unless, request_id = _headers_of(scope["headers"])
        pages, target = self._reads.pages, known.target
        try:
            identity = await self._sessions.verify(token)
            seen = parse_cursor(after) if after else None
            answer = pages.at_once(identity, target, seen) or await pages.answer(identity, target, seen)
        except Exception:  # noqa: BLE001 - refused or failed: so will the long way, and explain it
            return False
        request_id = _id_of(request_id)
        status, headers, body = _told(answer, unless, request_id)
        extensions: Any = scope.get("extensions") or {}
        whole = extensions.get(WHOLE_ANSWER)
        if whole is None or not whole(scope, status, headers, body):
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        _log(known, request_id, status, started_at, identity)
        return True


def _told(answer: Answer, unless: str | None, request_id: str) -> tuple[int, list[RawHeader], bytes]:
    status, body = (304, b"") if _names(unless, answer.version) else (200, answer.body)
    headers = [
        *(FIXED if status == 200 else FIXED[1:]),
        (b"etag", answer.version.encode()),
        (b"recado-cursor", str(answer.cursor).encode()),
        (REQUEST_ID, request_id.encode()),
    ]
    if status == 200:
        headers.append((b"content-length", b"%d" % len(body)))
    return status, headers, body


def _id_of(request_id: str) -> str:
    return request_id if TAME_REQUEST_ID.fullmatch(request_id) else str(uuid7())


def _log(known: Known, request_id: str, status: int, started_at: float, identity: Identity) -> None:
    log.debug(
        "request",
        request_id=request_id,
        method="GET",
        route=known.route,
        status=status,
        duration_ms=round((time.perf_counter() - started_at) * 1000, 1),
        member_id=identity.member_id,
    )


def answered(
    request: Request[Any, Any, Any], reads: Reads, answer: Answer, target: Target | None
) -> Response[Any]:
    """A route's answer; the next request for the same address is answered at once."""
    if target is not None:
        reads.learn(request.scope, target)
    headers = {"ETag": answer.version, CURSOR_HEADER: str(answer.cursor)}
    if _names(request.headers.get("if-none-match"), answer.version):
        return Response(None, status_code=304, headers=headers)
    return Response(answer.body, media_type=JSON, headers=headers)


def _headers_of(headers: Iterable[RawHeader]) -> tuple[str, str | None, str | None, str]:
    """Token, cursor, If-None-Match, request id. A bearer token counts before the cookie (authentication.py)."""
    token, cookie, after, unless, request_id = None, NO_TOKEN, None, None, ""
    for name, value in headers:
        match name:
            case b"authorization":
                scheme, _, given = value.decode("latin-1").partition(" ")
                token = given.strip() if scheme.lower() == "bearer" else None
            case b"cookie":
                cookie = _session_of(value.decode("latin-1"))
            case b"recado-after":
                after = value.decode("latin-1")
            case b"if-none-match":
                unless = value.decode("latin-1")
            case b"x-request-id":
                request_id = value.decode("latin-1")
    return cookie if token is None else token, after, unless, request_id


def _session_of(cookies: str) -> str:
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == SESSION_COOKIE:
            return value
    return NO_TOKEN


def _names(unless: str | None, version: str) -> bool:
    """RFC 9110, 13.1.2: a list of versions, compared weakly, or `*`."""
    if unless is None:
        return False
    return any(each.strip().removeprefix("W/") in {version, "*"} for each in unless.split(","))
