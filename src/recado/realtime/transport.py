"""What a link needs of the wire under it, and what an endpoint is to a transport.

WebSockets in two implementations that pass one suite, picows (picows_transport.py) and plain ASGI WebSockets
(asgi_transport.py), and HTTP long-polling (polling_transport.py), which a WebSocket may take over from.
"""

from collections.abc import Sequence
from typing import Protocol

from recado.errors import SocketClose
from recado.realtime.head import Head, Refusal


class Wire(Protocol):
    @property
    def file(self) -> int:
        """The socket's descriptor."""
        ...

    def write(self, data: bytes) -> None:
        """What the socket has not taken at once."""
        ...


class Transport(Protocol):
    """One client's wire. Calls never block; nothing is called after `Receiver.transport_lost`."""

    @property
    def name(self) -> str:
        """For the statistics."""
        ...

    @property
    def is_fetched(self) -> bool:
        """True if what is sent waits for the client to come; a goodbye then waits longer."""
        ...

    @property
    def writable(self) -> bool:
        """False while more waits to leave than the wire takes at once."""
        ...

    @property
    def direct(self) -> Wire | None:
        """Where frames may be written past this transport, if anywhere and nothing waits."""
        ...

    def send(self, frames: list[bytes]) -> None:
        """Unmasked WebSocket frames, in order, in as few writes as the wire allows. The list is the caller's."""
        ...

    def buffered_bytes(self) -> int:
        """What was sent but has not left yet."""
        ...

    def close(self, close: SocketClose, last: list[bytes]) -> None:
        """Say goodbye behind everything sent before and these frames, and wait for the peer's goodbye."""
        ...

    def abort(self) -> None:
        """End it now; what has not left is lost."""
        ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class WebSocket(Transport, Protocol):
    """A transport that may have served to probe."""

    def report_to(self, receiver: "Receiver") -> None:
        """From the next message on, even of the same read, somebody else listens."""
        ...


class Receiver(Protocol):
    """What a transport reports to; a link."""

    @property
    def out(self) -> Sequence[bytes]:
        """What waits to be sent."""
        ...

    def receive_text(self, text: str, size: int) -> None:
        """`size` is the text's as it came, in bytes."""
        ...

    def receive_binary(self, data: bytes) -> None: ...

    def touch(self) -> None:
        """A sign of life that is no message."""
        ...

    def fail(self, reason: str) -> None:
        """The peer broke a rule of the transport; `reason` is one of `recado.errors.CLOSES`."""
        ...

    def peer_closed(self) -> None:
        """The peer said goodbye; the transport answers by itself."""
        ...

    def transport_lost(self) -> None:
        """The last call."""
        ...


class Endpoint(Protocol):
    """What serves one path's WebSockets; an engine."""

    def admit(self, head: Head) -> Refusal | None:
        """Asked before 101."""
        ...

    def refused(self, refusal: Refusal) -> None:
        """For the statistics: a handshake was refused without asking `admit`."""
        ...

    def open(self, transport: WebSocket, head: Head) -> Receiver: ...

    @property
    def max_payload_bytes(self) -> int: ...
