"""The HTTP head that asked for a connection, as later questions need it: cookies, origin, address.

It is kept for the connection's life, so it is one bytes object, searched on demand. Must not know transports.
"""

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from recado.app.addresses import Network, client_address

_TIDY = re.compile(
    rb"([A-Z]++) (/[!-~]*+) HTTP/1\.1((?:\r\n[!#-'*+.0-9A-Z^-z|~-]++: (?:[!-~][ -~]*+(?<! ))?)*+)"
)
_WHOLE = re.compile(_TIDY.pattern + rb"\r\n\r\n")
_UNUSUAL_OF_GET, _UNUSUAL_OF_POST = (
    re.compile(
        rb"\r\n(?:content-length: (?!%b\r)|transfer-encoding|expect|upgrade|connection: (?!keep-alive\r))"
        % size,
        re.IGNORECASE,
    )
    for size in (rb"0", rb"[0-9]{1,9}")
)
"""A body of another form, an end of the connection, or another protocol behind it."""
_SIZE = re.compile(rb"\r\ncontent-length: ([0-9]{1,9})(?=\r)", re.IGNORECASE)
_TO_WEBSOCKET = b"\r\nupgrade: websocket\r\n"
_UPGRADE, _FIREFOXS = b"\r\nconnection: upgrade\r\n", b"\r\nconnection: keep-alive, upgrade\r\n"


Peer = str | Callable[[], str]
"""An address, or how to learn it: most connections' is never asked."""


class Refusal(NamedTuple):
    """Answered instead of 101, as plain text, and instead of a polling session, as `{code, message}`."""

    status: int
    text: str
    code: int = 4
    """Engine.IO's number: what it has no number for is "forbidden"."""


class Head:
    """Header names are asked in lower case."""

    __slots__ = ("_client", "_fields", "_peer", "_trusted_proxies", "method", "path", "query")

    def __init__(
        self,
        method: str,
        target: str,
        fields: Sequence[tuple[str, str]],
        *,
        peer: Peer,
        trusted_proxies: Collection[Network] = (),
    ) -> None:
        lines = "".join(f"\r\n{name}: {value}" for name, value in fields)
        self._take(method, target, f"{lines}\r\n".encode("latin-1", "replace"), peer, trusted_proxies)

    def _take(
        self, method: str, target: str, fields: bytes, peer: Peer, trusted_proxies: Collection[Network]
    ) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self._fields = fields
        self._peer = peer
        self._trusted_proxies = trusted_proxies
        self._client = ""

    @property
    def client(self) -> str:
        """The address of who really asks, proxies taken into account. Most of a poll's requests are not asked."""
        if not self._client:
            forwarded = self.header("x-forwarded-for") if self._trusted_proxies else None
            peer = self._peer if isinstance(self._peer, str) else self._peer()
            self._client = client_address(peer, forwarded, self._trusted_proxies)
        return self._client

    def header(self, name: str) -> str | None:
        """Several headers of one name are joined with a comma, as RFC 9110 section 5.3 has it."""
        return _value(self._fields, self._fields.lower(), _mark(name))

    def headers(self, *names: str) -> list[str | None]:
        """Several at once: what costs is the lower case."""
        lower = self._fields.lower()
        return [_value(self._fields, lower, _mark(name)) for name in names]

    def cookie(self, name: str) -> str | None:
        for pair in (self.header("cookie") or "").replace(",", ";").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return None

    def parameter(self, name: str) -> str | None:
        """The first that is not empty."""
        if name not in self.query:
            return None  # what is asked for most often is not there
        query, mark = f"&{self.query}", f"&{name}="
        start = query.find(mark)
        while start >= 0:
            if value := query[start + len(mark) :].partition("&")[0]:
                return unquote_plus(value) if "%" in value or "+" in value else value
            start = query.find(mark, start + 1)
        return None

    def __repr__(self) -> str:
        return f"<Head {self.method} {self.path}>"


@cache
def _mark(name: str) -> bytes:
    """What a field begins with; the names are our own few."""
    return b"\r\n%b: " % name.encode()


def _value(fields: bytes, lower: bytes, mark: bytes) -> str | None:
    start = lower.find(mark)
    if start < 0:
        return None
    values = []
    while start >= 0:
        end = fields.index(b"\r\n", start + len(mark))
        values.append(fields[start + len(mark) : end].decode("latin-1"))
        start = lower.find(mark, end)
    return ", ".join(values)


def find_upgrade(data: bytes) -> re.Match[bytes] | None:
    """The whole and tidy head `data` begins with, if it asks for a WebSocket as clients do; else ask a real parser."""
    # `find`, for `in` would first take what it looks for as a number: 0.2 µs each.
    if data.find(b"pgrade: websocket\r\n") < 0 or not (match := _WHOLE.match(data)):
        return None
    find = match[0].lower().find
    asks = find(_TO_WEBSOCKET) > 0 and (find(_UPGRADE) > 0 or find(_FIREFOXS) > 0)
    return match if asks else None


def find_get(data: bytes) -> re.Match[bytes] | None:
    """The whole and tidy head that `data` is, if nothing but its answer is to follow; else ask a real parser."""
    match = _WHOLE.fullmatch(data)
    return match if match and match[1] == b"GET" and not _UNUSUAL_OF_GET.search(match[3] + b"\r") else None


class Post(NamedTuple):
    head: re.Match[bytes]
    body_size: int

    @property
    def size(self) -> int:
        return self.head.end() + self.body_size


def find_post(data: bytes) -> Post | None:
    """The POST that `data` begins with, if its head is whole and tidy; else ask a real parser."""
    match = _WHOLE.match(data)
    if match is None or match[1] != b"POST":
        return None
    fields = match[3] + b"\r"
    sizes = _SIZE.findall(fields)
    return Post(match, int(sizes[0])) if len(sizes) == 1 and not _UNUSUAL_OF_POST.search(fields) else None


def head_of_match(match: re.Match[bytes], *, peer: Peer, trusted_proxies: Collection[Network] = ()) -> Head:
    """Of a match of `find_upgrade` or `find_get`: half the time of taking it apart line by line."""
    head = Head.__new__(Head)
    head._take(match[1].decode(), match[2].decode(), match[3] + b"\r\n", peer, trusted_proxies)  # noqa: SLF001 - a second way to make one
    return head


def parse_head(raw: bytes, *, peer: Peer, trusted_proxies: Collection[Network] = ()) -> Head:
    """`raw` is everything before the empty line. Raises ValueError if it is no HTTP/1.1 head."""
    if tidy := _TIDY.fullmatch(raw):
        return head_of_match(tidy, peer=peer, trusted_proxies=trusted_proxies)
    request, *lines = raw.decode("latin-1").split("\r\n")
    method, target, version = request.split(" ")
    if version != "HTTP/1.1" or not target.startswith("/"):
        raise ValueError("not an HTTP/1.1 request for a path")
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError("malformed header")
        fields.append((name, value.strip()))
    return Head(method, target, fields, peer=peer, trusted_proxies=trusted_proxies)
