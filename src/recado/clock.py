"""The clock that leases and ages are measured by: it goes on while the machine sleeps, and nobody sets it."""

import time
from functools import partial

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


clock = partial(time.clock_gettime, _CLOCK)
"""Seconds; only differences mean something. `time.monotonic` on Linux stands still in a suspended machine."""
