"""HTTP long-polling as pure rules: payloads, and which of a session's requests is answered when and with what.

A session has one place for a GET that waits for packets and one for a POST that is being read. A WebSocket may take
over. Frames are kept as WebSocket frames, which every recipient shares, and take their polling form when a GET takes
them. Must not know HTTP servers. Ruled by the Engine.IO protocol, revision 4, and docs/realtime.md ("Polling").
"""

import base64
from collections.abc import Collection, Iterable, Iterator
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from recado.protocol import engineio, json_text
from recado.protocol.websocket import is_text, payload_of, text_of

SEPARATOR = b"\x1e"
RELEASES_AT_ONCE = 2
"""GETs of one upgrade that are answered at once. A client that only polls on must not spin."""

MAX_PACKETS = 16
"""In one answer. python-engineio's client drops an answer of more, and its connection with it (docs/realtime.md)."""

_TEXT = "text/plain; charset=UTF-8"
_JSON = "application/json"


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes = b""
    media_type: str = _TEXT


class Error(NamedTuple):
    """A refusal that the protocol has a number for. 4 is for whatever else a server refuses."""

    code: int
    status: int
    message: str


UNKNOWN_TRANSPORT = Error(0, 400, "Transport unknown")
UNKNOWN_SESSION = Error(1, 400, "Session ID unknown")
BAD_METHOD = Error(2, 400, "Bad handshake method")
BAD_REQUEST = Error(3, 400, "Bad request")
UNSUPPORTED_REVISION = Error(5, 400, "Unsupported protocol version")
ERRORS = (UNKNOWN_TRANSPORT, UNKNOWN_SESSION, BAD_METHOD, BAD_REQUEST, UNSUPPORTED_REVISION)


def error_reply(code: int, status: int, message: str) -> Reply:
    return Reply(status, json_text.encode({"code": code, "message": message}), _JSON)


OK = Reply(200, b"ok")
OVERLAPPING = Reply(400)


def payload(packets: Iterable[bytes]) -> bytes:
    return SEPARATOR.join(packets)


def split_payload(body: bytes) -> Iterator[tuple[str, int]]:
    """A POST's body → its packets, each with its size in bytes. As many as fit: clients count bytes only.

    Raises ViolationError at the first packet that is not UTF-8; those before it have come by then.
    """
    for packet in body.split(SEPARATOR):
        yield text_of(packet), len(packet)


def packet_of(frame: bytes) -> bytes:
    """A WebSocket frame of `text_frame` or `binary_frame` → the packet in its polling form."""
    data = payload_of(frame)
    return data if is_text(frame) else b"b" + base64.b64encode(data)


class Phase(Enum):
    """Where a session stands between HTTP and a WebSocket."""

    POLLING = auto()
    CALLED = auto()  # a WebSocket is open for it, and has said nothing
    PROBING = auto()  # it has said "2probe": the client lets its GET come home and then says "5"
    UPGRADED = auto()
    LEAVING = auto()  # either side has closed it, and the last words wait for the next GET
    GONE = auto()


class Request(Enum):
    GET = auto()
    POST = auto()
    UPGRADE = auto()  # a WebSocket with the session's id


class Action(Enum):
    """What a request causes in a phase."""

    HOLD = auto()  # until there are packets
    RELEASE = auto()  # with a NOOP, if there are none
    FAREWELL = auto()
    TAKE = auto()
    CALL = auto()
    TURN_AWAY = auto()  # answered 101, then closed: clients have no ear for a refusal here
    MISTAKEN = auto()  # bad request
    UNKNOWN = auto()


ACTIONS: dict[Phase, dict[Request, Action]] = {
    Phase.POLLING: {
        Request.GET: Action.HOLD,
        Request.POST: Action.TAKE,
        Request.UPGRADE: Action.CALL,
    },
    Phase.CALLED: {
        Request.GET: Action.HOLD,
        Request.POST: Action.TAKE,
        Request.UPGRADE: Action.TURN_AWAY,
    },
    Phase.PROBING: {
        Request.GET: Action.RELEASE,
        Request.POST: Action.TAKE,
        Request.UPGRADE: Action.TURN_AWAY,
    },
    Phase.UPGRADED: {
        Request.GET: Action.MISTAKEN,
        Request.POST: Action.MISTAKEN,
        Request.UPGRADE: Action.TURN_AWAY,
    },
    Phase.LEAVING: {
        Request.GET: Action.FAREWELL,
        Request.POST: Action.TAKE,
        Request.UPGRADE: Action.TURN_AWAY,
    },
    Phase.GONE: {
        Request.GET: Action.UNKNOWN,
        Request.POST: Action.UNKNOWN,
        Request.UPGRADE: Action.TURN_AWAY,
    },
}
"""Every request in every phase."""


