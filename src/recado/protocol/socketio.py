"""Socket.IO v5 packets: the text inside an Engine.IO message, and its grammar.

`<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]`. Must not know connections or what a packet's order means.
Ruled by the Socket.IO protocol, revision 5; docs/realtime.md lists what is refused.
"""

import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from types import NoneType
from typing import Any, NamedTuple

from msgspec import Struct

from recado.protocol import json_text
from recado.protocol.violation import ViolationError

ROOT = "/"
MAX_ATTACHMENTS = 10  # clients with socket.io-parser ≥ 4.2.6 close on more
RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)


class PacketType(IntEnum):
    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


class Packet(Struct, frozen=True):
    """`data` is the decoded JSON: dict or None for CONNECT, list for events and acks; attachments still to come."""

    type: PacketType
    namespace: str = ROOT
    ack_id: int | None = None
    data: Any = None
    attachments: int = 0


class Encoded(NamedTuple):
    """A packet's text, and the binary messages that must follow it before anything else."""

    packet: bytes
    attachments: Sequence[bytes] = ()


_HEAD = re.compile(
    r"(?P<type>[0-6])(?:(?P<attachments>[0-9]{1,4})-)?(?:(?P<namespace>/[^,]*)(?:,|\Z))?(?P<ack_id>[0-9]{1,15})?"
)
_ABSENT = object()
_DIGITS = {kind: b"%d" % kind for kind in PacketType}
_BINARY = frozenset({PacketType.BINARY_EVENT, PacketType.BINARY_ACK})
_BINARY_OF = {PacketType.EVENT: PacketType.BINARY_EVENT, PacketType.ACK: PacketType.BINARY_ACK}
_BYTES = (bytes, bytearray, memoryview)
_ARRAYS = (list, tuple)
_PLAIN = (Struct, str, int, float, NoneType)


def decode(text: str) -> Packet:
    """Raises ViolationError for whatever the grammar or the packet type does not allow."""
    if tidy := _TIDY.get(text[:2]):
        kind, fits = tidy
        return Packet(kind, ROOT, None, _fitting(_decode_json(text[1:]), fits))
    head = _HEAD.match(text)
    if head is None:
        raise ViolationError("a packet must begin with a type from 0 to 6")
    digit, attachments, namespace, ack_id = head.groups()
    kind, fits = _TYPES[digit]
    payload = text[head.end() :]
    data = _fitting(_decode_json(payload) if payload else _ABSENT, fits)
    return Packet(
        kind,
        namespace.partition("?")[0] if namespace else ROOT,
        int(ack_id) if ack_id else None,
        None if data is _ABSENT else data,
        0 if attachments is None and kind not in _BINARY else _attachments(kind, attachments),
    )


def _fitting(data: Any, fits: Callable[[Any], bool]) -> Any:
    if not fits(data):
        raise ViolationError("a packet's payload must be of its type's shape")
    return data


def _decode_json(payload: str) -> Any:
    try:
        return json_text.decode(payload)
    except ValueError:
        raise ViolationError("a packet's payload must be JSON") from None


def _attachments(kind: PacketType, digits: str | None) -> int:
    """0 is refused as well: a header that nothing follows would never complete (CVE-2026-33151)."""
    if kind not in _BINARY:
        if digits is not None:
            raise ViolationError("only binary packets have attachments")
        return 0
    if digits is None or not 1 <= int(digits) <= MAX_ATTACHMENTS:
        raise ViolationError("a binary packet must have 1 to 10 attachments")
    return int(digits)


def _is_event(data: Any) -> bool:
    """An array that begins with the event's name: a string that is not reserved, or a number."""
    if not isinstance(data, list) or not data:
        return False
    name = data[0]
    if isinstance(name, str):
        return name not in RESERVED_EVENTS
    return isinstance(name, int | float) and not isinstance(name, bool)


def _is_array(data: Any) -> bool:
    return isinstance(data, list)


_PAYLOADS: dict[PacketType, Callable[[Any], bool]] = {
    PacketType.CONNECT: lambda data: data is _ABSENT or isinstance(data, dict),
    PacketType.DISCONNECT: lambda data: data is _ABSENT,
    PacketType.EVENT: _is_event,
    PacketType.ACK: _is_array,
    PacketType.CONNECT_ERROR: lambda data: isinstance(data, dict | str),
    PacketType.BINARY_EVENT: _is_event,
    PacketType.BINARY_ACK: _is_array,
}
_TYPES = {str(kind.value): (kind, fits) for kind, fits in _PAYLOADS.items()}
_TIDY = {"2[": _TYPES["2"], "0{": _TYPES["0"]}
"""What is published without acknowledgement, and what clients say first: they need no grammar."""


