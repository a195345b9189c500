"""Search inside a clinic: what is indexed with a change, and what a text finds. docs/store.md, "Search".

A document is a message's words, or a contact's name. Its terms begin with their clinic, so that the index itself keeps
clinics apart. User text is never given to a database as a query: its words are taken out, and the query made of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import psycopg
from msgspec import Struct, field
from sqlalchemy import BigInteger, Connection, Select, case, cast, delete, func, inspect, select

from recado.domain.packets import ConversationTold, Told
from recado.domain.values import ClinicId, ConversationId, Message, Seq
from recado.domain.views import SearchHit, SearchPage
from recado.domain.words import folded_words, highlights
from recado.store import new_documents
from recado.store.bulk import among, execute, insert_rows, wanted
from recado.store.inbox import head_of
from recado.store.new_documents import Document
from recado.store.rows import conversations_by_id, messages_by_id
from recado.store.stems import stem
from recado.store.tables import contacts, conversations, messages, search_documents, search_pending

MAX_CHARS = 65_536
"""Of a longer message the beginning is indexed: PostgreSQL's tsvector ends at 1 MiB."""

WINDOW = 1_000
"""So many hits are ranked among themselves, then the next older ones: ranking all hits of a common word takes long."""

MAX_PHRASE_WORDS = 32
"""More words are not asked for as a phrase, too."""

BODY, NAME, STEM = "/", "@", "="
"""What stands between a term's clinic and its word."""

_others = messages.alias("others")

_body_ids = select(cast(messages.c.clinic_id, BigInteger) * (1 << 41) + messages.c.seq * 2)
_OUTDATED = delete(search_documents).where(among(search_documents.c.id))
_RENAMED = delete(search_documents).where(among(search_documents.c.conversation_id))
_ERASED = delete(search_documents).where(
    search_documents.c.id.in_(_body_ids.where(among(messages.c.conversation_id)))
)


class Place(NamedTuple):
    """A hit's place in the order of all, and so all that the next page has to know.

    `part`: names (0) come before messages (1). `top`: what was written later is left out, so that pages do not shift.
    `below`: its window is what matches below here. `rank`: 0 is best. `at`: the document, in its clinic.
    """

    part: int
    top: int
    below: int
    rank: int
    at: int

    def __str__(self) -> str:
        return ".".join(str(number) for number in self)

    @classmethod
    def parse(cls, written: str) -> "Place":
        """`str` back again. Raises ValueError."""
        numbers = written.split(".")
        plain = all(number.isascii() and number.isdigit() and len(number) < 14 for number in numbers)
        if len(numbers) != len(cls._fields) or not plain:
            raise ValueError("not a place")
        return cls(*map(int, numbers))


class _Documents(Struct):
    """What a batch does to the index, collected record by record."""

    dialect: str
    rows: dict[int, Document] = field(default_factory=dict)
    outdated: list[int] = field(default_factory=list)
    renamed: list[ConversationId] = field(default_factory=list)
    erased: list[ConversationId] = field(default_factory=list)

    def note(self, told: ConversationTold) -> None:
        match told.record.type:
            case "MessageReceived" | "MessageWritten":
                self._put_body(told)
                if told.record.facts.get("opened"):
                    self._put_name(told)
            case "MessageEdited" | "MessageDeleted":
                self.outdated.append(self._put_body(told))
            case "ContactRenamed":
                self._forget_name(told.conversation.id)
                self._put_name(told)
            case "ConversationDeleted":
                self._forget_name(told.conversation.id)
                self.erased.append(told.conversation.id)

    def save(self, connection: Connection) -> None:
        """One statement, on SQLite two; edits, new names and erasures take some more. Erasures are last."""
        if self.outdated or self.renamed:
            new_documents.take_in(connection)
        if self.outdated:
            execute(connection, _OUTDATED, wanted((id_,) for id_ in self.outdated))
        if self.renamed:
            execute(connection, _RENAMED, wanted((id_,) for id_ in self.renamed))
        new_documents.put(connection, list(self.rows.values()))
        if self.erased:
            new_documents.take_in(connection)
            execute(connection, _ERASED, wanted((id_,) for id_ in self.erased))

    def _put_body(self, told: ConversationTold) -> int:
        message = told.message
        if message is None:
            raise LookupError("the record is about no message")
        id_ = _document_id(told.record.clinic_id, message.seq)
        self._put(id_, told, BODY, message.body)
        return id_

    def _put_name(self, told: ConversationTold) -> None:
        id_ = _document_id(told.record.clinic_id, told.record.seq, name=True)
        self._put(id_, told, NAME, told.conversation.contact.name)

    def _put(self, id_: int, told: ConversationTold, mark: str, content: str) -> None:
        terms = _terms(self.dialect, told.record.clinic_id, mark, content)
        if not terms:
            self.rows.pop(id_, None)
            return
        self.rows[id_] = Document(
            id_,
            told.record.message_id if mark == BODY else None,
            told.conversation.id if mark == NAME else None,
            terms,
        )

    def _forget_name(self, conversation_id: ConversationId) -> None:
        self.renamed.append(conversation_id)
        self.rows = {id_: row for id_, row in self.rows.items() if row.conversation_id != conversation_id}


