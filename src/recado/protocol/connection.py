"""One client's connection as a state machine: an Engine.IO session, and the namespaces on it.

Sans-I/O: every method takes what happened and `now` (seconds, monotonic) and returns the outcomes, oldest first;
after `Closed` there are none. `EngineConnection` knows packets and heartbeat, `SocketConnection` adds Socket.IO's
namespaces as a table (stage × packet type). Ruled by the protocols' revisions 4 and 5 and docs/realtime.md.
"""

from collections.abc import Collection, Sequence
from enum import Enum, IntEnum, auto
from typing import Any, assert_never

from recado.protocol import engineio, socketio
from recado.protocol.engineio import Timing
from recado.protocol.outcomes import (
    AckReceived,
    AttachmentsAwaited,
    Closed,
    ConnectRequested,
    EventReceived,
    Left,
    MessageReceived,
    Outcome,
    SendPacket,
)
from recado.protocol.socketio import Packet, PacketType
from recado.protocol.violation import ViolationError

Outcomes = list[Outcome]


class EngineConnection:
    """Packets and heartbeat.

    A ping leaves every `ping_interval_s`. Anything that comes in proves life, pong or not: the session ends when
    nothing came for `ping_interval_s + ping_timeout_s`.
    """

    __slots__ = ("_deadline", "_next_ping", "_patience_s", "_timing", "closed")

    def __init__(self, timing: Timing, now: float) -> None:
        self._timing = timing
        self._patience_s = timing.ping_interval_s + timing.ping_timeout_s
        self._deadline = now + self._patience_s
        self._next_ping = now + timing.ping_interval_s
        self.closed = False

    def open(self, sid: str, upgrades: Sequence[str] = ()) -> bytes:
        """The first packet."""
        return engineio.encode_open(sid, self._timing, upgrades=upgrades)

    def touch(self, now: float) -> None:
        """Something came in that is no packet, such as a WebSocket PING."""
        self._deadline = now + self._patience_s

    def receive_text(self, text: str, now: float) -> Outcomes:
        if self.closed:
            return []
        self._deadline = now + self._patience_s
        try:
            return self._on_text(text, now)
        except ViolationError as violation:
            return self.close(violation.reason)

    def receive_binary(self, data: bytes, now: float) -> Outcomes:
        if self.closed:
            return []
        self._deadline = now + self._patience_s
        try:
            return self._on_message(data, now)
        except ViolationError as violation:
            return self.close(violation.reason)

    def tick(self, now: float) -> Outcomes:
        """Whatever time alone causes. Call it when `due()` has passed; calling it earlier does nothing."""
        if self.closed:
            return []
        if now >= self._deadline:
            return self.close("ping timeout")
        if now >= self._next_ping:
            # On the beat, so that late ticks do not add up; a beat that has been missed is not made up for.
            self._next_ping += self._timing.ping_interval_s
            if self._next_ping <= now:
                self._next_ping = now + self._timing.ping_interval_s
            return [SendPacket(engineio.PING)]
        return []

    def due(self) -> float:
        """When `tick` is next worth calling; traffic moves it later, unless an outcome says otherwise."""
        return min(self._deadline, self._next_ping)

    def close(self, reason: str) -> Outcomes:
        if self.closed:
            return []
        self.closed = True
        return [Closed(reason)]

    def _on_text(self, text: str, now: float) -> Outcomes:
        if text[:1] == "4":  # nearly all that comes
            return self._on_message(text[1:], now)
        kind, data = engineio.decode(text)
        match kind:
            case engineio.PacketType.MESSAGE:
                return self._on_message(data, now)
            case engineio.PacketType.PONG | engineio.PacketType.NOOP:
                return []
            case engineio.PacketType.CLOSE:
                return self.close("closed")
            case engineio.PacketType.OPEN | engineio.PacketType.PING | engineio.PacketType.UPGRADE:
                # Only a server opens and pings; an upgrade needs a probe, and this is a WebSocket already.
                raise ViolationError("a client must not send this type of packet here")
            case _:
                assert_never(kind)

    def _on_message(self, data: str | bytes, _now: float) -> Outcomes:
        return [MessageReceived(data)]


