"""What a connection's state machine tells its shell to do or to know, oldest first. Values, nothing else."""

from typing import Any

from msgspec import Struct


class SendPacket(Struct, frozen=True, gc=False):
    """One Engine.IO text packet, UTF-8, to be sent in this order."""

    packet: bytes


class MessageReceived(Struct, frozen=True):
    """A bare Engine.IO message; only a connection without Socket.IO tells of these."""

    data: str | bytes


class ConnectRequested(Struct, frozen=True):
    """The client asks to join a namespace; answer with `accept` or `refuse`. `auth` is {} when absent."""

    namespace: str
    auth: dict[str, Any]


class EventReceived(Struct, frozen=True):
    """`args` are decoded JSON values (bytes where an attachment stood), ready for `msgspec.convert`."""

    namespace: str
    name: str
    args: list[Any]
    ack_id: int | None


class AckReceived(Struct, frozen=True):
    """The answer to an event that was sent with `expect_ack`."""

    namespace: str
    ack_id: int
    args: list[Any]


class AttachmentsAwaited(Struct, frozen=True):
    """A binary packet has begun: `due` is sooner now."""


class Left(Struct, frozen=True):
    """The client left a namespace; its connection lives on."""

    namespace: str


class Closed(Struct, frozen=True):
    """The last outcome of a connection: close its transport. `reason` is a key of `recado.errors.CLOSES`."""

    reason: str


Outcome = (
    SendPacket
    | MessageReceived
    | ConnectRequested
    | EventReceived
    | AckReceived
    | AttachmentsAwaited
    | Left
    | Closed
)
