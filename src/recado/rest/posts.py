"""Small POSTs that came whole, answered past parser and routes as by them. docs/channels.md, "In".

For our own server (`HttpProtocol`), which knows this shorter way. Knows no channel: app/small_posts.py.
"""

import re
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec
import structlog

from recado.app.small_posts import Headers, SmallPost
from recado.observe import get_logger
from recado.rest.at_once import FIXED_LINES, JSON
from recado.rest.envelope import request_id_of
from recado.rest.problems import MEDIA_TYPE, refusal_of, told

Answer = tuple[int, Sequence[bytes]]
"""A status, and what follows the server's own headers."""

UUID = rb"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

log = get_logger("rest")


class Posts:
    """`beginnings`: of the requests that `take` may know."""

    def __init__(self, posts: Sequence[SmallPost]) -> None:
        self._posts = [(_pattern(post.route), post) for post in posts]
        self.beginnings = tuple({b"POST " + post.route.partition("{")[0].encode() for post in posts})

    def take(self, target: bytes, lines: bytes, body: bytes) -> Coroutine[Any, Any, Answer] | None:
        """A POST's target, its header lines and its whole body → its answer, if it is one of ours; it never raises."""
        for pattern, post in self._posts:
            if match := pattern.fullmatch(target):
                return _answer(post, match[1].decode(), _headers(lines), body)
        return None


def _pattern(route: str) -> re.Pattern[bytes]:
    """An id that is written in another way takes the long way."""
    before, _, after = route.partition("{")
    return re.compile(before.encode() + UUID + after.partition("}")[2].encode())


async def _answer(post: SmallPost, id_: str, headers: Headers, body: bytes) -> Answer:
    started_at = time.perf_counter()
    request_id = request_id_of(headers.get("x-request-id", ""))
    fields: dict[str, Any] = {"method": "POST", "route": post.route}
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            content = msgspec.json.encode(await post.answer(id_, headers, body))
            status, more = 200, {"Content-Type": JSON}
        except Exception as error:  # noqa: BLE001 - what is no refusal is told to the operator
            refusal = refusal_of(error, post.route)
            more, content = told(refusal)
            status, fields["code"] = refusal.status, refusal.code
            more["Content-Type"] = MEDIA_TYPE
        fields |= {"status": status, "duration_ms": round((time.perf_counter() - started_at) * 1000, 1)}
        log.info("request", **fields)
    more |= {"X-Request-Id": request_id, "Content-Length": str(len(content))}
    own = "".join(f"{name.lower()}: {value}\r\n" for name, value in more.items())
    return status, (FIXED_LINES, own.encode(), b"\r\n", content)


def _headers(lines: bytes) -> Headers:
    found: dict[str, str] = {}
    for line in lines.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        found.setdefault(name.lower(), value)
    return found