class Stage(IntEnum):
    """Where a client stands with a namespace. Numbers, since their hash costs nothing and every event asks."""

    ABSENT = auto()
    CONNECTING = auto()
    JOINED = auto()
    DROPPED = auto()  # we sent DISCONNECT; what was already on its way is ignored


class Action(Enum):
    """What a packet causes in a stage."""

    REQUEST = auto()
    LEAVE = auto()
    EVENT = auto()
    ACK = auto()
    IGNORE = auto()
    VIOLATE = auto()  # closes the whole connection, as the official server does


ACTIONS: dict[Stage, dict[PacketType, Action]] = {
    Stage.ABSENT: {
        PacketType.CONNECT: Action.REQUEST,
    },
    Stage.CONNECTING: {},
    Stage.JOINED: {
        PacketType.DISCONNECT: Action.LEAVE,
        PacketType.EVENT: Action.EVENT,
        PacketType.BINARY_EVENT: Action.EVENT,
        PacketType.ACK: Action.ACK,
        PacketType.BINARY_ACK: Action.ACK,
    },
    Stage.DROPPED: {
        PacketType.CONNECT: Action.REQUEST,
        PacketType.DISCONNECT: Action.IGNORE,
        PacketType.EVENT: Action.IGNORE,
        PacketType.BINARY_EVENT: Action.IGNORE,
        PacketType.ACK: Action.IGNORE,
        PacketType.BINARY_ACK: Action.IGNORE,
    },
}
"""Every packet in every stage; what does not stand here is a violation."""


class _Assembly:
    """A binary packet whose attachments are still coming."""

    __slots__ = ("attachments", "deadline", "missing_bytes", "packet")

    def __init__(self, packet: Packet, max_bytes: int, deadline: float) -> None:
        self.packet = packet
        self.attachments: list[bytes] = []
        self.missing_bytes = max_bytes
        self.deadline = deadline


