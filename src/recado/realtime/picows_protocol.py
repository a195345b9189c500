"""picows behind uvicorn: checks a WebSocket's head, answers or refuses, and shows picows one of its own.

The protocol class subclasses picows' `WSProtocol`, whose constructor is not public: pyproject pins 2.3.x. uvicorn
makes it with `(config, server_state, app_state)`, calls `connection_made`, then `data_received` with the rebuilt head.
Must not know what messages mean. Ruled by docs/realtime.md.
"""

import asyncio
import re
import sys
from binascii import a2b_base64
from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from picows import WSAutoPingStrategy, WSProtocolError, WSUpgradeRequest, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from recado.app.addresses import Network
from recado.realtime.head import Head, Peer, Refusal, head_of_match, parse_head
from recado.realtime.hub import Log
from recado.realtime.picows_transport import PicowsTransport, switching
from recado.realtime.transport import Endpoint

MAX_HEAD_BYTES = 16_384
READ_BUFFER_BYTES = 2_048  # picows' least; 8.6 KB per idle connection instead of 23

_HEAD = b"GET / HTTP/1.1\r\n\r\n"
"""What picows takes apart. The fields that it checks are put in their place when it asks for a listener."""
_FIELDS = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13"}
_CHECKED = ("sec-websocket-key", "sec-websocket-version", "content-length", "transfer-encoding")
_SUPPORTED_VERSIONS = frozenset({"13", "8", "7"})

_offered: list[tuple[str, PicowsTransport]] = []
"""To the handshake that is under way, which is one call of picows': its key and its listener."""


