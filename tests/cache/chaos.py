"""Everything that may break between two nodes, their PostgreSQL and their Redis, in rounds, each fault once a round."""

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from pathlib import Path

from psycopg.rows import namedtuple_row

from channels.polling import eventually
from recado.feed.feed import LEASE_S
from recado.feed.postgres_broker import CHANNEL

KEPT_RECORDS = 10
"""Of each clinic's log, when it is trimmed: less than a node has missed that was frozen."""


class Chaos:
    """`nodes` are running `Program`s by the name that their database connections bear."""

    def __init__(self, nodes, redis, connect, dice) -> None:
        self._nodes = nodes
        self._redis = redis
        self._connect = connect
        self._dice = dice
        self.happened = Counter()
        self.freezes = []
        """(node, from, until), monotonic."""
        self.troubles = []
        """The same, of times in which a node may fail to answer: it or its connections were killed, or it was frozen.

        Who wakes up first closes what was idle for too long, though somebody has asked there meanwhile.
        """
        self.trimmed = []
        """Records that are in the log no more."""
        self._starting = set()

    async def reign(self, seconds) -> None:
        """For about `seconds`, and at least one round."""
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as lanes:
            for faults in (self._of_redis(), self._of_lines(), self._of_nodes()):
                lanes.create_task(self._lane(faults, end))

    async def _lane(self, faults, end) -> None:
        first = True
        while first or time.monotonic() < end:
            for fault in self._dice.sample(faults, len(faults)):
                if not first and time.monotonic() >= end:
                    return
                await self._pause(0.05, 0.3)
                await fault()
                self.happened[fault.__name__] += 1
            first = False

    async def _pause(self, least, most) -> None:
        await asyncio.sleep(self._dice.uniform(least, most))

    def _some_node(self):
        """One that runs: a server whose database does not answer when it starts says so and ends, as it should."""
        return self._dice.choice(sorted(self._nodes.keys() - self._starting))

    def _of_redis(self):
        return [self.redis_dies_and_comes_back_empty, self.redis_freezes, self.redis_brings_back_old_values]

    async def redis_dies_and_comes_back_empty(self) -> None:
        self._redis.kill()
        await self._pause(0.1, 0.6)
        await asyncio.to_thread(self._redis.start)

    async def redis_freezes(self) -> None:
        self._redis.freeze()
        await self._pause(0.2, 1.2)
        self._redis.thaw()

    async def redis_brings_back_old_values(self) -> None:
        with self._redis.client() as client:
            old = {key: client.dump(key) for key in client.scan_iter()}
            await self._pause(0.3, 1.0)
            for key, value in old.items():
                if value is not None:
                    client.restore(key, 60_000, value, replace=True)

    def _of_lines(self):
        return [
            self.line_for_hints_breaks,
            self.line_for_hints_goes_silent,
            self.connections_break,
            self.log_is_trimmed,
        ]

    async def line_for_hints_breaks(self) -> None:
        for pid in self._lines_for_hints(self._some_node()):
            self._ask("SELECT pg_terminate_backend(%s)", pid)

    async def line_for_hints_goes_silent(self) -> None:
        with self._silence(self._some_node()):
            await self._pause(0.5, 2.5)

    @contextlib.contextmanager
    def _silence(self, node):
        """The node's connection stays, and no hint comes or goes."""
        pids = self._lines_for_hints(node)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _lines_for_hints(self, node):
        """The one that it has, by what it has listened to or said last; none while it is broken."""
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND query LIKE %s"
        return [row.pid for row in self._ask(query, node, f"%{CHANNEL}%")]

    async def connections_break(self) -> None:
        """Some of a node's, perhaps in the middle of a commit."""
        node, since = self._some_node(), time.monotonic()
        some = "SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY random() LIMIT 4"
        self._ask(f"SELECT pg_terminate_backend(pid) FROM ({some}) AS lines", node)
        await self._pause(0.2, 0.5)
        self.troubles.append((node, since, time.monotonic() + 1.0))

    async def log_is_trimmed(self) -> None:
        query = (
            "DELETE FROM events USING clinics WHERE events.clinic_id = clinics.id"
            " AND events.seq <= clinics.seq - %s RETURNING events.*"
        )
        self.trimmed += self._ask(query, KEPT_RECORDS)

    def _of_nodes(self):
        return [self.node_sleeps_past_its_lease, self.node_naps, self.node_dies_and_comes_back]

    async def node_sleeps_past_its_lease(self) -> None:
        """No hint tells it what it has missed when it wakes up and answers those who have asked meanwhile."""
        node = self._some_node()
        with self._silence(node):
            await self._freeze(node, LEASE_S + 0.5, LEASE_S + 1.2)
            await self._pause(0.1, 0.3)

    async def node_naps(self) -> None:
        await self._freeze(self._some_node(), 0.2, 1.0)

    async def node_dies_and_comes_back(self) -> None:
        node, since = self._some_node(), time.monotonic()
        self._starting.add(node)
        self._nodes[node].kill()
        await asyncio.to_thread(self._nodes[node].start, "/readyz")
        self._starting.discard(node)
        self.troubles.append((node, since, time.monotonic()))

    async def _freeze(self, node, least, most) -> None:
        pid = self._nodes[node].process.pid
        os.kill(pid, signal.SIGSTOP)
        await eventually(lambda: _is_stopped(pid), "the node is frozen")
        since = time.monotonic()
        await self._pause(least, most)
        self.freezes.append((node, since, time.monotonic()))
        os.kill(pid, signal.SIGCONT)
        self.troubles.append((node, since, time.monotonic()))

    def _ask(self, query, *values):
        with self._connect() as connection:
            connection.row_factory = namedtuple_row
            return connection.execute(query, values).fetchall()


def _is_stopped(pid) -> bool:
    """proc(5): the state stands behind the name, which is in parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