class PollingSession:
    """`held`: a GET waits. Whoever makes a method return a Reply for it answers it with that, once."""

    __slots__ = ("_frames", "_last_word", "_releases", "_taking", "held", "phase", "size")

    def __init__(self, phase: Phase = Phase.POLLING) -> None:
        self.phase = phase
        self.held = False
        self.size = 0
        """Bytes of frames that wait."""
        self._frames: list[bytes] = []
        self._last_word = engineio.CLOSE
        self._taking = False
        self._releases = 0

    # Requests.

    def get(self) -> Reply | None:
        """Its answer, or None: it is held now. OVERLAPPING ends the session."""
        action = ACTIONS[self.phase][Request.GET]
        match action:
            case Action.HOLD | Action.RELEASE:
                return self._get()
            case Action.FAREWELL:
                return self._farewell()
            case Action.MISTAKEN:
                return error_reply(*BAD_REQUEST)
            case _:
                return error_reply(*UNKNOWN_SESSION)

    def post(self) -> Reply | None:
        """Its answer, or None: read it, and call `posted`. OVERLAPPING ends the session."""
        action = ACTIONS[self.phase][Request.POST]
        match action:
            case Action.TAKE:
                if self._taking:
                    return OVERLAPPING
                self._taking = True
                return None
            case Action.MISTAKEN:
                return error_reply(*BAD_REQUEST)
            case _:
                return error_reply(*UNKNOWN_SESSION)

    def posted(self) -> None:
        self._taking = False

    def call(self) -> bool:
        """Whether a WebSocket may try to take over."""
        if ACTIONS[self.phase][Request.UPGRADE] is not Action.CALL:
            return False
        self.phase = Phase.CALLED
        return True

    # What else happens; a Reply is for the GET that was held.

    def send(self, frames: Collection[bytes]) -> Reply | None:
        if self.held and len(frames) <= MAX_PACKETS:
            self.held = False  # then nothing waits before these
            return _packets(tuple(frames))
        if self.phase not in _OPEN:
            return None
        self._keep(frames)
        return self._some() if self.held else None

    def probe(self) -> Reply | None:
        """The WebSocket said "2probe"."""
        self.phase = Phase.PROBING
        self._releases = 0
        return self.release()

    def release(self) -> Reply | None:
        """What waits, or a NOOP."""
        if not self.held:
            return None
        self._releases += 1
        return self._some() if self._frames else self._some(engineio.NOOP)

    def desist(self) -> None:
        """The WebSocket is lost, or broke the rules: nothing has happened."""
        if self.phase in {Phase.CALLED, Phase.PROBING}:
            self.phase = Phase.POLLING

    def upgrade(self) -> tuple[list[bytes], Reply | None]:
        """The WebSocket said "5": the frames that must leave on it before any others."""
        reply = self.release()
        self.phase = Phase.UPGRADED
        frames, self._frames, self.size = self._frames, [], 0
        return frames, reply

    def leave(self, last: Collection[bytes] = (), *, at_once: bool, may_return: bool = False) -> Reply | None:
        """The server ends it; unless `at_once`, what waits and the goodbye are kept for the next GETs.

        Who may return is not told to close, which python-engineio's client takes as a wish to stay away: it learns
        from its next GET that its session is gone.
        """
        return self._leave(last, engineio.NOOP if may_return else engineio.CLOSE, at_once=at_once)

    def end(self) -> Reply | None:
        """The client said goodbye. Its GET comes home with a NOOP, even if it was overtaken and comes only now."""
        self._frames, self.size = [], 0
        return self._leave((), engineio.NOOP, at_once=False)

    def lose(self) -> None:
        """It is over, whatever waits."""
        self.phase = Phase.GONE
        self.held = False
        self._frames, self.size = [], 0

    def _get(self) -> Reply | None:
        if self.held:
            return OVERLAPPING
        if self._frames:
            return self._some()
        self.held = True
        if self.phase is Phase.PROBING and self._releases < RELEASES_AT_ONCE:
            return self.release()
        return None

    def _leave(self, last: Collection[bytes], last_word: bytes, *, at_once: bool) -> Reply | None:
        if self.phase not in _OPEN:
            return None
        self._keep(last)
        self.phase = Phase.LEAVING
        self._last_word = last_word
        reply = self._farewell() if self.held else None
        if at_once:
            self.lose()
        return reply

    def _farewell(self) -> Reply:
        """With the last word it is over; what waits and does not fit beside it goes first.

        CLOSE stands alone: socket.io-client hears it before the packets it came with, a DISCONNECT among them.
        """
        room = 0 if self._last_word == engineio.CLOSE else MAX_PACKETS - 1
        if len(self._frames) > room:
            return self._some()
        self.phase = Phase.GONE
        return self._some(self._last_word)

    def _keep(self, frames: Collection[bytes]) -> None:
        self._frames.extend(frames)
        self.size += sum(map(len, frames))

    def _some(self, *last: bytes) -> Reply:
        """The oldest that wait, as many as fit."""
        self.held = False
        frames, self._frames = self._frames[:MAX_PACKETS], self._frames[MAX_PACKETS:]
        self.size -= sum(map(len, frames))
        return _packets(tuple(frames), *last)


@lru_cache(maxsize=4)
def _packets(frames: tuple[bytes, ...], *last: bytes) -> Reply:
    """What many hear is put together once, not for each of them."""
    return Reply(200, payload([*map(packet_of, frames), *last]))


_OPEN = frozenset({Phase.POLLING, Phase.CALLED, Phase.PROBING})
