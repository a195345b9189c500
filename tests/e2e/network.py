"""The way between a browser and a server, as a test wants it: it may be long, and it may break.

A plain TCP relay on loopback in a thread of its own; browsers reach the server through its address.
"""

import asyncio
import contextlib
import threading


class Network:
    """Listens at `url` and relays to `port`. `delay_s` holds every piece in each direction: half of a round trip."""

    def __init__(self, port: int, delay_s: float = 0.0) -> None:
        self._to = port
        self._delay_s = delay_s
        self._up = True
        self._silent = False
        self._lines: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def cut(self) -> None:
        """All connections break, and new ones find nobody."""
        self._do(self._cut)

    def fall_silent(self) -> None:
        """All connections stand, and nothing goes through: a cable was pulled somewhere."""
        self._do(lambda: setattr(self, "_silent", True))

    def mend(self) -> None:
        self._up = True

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _do(self, work) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (work(), done.set()))
        done.wait(5)

    def _cut(self) -> None:
        self._up = False
        for line in list(self._lines):
            line.transport.abort()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._up:
            writer.transport.abort()
            return
        with contextlib.suppress(OSError):
            there, onward = await asyncio.open_connection("127.0.0.1", self._to)
            self._lines |= {writer, onward}
            await asyncio.gather(self._relay(reader, onward), self._relay(there, writer))
            self._lines -= {writer, onward}

    async def _relay(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Each piece leaves `delay_s` after it came, in order; what follows need not wait for it."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def take() -> None:
            piece = b"."
            while piece:
                with contextlib.suppress(OSError):
                    piece = await source.read(65_536)
                    pieces.put_nowait((self._loop.time() + self._delay_s, piece))
                    continue
                pieces.put_nowait((0.0, piece := b""))

        taking = asyncio.ensure_future(take())
        with contextlib.suppress(OSError):
            while (due := await pieces.get())[1]:
                await asyncio.sleep(max(0.0, due[0] - self._loop.time()))
                if self._silent:
                    continue
                sink.write(due[1])
                await sink.drain()
        taking.cancel()
        sink.close()
