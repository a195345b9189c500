"""Between a client and a server on loopback: counts round trips, and can cut or hold the line."""

import asyncio
import contextlib


class Wire:
    """Listens on `port` while entered. A trip begins when the client speaks after the server had its say."""

    def __init__(self, server_port: int) -> None:
        self.trips = 0
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

    def hold(self) -> None:
        """Say nothing more to anybody, and end nothing: as a network that lost its way."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def _serve(self, from_client, to_client) -> None:
        task = asyncio.current_task()
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._lines[task] = (to_client, to_server)
        said = {"last": "server"}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(from_client, to_server, "client", said))
                tasks.create_task(self._carry(from_server, to_client, "server", said))
        finally:
            del self._lines[task]

    async def _carry(self, reader, writer, who, said) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 16):
                if who == "client" and said["last"] == "server":
                    self.trips += 1
                said["last"] = who
                await self._open.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()
