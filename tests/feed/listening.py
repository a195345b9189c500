"""A feed that runs, what it tells, and a way to wait for it."""

import asyncio
from contextlib import asynccontextmanager


class Told(list):
    def __init__(self):
        self.more = asyncio.Event()

    def append(self, told):
        super().append(told)
        self.more.set()

    async def until(self, count):
        async with asyncio.timeout(10):
            while len(self) < count:
                self.more.clear()
                await self.more.wait()


@asynccontextmanager
async def polling(feed):
    """The feed, with its poll running."""
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, *feed._pulls, return_exceptions=True)
