"""A made-up year of a few clinics: conversations whose messages interleave, in the words people use there.

Straight into the tables, as the writer would have left them (without its log and keys, which no page reads), since a
million commands would take minutes. Reproducible. Nobody in it exists.
"""

import itertools
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import psycopg
import uuid_utils
from sqlalchemy import Table

from recado.domain.instants import from_epoch_ms
from recado.domain.values import PREVIEW_CHARS
from recado.store import search
from recado.store.database import Database
from recado.store.tables import (
    channels,
    clinics,
    contacts,
    conversations,
    members,
    memberships,
    messages,
    read_marks,
    search_documents,
)

CLINICS = 10
LARGEST_SHARE = 0.9
"""Of all messages, in clinic 1."""

MESSAGES_PER_CONVERSATION = 20
ALIVE = 200
"""Conversations of a clinic that go on at the same time."""

HITS = {"tirzepatida": 100, "retinografia": 1_000}
"""Words that only so many messages of clinic 1 have, however many it has."""

MEMBER_ID = "01900000-0000-7000-8000-000000000001"
BEGIN_MS = 1_735_700_000_000
CHUNK = 20_000

FIRST = [
    "Ana",
    "Bruno",
    "Carla",
    "Davi",
    "Elisa",
    "Fábio",
    "Gisele",
    "Heitor",
    "Inês",
    "João",
    "Karina",
    "Lucas",
    "Marina",
    "Nelson",
    "Olívia",
    "Paulo",
]
LAST = [
    "Almeida",
    "Barros",
    "Cardoso",
    "Dias",
    "Esteves",
    "Faria",
    "Gomes",
    "Lima",
    "Moraes",
    "Nunes",
    "Prado",
    "Queiroz",
    "Reis",
    "Souza",
    "Teles",
]
OPENINGS = ("Bom dia", "Boa tarde", "Oi", "Olá", "Tudo bem?", "Por favor", "Com licença", "Desculpe a demora")
MIDDLES = (
    "queria remarcar a consulta de {day}",
    "o exame de {exam} já ficou pronto?",
    "o resultado do exame de {exam} chega {day}",
    "preciso de um encaixe para {day} com a doutora {name}",
    "a pressão do meu pai subiu de novo e ele está com dor de cabeça",
    "posso tomar o remédio em jejum antes do exame de {exam}?",
    "confirmo o horário de {day} com o doutor {name}",
    "a guia do convênio para o exame de {exam} foi autorizada",
    "minha filha está com febre desde {day}",
    "o atestado do paciente {name} está na recepção",
)
ENDINGS = (
    "Obrigada!",
    "Obrigado.",
    "Fico no aguardo.",
    "Até logo.",
    "Pode ser de manhã?",
    "É urgente.",
    "Abraço",
)
DAYS = ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "ontem", "amanhã", "hoje")
EXAMS = [
    "sangue",
    "urina",
    "colesterol",
    "glicemia",
    "tireoide",
    "vista",
    "coração",
    "ultrassom",
    "ressonância",
    "mamografia",
]

Row = dict[str, Any]


@dataclass
class Talk:
    """A conversation in the making."""

    row: Row
    contact: Row
    left: int


