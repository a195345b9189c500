"""Moves new words from PostgreSQL's pending list to the search index, beside the writer instead of inside its commits.

GIN puts new entries in a list, and whoever makes the list too long takes all of it in, within its commit. A thread does
it before that. The longer the list, the more entries go to the same pages: it is let grow for a while, but a search
reads all of it. docs/store.md, "Search".
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import psycopg

from recado import observe
from recado.store.beside import Beside
from recado.store.silence import Silence

EVERY_S = 0.5

TAKE_IN = "SELECT gin_clean_pending_list('search_index')"

log = observe.get_logger("store")


class PendingWords(Beside):
    """`arguments` are what psycopg connects with. `written` grows with every commit of this process."""

    def __init__(self, arguments: Mapping[str, Any], written: Callable[[], int], silence: Silence) -> None:
        super().__init__("recado-words")
        self._arguments = arguments
        self._written = written
        self._silence = silence

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(psycopg.connect(**self._arguments, autocommit=True)) as connection:
                    self._take_in_now_and_then(connection)
            except psycopg.errors.InsufficientPrivilege:
                log.warning("pending_words_refused")
                return  # the index's own limit (migration 0009) stands behind this thread
            except psycopg.Error as error:
                log.warning("pending_words_failed", error=type(error).__name__)
                self._stopping.wait(EVERY_S)

    def _take_in_now_and_then(self, connection: psycopg.Connection[Any]) -> None:
        seen = 0
        while not self._stopping.wait(EVERY_S):
            written = self._written()
            if written != seen:
                with self._silence.heeded(connection):
                    connection.execute(TAKE_IN)
                seen = written
