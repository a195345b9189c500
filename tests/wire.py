"""Between a client and a server on loopback: counts round trips and writes, and can cut, hold or refuse the line."""

import asyncio
import contextlib

READY_FOR_QUERY = b"Z\x00\x00\x00\x05"
"""PostgreSQL 15, 55.7 Message Formats: the type and the length, before a byte of state."""


class Wire:
    """Listens on `port` while entered. A trip ends when the server says that it is ready for the next.

    Who pipelines waits for that once, however many statements went out and whenever their answers come back.
    """

    def __init__(self, server_port: int) -> None:
        self.trips = 0
        self.writes = 0
        """Of clients, those that came so fast that they were read together as one."""
        self._server_port = server_port
        self._lines: dict[asyncio.Task, tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}
        self._open = asyncio.Event()
        self._open.set()

    async def __aenter__(self):
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._listening.close()
        self._open.set()
        self.cut()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def cut(self) -> None:
        """Break every line that there is."""
        for ends in self._lines.values():
            for end in ends:
                end.transport.abort()

    def lead_to(self, server_port: int) -> None:
        """Whoever calls from now on reaches another server."""
        self._server_port = server_port

    async def refuse(self) -> None:
        """Break every line, and let nobody through until `accept`."""
        self._listening.close()
        self.cut()

    async def accept(self) -> None:
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def hold(self) -> None:
        """Say nothing more to anybody, and end nothing: as a network that lost its way."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def _serve(self, from_client, to_client) -> None:
        task = asyncio.current_task()
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._lines[task] = (to_client, to_server)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(from_client, to_server))
                tasks.create_task(self._carry(from_server, to_client, READY_FOR_QUERY))
        finally:
            del self._lines[task]

    async def _carry(self, reader, writer, counted=None) -> None:
        before = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 16):
                if counted:
                    self.trips += (before + chunk).count(counted)
                    before = chunk[1 - len(counted) :]
                else:
                    self.writes += 1
                await self._open.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()
