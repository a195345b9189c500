"""A thread that does beside the writer what would take long inside its commits. docs/store.md."""

import threading
from abc import ABC, abstractmethod


class Beside(ABC):
    """`_run` is the thread's whole life; it ends soon after `_stopping` is set."""

    def __init__(self, name: str) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    @abstractmethod
    def _run(self) -> None: ...
