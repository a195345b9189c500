"""What this node knows of one clinic's log: enough to say whether something read from the clinic is still true.

docs/cache.md. It is changed only in code that does not await, so that nobody sees half a step.
"""

import asyncio
import time
from collections.abc import Sequence

from recado.domain.events import Record
from recado.domain.values import ClinicId, Seq
from recado.store.inbox import Head

WINDOW = 1_000
"""Records that are remembered by what they touched. An answer that was not checked since is read again."""

UNKNOWN = Seq(-1)


class Followed:
    """A clinic that somebody here looks at. Until `lease` this node knows that it hears what others write.

    `seq` and `head`: the newest record that is known, and its random id. `base`: every record after it is accounted for
    in `touched`, which names by tag the newest record that touched it. `need`: how far the log has come, as somebody
    said; `hinted`: as was said since the log was asked last. `heard_at`: when the log was asked last, of which
    the answer has come; `doubted_at`: what was asked before says nothing. `root`: the id of the record at `base`, while
    nobody has looked at what was before it.
    """

    __slots__ = (
        "base",
        "clinic_id",
        "doubted_at",
        "epoch",
        "followers",
        "head",
        "heard_at",
        "hinted",
        "lease",
        "looking_back",
        "need",
        "pull",
        "root",
        "seq",
        "since",
        "touched",
        "used",
        "used_at",
        "waiting",
    )

    def __init__(self, clinic_id: ClinicId) -> None:
        self.clinic_id = clinic_id
        self.epoch = ""
        self.seq = self.base = UNKNOWN
        self.head = 0
        self.root: int | None = None
        self.touched: dict[str, Seq] = {}
        self.need = UNKNOWN
        self.hinted = UNKNOWN
        self.lease = 0.0
        self.heard_at = 0.0
        self.doubted_at = 0.0
        self.since = 0.0
        self.followers = 0
        self.used = False
        """Somebody read of it since the last look; set by whoever reads, for that costs nothing."""
        self.used_at = 0.0
        self.pull: asyncio.Task[None] | None = None
        self.looking_back = asyncio.Lock()
        self.waiting: list[asyncio.Future[None]] = []

    @property
    def known(self) -> bool:
        return self.seq != UNKNOWN

    @property
    def place(self) -> tuple[str, Seq, int]:
        return self.epoch, self.seq, self.head

    def stand_at(self, head: Head) -> None:
        """Begin here: nothing is known of what was before."""
        (self.epoch, self.seq), self.head = head.cursor, head.id
        self.base, self.root = self.seq, self.head
        self.touched.clear()
        self.lease = 0.0
        self.since = time.monotonic()

    def forget(self) -> None:
        """Nobody follows it any more: who still holds this must ask again."""
        self.epoch, self.lease = "", 0.0
        self.wake()

    def take(self, record: Record, tags: Sequence[str] | None) -> None:
        """The next record, with what it touches; None touches everything, and so does a gap before it."""
        if tags is None or record.seq != self.seq + 1 or record.prev != self.head:
            self.base, self.root = record.seq, None
        else:
            for tag in tags:
                self.touched[tag] = record.seq
        self.seq, self.head = record.seq, record.id
        if self.seq - self.base > 2 * WINDOW:
            self.base, self.root = Seq(self.seq - WINDOW), None
            self.touched = {tag: seq for tag, seq in self.touched.items() if seq > self.base}

    def remember(self, records: Sequence[Record], touches: Sequence[Sequence[str] | None]) -> None:
        """What was before `root`, and it: the unbroken end of `records`, oldest first."""
        seq, head = self.base, self.root
        for record, tags in zip(reversed(records), reversed(touches), strict=True):
            if (record.seq, record.id) != (seq, head) or tags is None:
                break
            for tag in tags:
                self.touched.setdefault(tag, record.seq)
            seq, head = Seq(record.seq - 1), record.prev
        self.base, self.root = seq, None

    def is_another(self, place: tuple[str, Seq, int], head: Head, following: Record | None) -> bool:
        """Whether the log that `head` ends is not the one that was followed as far as `place`, under the same epoch."""
        epoch, seq, id_ = place
        if head.cursor.epoch != epoch:
            return False
        if head.cursor.seq <= seq:
            return head.cursor.seq < seq or head.id != id_
        return following is not None and following.seq == seq + 1 and following.prev != id_

    def wake(self) -> None:
        for moved in self.waiting:
            if not moved.done():
                moved.set_result(None)
        self.waiting.clear()