@dataclass
class Corpus:
    dialect: str
    total: int
    clinics: int = CLINICS
    largest_share: float = LARGEST_SHARE
    talk_length: int = MESSAGES_PER_CONVERSATION
    chance: random.Random = field(default_factory=lambda: random.Random(20))  # noqa: S311 - no secret

    def __post_init__(self) -> None:
        self._texts = [self._text() for _ in range(5_000)]
        self._terms = lru_cache(maxsize=None)(lambda *of: search._terms(self.dialect, *of))  # noqa: SLF001 - the index's own words

    def people(self) -> Iterator[tuple[Table, Row]]:
        yield (
            members,
            {"id": MEMBER_ID, "email": "a@b", "name": "Ana", "password_hash": "", "created_at": self._at(0)},
        )
        for clinic_id in range(1, self.clinics + 1):
            clinic = {"id": clinic_id, "name": f"Clínica {clinic_id}", "epoch": 1, "head": 0}
            yield clinics, clinic | {"seq": self.share(clinic_id), "created_at": self._at(0)}
            yield memberships, {"member_id": MEMBER_ID, "clinic_id": clinic_id, "role": "admin"}
            yield (
                channels,
                {"id": f"channel-{clinic_id}", "clinic_id": clinic_id, "kind": "generic", "name": "Site"}
                | {"secret": ""},
            )

    def share(self, clinic_id: int) -> int:
        """How many messages a clinic has."""
        small = int(self.total * (1 - self.largest_share)) // (self.clinics - 1)
        return self.total - small * (self.clinics - 1) if clinic_id == 1 else small

    def rows(self) -> Iterator[tuple[Table, Row]]:
        """A conversation comes when it is over, after its messages."""
        yield from self.people()
        for clinic_id in range(1, self.clinics + 1):
            yield from self._clinic(clinic_id, self.share(clinic_id))

    def _clinic(self, clinic_id: int, count: int) -> Iterator[tuple[Table, Row]]:
        alive: list[Talk] = []
        marked = {
            hits_at: word
            for offset, (word, hits) in enumerate(HITS.items())
            for hits_at in ((count * number // hits) + offset + 1 for number in range(hits))
        }
        for seq in range(1, count + 1):
            if len(alive) < min(ALIVE, max(1, count // self.talk_length)):
                alive.append(self._open(clinic_id, seq))
                talk = alive[-1]
            else:
                talk = self.chance.choice(alive)
            body = self.chance.choice(self._texts)
            if clinic_id == 1 and seq in marked:
                body = f"{body} {marked[seq]}"
            yield from self._say(talk, clinic_id, seq, body)
            talk.left -= 1
            if talk.left == 0:
                alive.remove(talk)
                yield from self._close(talk)
        for talk in alive:
            yield from self._close(talk)

    def _open(self, clinic_id: int, seq: int) -> Talk:
        name = f"{self.chance.choice(FIRST)} {self.chance.choice(LAST)} {self.chance.choice(LAST)}"
        contact_id, conversation_id = str(uuid_utils.uuid7()), str(uuid_utils.uuid7())
        channel_id = f"channel-{clinic_id}"
        contact = {"id": contact_id, "clinic_id": clinic_id, "channel_id": channel_id}
        row = {"id": conversation_id, "clinic_id": clinic_id, "channel_id": channel_id}
        row |= {"contact_id": contact_id, "labels": "[]", "deleted": False, "created_at": self._at(seq)}
        row |= {"snoozed_until": None, "assignee_id": None, "inbound_count": 0, "last_inbound_seq": 0}
        contact |= {"address": f"55{clinic_id:02}{seq:09}", "name": name}
        return Talk(row, contact, 2 * self.chance.randrange(1, self.talk_length))

    def _say(self, talk: Talk, clinic_id: int, seq: int, body: str) -> Iterator[tuple[Table, Row]]:
        row, inbound = talk.row, "last_seq" not in talk.row or self.chance.random() < 0.5
        message_id = str(uuid_utils.uuid7())
        if "last_seq" not in row:
            yield search_documents, self._document(clinic_id, seq, talk.contact["name"], of=row["id"])
        row |= {"last_seq": seq, "version": seq, "last_message_id": message_id}
        row |= {"waiting_since": self._at(seq) if inbound else None}
        if inbound:
            row |= {"inbound_count": row["inbound_count"] + 1, "last_inbound_seq": seq}
        author = talk.contact if inbound else {"id": MEMBER_ID, "name": "Ana"}
        yield (
            messages,
            {
                "id": message_id,
                "clinic_id": clinic_id,
                "conversation_id": row["id"],
                "kind": "message",
                "direction": "inbound" if inbound else "outbound",
                "author_type": "contact" if inbound else "member",
                "author_id": author["id"],
                "author_name": author["name"],
                "body": body,
                "has_attachments": False,
                "status": "received" if inbound else "read",
                "ordinal": row["inbound_count"] if inbound else None,
                "seq": seq,
                "version": seq,
                "created_at": self._at(seq),
                "deleted": False,
            },
        )
        yield search_documents, self._document(clinic_id, seq, body, of=message_id, name=False)

    def _close(self, talk: Talk) -> Iterator[tuple[Table, Row]]:
        talk.row["status"] = self.chance.choices(("resolved", "open", "pending"), (80, 15, 5))[0]
        yield contacts, talk.contact
        yield conversations, talk.row
        if self.chance.random() < 0.9:
            mark = {"conversation_id": talk.row["id"], "member_id": MEMBER_ID}
            mark |= {"clinic_id": talk.row["clinic_id"], "up_to": talk.row["last_seq"]}
            yield (
                read_marks,
                mark | {"inbound_read": talk.row["inbound_count"], "version": talk.row["version"]},
            )

    def _document(self, clinic_id: int, seq: int, content: str, *, of: str, name: bool = True) -> Row:
        return {
            "id": clinic_id << 41 | seq << 1 | name,
            "message_id": None if name else of,
            "conversation_id": of if name else None,
            "words": self._terms(clinic_id, search.NAME if name else search.BODY, content),
        }

    def _text(self) -> str:
        middle = self.chance.choice(MIDDLES).format(
            day=self.chance.choice(DAYS), exam=self.chance.choice(EXAMS), name=self.chance.choice(LAST)
        )
        words = [self.chance.choice(OPENINGS), middle, self.chance.choice(ENDINGS)]
        return ", ".join(words)[: 10 * PREVIEW_CHARS]

    def _at(self, seq: int) -> str:
        return from_epoch_ms(BEGIN_MS + seq * 35_000)


def fill(database: Database, corpus: Corpus, superuser: psycopg.Connection | None) -> None:
    """All rows, with a bar on stderr; then statistics, as autovacuum and use would have made them."""
    write, finish = _into_postgres(superuser) if superuser else _into_sqlite(database)
    pending: dict[Table, list[Row]] = {}
    done = 0
    for table, row in corpus.rows():
        pending.setdefault(table, []).append(row)
        if table is messages:
            done += 1
            if done % CHUNK == 0 or done == corpus.total:
                _flush(pending, write)
                _show(done, corpus.total)
    _flush(pending, write)
    finish()
    print(file=sys.stderr)


Write = Callable[[Table, Sequence[Row]], None]


def _flush(pending: dict[Table, list[Row]], write: Write) -> None:
    for table, rows in pending.items():
        write(table, rows)
    pending.clear()


def _show(done: int, total: int) -> None:
    cells = 40 * done // total
    bar = "#" * cells + "." * (40 - cells)
    print(f"\r[{bar}] {done:,} of {total:,} messages", end="", file=sys.stderr, flush=True)


def _into_sqlite(database: Database) -> tuple[Write, Callable[[], None]]:
    """The full-text index is made when all is there."""
    connection = database.engine.raw_connection()
    for pragma in ("synchronous = OFF", "foreign_keys = OFF"):
        connection.execute(f"PRAGMA {pragma}")

    def write(table: Table, rows: Sequence[Row]) -> None:
        names = [column.name for column in table.columns if column.name in rows[0]]
        places = ", ".join(f":{name}" for name in names)
        connection.execute("BEGIN")
        connection.cursor().executemany(
            f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})",  # noqa: S608 - names of ours
            rows,
        )
        connection.execute("COMMIT")

    def finish() -> None:
        connection.execute("INSERT INTO search_index (search_index) VALUES ('rebuild')")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.detach()
        connection.close()

    return write, finish


def _into_postgres(connection: psycopg.Connection) -> tuple[Write, Callable[[], None]]:
    """COPY, without keys to check; indexes are made when all is there."""
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET maintenance_work_mem = '512MB'")
    found = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " JOIN pg_class ON pg_class.oid = indrelid WHERE relnamespace = 'public'::regnamespace"
        " AND NOT indisprimary AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")

    def write(table: Table, rows: Sequence[Row]) -> None:
        names = [column.name for column in table.columns if column.name in rows[0]]
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row([row[name] for name in names])

    def finish() -> None:
        for _, definition in found:
            connection.execute(definition)
        connection.execute("VACUUM ANALYZE")

    return write, finish


def deep_places(database: Database, count: int = 50) -> list[str]:
    """`before` of pages around the middle of clinic 1's list."""

    def read(connection: Any) -> list[int]:
        query = "SELECT last_seq FROM conversations WHERE clinic_id = 1 ORDER BY last_seq"
        return list(connection.exec_driver_sql(query).scalars())

    places = database.read_now(read)
    middle = len(places) // 2
    return [str(place) for place in itertools.islice(places, middle, middle + count)]


def some_conversations(database: Database, count: int = 200) -> list[str]:
    """Of clinic 1, evenly spread."""

    def read(connection: Any) -> list[str]:
        query = "SELECT id FROM conversations WHERE clinic_id = 1 ORDER BY last_seq"
        return list(connection.exec_driver_sql(query).scalars())

    ids = database.read_now(read)
    return ids[:: max(1, len(ids) // count)]
