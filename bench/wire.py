"""A Socket.IO client on a plain socket that speaks just enough to load a server: it must never be the bottleneck.

While it is set up it waits for each answer. Then it is either watched (read at once: a sender, or whoever is timed)
or drained now and then by a clock (`drain`), as one read of all that came: the other screens of a room.
"""

import asyncio
import itertools
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

Heard = Callable[[bytes], None]

TEXT = 0x81
MASKED_WITH_ZEROS = b"\0\0\0\0"
READ_BYTES = 1 << 18

SO_TIMESTAMPNS = 35
"""Linux's, which Python does not name: a message's time comes with it."""
STAMP = struct.Struct("qq")


class WireError(Exception):
    """The server did not answer as a Socket.IO server does."""


def frame(payload: bytes) -> bytes:
    """One text frame. A client must mask; a mask of zeros leaves the payload as it is."""
    size = len(payload)
    if size < 126:
        return bytes((TEXT, 0x80 | size)) + MASKED_WITH_ZEROS + payload
    return bytes((TEXT, 0x80 | 126)) + size.to_bytes(2, "big") + MASKED_WITH_ZEROS + payload


def stamped(stream: socket.socket) -> None:
    stream.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def arrived(stream: socket.socket) -> tuple[bytes, float]:
    """What came, and the kernel's time of its coming, unless that was before it was asked for."""
    data, ancillary, _, _ = stream.recvmsg(READ_BYTES, socket.CMSG_SPACE(STAMP.size))
    seconds, nanoseconds = STAMP.unpack(ancillary[0][2]) if ancillary else (0, 0)
    return data, seconds + nanoseconds / 1e9


class Client:
    """`received` counts the events that came, acknowledgements not among them."""

    def __init__(self) -> None:
        self.received = 0
        self.heard: Heard | None = None
        """Called with each event's payload; it must be quick."""
        self.at = 0.0
        """When what is heard had come, of who was asked to `stamp`."""
        self._stamps = False
        self._rest = b""
        self._ids = itertools.count(1)
        self._waiting: dict[bytes, Heard] = {}

    async def open(self, port: int, auth: dict[str, Any]) -> None:
        """Connect and take a seat. Raises WireError if the server refuses."""
        loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(self._socket, ("127.0.0.1", port))
        head = (
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await loop.sock_sendall(self._socket, head.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await self._more()
        head_of_answer, _, self._rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head_of_answer.splitlines()[0]:
            raise WireError("the upgrade was refused")
        await self._until(b"0")
        await loop.sock_sendall(self._socket, frame(b"40" + json.dumps(auth).encode()))
        if not (await self._until(b"40", b"44")).startswith(b"40"):
            raise WireError("the connection was refused")

    async def call(self, event: str, payload: dict[str, Any]) -> None:
        """Send and wait for the acknowledgement. Only before `watch`. Raises WireError if it is a refusal."""
        number = next(self._ids)
        packet = f"42{number}{json.dumps([event, payload])}".encode()
        await asyncio.get_running_loop().sock_sendall(self._socket, frame(packet))
        if b'"ok":true' not in await self._until(b"43%d[" % number):
            raise WireError(f"{event} was refused")

    def stamp(self) -> None:
        """From now on `at` is when the kernel had what is heard, by `time.time()`, however late it is read."""
        stamped(self._socket)
        self._stamps = True

    def watch(self) -> None:
        """From now on read whatever comes, when it comes."""
        asyncio.get_running_loop().add_reader(self._socket, self.drain)

    def send(self, event: bytes, acknowledged: Heard) -> None:
        """`event` is the packet's JSON. `acknowledged` is called with the acknowledgement's payload."""
        number = b"%d" % next(self._ids)
        self._waiting[number] = acknowledged
        data = frame(b"42" + number + event)
        if self._socket.send(data) != len(data):
            raise WireError("the server does not read")

    def drain(self) -> None:
        """Read and count all that has come. Frames of a server are whole and not masked."""
        size = READ_BYTES
        while size == READ_BYTES:  # less is all there was
            try:
                data = self._receive()
            except BlockingIOError:
                return
            size = len(data)
            self._take(self._rest + data)
        if size:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        raise WireError("the server closed the connection")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _receive(self) -> bytes:
        if not self._stamps:
            return self._socket.recv(READ_BYTES)
        data, self.at = arrived(self._socket)
        return data

    def _take(self, data: bytes) -> None:
        place = 0
        while (bounds := _bounds(data, place)) is not None:
            start, place = bounds
            kind = data[start : start + 2]
            if kind == b"42":
                self.received += 1
                if self.heard is not None:
                    self.heard(data[start:place])
            elif kind == b"43":
                number = data[start + 2 : data.index(b"[", start)]
                self._waiting.pop(number)(data[start:place])
            elif kind == b"2":
                self._socket.send(frame(b"3"))
        self._rest = data[place:]

    async def _until(self, *beginnings: bytes) -> bytes:
        """The next payload that begins like one of these; others are passed over."""
        while True:
            while (bounds := _bounds(self._rest, 0)) is None:
                self._rest += await self._more()
            payload, self._rest = self._rest[slice(*bounds)], self._rest[bounds[1] :]
            if payload.startswith(beginnings):
                return payload

    async def _more(self) -> bytes:
        data = await asyncio.get_running_loop().sock_recv(self._socket, READ_BYTES)
        if not data:
            raise WireError("the server closed the connection")
        return data


def _bounds(data: bytes, place: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `place` begins and ends; None if it has not come whole."""
    known = len(data) - place
    if known < 2:
        return None
    size, start = data[place + 1], place + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if known < 2 + width:
            return None
        size, start = int.from_bytes(data[start : start + width], "big"), start + width
    end = start + size
    return (start, end) if end <= len(data) else None
