"""Patients' messages as a provider posts them: signed webhooks over connections that it keeps."""

import asyncio
import itertools
import json
import time
from collections import defaultdict, deque
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
        self._written: defaultdict[Place, deque[tuple[bytes, bytes]]] = defaultdict(deque)
        """Keys and requests."""
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

    def write(self, number: int) -> None:
        """So many messages of all patients in turn, to be posted within five minutes.

        To write and sign each when it is due took a third of this process's time, and others were sent late.
        """
        for place, door in itertools.islice(itertools.cycle(self._doors.items()), number):
            key = new_key()
            self._written[place].append((key, _webhook(door, key)))

    def post(self, _screen: Client, place: Place, taken: Taken) -> bytes:
        """The patient's next message. `taken` is told when the answer is read."""
        key, request = self._written[place].popleft()
        self._waiting.append((request, taken))
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
