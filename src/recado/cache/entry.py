"""A cached answer, and what makes it true: the label of the snapshot it was read in, and the tags it depends on.

Nothing here knows where answers come from or who asks; docs/cache.md.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from recado.domain.cursor import Cursor
from recado.domain.values import Seq

ENTRY_BYTES = 1_000
"""Of an entry, its place in memory and how to read it again, beside its body and its tags."""
TAG_BYTES = 96
ITEM_BYTES = 250


class Loaded(Struct, frozen=True):
    """What a loader read in one snapshot, with that snapshot's label. The first `shown` tags are its rows.

    `body` is bytes ready to be served, or, in memory only, a mapping of them. `head`: the random id of the record that
    the label counts up to, if the loader has read it.
    """

    label: Cursor
    tags: Sequence[str]
    body: Any
    shown: int = 0
    head: int | None = None


Load = Callable[[], Awaitable[Loaded]]


class Log(Protocol):
    """A clinic's log, as this node knows it: feed/followed.py."""

    epoch: str
    seq: Seq
    base: Seq
    need: Seq
    lease: float
    touched: dict[str, Seq]
    used: bool


class Entry:
    """`ok`: the seq up to which it is known to be true. It begins as the label, and only a check raises it.

    `load` reads the same again. `until`: by `clock`, when it is too old to be kept. `made`: whatever a reader has made
    of it and would make again.
    """

    __slots__ = ("body", "epoch", "label", "load", "made", "ok", "shown", "tags", "until")

    def __init__(self, loaded: Loaded, load: Load | None = None) -> None:
        self.epoch, self.label = loaded.label
        self.ok = self.label
        self.tags = loaded.tags
        self.body = loaded.body
        self.shown = loaded.shown
        self.until = 0.0
        self.load = load
        self.made: Any = None

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        body = len(self.body) if isinstance(self.body, bytes) else ITEM_BYTES * len(self.body)
        return ENTRY_BYTES + body + TAG_BYTES * len(self.tags)

    @property
    def cursor(self) -> Cursor:
        """What a reader of it has seen; to subscribe from, the label is safer."""
        return Cursor(self.epoch, self.ok)

    def holds(self, log: Log) -> bool:
        """Whether it is true of the clinic as far as `log` knows it."""
        ok, seq = self.ok, log.seq
        if self.epoch != log.epoch:
            return False
        if ok == seq:  # nothing has happened in the clinic since the last check
            return True
        if ok < log.base:  # older than what this node knows of
            return False
        get = log.touched.get
        for tag in self.tags:  # not any(): a generator takes three times as long, and a list has fifty
            if get(tag, 0) > ok:
                return False
        if ok < seq:
            self.ok = seq
        return True
