"""A WebSocket peer that may be as rude as it likes: raw heads, raw frames, raw silence."""

import asyncio
import contextlib
import json
import os
import socket
import struct
from typing import NamedTuple

PATIENCE_S = 10
PATH = "/socket.io/?EIO=4&transport=websocket"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Frame(NamedTuple):
    opcode: int
    payload: bytes


class Answer(NamedTuple):
    """To an HTTP head."""

    status: int
    headers: dict
    body: str


def head(path=PATH, *, method="GET", drop=(), **fields):
    """A browser's upgrade head; keyword `x_y` is header `x-y`."""
    headers = {
        "host": "127.0.0.1",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": KEY,
        "sec-websocket-version": "13",
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if name not in drop]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def frame(opcode, payload=b"", *, fin=True, masked=True, rsv=0):
    if isinstance(payload, str):
        payload = payload.encode()
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size = len(payload)
    mask_bit = 0x80 if masked else 0
    if size < 126:
        prefix = struct.pack("!BB", first, mask_bit | size)
    elif size < 65_536:
        prefix = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        prefix = struct.pack("!BBQ", first, mask_bit | 127, size)
    if not masked:
        return prefix + payload
    mask = os.urandom(4)
    key = (mask * (size // 4 + 1))[:size]
    body = (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
    return prefix + mask + body


class Peer:
    """One TCP connection. Every wait ends within PATIENCE_S."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def answer(self):
        """The HTTP answer, its body read by content-length."""
        async with asyncio.timeout(PATIENCE_S):
            status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            pairs = (line.split(": ", 1) for line in lines)
            headers = {name.lower(): value for name, value in pairs}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(status.split(" ")[1]), headers, body.decode())

    def send(self, data):
        self.writer.write(data)

    def send_text(self, text):
        self.send(frame(TEXT, text))

    def emit(self, name, *args, ack_id=""):
        self.send_text(f"42{ack_id}{json.dumps([name, *args])}")

    async def receive(self):
        async with asyncio.timeout(PATIENCE_S):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2))
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8))
            return Frame(first & 0x0F, await self.reader.readexactly(size))

    async def text(self):
        """The next text message; anything else fails the test."""
        got = await self.receive()
        assert got.opcode == TEXT, got
        return got.payload.decode()

    async def event(self):
        text = await self.text()
        assert text.startswith("42"), text
        return json.loads(text[2:])

    async def ack(self, ack_id):
        text = await self.text()
        assert text.startswith(f"43{ack_id}["), text
        return json.loads(text[2 + len(str(ack_id)) :])

    async def close_code(self):
        """Read on to the end; the code of the CLOSE frame, or None if the connection just ended."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionResetError):
            while True:
                got = await self.receive()
                if got.opcode == CLOSE:
                    self.send(frame(CLOSE, got.payload[:2]))
                    return int.from_bytes(got.payload[:2])
        return None

    async def ended(self):
        """Nothing comes any more."""
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(PATIENCE_S):
                return await self.reader.read() == b""
        return True

    async def join(self, **auth):
        """Into the root namespace; returns the CONNECT reply's sid."""
        self.send_text(f"40{json.dumps(auth)}")
        reply = await self.text()
        assert reply.startswith("40{"), reply
        assert await self.event() == ["auth", auth]
        return json.loads(reply[2:])["sid"]

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def dialled(port, *, receive_buffer=None):
    """A bare TCP connection."""
    if receive_buffer is None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    else:
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        stream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(stream, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=stream, limit=1 << 16)
    peer = Peer(reader, writer)
    try:
        yield peer
    finally:
        await peer.close()


@contextlib.asynccontextmanager
async def upgraded(port, **options):
    """A WebSocket whose open packet was read."""
    async with dialled(port, **options) as peer:
        peer.send(head())
        answer = await peer.answer()
        assert answer.status == 101, answer
        assert (await peer.text()).startswith("0{")
        yield peer


@contextlib.asynccontextmanager
async def connected(port, *, receive_buffer=None, **auth):
    """A Socket.IO client in the root namespace."""
    async with upgraded(port, receive_buffer=receive_buffer) as peer:
        await peer.join(**auth)
        yield peer


class Poller:
    """A client by HTTP long-polling: one connection for its GETs, one for its POSTs, as browsers do."""

    def __init__(self, port, fetching, sending, path="/socket.io/"):
        self.port = port
        self.path = path
        self.fetching = fetching
        self.sending = sending
        self.sid = None

    def target(self, **parameters):
        parameters = {"EIO": "4", "transport": "polling", "sid": self.sid} | parameters
        return f"{self.path}?" + "&".join(f"{name}={value}" for name, value in parameters.items() if value)

    async def open(self):
        answer = await self.get()
        assert answer.status == 200, answer
        self.sid = json.loads(answer.body.removeprefix("0"))["sid"]

    def send_get(self):
        """Ask; `self.fetching.answer()` has the answer."""
        send_request(self.fetching, "GET", self.target())

    async def get(self):
        return await request(self.fetching, "GET", self.target())

    async def post(self, *packets, **headers):
        return await request(self.sending, "POST", self.target(), "\x1e".join(packets), **headers)

    async def packets(self):
        answer = await self.get()
        assert answer.status == 200, answer
        return answer.body.split("\x1e")

    async def send(self, *packets):
        answer = await self.post(*packets)
        assert (answer.status, answer.body) == (200, "ok")

    async def until(self, wanted):
        """Packets up to the first that begins with `wanted`; pings are answered."""
        seen = []
        while not any(packet.startswith(wanted) for packet in seen):
            packets = await self.packets()
            if "2" in packets:
                await self.send("3")
            seen += [packet for packet in packets if packet not in {"2", "6"}]
        return seen

    async def join(self, **auth):
        await self.send(f"40{json.dumps(auth)}")
        greeted = await self.until("42")
        assert greeted[-1] == f'42["auth",{json.dumps(auth, separators=(",", ":"))}]'


def send_request(peer, method, target, body="", **headers):
    """Keyword `x_y` is header `x-y`."""
    data = body if isinstance(body, bytes) else body.encode()
    fields = {"host": "127.0.0.1", "content-length": str(len(data)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    peer.send("\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode() + data)


async def request(peer, method, target, body="", **headers):
    send_request(peer, method, target, body, **headers)
    return await peer.answer()


async def until(condition):
    """It comes true by itself, some ticks from now."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def polling(port, path="/socket.io/"):
    """A polling session whose open packet was read."""
    async with dialled(port) as fetching, dialled(port) as sending:
        poller = Poller(port, fetching, sending, path)
        await poller.open()
        yield poller


@contextlib.asynccontextmanager
async def joined(port, **auth):
    """A polling session in the root namespace."""
    async with polling(port) as poller:
        await poller.join(**auth)
        yield poller
