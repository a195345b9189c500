"""Reads of addresses that are known, answered before anything else looks at them. docs/cache.md, "Over HTTP".

An address is understood once, by its route; when it comes again, what it asks for is known, and so is how to read it.
Lists, as our own screens ask for them, are understood here: of a first read the framework would be a quarter. Whatever
is refused goes the long way, which explains; a read that took long to fail is told there, and not tried again.
"""

import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

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
from recado.domain.cursor import Cursor, parse_cursor
from recado.domain.values import ClinicId, Seq
from recado.errors import RecadoError, UnauthenticatedError
from recado.observe import get_logger, tells
from recado.rest.authentication import FAILED
from recado.rest.envelope import ALWAYS, REQUEST_ID, TAME_REQUEST_ID, UNLESS_STATED, RawHeader

MAX_ADDRESSES = 20_000
JSON = "application/json"
CURSOR_HEADER = "Recado-Cursor"
NO_TOKEN = ""

MAX_HEADS, MAX_HEAD_BYTES = 1_000, 2_000
"""That are remembered."""

PATIENCE_S = 1.0
"""A read that fails sooner is tried again the long way: its connection may have been cut while it was idle. A token
that nobody has is no such failure."""

TYPE: RawHeader = (b"content-type", JSON.encode())
FIXED: Sequence[RawHeader] = (*ALWAYS, *UNLESS_STATED)
FIXED_LINES = b"".join(b"%b: %b\r\n" % header for header in FIXED)

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


class Asked(NamedTuple):
    """What a head says beside the address, as far as an answer depends on it."""

    token_hash: str
    after: Cursor | None
    unless: str | None
    request_id: str | None


class AtOnce:
    """`app` is the long way."""

    def __init__(self, app: ASGIApp, reads: Reads, sessions: Sessions) -> None:
        self._app = app
        self._reads = reads
        self._sessions = sessions
        self._tells = tells("debug")
        # Who asks again mostly does so in the same words.
        self._remembered = lru_cache(MAX_HEADS)(self._understand_lines)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] == "GET":
            known = self._reads.find(_address(scope))
            if known is not None and await self._answered(scope, known, send):
                return
        await self._app(scope, receive, send)

    def take(self, address: bytes, lines: bytes) -> tuple[int, Sequence[bytes]] | None:
        """A GET with these header lines → status and what follows the server's own headers, if it is at hand.

        For our own server, which then needs neither parser nor task: half of a hit.
        """
        known = self._reads.find(address)
        asked = None if known is None else self._asked(lines)
        identity = None if asked is None else self._sessions.recall(asked.token_hash)
        if known is None or asked is None or identity is None:
            return None
        started_at = time.perf_counter()
        try:
            answer = self._reads.pages.at_once(identity, known.target, asked.after)
        except RecadoError:
            return None
        if answer is None:
            return None
        told = _Told(answer, asked)
        if self._tells:
            _log(known, told, started_at, identity)
        own = [b"%b: %b\r\n" % header for header in told.headers]
        return told.status, (FIXED_LINES, *own, b"\r\n", *told.body)

    async def _answered(self, scope: HTTPScope, known: Known, send: Send) -> bool:
        asked = self._understand(scope["headers"])
        if asked is None:
            return False
        started_at = time.perf_counter()
        pages, target = self._reads.pages, known.target
        try:
            identity = scope["user"] = await self._sessions.verify_hash(asked.token_hash)
            answer = pages.at_once(identity, target, asked.after)
            answer = answer or await pages.answer(identity, target, asked.after)
        except Exception as error:  # noqa: BLE001 - refused or failed: the long way tells it
            took_s = time.perf_counter() - started_at
            if took_s >= PATIENCE_S or isinstance(error, UnauthenticatedError):
                scope.setdefault("state", {})[FAILED] = error
            return False
        told = _Told(answer, asked)
        headers, body = [*FIXED, *told.headers], b"".join(told.body)
        extensions: Any = scope.get("extensions") or {}
        whole = extensions.get(WHOLE_ANSWER)
        if whole is None or not whole(scope, told.status, headers, body):
            await send({"type": "http.response.start", "status": told.status, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        if self._tells:
            _log(known, told, started_at, identity)
        return True

    def _asked(self, lines: bytes) -> Asked | None:
        return self._remembered(lines) if len(lines) <= MAX_HEAD_BYTES else self._understand_lines(lines)

    def _understand_lines(self, lines: bytes) -> Asked | None:
        fields = [line.partition(b": ") for line in lines.split(b"\r\n")[1:]]
        return self._understand((name.lower(), value) for name, _, value in fields)

    def _understand(self, headers: Iterable[RawHeader]) -> Asked | None:
        """None for what the long way will refuse."""
        token, after, unless, request_id = _headers_of(headers)
        try:
            token_hash, seen = self._sessions.hash_of(token), parse_cursor(after) if after else None
        except RecadoError:
            return None
        tame = request_id if TAME_REQUEST_ID.fullmatch(request_id) else None
        return Asked(token_hash, seen, unless, tame)


class _Told:
    """An answer as HTTP has it; FIXED goes before its headers."""

    __slots__ = ("body", "headers", "request_id", "status")

    def __init__(self, answer: Answer, asked: Asked) -> None:
        self.request_id = asked.request_id or str(uuid7())
        self.headers: list[RawHeader] = [
            (b"etag", answer.version.encode()),
            (b"recado-cursor", str(answer.cursor).encode()),
            (REQUEST_ID, self.request_id.encode()),
        ]
        self.status = 304
        self.body: Sequence[bytes] = ()
        if not _names(asked.unless, answer.version):
            self.status, self.body = 200, (answer.kept, answer.rest)
            length = len(answer.kept) + len(answer.rest)
            self.headers += (TYPE, (b"content-length", b"%d" % length))


def _log(known: Known, told: _Told, started_at: float, identity: Identity) -> None:
    log.debug(
        "request",
        request_id=told.request_id,
        method="GET",
        route=known.route,
        status=told.status,
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
