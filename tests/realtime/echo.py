"""A small real application on the real engine and a real uvicorn, in the test's own loop, on a free loopback port."""

import asyncio
import contextlib
import socket

from conformance.echo_app import answering
from recado.errors import ConflictError, UnauthenticatedError
from recado.realtime.engine import Engine
from recado.realtime.hub import Settings
from recado.realtime.serving import make_server

PATIENCE_S = 10


class RecordingLog:
    """A log that a test can read: (level, event, fields)."""

    def __init__(self):
        self.lines = []

    def debug(self, event, /, **fields):
        self.lines.append(("debug", event, fields))

    def info(self, event, /, **fields):
        self.lines.append(("info", event, fields))

    def warning(self, event, /, **fields):
        self.lines.append(("warning", event, fields))

    def exception(self, event, /, **fields):
        self.lines.append(("exception", event, fields))

    def of(self, event):
        return [fields for _, name, fields in self.lines if name == event]

    @property
    def exceptions(self):
        return [event for level, event, _ in self.lines if level == "exception"]


class Echo:
    """`auth` says what connecting does, an event's name what it does; `gate` is what waiting handlers wait for."""

    def __init__(self, rooms):
        self.rooms = rooms
        self.gate = asyncio.Event()
        self.started = []
        self.running = 0
        self.most_running = 0
        self.gone = []
        self.sessions = []
        self.changed = asyncio.Condition()
        self.events = {
            "message": self._message,
            "message-with-ack": self._message_with_ack,
            "join": self._join,
            "leave": self._leave,
            "pub": self._pub,
            "pub-in": self._pub_in,
            "wait": self._wait,
            "held-join": self._held_join,
            "bug": self._bug,
            "conflict": self._conflict,
            "unencodable": self._unencodable,
            "nothing": self._nothing,
            "ask": self._ask,
            "close": self._close,
            "disconnect-me": self._disconnect,
        }

    async def connect(self, session, auth):
        if "refuse" in auth:
            raise UnauthenticatedError(auth["refuse"] or None)
        if "bug" in auth:
            raise ValueError(auth["bug"])
        self.sessions.append(session)
        if "room" in auth:
            self.rooms.join(session, auth["room"])
        if "wait" in auth:
            await self._note(auth["wait"])
            await self.gate.wait()
            self.rooms.join(session, "late")
        session.emit("auth", auth)

    async def event(self, session, name, args):
        return await self.events[name](session, *args)

    def disconnected(self, session, reason):
        self.gone.append((session.id, reason))
        asyncio.ensure_future(self._notify())  # noqa: RUF006 - ends in the same tick

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(condition)

    async def _note(self, what):
        self.started.append(what)
        await self._notify()

    async def _notify(self):
        async with self.changed:
            self.changed.notify_all()

    async def _message(self, session, *args):
        session.emit("message-back", *args)

    async def _message_with_ack(self, _session, *args):
        return args

    async def _join(self, session, room="r"):
        self.rooms.join(session, room)
        return {"ok": True}

    async def _leave(self, session, room="r"):
        self.rooms.leave(session, room)
        return {"ok": True}

    async def _pub(self, _session, *args, room="r"):
        self.rooms.emit(room, "msg", *args)

    async def _pub_in(self, _session, room, *args):
        self.rooms.emit(room, "msg", *args)

    async def _wait(self, _session, number, *_more):
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await self._note(number)
        await self.gate.wait()
        self.running -= 1
        return number

    async def _held_join(self, session, room):
        """As the gateway joins: hold, join, read, answer."""
        session.hold()
        try:
            self.rooms.join(session, room)
            await self._note("held")
            await self.gate.wait()
            session.emit("direct", 1)
        finally:
            session.release()
        return {"ok": True}

    async def _bug(self, _session, text):
        raise ValueError(text)

    async def _conflict(self, _session):
        raise ConflictError(state={"lastSeq": 7})

    async def _unencodable(self, _session):
        return object()

    async def _nothing(self, _session):
        return None

    async def _ask(self, session, timeout_s=PATIENCE_S):
        try:
            return {"answer": await session.call("question", 1, timeout_s=timeout_s)}
        except TimeoutError:
            return {"answer": "timeout"}

    async def _close(self, session, reason):
        session.close(reason)

    async def _disconnect(self, session):
        session.disconnect()


class EchoServer:
    """`url` speaks HTTP and WebSocket; `stop()` is what SIGTERM does."""

    def __init__(self, engine, log, port, server, task):
        self.engine = engine
        self.log = log
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.rooms = engine.rooms()
        self._server = server
        self._task = task
        self.root = Echo(self.rooms)
        self.custom = Echo(engine.rooms("/custom"))
        engine.serve("/", self.root)
        engine.serve("/custom", self.custom)

    async def until_empty(self):
        """No wire is open any more, of its own accord."""
        hub = self.engine._hub
        hub.emptied.clear()
        if hub.links:
            async with asyncio.timeout(PATIENCE_S):
                await hub.emptied.wait()

    def stop(self):
        self._server.should_exit = True

    async def stopped(self):
        async with asyncio.timeout(PATIENCE_S):
            await self._task


@contextlib.asynccontextmanager
async def serving(
    *,
    accept=None,
    trusted_proxies=(),
    drain_s=1.0,
    port=0,
    websocket="picows",
    head_timeout_s=10.0,
    allowed_origins=(),
    node="",
    keep_alive_s=None,
    **settings,
):
    log = RecordingLog()
    engine = Engine(Settings(**settings), log=log, accept=accept, node=node)
    listener = socket.create_server(("127.0.0.1", port), backlog=1_000)
    port = listener.getsockname()[1]
    server = make_server(
        answering(200, b"ok"),
        endpoints={"/socket.io/": engine},
        drain=lambda: engine.drain(drain_s),
        log=log,
        websocket=websocket,
        trusted_proxies=trusted_proxies,
        head_timeout_s=head_timeout_s,
        allowed_origins=allowed_origins,
    )
    server.config.timeout_keep_alive = keep_alive_s or server.config.timeout_keep_alive
    engine.start()
    # Not `serve`: its signal handlers belong to a process of its own.
    task = asyncio.create_task(server._serve(sockets=[listener]))
    running = EchoServer(engine, log, port, server, task)
    try:
        yield running
    finally:
        running.root.gate.set()
        running.custom.gate.set()
        await engine.stop()
        if not task.done():
            # What uvicorn's shutdown does, without its pauses.
            task.cancel()
            for listening in server.servers:
                listening.close()
            await server.lifespan.shutdown()
