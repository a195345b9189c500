"""Around every HTTP exchange: a request id, the headers every answer has, HEAD, and one log line.

Litestar's middleware runs only where a route was found; this runs always. Knows no route. docs/rest.md, "Headers".
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import structlog
from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from uuid_utils import uuid7

from recado.domain.accounts import Identity
from recado.observe import get_logger

TAME_REQUEST_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

RawHeader = tuple[bytes, bytes]

REQUEST_ID = b"x-request-id"
ALWAYS: Sequence[RawHeader] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
UNLESS_STATED: Sequence[RawHeader] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
OURS = frozenset({REQUEST_ID, *(name for name, _ in ALWAYS)})
"""Whatever a route says."""

log = get_logger("rest")


def request_id_of(asked_for: str) -> str:
    """The client's, if it is tame, else a new one."""
    return asked_for if TAME_REQUEST_ID.fullmatch(asked_for) else str(uuid7())


class Envelope:
    """`methods`: what each address takes, by the route's template. Litestar's OPTIONS forgets some of them."""

    def __init__(self, app: ASGIApp, methods: Mapping[str, str]) -> None:
        self._app = app
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, send, self._methods)
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            try:
                await self._app(exchange.scope, receive, exchange.send)
            finally:
                exchange.write_log_line()


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: HTTPScope, send: Send, methods: Mapping[str, str]) -> None:
        self.request_id = request_id_of(Headers.from_scope(scope).get("x-request-id", ""))
        self.method = scope["method"]
        # A HEAD request is answered as a GET whose body stays here: every GET route has its HEAD.
        self.scope: Any = {**scope, "method": "GET"} if self.method == "HEAD" else scope
        self.scope.setdefault("state", {})["request_id"] = self.request_id
        self._send = send
        self._methods = methods
        self._status = 0
        self._started_at = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message = {**message, "headers": list(self._headers(message["headers"]))}
        elif message["type"] == "http.response.body" and self.method == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)

    def _headers(self, stated: Iterable[RawHeader]) -> Iterator[RawHeader]:
        """The route's own, completed. Litestar's mutable headers would look at all of them for each that is set."""
        names = set()
        for name, value in stated:
            names.add(name)
            if name == b"allow" and self.method == "OPTIONS":
                yield name, self._methods[self.scope["path_template"]].encode()
            elif name not in OURS:
                yield name, value
        yield REQUEST_ID, self.request_id.encode()
        yield from ALWAYS
        for name, value in UNLESS_STATED:
            if name not in names:
                yield name, value

    def write_log_line(self) -> None:
        """Ids only: neither query, body nor header. Successful reads are for debugging, the rest is news."""
        identity = self.scope.get("user")
        fields = {
            "method": self.method if self.method in METHODS else "other",
            "route": self.scope.get("path_template"),
            "status": self._status,
            "duration_ms": round((time.perf_counter() - self._started_at) * 1000, 1),
            "member_id": identity.member_id if isinstance(identity, Identity) else None,
            "code": self.scope["state"].get("code"),
        }
        told = {name: value for name, value in fields.items() if value is not None}
        quiet = self.method in {"GET", "HEAD", "OPTIONS"} and self._status < 400
        (log.debug if quiet else log.info)("request", **told)
