"""SQLite's list of new documents: what is in it is found as if it were in the index, and it never grows long."""

import asyncio

import pytest
from sqlalchemy import text

from recado.domain.commands import DeleteConversation, EditMessage, RenameContact
from recado.store import new_documents
from recado.store.search import find

pytestmark = pytest.mark.only("sqlite")

SAID = [
    "dor de cabeça",
    "cabeça com dor, dor de dente",
    "dor nas cabeceiras; cabeca",
    "dores de cabeçalho",
    "Straße 14h30 ½",
    "привет мир",
    "de",
]
ASKED = [
    *("dor", "do", "cabeca", "dor de cabeca", "dor cabeca", "cabeca dor", "de dor", "dor dor", "dent", "or"),
    *(
        "strasse",
        "14h30",
        "4h30",
        "1 2",
        "1⁄2",
        "мир",
        "ми",
        "ир",
        "de",
        "rita",
        "rit rita",
        "josé rita",
        "e",
    ),
]


def said(stock, *bodies, **fields):
    commands = [stock.inbound(body=body, **fields) for body in bodies]
    return asyncio.gather(*(stock.writer.execute(command) for command in commands))


def found(stock):
    """All hits of each question, in order."""
    pages = [
        stock.database.read_now(lambda c, a=each: find(c, stock.clinic_id, a, 100, None)) for each in ASKED
    ]
    return [[(hit.message.id, hit.highlights) for hit in page.items] for page in pages]


def rows_of(stock, table):
    query = text(f"SELECT id, message_id, conversation_id, words FROM {table} ORDER BY id")
    return stock.database.read_now(lambda c: [tuple(row) for row in c.execute(query)])


async def test_the_same_is_found_in_the_list_as_in_the_index(writing):
    await said(writing, *SAID, name="José da Rita")
    await said(writing, "Rita", name="Rita de Cássia", address="2")
    assert rows_of(writing, "search_documents") == []
    before = found(writing)
    assert sum(map(len, before)) > len(ASKED)
    listed = rows_of(writing, "search_pending")
    writing.database.write_now(new_documents.take_in)
    assert found(writing) == before
    assert (rows_of(writing, "search_documents"), rows_of(writing, "search_pending")) == (listed, [])


async def test_hits_in_the_list_and_in_the_index_stand_in_one_order(writing):
    """An edited message's document is newer than its number."""
    [first, *_] = await said(writing, *SAID)
    writing.database.write_now(new_documents.take_in)
    await said(writing, *SAID)
    note = writing.reply(first.message.conversation_id, "dor de cabeça", kind="note")
    written = (await writing.writer.execute(note)).message
    await said(writing, *SAID)
    await writing.writer.execute(writing.order(EditMessage, message_id=written.id, body="dor de dente"))
    assert written.id in str(rows_of(writing, "search_pending"))
    before = found(writing)
    writing.database.write_now(new_documents.take_in)
    assert found(writing) == before


async def test_the_batch_that_makes_the_list_long_takes_it_in(writing, monkeypatch):
    monkeypatch.setattr(new_documents, "LONGEST", 10)
    for size, listed in ((4, 5), (4, 9), (3, 0), (2, 2), (20, 0)):
        await said(writing, *(f"consulta {n}" for n in range(size)), name="Rita")
        assert len(rows_of(writing, "search_pending")) == listed
    assert len(rows_of(writing, "search_documents")) == 34


async def test_what_is_taken_back_while_it_is_in_the_list_leaves_no_word(writing):
    [outcome] = await said(writing, "segredo", name="Sigilosa")
    conversation_id = outcome.conversation.id
    await writing.writer.execute(
        writing.order(RenameContact, conversation_id=conversation_id, name="Discreta")
    )
    await said(writing, "confidencial", name="Sigilosa")
    await asyncio.gather(
        said(writing, "reservado", name="Sigilosa"),
        writing.writer.execute(writing.order(DeleteConversation, conversation_id=conversation_id)),
    )
    assert rows_of(writing, "search_documents") == rows_of(writing, "search_pending") == []
    left = "SELECT count(*) FROM search_index WHERE search_index MATCH :word"
    for word in ("segredo", "sigilosa", "discreta", "confidencial", "reservado"):
        mark = "@" if word in {"sigilosa", "discreta"} else "/"
        asked = {"word": f'"{writing.clinic_id}{mark}{word}"'}
        assert writing.database.read_now(lambda c, a=asked: c.execute(text(left), a).scalar_one()) == 0
