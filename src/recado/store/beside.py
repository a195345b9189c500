"""A thread that does beside the writer what would take long inside its commits, or keeps watch. docs/store.md."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager


class Beside(ABC):
    """`_run` is the thread's whole life; it ends soon after `_stopping` is set."""

    def __init__(self, name: str) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Once."""
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._thread.join()

    @abstractmethod
    def _run(self) -> None: ...