class _Terms(NamedTuple):
    """What a document must have, in the language of its database, and as texts (new_documents.py)."""

    query: str
    texts: Sequence[str]


class _Query(Struct, frozen=True):
    """The words asked for, in the terms of one part of a clinic's index and the language of its database."""

    dialect: str
    prefix: str
    words: Sequence[str]
    stems: Mapping[str, str] = {}
    """By word; on PostgreSQL alone, as terms."""

    def phrase(self) -> _Terms:
        """All words, whole and in this order."""
        joint = " + " if self.dialect == "sqlite" else " <-> "
        text = "".join(f" {self.prefix}{word}" for word in self.words)
        return _Terms(joint.join(self._term(word) for word in self.words), [f"{text} "])

    def whole(self) -> _Terms:
        words = dict.fromkeys(self.words)
        return _Terms(self._all(self._term(word) for word in words), self._texts(words))

    def loose(self) -> _Terms:
        """Also in other forms, and with the last word as a beginning."""
        *others, last = self.words
        words = dict.fromkeys(others)
        end = self._term(last) + (" *" if self.dialect == "sqlite" else ":*")
        query = self._all([*(self._form(self._term(word), word) for word in words), self._form(end, last)])
        return _Terms(query, [*self._texts(words), f" {self.prefix}{last}"])

    def _texts(self, words: Iterable[str]) -> list[str]:
        return [f" {self.prefix}{word} " for word in words]

    def _term(self, word: str) -> str:
        """Letters and digits only: there is nothing in it to escape."""
        return f'"{self.prefix}{word}"' if self.dialect == "sqlite" else f"'{self.prefix}{word}'"

    def _form(self, term: str, word: str) -> str:
        return f"({term} | '{self.stems[word]}')" if word in self.stems else term

    def _all(self, terms: Iterable[str]) -> str:
        return (" AND " if self.dialect == "sqlite" else " & ").join(terms)


def index(connection: Connection, told: Sequence[Told]) -> None:
    """Make the index say what the texts are after these new records; in the records' own transaction."""
    documents = _Documents(connection.dialect.name)
    for each in told:
        if isinstance(each, ConversationTold):
            documents.note(each)
    documents.save(connection)


def reindex(connection: Connection) -> None:
    """Index all that there is, from the rows. For migrations: it asks for no column that came after the first."""
    if inspect(connection).has_table(search_pending.name):
        connection.execute(delete(search_pending))
    connection.execute(delete(search_documents))
    last = ""
    while rows := connection.execute(_texts_after(last)).all():
        last = rows[-1].id
        insert_rows(connection, search_documents, _documents_of(connection.dialect.name, rows))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("INSERT INTO search_index (search_index) VALUES ('rebuild')")


