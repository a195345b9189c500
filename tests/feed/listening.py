"""What a feed tells, and a way to wait for it."""

import asyncio


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
