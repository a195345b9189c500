"""On SQLite, new search documents wait in a list until there are enough for the index. docs/store.md, "Search".

FTS5 writes a segment for every transaction and merges segments ever after, and each clinic's newest document has a page
of its own: many at once cost half of many one by one. PostgreSQL's index has such a list itself (pending_words.py).
This one is a table that is written with the change itself, so a crash loses nothing; who searches reads it too.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.json import encode
from sqlalchemy import CompoundSelect, Connection, select, union_all

from recado.domain.values import ConversationId, MessageId
from recado.store.bulk import among, insert_rows
from recado.store.tables import search_documents, search_pending
from recado.store.trips import cursor_of

LONGEST = 1024
"""The batch that makes the list so long takes all of it in."""

_LENGTH = "SELECT max(rowid) FROM search_pending"  # its rows only ever go all together
_TAKE_IN = (
    """INSERT INTO search_documents (id, message_id, conversation_id, words)
    SELECT id, message_id, conversation_id, words FROM search_pending ORDER BY id""",
    "INSERT INTO search_index (rowid, words) SELECT id, words FROM search_pending ORDER BY id",
    "DELETE FROM search_pending",
)
_MATCHING = (
    "SELECT id FROM search_pending WHERE id >= :start AND id < :stop AND NOT EXISTS"
    " (SELECT 1 FROM json_each(:texts) WHERE instr(' ' || words || ' ', value) = 0)"
)


class Document(Struct, gc=False):
    """A row of `search_documents`: the words of a message, or of the contact's name of a conversation."""

    id: int
    message_id: MessageId | None
    conversation_id: ConversationId | None
    words: str


def put(connection: Connection, documents: Sequence[Document]) -> None:
    """Documents whose numbers the index does not have."""
    if connection.dialect.name != "sqlite":
        insert_rows(connection, search_documents, documents)
    elif documents:
        insert_rows(connection, search_pending, documents)
        [(length,)] = cursor_of(connection).execute(_LENGTH, {}).fetchall()
        if length >= LONGEST:
            take_in(connection)


def take_in(connection: Connection) -> None:
    """Leave nothing in the list: for who changes what the index has, and must not find it there."""
    if connection.dialect.name == "sqlite":
        for statement in _TAKE_IN:
            cursor_of(connection).execute(statement, {})


def matching(connection: Connection, texts: Sequence[str], start: int, stop: int) -> list[int]:
    """The numbers in the list, from `start` until before `stop`, whose words hold all `texts`; a blank parts words."""
    bounds = {"texts": encode(texts).decode(), "start": start, "stop": stop}
    return [id_ for (id_,) in cursor_of(connection).execute(_MATCHING, bounds).fetchall()]


@cache
def select_documents(dialect: str) -> CompoundSelect[Any]:
    """What the documents `among` these numbers are of, wherever they are."""
    places = [search_documents, search_pending] if dialect == "sqlite" else [search_documents]
    return union_all(
        *(
            select(place.c.id, place.c.message_id, place.c.conversation_id).where(among(place.c.id))
            for place in places
        )
    )
