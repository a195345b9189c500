"""A client's connection to a node: HTTP/1.1, kept alive, dialled anew when it broke. As little work as can be."""

import asyncio
from typing import NamedTuple

LIMIT_S = 20.0
"""A node may be frozen for some seconds; one that says nothing for so long hangs."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """One request at a time."""

    def __init__(self, port) -> None:
        self._port = port
        self._writer = None

    async def ask(self, method, path, headers=(), body=b"") -> Answer:
        """Raises OSError or EOFError when the node is gone, TimeoutError when it hangs."""
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._connect()
                lines = [f"{method} {path} HTTP/1.1", "Host: node", f"Content-Length: {len(body)}", *headers]
                self._writer.write("\r\n".join((*lines, "", "")).encode() + body)
                return await self._answer()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    async def _connect(self) -> None:
        if self._writer is None or self._reader.at_eof():
            self.close()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def _answer(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *fields = head.rstrip().split("\r\n")
        named = (field.partition(": ") for field in fields)
        headers = {name.lower(): value for name, _, value in named}
        length = int(headers.get("content-length", "0"))
        return Answer(int(status.split()[1]), headers, await self._reader.readexactly(length))
