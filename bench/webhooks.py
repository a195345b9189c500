"""Patients' messages as a provider posts them: signed webhooks over connections that it keeps."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, Self

from load import BODY, Place, Taken, new_key
from reads import Connection
from recado.channels.signatures import sign
from wire import Client

CONNECTIONS = 64
"""Of a provider; what finds none idle waits, and its time counts."""

SECRET = "only+for+the+bench+of+channels++"  # noqa: S105 - of channels that live as long as the bench


class Door(NamedTuple):
    """Where a patient's messages come in."""

    channel_id: str
    patient: str


class Webhooks:
    def __init__(self, port: int, doors: Mapping[Place, Door]) -> None:
        self._port = port
        self._doors = doors
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, Taken]] = deque()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
            self._idle.append(connection)
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._idle:
            connection.close()

    def post(self, _screen: Client, place: Place, taken: Taken) -> bytes:
        """A patient writes. `taken` is told when the answer is read."""
        key = new_key()
        self._waiting.append((_webhook(self._doors[place], key), taken))
        self._go_on()
        return key

    def _go_on(self) -> None:
        while self._waiting and self._idle:
            connection = self._idle.popleft()
            request, taken = self._waiting.popleft()
            connection.ask(request, partial(self._answered, connection, taken))

    def _answered(self, connection: Connection, taken: Taken, status: int, head: bytes) -> None:
        if status != 200:
            raise RuntimeError(f"refused: {head[:300].decode()}")
        taken(time.time())
        self._idle.append(connection)
        self._go_on()


def _webhook(door: Door, key: bytes) -> bytes:
    now, id_ = int(time.time()), key.decode()
    message = {
        "externalId": id_,
        "from": {"id": door.patient},
        "body": f"{BODY} {id_}",
        "sentAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
    }
    body = json.dumps(message).encode()
    headers = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(body))}
    headers |= sign(SECRET, id_, now, body)
    lines = [f"POST /api/v1/channels/{door.channel_id}/inbound HTTP/1.1", *map(": ".join, headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
