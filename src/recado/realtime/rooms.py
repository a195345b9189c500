"""Rooms of one namespace: names → sessions, and fan-out that encodes once and appends everywhere.

Must not know transports or what is said. A closed session is in no room. Ruled by docs/realtime.md.
"""

from collections.abc import Collection
from typing import Any

from recado.protocol import engineio, json_text, socketio
from recado.protocol.websocket import text_frame
from recado.realtime.flusher import Flusher
from recado.realtime.session import Session, message_frames
from recado.realtime.statistics import Statistics


class Rooms:
    """Join and leave are O(1); an empty room does not exist."""

    __slots__ = ("_flusher", "_head", "_members", "_statistics", "namespace")

    def __init__(self, namespace: str, flusher: Flusher, statistics: Statistics) -> None:
        self.namespace = namespace
        self._flusher = flusher
        self._statistics = statistics
        self._head = engineio.encode_message(socketio.event_head(namespace))
        self._members: dict[str, dict[Session, None]] = {}

    def join(self, session: Session, room: str) -> None:
        """Does nothing for a session that has closed meanwhile, so a slow join cannot leave a ghost behind."""
        if session.closed:
            return
        self._members.setdefault(room, {})[session] = None
        session.room_names.add(room)

    def leave(self, session: Session, room: str) -> None:
        members = self._members.get(room)
        if members is None or session not in members:
            return
        del members[session]
        session.room_names.discard(room)
        if not members:
            del self._members[room]

    def leave_all(self, session: Session) -> None:
        """What is held of them is heard no more."""
        for room in list(session.room_names):
            self.leave(session, room)
        session.forget_held()

    def members(self, room: str) -> Collection[Session]:
        return self._members.get(room, {}).keys()

    def count(self, room: str) -> int:
        return len(self._members.get(room, ()))

    def __len__(self) -> int:
        return len(self._members)

    def emit(self, room: str, event: str, *args: Any) -> None:
        """Encode once and give every member the same bytes. An argument may be `msgspec.Raw`: JSON made before."""
        members = self._members.get(room)
        if not members:
            return
        frame, *attachments = self._frames(event, args)
        statistics = self._statistics
        statistics.packets_out += len(members)
        statistics.bytes_out += len(members) * len(frame)
        flusher = self._flusher
        dirty = flusher.dirty
        # The hot loop of the whole product: no call but append. A sink is empty or its link is noted already.
        for session in members:
            sink = session.sink
            if not sink:
                dirty.append(session.link)
            sink.append(frame)
        for attachment in attachments:
            for session in members:
                session.sink.append(attachment)
            statistics.bytes_out += len(members) * len(attachment)
        flusher.schedule()

    def emit_volatile(self, room: str, event: str, *args: Any) -> None:
        """A signal: members that cannot take it right now never get it."""
        members = self._members.get(room)
        if not members:
            return
        frames = self._frames(event, args)
        for session in members:
            session.push_volatile(frames)

    def _frames(self, event: str, args: tuple[Any, ...]) -> list[bytes]:
        """A text frame, and a binary one for each attachment."""
        if socketio.has_attachments(args):
            return message_frames(socketio.encode_event(self.namespace, event, args))
        return [text_frame(self._head + json_text.encode((event, *args)))]
