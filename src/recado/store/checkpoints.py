"""Moves what was committed from SQLite's WAL to the file, beside the writer instead of inside its commits.

As `wal_autocheckpoint` does it, one commit in a hundred writes and flushes thousands of pages, and everybody behind it
waits. A thread does the bulk of it; what comes meanwhile is little, and the writing thread ends it between two batches,
so that the WAL begins anew. docs/store.md, "What it promises".
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from recado import observe
from recado.store.beside import Beside

EVERY_S = 0.25
FINISH_FRAMES = 10_000
"""Pages in the WAL, 40 MB, at which the writing thread ends it."""

PASSIVE = "PRAGMA wal_checkpoint(PASSIVE)"
"""Waits for nobody, and nobody waits for it."""

log = observe.get_logger("store")


class Checkpoints(Beside):
    """`finish` lets the writing thread execute PASSIVE between two transactions."""

    def __init__(self, database: Path, finish: Callable[[], object]) -> None:
        super().__init__("recado-checkpoint")
        self._database = database
        self._finish = finish

    def _run(self) -> None:
        connection = sqlite3.connect(self._database, isolation_level=None)
        seen = 0
        try:
            while not self._stopping.wait(EVERY_S):
                try:
                    seen = self._move(connection, seen)
                except sqlite3.Error as error:  # the writer's own bound (sqlite.py) stands behind this thread
                    log.warning("checkpoint_failed", error=type(error).__name__)
        finally:
            connection.close()

    def _move(self, connection: sqlite3.Connection, seen: int) -> int:
        """Returns the version that was found; nothing is done if it is `seen`: nobody has written since."""
        [version] = connection.execute("PRAGMA data_version").fetchone()
        if version != seen:
            _, frames, _ = connection.execute(PASSIVE).fetchone()
            if frames >= FINISH_FRAMES:
                self._finish()
        return int(version)
