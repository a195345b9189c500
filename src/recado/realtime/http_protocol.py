"""uvicorn's HTTP protocol with what it leaves out of an upgrade, a bound on heads, and short ways for what comes often.

uvicorn 0.54 drops the bytes that follow an upgrade's head in the same read, httptools collects a head without end, an
answer takes two writes, and a request a task. `data_received` is uvicorn's method, written again, and `_answer_whole`
does what its `send` does: pyproject pins it below 0.55. Must not know WebSocket frames.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any, ClassVar, Protocol, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from recado.app.whole_answer import WHOLE_ANSWER
from recado.realtime.head import Post, find_get, find_post
from recado.realtime.polling import Polling

MAX_HEAD_BYTES = 16_384
Headers = Sequence[tuple[bytes, bytes]]
AtOnce = Callable[[bytes, bytes], tuple[int, Sequence[bytes]] | None]
"""A GET's target and its header lines → status and what follows the server's own headers; None: not at hand."""
MAX_POST_BYTES = 65_536
"""A larger body takes the long way."""


class Posts(Protocol):
    """Who takes small POSTs. `beginnings`: of the requests that are worth asking for."""

    beginnings: tuple[bytes, ...]

    def take(
        self, target: bytes, lines: bytes, body: bytes
    ) -> Coroutine[Any, Any, tuple[int, Sequence[bytes]]] | None:
        """Header lines and body → the answer, in its time, as AtOnce has it; None: not one of those."""
        ...


class HttpProtocol(HttpToolsProtocol):
    """For uvicorn's `http=`. `head_timeout_s` counts from the connection's opening, or a later head's first byte."""

    head_timeout_s: ClassVar[float] = 10.0
    body_patience_s: ClassVar[float] = 60.0
    """A body may be slow, but not stand still for this long. A polling session's gives up sooner by itself."""
    polling: ClassVar[Polling | None] = None
    """Takes whole GETs of its own past parser and task: half of what a poll costs."""
    at_once: ClassVar[AtOnce | None] = None
    """The same for what the application has at hand."""
    posts: ClassVar[Posts | None] = None
    """The same for small POSTs, each of which has a task."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads_begun = 0
        self._head_is_open = False
        self._head_timer: asyncio.TimerHandle | None = None
        """Of a body that stands still, too."""
        self._head_bytes = 0
        """Of the open head; of a later one without the read it began in, which held others too."""
        self._message_is_open = False
        self._hung_up: Callable[[], None] | None = None
        """Of a poll or a POST that is held."""
        self._behind = b""
        """What was pipelined behind it."""
        self._post_begun: Post | None = None
        """Its head came without all of its body: many clients write the two one after the other."""
        self._is_last = False
        self._idle_since = 0.0

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport, since: float | None = None
    ) -> None:
        """`since`: when it was opened, by the monotonic clock, if that was before."""
        super().connection_made(transport)
        self._await_head(since)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        hung_up, self._hung_up = self._hung_up, None
        if hung_up is not None:
            hung_up()
        super().connection_lost(exc)
        if self.scope is not None:
            self.scope.pop("extensions", None)  # it holds this protocol, which holds the scope

    def data_received(self, data: bytes) -> None:
        if self._hung_up is not None:
            self._behind += data
            self.flow.pause_reading()
            return
        begun, self._post_begun = self._post_begun, None
        if begun is not None:
            data = begun.head.string + data
        if self.polling is not None and self._is_idle:
            post = None
            if (
                self.polling.take(data, self)
                or self._answered(data)
                or ((post := begun or self._find_post(data)) and self._posted(post, data))
            ):
                self._heads_begun += 1
                self._head_is_here()
                return
            if post and post is not begun and len(data) < post.size:
                self._await_body(post)
                return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """The long way."""
        begun = self._heads_begun
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._hand_over(data[upgrade.args[0] :])
            else:
                self._unsupported_upgrade_warning()
            return
        except httptools.HttpParserError:
            self._refuse(400, b"Invalid HTTP request received.")
            return
        if self._message_is_open and not self._head_is_open:
            self._head_is_here()
            self._head_timer = self.loop.call_later(self.body_patience_s, self._refuse_still_body)
        if self._head_is_open and self._heads_begun in {1, begun}:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, b"Request header fields too large")

    def _answered(self, data: bytes) -> bool:
        ask = type(self).at_once
        match = find_get(data) if ask is not None else None
        answer = ask(match[2], match[3]) if ask is not None and match is not None else None
        if answer is None:
            return False
        status, rest = answer
        self.respond(status, *rest)
        return True

    def _find_post(self, data: bytes) -> Post | None:
        posts = type(self).posts
        post = find_post(data) if posts is not None and data.startswith(posts.beginnings) else None
        return post if post and post.body_size <= MAX_POST_BYTES else None

    def _posted(self, post: Post, data: bytes) -> bool:
        """Its client may hang up: what it asked for is carried out all the same."""
        posts, head = type(self).posts, post.head
        if posts is None or len(data) != post.size:
            return False
        coming = posts.take(head[2], head[3], data[head.end() :])
        if coming is None:
            return False
        self.hold(lambda: None)
        task = self.loop.create_task(self._answer_later(coming))
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)
        return True

    def _await_body(self, post: Post) -> None:
        """It may come with the next read, and has the time of a head."""
        self._unset_keepalive_if_required()
        self._post_begun = post
        self._await_head()

    async def _answer_later(self, coming: Coroutine[Any, Any, tuple[int, Sequence[bytes]]]) -> None:
        status, rest = await coming
        self.respond(status, *rest)

    @property
    def peer(self) -> str:
        return self.client[0] if self.client else ""

    def hold(self, hung_up: Callable[[], None]) -> None:
        self._hung_up = hung_up

    def respond(self, status: int, *rest: bytes) -> None:
        """What was pipelined behind the request follows a turn later: this may be in the midst of a broadcast."""
        self._hung_up = None
        if self.transport.is_closing():
            return
        self.transport.write(b"".join((STATUS_LINE[status], self._own_fields(), *rest)))
        self.server_state.total_requests += 1
        if self._is_last:
            self.transport.close()
        elif self._behind:
            self.loop.call_soon(self._go_on)
        else:
            self._idle_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self.timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """uvicorn's; a poll that is held is answered first."""
        if self._hung_up is None:
            super().shutdown()
        else:
            self._is_last = True

    @property
    def _is_idle(self) -> bool:
        """No request is being read or answered, and the client takes its answers: else a task waits until it does."""
        if self._message_is_open or self.flow.write_paused:
            return False
        return self.cycle is None or self.cycle.response_complete

    def _go_on(self) -> None:
        behind, self._behind = self._behind, b""
        self.flow.resume_reading()
        if not self.transport.is_closing():
            self.data_received(behind)

    def timeout_keep_alive_handler(self) -> None:
        """uvicorn's, but one timer lives through many polls: setting and cancelling one for each cost a microsecond."""
        self.timeout_keep_alive_task = None
        if self._hung_up is not None:
            return
        rest_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if rest_s > 0:
            self.timeout_keep_alive_task = self.loop.call_later(rest_s, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _own_fields(self) -> bytes:
        return b"".join([b"%b: %b\r\n" % field for field in self.server_state.default_headers])

    def on_message_begin(self) -> None:
        self._message_is_open = True
        super().on_message_begin()
        if self._heads_begun:
            self._await_head()
        self._heads_begun += 1
        self._head_is_open = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_is_open = False
        self._head_is_here()
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            self.scope["extensions"] = {WHOLE_ANSWER: self._answer_whole}  # type: ignore[dict-item]

    def on_message_complete(self) -> None:
        self._message_is_open = False
        self._head_is_here()
        super().on_message_complete()

    def _await_head(self, since: float | None = None) -> None:
        """A head that comes byte by byte must not hold its connection for ever."""
        self._head_is_here()
        waited_s = 0.0 if since is None else monotonic() - since
        self._head_timer = self.loop.call_later(self.head_timeout_s - waited_s, self._refuse_slow_head)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse_slow_head(self) -> None:
        if not self.transport.is_closing():
            self._refuse(408, b"The request head took too long.")

    def _refuse_still_body(self) -> None:
        if self.cycle is not None and not self.cycle.response_started and not self.transport.is_closing():
            self._refuse(408, b"The request body stood still.")
        self.transport.close()

    def _answer_whole(self, scope: object, status: int, headers: Headers, body: bytes) -> bool:
        cycle = self.cycle
        if cycle is None or cycle.scope is not scope:  # another request was pipelined behind it
            return False
        if cycle.response_started or cycle.disconnected or not cycle.keep_alive or self.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        lines = b"".join([b"%b: %b\r\n" % field for field in headers])
        self.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[status], self._own_fields(), lines, body))
        cycle.message_event.set()
        cycle.on_response()
        return True

    def _hand_over(self, rest: bytes) -> None:
        """`rest` was read behind the head and belongs to the session."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._refuse(400, b"An upgrade must not be pipelined.")
            return
        self.handle_websocket_upgrade()
        # The parser holds this protocol's methods: without it the pair is freed at once, not by the collector.
        self.parser = None  # type: ignore[assignment]
        if rest and not self.transport.is_closing():
            cast(asyncio.Protocol, self.transport.get_protocol()).data_received(rest)

    def _refuse(self, status: int, text: bytes) -> None:
        self.transport.write(
            b"%bcontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(text), text)
        )
        self.transport.close()
