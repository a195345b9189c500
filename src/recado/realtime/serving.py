"""uvicorn as Recado runs it: one port, our two protocol classes, and a shutdown that lets clients go first.

uvicorn waits for open connections before its lifespan ends, so the drain stands in an overridden `Server.shutdown`,
before `super()`: pyproject pins uvicorn below 0.55. Must not know what is drained. Ruled by docs/realtime.md.
"""

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import Any, Literal, Protocol

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from recado.app.addresses import Network
from recado.app.origins import Origin
from recado.realtime.asgi_transport import AsgiWebSockets
from recado.realtime.first_read import make_first_read
from recado.realtime.http_protocol import AtOnce, HttpProtocol, Posts
from recado.realtime.hub import Log
from recado.realtime.picows_protocol import make_websocket_protocol
from recado.realtime.polling import Polling, PollingEndpoint
from recado.realtime.transport import Endpoint

BACKLOG = 4_096
"""Screens that come back at once wait here for their turn; one that finds it full tries again after a second."""
SHUTDOWN_TIMEOUT_S = 10
GC_THRESHOLD = (10_000, 50, 20)
"""Some 27 objects of a connection are looked at when they are new. A second look, at all of 7,400 connections, took
90 ms in the midst of their coming back: it waits for 18,000."""

WebSocketKind = Literal["picows", "asgi"]


_ANSWERED = ("Invalid UTF-8", "ASGI callable returned without completing handshake")
"""What uvicorn logs as errors of peers that have their answer: 1007, or a refusal, which it takes for no answer."""


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_ANSWERED)


class ServedEndpoint(Endpoint, PollingEndpoint, Protocol):
    """By WebSocket and by polling."""


class DrainingServer(uvicorn.Server):
    """On SIGTERM and SIGINT: stop listening, await `drain`, then uvicorn's own shutdown."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours are handled by the loop. uvicorn's way raises them again after the drain, as if nothing had ended."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        try:
            await self._drain()
        finally:
            await super().shutdown(sockets)


def spare_the_collector() -> None:
    """Connections and events make no reference cycles, so they are looked for more rarely: a tenth of a handshake.

    Call it when what lives as long as the process is there: it is never looked at again.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)


def make_server(  # noqa: PLR0913 - everything that a server may be told
    app: Any,
    *,
    endpoints: Mapping[str, ServedEndpoint],
    drain: Callable[[], Awaitable[None]],
    log: Log,
    websocket: WebSocketKind = "picows",
    trusted_proxies: Collection[Network] = (),
    allowed_origins: Collection[Origin] = (),
    head_timeout_s: float = 10.0,
    at_once: AtOnce | None = None,
    posts: Posts | None = None,
) -> DrainingServer:
    """`app` is the ASGI application for everything that is not at a path of `endpoints`; its lifespan is run.

    `at_once` is asked first for a GET, if it came in one read, and `posts` for a small POST: http_protocol.py.

    Give `serve` its sockets: nothing else is listened on.

    uvicorn's own log configuration and access log are off, for ours have ids only; so is its reading of
    `X-Forwarded-For`, for `app.addresses` must see the real peer.
    """
    (max_payload_bytes,) = {endpoint.max_payload_bytes for endpoint in endpoints.values()}
    polling = Polling(endpoints, app, allowed_origins=allowed_origins, trusted_proxies=trusted_proxies)
    app = polling
    short_ways = {"polling": polling, "at_once": at_once, "posts": posts} if websocket == "picows" else {}
    variables = {"head_timeout_s": head_timeout_s, **short_ways}
    http: type[HttpProtocol] = type("HttpProtocol", (HttpProtocol,), variables)
    first: type[asyncio.Protocol] = http
    protocol: type[asyncio.Protocol] = WebSocketsSansIOProtocol
    if websocket == "picows":
        protocol = make_websocket_protocol(endpoints, log=log, trusted_proxies=trusted_proxies)
        first = make_first_read(http, protocol)
    else:
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        app = AsgiWebSockets(endpoints, app, log=log, trusted_proxies=trusted_proxies)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=first,
        ws=protocol,
        ws_max_size=max_payload_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # Engine.IO has its own heartbeat
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        backlog=BACKLOG,  # of the sockets it is given, too: uvicorn listens again
    )
    return DrainingServer(config, drain)
