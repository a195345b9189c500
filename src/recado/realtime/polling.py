"""HTTP long-polling as an ASGI application: a request finds its session, and the session's reply becomes the answer.

Serves each endpoint at its path, beside the application that has the rest. A GET has a shorter way too, on a connection
that answers without a task (`take`). Must not know what packets mean. Ruled by docs/realtime.md ("Polling").
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Protocol

from recado.app.addresses import Network
from recado.app.origins import Origin, parse_origin
from recado.app.whole_answer import WHOLE_ANSWER
from recado.protocol.polling import OK, Reply, error_reply
from recado.realtime.asgi_transport import Application, Message, Receive, Send, head_of_scope
from recado.realtime.head import Head, Refusal, find_get, head_of_match
from recado.realtime.polling_transport import PollingTransport

METHODS = b"GET,HEAD,PUT,PATCH,POST,DELETE"
"""What the official server allows after a preflight."""

NO_CONTENT = Reply(204)
NOT_TEXT = Reply(400)
WRONG_METHOD = Reply(405)
TOO_SLOW = Reply(408)
TOO_LARGE = Reply(413)

Headers = tuple[tuple[bytes, bytes], ...]

_FIXED: dict[int, Headers] = {
    WRONG_METHOD.status: ((b"allow", b"GET, POST"),),
    TOO_SLOW.status: ((b"connection", b"close"),),
}


class PollingEndpoint(Protocol):
    """What serves one path's HTTP requests; an engine."""

    def poll(self, head: Head) -> PollingTransport | Refusal: ...

    @property
    def max_payload_bytes(self) -> int: ...


class Connection(Protocol):
    """What a GET may be answered on without a task; http_protocol.py has it."""

    @property
    def peer(self) -> str: ...

    def hold(self, hung_up: Callable[[], None]) -> None:
        """The answer comes later. `hung_up` is called if the client goes before."""
        ...

    def respond(self, status: int, rest: bytes) -> None:
        """`rest` is what follows the server's own headers."""
        ...


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
        self._beginnings = tuple(f"GET {path}".encode() for path in self._endpoints)

    def take(self, data: bytes, connection: Connection) -> bool:
        """Answer a GET that is all that was read, now or later; False for anything else, which goes the long way."""
        match = find_get(data) if data.startswith(self._beginnings) else None
        if match is None:
            return False
        head = head_of_match(match, peer=connection.peer, trusted_proxies=self._trusted_proxies)
        endpoint = self._endpoints.get(head.path.rstrip("/"))
        if endpoint is None:
            return False
        get = _Get(connection, self._cors(head)[0])
        session = endpoint.poll(head)
        if isinstance(session, Refusal):
            get.answer(_refused(session))
        elif (reply := session.get(get)) is not None:
            get.answer(reply)
        else:
            connection.hold(session.lost)
        return True

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"].rstrip("/")) if scope["type"] == "http" else None
        if endpoint is None:
            await self._application(scope, receive, send)
            return
        head = head_of_scope(scope, self._trusted_proxies)
        cors, allowed = self._cors(head)
        try:
            if allowed and head.method == "OPTIONS":
                reply = NO_CONTENT
            else:
                reply = await _reply(endpoint, head, receive)
        except HungUpError:
            return
        headers = _headers(reply, cors)
        whole = scope.get("extensions", {}).get(WHOLE_ANSWER)
        if whole is None or reply.status != OK.status or not whole(scope, reply.status, headers, reply.body):
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            await send({"type": "http.response.body", "body": reply.body})

    def _cors(self, head: Head) -> tuple[Headers, bool]:
        """The headers, and whether the page is allowed. On refusals too: who may not read why can only guess."""
        if not self._allowed_origins:
            return (), False
        origin = head.header("origin")
        headers: Headers = ((b"vary", b"Origin"),)
        if origin is None or parse_origin(origin) not in self._allowed_origins:
            return headers, False
        return (*headers, *_permission(origin, head)), True


class _Get:
    """A GET on a connection that needs no task."""

    __slots__ = ("_connection", "_cors")

    def __init__(self, connection: Connection, cors: Headers) -> None:
        self._connection = connection
        self._cors = cors

    def answer(self, reply: Reply) -> None:
        self._connection.respond(reply.status, _rest(reply, self._cors))


class _GetOfATask:
    """A GET whose task waits for `reply`."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def answer(self, reply: Reply) -> None:
        if not self.reply.done():
            self.reply.set_result(reply)


def _refused(refusal: Refusal) -> Reply:
    return error_reply(refusal.code, refusal.status, refusal.text)


async def _reply(endpoint: PollingEndpoint, head: Head, receive: Receive) -> Reply:
    session = endpoint.poll(head)
    if isinstance(session, Refusal):
        return _refused(session)
    match head.method:
        case "GET":
            return await _get(session, receive)
        case "POST":
            return await _post(session, head, receive, endpoint.max_payload_bytes)
        case _:
            return WRONG_METHOD


async def _get(session: PollingTransport, receive: Receive) -> Reply:
    get = _GetOfATask()
    reply = session.get(get)
    if reply is not None:
        return reply
    listener = asyncio.create_task(_hang_up(receive))
    either: set[asyncio.Future[Any]] = {get.reply, listener}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        listener.cancel()
        if not get.reply.done():
            session.lost()
    return await get.reply


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


def _permission(origin: str, head: Head) -> list[tuple[bytes, bytes]]:
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


@lru_cache(maxsize=4)
def _rest(reply: Reply, cors: Headers) -> bytes:
    """Headers and body. What many hear is put together once, not for each of them."""
    lines = [b"%b: %b\r\n" % field for field in _headers(reply, cors)]
    return b"%b\r\n%b" % (b"".join(lines), reply.body)


def _headers(reply: Reply, cors: Headers) -> list[tuple[bytes, bytes]]:
    headers = [(b"cache-control", b"no-store"), *cors, *_FIXED.get(reply.status, ())]
    if reply.status != NO_CONTENT.status:
        headers += [
            (b"content-type", reply.media_type.encode()),
            (b"content-length", b"%d" % len(reply.body)),
            (b"x-content-type-options", b"nosniff"),
        ]
    return headers