def find(
    connection: Connection, clinic_id: ClinicId, asked: str, limit: int, before: Place | None
) -> SearchPage:
    """The clinic's messages and contacts' names with all words of `asked`, the last one at least as a beginning."""
    head = head_of(connection, clinic_id).cursor.seq
    words = folded_words(asked)
    if not words:
        return SearchPage(items=[], before=None, seq=head)
    stems = _stems(connection.dialect.name, words)
    top = _document_id(0, Seq(head + 1))
    hits = _hits(connection, clinic_id, words, stems, before or Place(0, top, top, -1, 0))
    found = list(islice(hits, limit + 1))
    shown = found[:limit]
    return SearchPage(
        items=_with_rows(connection, clinic_id, shown, words, stems),
        before=str(shown[-1]) if len(found) > limit else None,
        seq=head,
    )


def _hits(
    connection: Connection, clinic_id: ClinicId, words: Sequence[str], stems: Mapping[str, str], after: Place
) -> Iterator[Place]:
    """The places after `after`: names, then messages; of each window by window, by rank, newest first."""
    dialect = connection.dialect.name
    own_stems = {word: f"{clinic_id}{STEM}{stem}" for word, stem in stems.items()}
    names = _Query(dialect, f"{clinic_id}{NAME}", words)
    bodies = _Query(dialect, f"{clinic_id}{BODY}", words, own_stems)
    for part, query in list(enumerate((names, bodies)))[after.part :]:
        below, done = after.top, (-1, 0)
        if part == after.part:
            below, done = after.below, (after.rank, -after.at)
        while window := _matching(connection, clinic_id, query.loose(), 0, below):
            for rank, negative in sorted(_ranked(connection, clinic_id, query, window, below)):
                if (rank, negative) > done:
                    yield Place(part, after.top, below, rank, -negative)
            if len(window) < WINDOW:
                break
            below, done = window[-1], (-1, 0)


def _ranked(
    connection: Connection, clinic_id: ClinicId, query: _Query, window: Sequence[int], below: int
) -> Iterator[tuple[int, int]]:
    """(rank, −place): 0 with the very phrase, 1 with all words as they were asked for, 2 with forms of them."""
    whole = set(_matching(connection, clinic_id, query.whole(), window[-1], below))
    phrase = whole
    if 1 < len(query.words) <= MAX_PHRASE_WORDS:
        phrase = set(_matching(connection, clinic_id, query.phrase(), window[-1], below))
    for at in window:
        yield 2 - (at in whole) - (at in phrase), -at


_SQLITE = (
    "SELECT rowid FROM search_index WHERE search_index MATCH :query AND rowid >= :start AND rowid < :stop"
    " ORDER BY rowid DESC LIMIT :most"
)
_POSTGRESQL = (
    "SELECT id FROM search_documents WHERE words @@ CAST(%(query)s AS tsquery) AND id >= %(start)s AND id < %(stop)s"
    " ORDER BY id DESC LIMIT %(most)s"
)


def _matching(connection: Connection, clinic_id: ClinicId, terms: _Terms, start: int, stop: int) -> list[int]:
    """Places from `start` until before `stop`, newest first, at most WINDOW."""
    first = _document_id(clinic_id, Seq(0))
    bounds = {"query": terms.query, "start": first + start, "stop": first + stop, "most": WINDOW}
    driver = connection.connection.driver_connection
    if isinstance(driver, psycopg.Connection):
        # Planned for these words. The one plan of a prepared statement goes from document to document, newest first,
        # which is right for a common word; for a rare one in a million that took 500 ms instead of 20.
        found = [id_ for (id_,) in driver.execute(_POSTGRESQL, bounds, prepare=False).fetchall()]
    else:
        found = [id_ for (id_,) in connection.exec_driver_sql(_SQLITE, bounds).all()]
        found += new_documents.matching(connection, terms.texts, first + start, first + stop)
        found = sorted(found, reverse=True)[:WINDOW]
    return [id_ - first for id_ in found]


