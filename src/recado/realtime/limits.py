"""Bounds on what one peer may take: connections in all and per address, events per second. Pure counting.

Must not know links or transports. Ruled by docs/realtime.md ("Bounds"): 0 is no bound of its own.
"""

from recado.realtime.head import Head, Refusal


class Allowance:
    """Events of one connection: `rate` a second on average, a second's worth at once."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._left = max(rate, 1.0)
        self._at = now

    def take(self, now: float) -> bool:
        self._left -= 1.0
        if self._left >= 0.0:
            return True
        return self._refill(now)

    def _refill(self, now: float) -> bool:
        """Time is looked at only when the second's worth is used up."""
        rate = self._rate
        self._left = min(max(rate, 1.0) - 1.0, self._left + (now - self._at) * rate)
        self._at = now
        if self._left >= 0.0:
            return True
        self._left += 1.0
        return False


class Doors:
    """Connections that are open, in all and by address. Who came is asked only where it matters."""

    __slots__ = ("_by_address", "_max", "_max_per_address", "open")

    def __init__(self, max_connections: int, max_per_address: int) -> None:
        self._max = max_connections
        self._max_per_address = max_per_address
        self._by_address: dict[str, int] = {}
        self.open = 0

    def refusal(self, head: Head) -> Refusal | None:
        if self._max and self.open >= self._max:
            return Refusal(503, "Too many connections")
        if self._max_per_address and self._by_address.get(head.client, 0) >= self._max_per_address:
            return Refusal(429, "Too many connections from this address")
        return None

    def enter(self, head: Head) -> None:
        self.open += 1
        if self._max_per_address:
            self._by_address[head.client] = self._by_address.get(head.client, 0) + 1

    def leave(self, head: Head) -> None:
        self.open -= 1
        if self._max_per_address:
            left = self._by_address[head.client] - 1
            if left:
                self._by_address[head.client] = left
            else:
                del self._by_address[head.client]
