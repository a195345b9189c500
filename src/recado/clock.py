"""The clock that leases and ages are measured by: it goes on while the machine sleeps, and nobody sets it."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds; only differences mean something. `time.monotonic` on Linux stands still in a suspended machine."""
    return time.clock_gettime(_CLOCK)
