"""The first level: entries of this process, least recently used out first, bounded by bytes and by age.

The age is no part of the truth, which the log judges: it bounds what a wrong tag or an unlogged write could do.
"""

from collections import OrderedDict
from itertools import islice

from recado.cache.entry import Entry
from recado.clock import clock


class Memory:
    def __init__(self, max_bytes: int, max_age_s: float) -> None:
        self.bytes = 0
        self.evictions = 0
        self.expired = 0
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: float) -> Entry | None:
        """`now` by `clock`."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now > entry.until:
            self.remove(key)
            self.expired += 1
            return None
        self._entries.move_to_end(key)
        return entry

    def recent(self, count: int) -> list[tuple[str, Entry]]:
        """Those that were asked for last, or put."""
        return list(islice(reversed(self._entries.items()), count))

    def put(self, key: str, entry: Entry) -> None:
        """One that is larger than everything together is not kept."""
        self.remove(key)
        size = entry.size
        if size > self._max_bytes:
            return
        entry.until = clock() + self._max_age_s
        self._entries[key] = entry
        self.bytes += size
        while self.bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= oldest.size
            self.evictions += 1

    def remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size
