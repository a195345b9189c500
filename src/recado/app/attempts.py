"""Counting attempts at a login, so that nobody guesses passwords by trying. Pure but for the clock it is given."""

from collections import OrderedDict
from collections.abc import Callable

from recado.errors import RateLimitedError

MAX_KEYS = 50_000


class Attempts:
    """At most `limit` attempts per key in `window_s`, counted when they begin; a success is taken back."""

    def __init__(self, limit: int, window_s: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._window_s = window_s
        self._clock = clock
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def begin(self, key: str) -> None:
        """Raises RateLimitedError, with how long to wait, when the key has used its attempts up."""
        now = self._clock()
        times = [at for at in self._times.pop(key, []) if now - at < self._window_s]
        if len(times) >= self._limit:
            self._times[key] = times
            raise RateLimitedError(retry_after_s=max(1, round(self._window_s - (now - times[0]))))
        self._times[key] = [*times, now]
        if len(self._times) > MAX_KEYS:
            self._times.popitem(last=False)

    def take_back(self, key: str) -> None:
        """The attempt that began last was right; the failed ones before it still count."""
        if times := self._times.get(key):
            times.pop()