def _accept(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
    key, listener = _offered.pop()
    request.headers = {**_FIELDS, "sec-websocket-key": key}  # type: ignore[assignment]
    return WSUpgradeResponseWithListener(switching, listener)  # type: ignore[arg-type]


class _PicowsLog:
    """Costs nothing for what picows tells of every connection, and passes on what is a bug of ours."""

    __slots__ = ("_log",)

    def __init__(self, log: Log) -> None:
        self._log = log

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - logging.Logger's name
        return False

    def debug(self, *_args: Any) -> None: ...

    def info(self, *_args: Any) -> None: ...

    def warning(self, *_args: Any) -> None: ...

    def log(self, *_args: Any) -> None: ...

    def error(self, *_args: Any) -> None:
        """Its texts quote the peer; the type says enough."""
        if isinstance(sys.exc_info()[1], WSProtocolError):
            self._log.debug("socket_violation")
        else:
            self._log.exception("socket_callback_failed")

    exception = error


class _Wire:
    """The loop's transport as picows gets it, and its socket, whose options are as they should be.

    The loop sets TCP_NODELAY. picows would set and ask six, of Python sockets: a twelfth of a handshake.
    """

    __slots__ = ("_transport", "file", "get_write_buffer_size", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.file: int = transport.get_extra_info("socket").fileno()
        transport.set_write_buffer_limits(0)  # writable is who has taken everything
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.write = transport.write

    def get_extra_info(self, name: str) -> Any:
        """Not the addresses, which picows would only log."""
        match name:
            case "socket":
                return self
            case "ssl_object":
                return self._transport.get_extra_info(name)
        return None

    def fileno(self) -> int:
        return self.file

    def setsockopt(self, *_args: Any) -> None: ...

    def getsockopt(self, *_args: Any) -> int:
        return 0

    def peer(self) -> str:
        address = self._transport.get_extra_info("peername")
        return address[0] if address else ""

    def writelines(self, buffers: Iterable[bytes]) -> None:
        self._transport.writelines(buffers)

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


class WebSocketProtocol(WSProtocol):  # type: ignore[misc]
    """picows' protocol behind uvicorn. Made usable by `make_websocket_protocol`, which sets the class variables."""

    __slots__ = ("_head_seen",)

    endpoints: ClassVar[Mapping[str, Endpoint]]
    max_payload_bytes: ClassVar[int]
    picows_log: ClassVar[_PicowsLog]
    trusted_proxies: ClassVar[Collection[Network]]

    def __init__(self, config: object, server_state: object, app_state: object) -> None:  # noqa: ARG002 - uvicorn's
        super().__init__(
            None,  # host_port and ws_path: a client's
            None,
            False,  # is_client_side
            _accept,
            self.picows_log,
            True,  # disconnect_on_exception
            None,  # websocket_handshake_timeout: the head is complete already
            False,  # enable_auto_ping: Engine.IO has its own heartbeat
            20,
            20,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # enable_auto_pong: a ping is a sign of life that the link must hear of
            self.max_payload_bytes,
            None,  # extra_headers
            READ_BUFFER_BYTES,
        )
        self._head_seen = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(_Wire(transport))

    def data_received(self, data: bytes) -> None:
        """First the head, whole, as uvicorn rebuilds it; then whatever came behind it in the same read."""
        if self._head_seen:
            self._feed(data)
            return
        raw, _, rest = data.partition(b"\r\n\r\n")
        if len(raw) > MAX_HEAD_BYTES:
            self._refuse_unasked(Refusal(431, "Request header fields too large"))
            return
        try:
            head = parse_head(raw, peer=self._peer, trusted_proxies=self.trusted_proxies)
        except ValueError:
            self._refuse_unasked(Refusal(400, "Bad request"))
            return
        self._answer(head, rest)

    def take_head(self, match: re.Match[bytes], rest: bytes) -> None:
        """The same for a head that was found by `find_upgrade`."""
        if match.end() > MAX_HEAD_BYTES:
            self._refuse_unasked(Refusal(431, "Request header fields too large"))
            return
        self._answer(head_of_match(match, peer=self._peer, trusted_proxies=self.trusted_proxies), rest)

    def buffer_updated(self, nbytes: int) -> None:
        """Each byte that comes proves life: a large message over a slow line is whole only after long."""
        listener = self.listener
        if listener is None:
            return  # refused
        listener.greet()  # whatever picows answers by itself stands behind 101
        WSProtocol.buffer_updated(self, nbytes)
        listener.touch()

    @property
    def _peer(self) -> Peer:
        """Not a method of ours: the link keeps the head, which must not keep this protocol."""
        wire: _Wire = self.transport.underlying_transport
        return wire.peer

    def _answer(self, head: Head, rest: bytes) -> None:
        """Refuse, or show picows a head, with nothing of the peer's but the key."""
        self._head_seen = True
        endpoint = self.endpoints.get(head.path.rstrip("/"))
        key, *others = head.headers(*_CHECKED)
        key = key or ""
        if endpoint is None:
            self._refuse_unasked(Refusal(404, "Not found"))
        elif refusal := _check_handshake(head.method, key, *others):
            self._refuse_unasked(refusal)
        elif refusal := endpoint.admit(head):
            self._refuse(refusal)
        else:
            _offered.append((key, PicowsTransport(endpoint, head)))
            WSProtocol.buffer_updated(self, self._fill(_HEAD))
            self._feed(rest)

    def _refuse_unasked(self, refusal: Refusal) -> None:
        """What no endpoint was asked about is counted by the first."""
        next(iter(self.endpoints.values())).refused(refusal)
        self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> None:
        self._head_seen = True
        transport = self.transport.underlying_transport
        transport.write(_refuse(refusal))
        transport.close()

    def _feed(self, data: bytes) -> None:
        while data:
            size = self._fill(data)
            self.buffer_updated(size)
            data = data[size:]

    def _fill(self, data: bytes) -> int:
        """The buffer that picows offers is small, and grows while it is filled."""
        buffer = self.get_buffer(-1)
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        return size


def make_websocket_protocol(
    endpoints: Mapping[str, Endpoint], *, log: Log, trusted_proxies: Collection[Network] = ()
) -> type[WebSocketProtocol]:
    """The class for uvicorn's `ws=`: serves each endpoint at its path, with or without the trailing slash.

    `X-Forwarded-For` is believed from `trusted_proxies` only. Endpoints of one port share one `max_payload_bytes`.
    """
    (max_payload_bytes,) = {endpoint.max_payload_bytes for endpoint in endpoints.values()}
    variables = {
        "__slots__": (),
        "endpoints": {path.rstrip("/"): endpoint for path, endpoint in endpoints.items()},
        "max_payload_bytes": max_payload_bytes,
        "picows_log": _PicowsLog(log),
        "trusted_proxies": tuple(trusted_proxies),
    }
    return type("WebSocketProtocol", (WebSocketProtocol,), variables)


def _check_handshake(
    method: str, key: str, version: str | None, length: str | None, coding: str | None
) -> Refusal | None:
    """What RFC 6455 section 4.2.1 asks of a client, beyond what uvicorn has checked to come here."""
    try:
        well_formed = len(a2b_base64(key, strict_mode=True)) == 16
    except ValueError:
        well_formed = False
    if method != "GET" or not well_formed:
        return Refusal(400, "Bad request")
    if version not in _SUPPORTED_VERSIONS:
        return Refusal(426, "Unsupported WebSocket version")
    if length not in {None, "0"} or coding:
        return Refusal(400, "Bad request")
    return None


def _refuse(refusal: Refusal) -> bytes:
    """`Retry-After` and the like are not for WebSocket clients: none of them sees the answer."""
    status = HTTPStatus(refusal.status)
    body = refusal.text.encode()
    version = b"Sec-WebSocket-Version: 13\r\n" if status == HTTPStatus.UPGRADE_REQUIRED else b""
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
        b"Cache-Control: no-store\r\n%bConnection: close\r\n\r\n%b"
    ) % (status, status.phrase.encode(), len(body), version, body)
