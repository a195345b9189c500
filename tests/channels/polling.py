"""Waiting for what another task brings about: ask again and again, up to a deadline."""

import asyncio
import time
from collections.abc import Callable


async def eventually(question: Callable[[], object], what: str, deadline_s: float = 10.0):
    """The first true answer."""
    end = time.monotonic() + deadline_s
    while not (answer := question()):
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(0.005)
    return answer
