"""Engine.IO v4 packets: a type digit before text; binary is bare on a WebSocket, `b` and base64 where only text goes.

Must not know Socket.IO. Ruled by the Engine.IO protocol, revision 4.
"""

import base64
import binascii
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from recado.protocol import json_text
from recado.protocol.violation import ViolationError

REVISION = "4"


class PacketType(StrEnum):
    OPEN = "0"
    CLOSE = "1"
    PING = "2"
    PONG = "3"
    MESSAGE = "4"
    UPGRADE = "5"
    NOOP = "6"


CLOSE = b"1"
PING = b"2"
NOOP = b"6"


class Timing(Struct, frozen=True):
    """What a session promises its client, in seconds and bytes."""

    ping_interval_s: float = 25.0
    ping_timeout_s: float = 20.0
    connect_timeout_s: float = 45.0
    max_payload_bytes: int = 1_000_000


class _Handshake(Struct, rename="camel"):
    sid: str
    upgrades: Sequence[str]
    ping_interval: int
    ping_timeout: int
    max_payload: int


def encode_open(sid: str, timing: Timing, *, upgrades: Sequence[str]) -> bytes:
    """The first packet of a session: exactly these five keys, milliseconds as integers."""
    return b"0" + json_text.encode(
        _Handshake(
            sid=sid,
            upgrades=upgrades,
            ping_interval=round(timing.ping_interval_s * 1000),
            ping_timeout=round(timing.ping_timeout_s * 1000),
            max_payload=timing.max_payload_bytes,
        )
    )


def encode_message(data: bytes) -> bytes:
    """`data` is UTF-8 text. A binary message has no type digit: its frame says so."""
    return b"4" + data


def decode(text: str) -> tuple[PacketType, str | bytes]:
    """One text message → type and data; `b…` is a binary message of a client that has only text (`b64=1`).

    Raises ViolationError for an empty message, an unknown type, or broken base64.
    """
    kind = text[:1]
    if kind == "b":
        try:
            return PacketType.MESSAGE, base64.b64decode(text[1:], validate=True)
        except (binascii.Error, ValueError):
            raise ViolationError("a binary packet in text must be base64") from None
    try:
        return PacketType(kind), text[1:]
    except ValueError:
        raise ViolationError("a packet must begin with its type") from None
