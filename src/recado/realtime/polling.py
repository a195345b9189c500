"""HTTP long-polling as an ASGI application: a request finds its session, and the session's reply becomes the answer.

Serves each endpoint at its path, beside the application that has the rest. Must not know what packets mean. Ruled by
docs/realtime.md ("Polling").
"""

import asyncio
from collections.abc import Collection, Mapping
from functools import partial
from typing import Protocol

from recado.app.addresses import Network
from recado.app.origins import Origin, parse_origin
from recado.app.whole_answer import WHOLE_ANSWER
from recado.protocol.polling import OK, Reply, error_reply
from recado.realtime.asgi_transport import Application, Message, Receive, Send, head_of_scope
from recado.realtime.head import Head, Refusal
from recado.realtime.polling_transport import AnswerNow, PollingTransport

METHODS = b"GET,HEAD,PUT,PATCH,POST,DELETE"
"""What the official server allows after a preflight."""

NO_CONTENT = Reply(204)
NOT_TEXT = Reply(400)
WRONG_METHOD = Reply(405)
TOO_SLOW = Reply(408)
TOO_LARGE = Reply(413)

Headers = list[tuple[bytes, bytes]]

_FIXED: dict[int, Headers] = {
    WRONG_METHOD.status: [(b"allow", b"GET, POST")],
    TOO_SLOW.status: [(b"connection", b"close")],
}


class PollingEndpoint(Protocol):
    """What serves one path's HTTP requests; an engine."""

    def poll(self, head: Head) -> PollingTransport | Refusal: ...

    @property
    def max_payload_bytes(self) -> int: ...


class HungUpError(Exception):
    """The client broke its request off."""


class Polling:
    """Pages of `allowed_origins` may read the answers; without any there is no CORS."""

    def __init__(
        self,
        endpoints: Mapping[str, PollingEndpoint],
        application: Application,
        *,
        allowed_origins: Collection[Origin] = (),
        trusted_proxies: Collection[Network] = (),
    ) -> None:
        self._endpoints = {path.rstrip("/"): endpoint for path, endpoint in endpoints.items()}
        self._application = application
        self._allowed_origins = frozenset(allowed_origins)
        self._trusted_proxies = tuple(trusted_proxies)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"].rstrip("/")) if scope["type"] == "http" else None
        if endpoint is None:
            await self._application(scope, receive, send)
            return
        head = head_of_scope(scope, self._trusted_proxies)
        headers, allowed = self._cors(head)
        answer_now = scope.get("extensions", {}).get(WHOLE_ANSWER)

        def answer(reply: Reply) -> bool:
            if answer_now is None or reply.status != OK.status:
                return False
            return bool(answer_now(scope, reply.status, _headers(reply, headers), reply.body))

        try:
            if allowed and head.method == "OPTIONS":
                reply: Reply | None = NO_CONTENT
            else:
                reply = await _reply(endpoint, head, receive, answer)
        except HungUpError:
            return
        if reply is not None and not answer(reply):
            await send(
                {
                    "type": "http.response.start",
                    "status": reply.status,
                    "headers": _headers(reply, headers),
                }
            )
            await send({"type": "http.response.body", "body": reply.body})

    def _cors(self, head: Head) -> tuple[Headers, bool]:
        """The headers, and whether the page is allowed. On refusals too: who may not read why can only guess."""
        if not self._allowed_origins:
            return [], False
        origin = head.header("origin")
        headers = [(b"vary", b"Origin")]
        if origin is None or parse_origin(origin) not in self._allowed_origins:
            return headers, False
        return headers + _permission(origin, head), True


async def _reply(
    endpoint: PollingEndpoint, head: Head, receive: Receive, answer_now: AnswerNow
) -> Reply | None:
    session = endpoint.poll(head)
    if isinstance(session, Refusal):
        return error_reply(session.code, session.status, session.text)
    match head.method:
        case "GET":
            return await session.get(partial(_hang_up, receive), answer_now)
        case "POST":
            return await _post(session, head, receive, endpoint.max_payload_bytes)
        case _:
            return WRONG_METHOD


async def _post(session: PollingTransport, head: Head, receive: Receive, max_bytes: int) -> Reply:
    reply = session.begin_post()
    if reply is not None:
        return reply
    try:
        if (head.header("content-type") or "").startswith("application/octet-stream"):
            session.fail("protocol error")
            return NOT_TEXT
        if int(head.header("content-length") or 0) > max_bytes:
            return TOO_LARGE
        async with asyncio.timeout(session.patience_s) as patience:
            body = await _body(session, receive, max_bytes, patience)
        return TOO_LARGE if body is None else await session.receive(body)
    except HungUpError:
        session.lost()
        raise
    except TimeoutError:
        session.lost()
        return TOO_SLOW
    finally:
        session.end_post()


async def _body(
    session: PollingTransport, receive: Receive, max_bytes: int, patience: asyncio.Timeout
) -> bytes | None:
    """None if it is larger. Every piece is a sign of life."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUpError
        body += message.get("body", b"")
        if len(body) > max_bytes:
            return None
        if not message.get("more_body", False):
            return bytes(body)
        session.touch()
        patience.reschedule(asyncio.get_running_loop().time() + session.patience_s)


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _permission(origin: str, head: Head) -> Headers:
    headers = [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
    ]
    if head.method == "OPTIONS":
        headers.append((b"access-control-allow-methods", METHODS))
        headers.append((b"vary", b"Access-Control-Request-Headers"))
        asked = head.header("access-control-request-headers")
        if asked is not None:
            headers.append((b"access-control-allow-headers", asked.encode("latin-1")))
    return headers


def _headers(reply: Reply, more: Headers) -> Headers:
    headers = [(b"cache-control", b"no-store"), *more, *_FIXED.get(reply.status, ())]
    if reply.status != NO_CONTENT.status:
        headers += [
            (b"content-type", reply.media_type.encode()),
            (b"content-length", b"%d" % len(reply.body)),
            (b"x-content-type-options", b"nosniff"),
        ]
    return headers
