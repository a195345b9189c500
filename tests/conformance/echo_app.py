"""An echo server for the protocols' official suites and for the fan-out bench, on the product's own engine.

    python -m tests.conformance.echo_app --port 3000 --ping-interval-ms 300 --ping-timeout-ms 200

`/engine.io/` returns every message unchanged. `/socket.io/` has the namespaces `/` and `/custom`, and does what the
suite of Socket.IO revision 5 expects of a server. docs/realtime.md, "Conformance".
"""

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import socket
from typing import Any

import uvloop

from recado import observe
from recado.protocol.connection import EngineConnection
from recado.protocol.engineio import encode_message
from recado.protocol.outcomes import MessageReceived
from recado.protocol.websocket import binary_frame, text_frame
from recado.realtime.engine import Engine
from recado.realtime.hub import Settings
from recado.realtime.link import Link
from recado.realtime.serving import make_server, spare_the_collector

ROOM = "r"

APART_S = 0.02
"""The suites await 101, and then listen for the open packet; the CONNECT reply, and then for the greeting: what one
read brings together they miss. Socket.IO's open packet follows its 101 at once, for that is what the bench measures."""


class EchoLink(Link):
    """Bare Engine.IO: whatever comes goes back."""

    __slots__ = ()

    def __init__(self, hub, transport, head):
        super().__init__(hub, transport, head, EngineConnection(hub.timing, hub.clock()))

    def open(self, sid, upgrades=()):
        if upgrades:
            super().open(sid, upgrades)
        else:
            asyncio.get_running_loop().call_later(APART_S, super().open, sid)

    def handle(self, outcome):
        assert isinstance(outcome, MessageReceived)
        data = outcome.data
        self.push(
            binary_frame(data) if isinstance(data, bytes) else text_frame(encode_message(data.encode()))
        )


class EchoHandlers:
    """The suite's events; `pub` may name another room than the suite's, for the bench."""

    def __init__(self, rooms, *, greets):
        self._rooms = rooms
        self._greets = greets
        self._events = {
            "message": self._message,
            "message-with-ack": self._message_with_ack,
            "join": self._join,
            "pub": self._pub,
        }

    def connect(self, session, auth: dict[str, Any]):
        if self._greets:
            asyncio.get_running_loop().call_later(APART_S, session.emit, "auth", auth)

    def event(self, session, name, args):
        handler = self._events.get(name)
        return handler(session, *args) if handler else None

    def disconnected(self, session, reason):
        pass

    def _message(self, session, *args):
        session.emit("message-back", *args)

    def _message_with_ack(self, _session, *args):
        return args

    def _join(self, session, room=ROOM):
        self._rooms.join(session, room)

    def _pub(self, _session, payload=None, room=ROOM):
        self._rooms.emit(room, "msg", payload)


class Quiet(EchoHandlers):
    """`/custom`: nothing but the greeting."""

    def event(self, session, name, args):
        return None


def answering(status, body=b""):
    """The ASGI application beside the sockets: it says the same to everybody."""

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def listeners(port):
    """Both loopbacks: `localhost` is ::1 to some clients. A machine without IPv6 has the first only."""
    yield socket.create_server(("127.0.0.1", port), backlog=4_096)
    with contextlib.suppress(OSError):
        yield socket.create_server(("::1", port), family=socket.AF_INET6, backlog=4_096)


async def serve(options):
    log = observe.get_logger("echo")
    settings = Settings(
        ping_interval_s=options.ping_interval_ms / 1000,
        ping_timeout_s=options.ping_timeout_ms / 1000,
        connect_timeout_s=options.connect_timeout_ms / 1000,
        max_payload_bytes=options.max_payload,
    )
    bare = Engine(settings, log=log, make_link=EchoLink)
    engine = Engine(settings, log=log)
    engine.serve("/", EchoHandlers(engine.rooms(), greets=options.greeting))
    engine.serve("/custom", Quiet(engine.rooms("/custom"), greets=options.greeting))

    async def drain():
        await asyncio.gather(bare.drain(0), engine.drain(0))

    server = make_server(
        answering(404),
        endpoints={"/engine.io/": bare, "/socket.io/": engine},
        drain=drain,
        log=log,
        websocket=options.websocket,
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.handle_exit, name, None)
    bare.start()
    engine.start()
    spare_the_collector()
    await server.serve(sockets=list(listeners(options.port)))
    await asyncio.gather(bare.stop(), engine.stop())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ping-interval-ms", type=int, default=300)
    parser.add_argument("--ping-timeout-ms", type=int, default=200)
    parser.add_argument("--connect-timeout-ms", type=int, default=45_000)
    parser.add_argument("--max-payload", type=int, default=1_000_000)
    parser.add_argument(
        "--no-greeting",
        dest="greeting",
        action="store_false",
        help="no `auth` event, which only the suite expects",
    )
    parser.add_argument(
        "--websocket", choices=["picows", "asgi"], default=os.environ.get("RECADO_WEBSOCKET") or "picows"
    )
    options = parser.parse_args()
    observe.configure("warning", "console")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options))


if __name__ == "__main__":
    main()
