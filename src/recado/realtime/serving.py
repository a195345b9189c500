"""uvicorn as Recado runs it: one port, our two protocol classes, and a shutdown that lets clients go first.

uvicorn waits for open connections before its lifespan ends, so the drain stands in an overridden `Server.shutdown`,
before `super()`: pyproject pins uvicorn below 0.55. Must not know what is drained. Ruled by docs/realtime.md.
"""

import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn

from recado.realtime.http_protocol import HttpProtocol

SHUTDOWN_TIMEOUT_S = 10


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


def make_server(
    app: Any,
    *,
    host: str,
    port: int,
    websocket_protocol: type,
    drain: Callable[[], Awaitable[None]],
) -> DrainingServer:
    """`app` is the ASGI application for everything that is no WebSocket; its lifespan is run.

    uvicorn's own log configuration and access log are off, for ours have ids only; so is its reading of
    `X-Forwarded-For`, for `app.addresses` must see the real peer.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=HttpProtocol,
        ws=websocket_protocol,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    return DrainingServer(config, drain)