def _with_rows(
    connection: Connection,
    clinic_id: ClinicId,
    places: Sequence[Place],
    words: Sequence[str],
    stems: Mapping[str, str],
) -> list[SearchHit]:
    """A name's hit shows its conversation's newest message."""
    ids = [_document_id(clinic_id, Seq(0)) + place.at for place in places]
    query = new_documents.select_documents(connection.dialect.name)
    documents = {row.id: row for row in connection.execute(query, wanted((id_,) for id_ in ids))}
    said = messages_by_id(connection, [row.message_id for row in documents.values() if row.message_id])
    named = [row.conversation_id for row in documents.values() if row.conversation_id]
    threads = conversations_by_id(
        connection, {*named, *(message.conversation_id for message in said.values())}
    )
    newest = {each.id: each.last_message.id for each in threads.values() if each.last_message}
    said |= messages_by_id(connection, [newest[id_] for id_ in named if id_ in newest])
    shown = [said[documents[id_].message_id or newest[documents[id_].conversation_id]] for id_ in ids]
    kin = _kin(connection.dialect.name, shown, stems)
    return [
        SearchHit(
            message=message,
            conversation=threads[message.conversation_id],
            highlights=highlights(message.body, words, kin),
        )
        for message in shown
    ]


def _kin(dialect: str, shown: Sequence[Message], stems: Mapping[str, str]) -> frozenset[str]:
    """The words in these messages that are forms of those asked for."""
    if not stems:
        return frozenset()
    spoken = {word for message in shown for word in folded_words(message.body[:MAX_CHARS])}
    asked = set(stems.values())
    return frozenset(word for word, stem in _stems(dialect, spoken).items() if stem in asked)


def _stems(dialect: str, words: Iterable[str]) -> dict[str, str]:
    """By word; what has none, such as "de", is missing. SQLite's index has no stems."""
    if dialect == "sqlite":
        return {}
    return {word: found for word in words if (found := stem(word)) is not None}


def _terms(dialect: str, clinic_id: int, mark: str, content: str) -> str:
    """Text → what the column takes: every word at its position and a message's stems; empty if there is none."""
    words = folded_words(content[:MAX_CHARS])
    prefix = f"{clinic_id}{mark}"
    if dialect == "sqlite":
        return prefix + f" {prefix}".join(words) if words else ""
    terms = [f"'{prefix}{word}':{position}" for position, word in enumerate(words, 1)]
    if mark == BODY:
        terms += [f"'{clinic_id}{STEM}{each}'" for each in set(_stems(dialect, words).values())]
    return " ".join(terms)


def _texts_after(message_id: str) -> Select[Any]:
    """Messages by id, each with the contact's name if it began its conversation."""
    first = (
        select(func.min(_others.c.seq))
        .where(_others.c.conversation_id == messages.c.conversation_id)
        .scalar_subquery()
    )
    name = case((messages.c.seq == first, contacts.c.name), else_="")
    return (
        select(
            *(messages.c[column] for column in ("id", "clinic_id", "conversation_id", "seq", "body")),
            name.label("name"),
        )
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .join(contacts, contacts.c.id == conversations.c.contact_id)
        .where(messages.c.id > message_id)
        .order_by(messages.c.id)
        .limit(WINDOW)
    )


def _documents_of(dialect: str, rows: Iterable[Any]) -> list[Document]:
    """What is deleted has no words."""
    documents = []
    for row in rows:
        body = _terms(dialect, row.clinic_id, BODY, row.body)
        name = _terms(dialect, row.clinic_id, NAME, row.name)
        body_id, name_id = (_document_id(row.clinic_id, row.seq, name=named) for named in (False, True))
        documents += [
            Document(body_id, row.id, None, body),
            Document(name_id, None, row.conversation_id, name),
        ]
    return [document for document in documents if document.words]


def _document_id(clinic_id: int, seq: Seq, *, name: bool = False) -> int:
    """A clinic's documents lie together, the newest last: clinic, 40 bits of log number, 1 bit for a name."""
    return clinic_id << 41 | seq << 1 | name
