"""Nobody waits for ever for a PostgreSQL that says nothing. docs/store.md, "A database that is silent".

One that is frozen keeps its connections, and the network, which is well, has nothing to complain of: libpq waits as
long as it takes. A thread looks who has waited too long. If the server answers nobody else either, it shuts their
connections, and they hear that the database does not answer. If it does, theirs is long work, and goes on.
"""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg

from recado import observe
from recado.clock import clock
from recado.errors import UnavailableError
from recado.store.beside import Beside

LOOK_EVERY_S = 1.0
PATIENCE_S = 5.0
"""Then the server is asked whether it answers others; not while the process ends: that does not wait for long work."""

log = observe.get_logger("store")

Waits = dict[psycopg.Connection[Any], float]


class Silence(Beside):
    """`arguments` are what psycopg connects with."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__("recado-silence")
        self._arguments = arguments
        self._ending = self._given_up = False
        self._lock = threading.Lock()
        self._waits: Waits = {}

    @contextmanager
    def heeded(self, driver: psycopg.Connection[Any]) -> Iterator[None]:
        """What is asked on `driver` in here may be ended by the thread: then it fails as when the server dies."""
        self._waits[driver] = clock()
        try:
            yield
        finally:
            with self._lock:  # never while it is being shut
                del self._waits[driver]

    def end_soon(self) -> None:
        """From now on PATIENCE_S is too long, whatever the server says to others."""
        self._ending = True

    def check(self) -> None:
        """Raises UnavailableError when the process ends and somebody has waited too long: nobody else need begin."""
        if self._given_up:
            raise UnavailableError

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            late = self._late()
            if late and (self._ending or not self._answers()):
                log.warning("database_silent", connections=len(late))
                self._given_up = self._ending
                self._shut(late)

    def _late(self) -> Waits:
        now = clock()
        return {driver: since for driver, since in self._waits.copy().items() if now - since > PATIENCE_S}

    def _answers(self) -> bool:
        """Also when it refuses: the limit of connections may be reached."""
        try:
            with closing(psycopg.connect(**self._arguments)):
                return True
        except psycopg.OperationalError as error:
            return error.sqlstate is not None

    def _shut(self, late: Waits) -> None:
        with self._lock:
            for driver, since in late.items():
                if self._waits.get(driver) == since:
                    _shut(driver)


def _shut(driver: psycopg.Connection[Any]) -> None:
    """The socket only: libpq, which waits for it in another thread, does the rest."""
    with suppress(psycopg.Error, OSError):
        file = driver.pgconn.socket
        with socket.socket(fileno=os.dup(file)) as same:
            # If libpq has closed it itself meanwhile, its number may be another's.
            if driver.pgconn.socket == file:
                same.shutdown(socket.SHUT_RDWR)
