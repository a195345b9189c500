"""What all links of one engine share: settings, clock, wheel, flusher, namespaces, tasks. Made by the engine.

Must not know transports or the application beyond the handlers' shape.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from recado.protocol.engineio import Timing
from recado.realtime.flusher import Flusher
from recado.realtime.limits import Doors
from recado.realtime.rooms import Rooms
from recado.realtime.session import Session
from recado.realtime.statistics import Statistics
from recado.realtime.wheel import TimingWheel

if TYPE_CHECKING:
    from recado.realtime.link import Link
    from recado.realtime.polling_transport import PollingTransport
    from recado.realtime.probe import Probe


class Log(Protocol):
    """structlog's bound logger, as far as it is used: an event name and fields that hold ids, never text."""

    def debug(self, event: str, /, **fields: Any) -> Any: ...

    def info(self, event: str, /, **fields: Any) -> Any: ...

    def warning(self, event: str, /, **fields: Any) -> Any: ...

    def exception(self, event: str, /, **fields: Any) -> Any: ...


class Handlers(Protocol):
    """The application of one namespace. A `recado.errors.RecadoError` refuses; any other exception is a bug.

    A bug closes nobody's session: the client gets code `internal`, the log gets the exception.
    """

    def connect(self, session: Session, auth: dict[str, Any]) -> Coroutine[Any, Any, None] | None:
        """Return to accept, or a coroutine that does. What is emitted or delivered meanwhile follows the CONNECT reply.

        As with `event`: an answer at once costs no task.
        """
        ...

    def event(self, session: Session, name: str, args: list[Any]) -> Any:
        """The acknowledgement's argument, or a coroutine of it; a tuple is several arguments, None is none.

        Called in the order the events came. An answer at once costs no task; a coroutine gets one.
        """
        ...

    def disconnected(self, session: Session, reason: str) -> None:
        """Called once for every session that `connect` accepted, when it is in no room any more."""
        ...


class Settings(Struct, frozen=True, kw_only=True):
    """An engine's promises and bounds, seconds and bytes. docs/realtime.md says what happens at each bound."""

    ping_interval_s: float = 25.0
    ping_timeout_s: float = 20.0
    connect_timeout_s: float = 45.0
    close_timeout_s: float = 5.0
    farewell_timeout_s: float = 30.0
    upgrade_timeout_s: float = 10.0
    max_payload_bytes: int = 1_000_000
    max_outbound_bytes: int = 1 << 20
    max_in_flight: int = 32
    max_events_per_s: float = 0
    max_connections: int = 0
    max_connections_per_address: int = 0
    io_uring: bool = True

    @property
    def timing(self) -> Timing:
        return Timing(
            self.ping_interval_s, self.ping_timeout_s, self.connect_timeout_s, self.max_payload_bytes
        )

    @property
    def longest_s(self) -> float:
        """The furthest deadline that anything sets itself."""
        return max(
            self.ping_interval_s + self.ping_timeout_s,
            self.connect_timeout_s,
            self.farewell_timeout_s,
            self.upgrade_timeout_s,
        )

    @property
    def slot_s(self) -> float:
        """Fine enough that a deadline is late by 1/8 of the ping timeout at most, and that pings spread."""
        return min(self.ping_timeout_s / 8, 0.25)


class Namespace:
    """`handlers` may come later than the rooms they use."""

    __slots__ = ("handlers", "rooms")

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.handlers: Handlers | None = None


def _call_soon(callback: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_soon(callback)


class Hub:
    __slots__ = (
        "clock",
        "doors",
        "draining",
        "emptied",
        "flusher",
        "links",
        "log",
        "namespaces",
        "new_id",
        "polls",
        "probes",
        "settings",
        "statistics",
        "tasks",
        "timing",
        "wheel",
    )

    def __init__(
        self,
        settings: Settings,
        *,
        log: Log,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.timing = settings.timing
        self.log = log
        self.clock = clock
        self.new_id = new_id
        self.statistics = Statistics()
        self.flusher = Flusher(_call_soon, clock, self.statistics)
        self.wheel: TimingWheel[Link | Probe] = TimingWheel(
            slot_s=settings.slot_s, horizon_s=settings.longest_s, now=clock()
        )
        self.links: set[Link] = set()
        self.polls: dict[str, PollingTransport] = {}
        """By session id. Who began with a WebSocket stands there as upgraded."""
        self.probes: set[Probe] = set()
        self.doors = Doors(settings.max_connections, settings.max_connections_per_address)
        self.emptied = asyncio.Event()
        self.namespaces: dict[str, Namespace] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.draining = False

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """The engine awaits what is left when it stops."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def forget(self, link: Link) -> None:
        self.wheel.cancel(link)
        self.doors.leave(link.head)
        self.links.discard(link)
        if link.sid is not None:
            del self.polls[link.sid]
        if not self.links:
            self.emptied.set()