def insert_attachments(data: Any, attachments: Sequence[bytes]) -> Any:
    """`data` with every `{"_placeholder":true,"num":i}` replaced by attachment i.

    Raises ViolationError if a placeholder names none.
    """
    try:
        return _insert(data, attachments)
    except RecursionError:
        raise ViolationError("a packet's payload must not nest that deeply") from None


def _insert(value: Any, attachments: Sequence[bytes]) -> Any:
    if isinstance(value, list):
        return [_insert(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is not True:
        return {key: _insert(item, attachments) for key, item in value.items()}
    number = value.get("num")
    if type(number) is not int or not 0 <= number < len(attachments):
        raise ViolationError("a placeholder must name an attachment of its packet")
    return attachments[number]


def encode_connect(namespace: str, sid: str) -> bytes:
    return _encode(PacketType.CONNECT, namespace, None, json_text.encode({"sid": sid}))


def encode_connect_error(namespace: str, message: str, data: Any = None) -> bytes:
    """Always an object: a bare string reaches a JavaScript client as an empty message."""
    body = {"message": message} if data is None else {"message": message, "data": data}
    return _encode(PacketType.CONNECT_ERROR, namespace, None, json_text.encode(body))


def encode_disconnect(namespace: str) -> bytes:
    return _encode(PacketType.DISCONNECT, namespace, None, b"")


def event_head(namespace: str) -> bytes:
    """What every event without an acknowledgement begins with in this namespace; JSON follows."""
    return _encode(PacketType.EVENT, namespace, None, b"")


def encode_event(namespace: str, name: str, args: Sequence[Any], ack_id: int | None = None) -> Encoded:
    """Arguments are whatever `json_text.encode` takes; `msgspec.Raw` is JSON that was encoded before.

    Bytes in them, however deep in lists and dicts, are sent as attachments. Raises ValueError for more than 10.
    """
    return _encode_with_attachments(PacketType.EVENT, namespace, ack_id, (name, *args))


def encode_ack(namespace: str, ack_id: int, args: Sequence[Any]) -> Encoded:
    """As `encode_event`."""
    return _encode_with_attachments(PacketType.ACK, namespace, ack_id, tuple(args))


def has_attachments(args: tuple[Any, ...]) -> bool:
    """Whether there are bytes in it. What msgspec's Structs hold is not looked at: there bytes are base64.

    Raises ValueError for what nests too deeply.
    """
    try:
        return _holds_bytes(args)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _holds_bytes(value: Any) -> bool:
    """Tuples of types, and what comes most often first: `list | tuple` is made anew for each question."""
    if isinstance(value, _PLAIN):
        return False
    if isinstance(value, _ARRAYS):
        return any(map(_holds_bytes, value))
    if isinstance(value, dict):
        return any(map(_holds_bytes, value.values()))
    return isinstance(value, _BYTES)


def _encode_with_attachments(
    kind: PacketType, namespace: str, ack_id: int | None, args: tuple[Any, ...]
) -> Encoded:
    if not has_attachments(args):
        return Encoded(_encode(kind, namespace, ack_id, json_text.encode(args)))
    attachments: list[bytes] = []
    payload = json_text.encode(_take_out(args, attachments))
    if len(attachments) > MAX_ATTACHMENTS:
        raise ValueError("a packet may have 10 attachments")
    binary = _BINARY_OF[kind]
    return Encoded(_encode(binary, namespace, ack_id, payload, len(attachments)), attachments)


def _take_out(value: Any, attachments: list[bytes]) -> Any:
    """`value` with a placeholder where bytes stood, which are appended to `attachments`."""
    if isinstance(value, _BYTES):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(value, list | tuple):
        return [_take_out(item, attachments) for item in value]
    if isinstance(value, dict):
        return {key: _take_out(item, attachments) for key, item in value.items()}
    return value


def _encode(
    kind: PacketType, namespace: str, ack_id: int | None, payload: bytes, attachments: int = 0
) -> bytes:
    if namespace == ROOT and ack_id is None and not attachments:
        return _DIGITS[kind] + payload
    count = f"{attachments}-" if attachments else ""
    place = "" if namespace == ROOT else f"{namespace},"
    return f"{kind.value}{count}{place}{'' if ack_id is None else ack_id}".encode() + payload
