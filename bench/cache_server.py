"""A server over clinics that make the cache work: 100,000 conversations, PostgreSQL with fsync, and Redis."""

import contextlib
import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import text

from corpus import MEMBER_ID, Corpus, fill
from postgres import PostgresServer
from reads import get, post
from recado.app.passwords import Passwords
from recado.store.database import Database
from recado.store.migrate import upgrade
from redis_server import RedisServer
from systems import LOAD_CORE, PASSWORD, Recado

ALL_CORES = os.sched_getaffinity(0)
CLINICS = 100
READS, WRITES = 50, 1
"""Per clinic and second."""


class Clinics(Recado):
    """A server over the corpus, with a member who may enter every clinic, and Redis."""

    def __init__(self, postgres: PostgresServer, redis: RedisServer) -> None:
        super().__init__(postgres.create_database())
        self.redis = redis
        self.postgres = postgres
        self.settings = {"RECADO_REDIS_URL": redis.url}
        self._members = 1
        self.talks: dict[int, list[tuple[str, int]]] = {}
        """Of each clinic: id and place in the list of its conversations, newest first."""

    def fill_corpus(self, conversations: int) -> None:
        database = Database(self._url)
        upgrade(database)
        corpus = Corpus("postgresql", 2 * conversations, CLINICS, largest_share=0.5, talk_length=2)
        with self.postgres.connect(self._url.rpartition("/")[2]) as superuser:
            fill(database, corpus, superuser)
        passwords = Passwords()
        hashed = passwords.hash(PASSWORD)
        passwords.close()

        def work(connection: Any) -> None:
            member = {"id": MEMBER_ID, "hash": hashed, "email": "m0@bench.example"}
            query = "UPDATE members SET email = :email, password_hash = :hash WHERE id = :id"
            connection.execute(text(query), member)
            newest = "SELECT clinic_id, id, last_seq FROM conversations ORDER BY last_seq DESC"
            for clinic_id, id_, seq in connection.execute(text(newest)):
                self.talks.setdefault(clinic_id, []).append((id_, seq))

        database.write_now(work)
        database.close()

    def forget(self) -> None:
        """PostgreSQL anew, with nothing at hand, and every core for itself as before."""
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, ALL_CORES)
        self.postgres.stop()
        self.postgres.start()
        os.sched_setaffinity(0, cores)

    def cpu_seconds(self) -> float:
        """What the server has computed until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def conversation_queries(self) -> int:
        """How often PostgreSQL was asked for conversations, since it was told to write that down."""
        return (self.postgres.folder / "log").read_text().count("FROM conversations")

    def write_queries_down(self) -> None:
        with self.postgres.connect() as superuser:
            superuser.execute("ALTER SYSTEM SET log_statement = 'all'")
            superuser.execute("SELECT pg_reload_conf()")

    def page(self, clinic_id: int, number: int = 0) -> str:
        """The address of a page of the clinic's list, as it was in the beginning."""
        path = f"/api/v1/clinics/{clinic_id}/conversations?limit=50"
        return path if number == 0 else f"{path}&before={self.talks[clinic_id][50 * number - 1][1]}"

    def mixed(self, token: str, chance: random.Random) -> Iterator[bytes]:
        """What screens ask for: mostly the first page, sometimes the open ones, or the next page; and notes."""
        for number in itertools.count():
            clinic_id = chance.randrange(CLINICS) + 1
            if number % (READS + WRITES) < WRITES:
                talk = chance.choice(self.talks[clinic_id][:200])[0]
                note = b'{"kind":"note","clientKey":"n-%d-%d","body":"Retorno na semana que vem."}'
                body = note % (chance.getrandbits(40), number)
                yield post(f"/api/v1/conversations/{talk}/messages", token, body)
            else:
                which = chance.random()
                page = self.page(clinic_id, 1) if which < 0.2 else self.page(clinic_id)
                yield get(f"{page}&status=open" if which > 0.8 else page, token)


class RedisCounts(NamedTuple):
    """What the server has asked of Redis. Every page that is not in memory is asked for once."""

    gets: int
    found: int
    sets: int

    @classmethod
    def of(cls, redis: RedisServer) -> Self:
        with redis.client() as client:
            stats, commands = client.info("stats"), client.info("commandstats")
        calls = [commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("get", "set")]
        return cls(calls[0], stats["keyspace_hits"], calls[1])

    def since(self, before: Self) -> Self:
        return type(self)(*(now - then for now, then in zip(self, before, strict=True)))


@contextlib.contextmanager
def clinics(conversations: int) -> Iterator[Clinics]:
    """PostgreSQL with fsync, and Redis: they may use every core; the server has one to itself."""
    postgres, redis = PostgresServer(durable=True), RedisServer()
    try:
        os.sched_setaffinity(0, ALL_CORES)
        postgres.start()
        redis.start()
        made = Clinics(postgres, redis)
        made.fill_corpus(conversations)
        os.sched_setaffinity(0, {LOAD_CORE})
        yield made
    finally:
        os.sched_setaffinity(0, {LOAD_CORE})
        redis.thaw()
        redis.remove()
        postgres.remove()