class SocketConnection(EngineConnection):
    """Namespaces on a session. `namespaces` are those that exist; a client is in none until it is accepted.

    A client without any namespace is closed after `connect_timeout_s`, counted from the opening and again from
    leaving the last one.
    """

    __slots__ = ("_assembly", "_connect_deadline", "_expected_acks", "_last_ack_id", "_namespaces", "_stages")

    def __init__(self, timing: Timing, now: float, namespaces: Collection[str]) -> None:
        super().__init__(timing, now)
        self._namespaces = namespaces
        self._stages: dict[str, Stage] = {}
        self._connect_deadline: float | None = now + timing.connect_timeout_s
        self._assembly: _Assembly | None = None
        self._expected_acks: set[tuple[str, int]] | None = None
        self._last_ack_id = -1

    def stage(self, namespace: str) -> Stage:
        return self._stages.get(namespace, Stage.ABSENT)

    def accept(self, namespace: str, sid: str) -> list[SendPacket]:
        """Answer a ConnectRequested. Nothing happens if the client is not waiting any more."""
        if self.closed or self.stage(namespace) is not Stage.CONNECTING:
            return []
        self._stages[namespace] = Stage.JOINED
        self._connect_deadline = None
        return [SendPacket(engineio.encode_message(socketio.encode_connect(namespace, sid)))]

    def refuse(self, namespace: str, message: str, data: Any = None) -> Outcomes:
        """Answer a ConnectRequested; the connection stays open and may ask again."""
        if self.closed or self.stage(namespace) is not Stage.CONNECTING:
            return []
        del self._stages[namespace]
        return [SendPacket(engineio.encode_message(socketio.encode_connect_error(namespace, message, data)))]

    def drop(self, namespace: str, now: float) -> Outcomes:
        """The server ends the client's stay in a namespace; clients do not come back by themselves."""
        if self.closed or self.stage(namespace) is not Stage.JOINED:
            return []
        self._leave(namespace, now)
        self._stages[namespace] = Stage.DROPPED
        return [SendPacket(engineio.encode_message(socketio.encode_disconnect(namespace)))]

    def expect_ack(self, namespace: str) -> int:
        """The ack id to send an event with; its answer comes as AckReceived, once, unless forgotten before."""
        if self._expected_acks is None:
            self._expected_acks = set()
        self._last_ack_id += 1
        self._expected_acks.add((namespace, self._last_ack_id))
        return self._last_ack_id

    def forget_ack(self, namespace: str, ack_id: int) -> None:
        if self._expected_acks is not None:
            self._expected_acks.discard((namespace, ack_id))

    def tick(self, now: float) -> Outcomes:
        if self._connect_deadline is not None and now >= self._connect_deadline:
            return self.close("connect timeout")
        if self._assembly is not None and now >= self._assembly.deadline:
            return self.close("protocol error")
        return super().tick(now)

    def due(self) -> float:
        due = super().due()
        if self._connect_deadline is not None:
            due = min(due, self._connect_deadline)
        if self._assembly is not None:
            due = min(due, self._assembly.deadline)
        return due

    def _on_message(self, data: str | bytes, now: float) -> Outcomes:
        if isinstance(data, bytes):
            return self._on_attachment(data, now)
        if self._assembly is not None:
            raise ViolationError("attachments must follow their packet before the next one")
        packet = socketio.decode(data)
        if packet.attachments:
            self._assembly = _Assembly(
                packet, self._timing.max_payload_bytes, now + self._timing.ping_timeout_s
            )
            return [AttachmentsAwaited()]
        return self._on_packet(packet, now)

    def _on_attachment(self, data: bytes, now: float) -> Outcomes:
        assembly = self._assembly
        if assembly is None:
            raise ViolationError("a binary message must belong to a packet")
        assembly.missing_bytes -= len(data)
        if assembly.missing_bytes < 0:
            raise ViolationError(
                "a packet's attachments together must fit into maxPayload", reason="message too big"
            )
        assembly.attachments.append(data)
        packet = assembly.packet
        if len(assembly.attachments) < packet.attachments:
            return []
        self._assembly = None
        whole = socketio.insert_attachments(packet.data, assembly.attachments)
        return self._on_packet(Packet(packet.type, packet.namespace, packet.ack_id, whole), now)

    def _on_packet(self, packet: Packet, now: float) -> Outcomes:
        action = ACTIONS[self.stage(packet.namespace)].get(packet.type, Action.VIOLATE)
        match action:
            case Action.EVENT:
                name, *args = packet.data
                return [EventReceived(packet.namespace, str(name), args, packet.ack_id)]
            case Action.ACK:
                return self._ack(packet)
            case Action.REQUEST:
                return self._request(packet)
            case Action.LEAVE:
                self._leave(packet.namespace, now)
                return [Left(packet.namespace)]
            case Action.IGNORE:
                return []
            case Action.VIOLATE:
                raise ViolationError("this packet is not allowed in this stage of its namespace")
            case _:
                assert_never(action)

    def _request(self, packet: Packet) -> Outcomes:
        namespace = packet.namespace
        if namespace not in self._namespaces:
            error = socketio.encode_connect_error(namespace, "Invalid namespace")
            return [SendPacket(engineio.encode_message(error))]
        self._stages[namespace] = Stage.CONNECTING
        return [ConnectRequested(namespace, packet.data or {})]

    def _ack(self, packet: Packet) -> Outcomes:
        """An answer nobody waits for (late, repeated, made up) is ignored."""
        expected = self._expected_acks
        if packet.ack_id is None or expected is None or (packet.namespace, packet.ack_id) not in expected:
            return []
        expected.remove((packet.namespace, packet.ack_id))
        return [AckReceived(packet.namespace, packet.ack_id, packet.data)]

    def _leave(self, namespace: str, now: float) -> None:
        del self._stages[namespace]
        if self._expected_acks is not None:
            self._expected_acks = {pair for pair in self._expected_acks if pair[0] != namespace}
        if Stage.JOINED not in self._stages.values():
            self._connect_deadline = now + self._timing.connect_timeout_s
