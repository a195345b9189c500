"""Search: what is found is what has the words; nobody else's, nothing taken back, whatever is asked."""

import asyncio
import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import text

from recado.domain.accounts import Channel
from recado.domain.commands import DeleteConversation, DeleteMessage, EditMessage, RenameContact
from recado.store import accounts, new_documents, search
from recado.store.migrate import upgrade
from recado.store.search import Place, find, reindex
from stock import new_id

TEXTS = [
    "Bom dia! Queria marcar uma consulta para amanhã",
    "A marcação ficou para quinta-feira, às 14h30",
    "Não posso na terça; AMANHÃ sim 😀",
    "dor de cabeça e cafe\u0301 demais",
    "Cabeça: raio-X do crânio. R$ 1.250,00",
    "straße ŒUVRE ½ ﬁm Ⅳ ⑴",
    "1e5 foo_bar 'aspas' \"duplas\" a'b a\\b 100%",
    "x" * 200,
    "😀 …",
]


@pytest.fixture(autouse=True)
def short_list(monkeypatch):
    """So that of the documents of most tests some are in SQLite's index, and some still in the list before it."""
    monkeypatch.setattr(new_documents, "LONGEST", 3)


def fold(word: str) -> str:
    """The reference: decomposed, without marks, in one case."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return "".join(each for each in plain if each.isalnum())[:64]


def said(body: str) -> set[str]:
    return {fold(word) for word in re.split(r"(?:[^\w\u0300-\u036f]|_)+", body)} - {""}


async def receive(stock, *bodies, **fields):
    return [(await stock.writer.execute(stock.inbound(body=body, **fields))).message for body in bodies]


def page(stock, asked, limit=100, before=None, clinic_id=None):
    clinic_id = clinic_id or stock.clinic_id
    return stock.database.read_now(lambda c: find(c, clinic_id, asked, limit, before))


def bodies(stock, asked, **options):
    return [hit.message.body for hit in page(stock, asked, **options).items]


def marked(hit):
    return [hit.message.body[each.start : each.end] for each in hit.highlights]


async def test_accents_and_case_do_not_matter(writing):
    await receive(writing, *TEXTS)
    for asked in ("amanha", "AMANHÃ", "amanha\u0303"):
        assert bodies(writing, asked) == [TEXTS[2], TEXTS[0]]


async def test_all_words_must_occur_and_the_last_may_be_a_beginning(writing):
    await receive(writing, *TEXTS)
    assert bodies(writing, "cabeça cra") == [TEXTS[4]]
    assert bodies(writing, "cab crânio") == []
    assert bodies(writing, "consulta crânio") == []


async def test_the_phrase_comes_before_the_words_and_they_before_beginnings(writing):
    texts = ["dor de cabeça", "cabeça com dor", "dor nas cabeceiras, cabeca", "dor e cabecear"]
    await receive(writing, *texts, "nada")
    assert bodies(writing, "dor cabeca")[:3] == [texts[2], texts[1], texts[0]]
    assert bodies(writing, "dor de cabeca") == [texts[0]]
    assert bodies(writing, "cabeça com") == [texts[1]]
    await receive(writing, "cabeça dor")
    assert bodies(writing, "cabeça dor")[0] == "cabeça dor"


async def test_highlights_are_the_words_found_where_they_stand(writing):
    await receive(writing, *TEXTS)
    [hit] = page(writing, "cafe dema").items
    assert marked(hit) == ["cafe\u0301", "demais"]
    [hit] = page(writing, "sim amanha").items
    assert marked(hit) == ["AMANHÃ", "sim"]


async def test_a_contacts_name_finds_the_conversation_by_its_newest_message(writing):
    await receive(writing, "Bom dia", "Até logo", address="5511", name="José Gonçalves")
    await receive(writing, "O Goncalves ligou", address="5512", name="Rita")
    named, message = page(writing, "goncalves").items
    assert (named.message.body, named.highlights) == ("Até logo", ())
    assert named.conversation.contact.name == "José Gonçalves"
    assert marked(message) == ["Goncalves"]


async def test_a_renamed_contact_is_found_by_the_new_name_only(writing):
    [message] = await receive(writing, "Bom dia", name="Josefa")
    order = writing.order(RenameContact, conversation_id=message.conversation_id, name="Zuleica")
    await writing.writer.execute(order)
    assert bodies(writing, "josefa") == []
    assert bodies(writing, "zuleica") == ["Bom dia"]


async def test_notes_and_replies_are_found_and_after_an_edit_only_by_their_new_words(writing):
    [message] = await receive(writing, "Bom dia")
    note = writing.reply(message.conversation_id, "Alérgica a dipirona", kind="note")
    written = (await writing.writer.execute(note)).message
    await writing.writer.execute(writing.reply(message.conversation_id, "Sem dipirona, combinado"))
    assert len(bodies(writing, "dipirona")) == 2
    await writing.writer.execute(writing.order(EditMessage, message_id=written.id, body="Alérgica a iodo"))
    assert bodies(writing, "alergica dipirona") == []
    assert bodies(writing, "alergica iodo") == ["Alérgica a iodo"]
    await writing.writer.execute(writing.order(DeleteMessage, message_id=written.id))
    assert bodies(writing, "alergica") == []


async def test_a_deleted_conversation_leaves_no_word_in_the_index(writing):
    [message] = await receive(writing, "segredo", name="Sigilosa")
    await writing.writer.execute(writing.reply(message.conversation_id, "confidencial"))
    await writing.writer.execute(writing.order(DeleteConversation, conversation_id=message.conversation_id))
    for asked in ("segredo", "sigilosa", "confidencial"):
        assert bodies(writing, asked) == []
    assert writing.database.read_now(count_documents) == 0


def count_documents(connection):
    places = (
        ["search_documents", "search_pending"]
        if connection.dialect.name == "sqlite"
        else ["search_documents"]
    )
    return sum(connection.execute(text(f"SELECT count(*) FROM {place}")).scalar_one() for place in places)


async def test_one_batch_may_write_change_rename_and_erase(writing):
    [message] = await receive(writing, "primeira", name="Antiga")
    thread = message.conversation_id
    commands = [
        writing.inbound(body="segunda"),
        writing.order(RenameContact, conversation_id=thread, name="Nova"),
        writing.order(RenameContact, conversation_id=thread, name="Novíssima"),
    ]
    await execute_together(writing, commands)
    assert (bodies(writing, "nova"), bodies(writing, "antiga")) == ([], [])
    assert bodies(writing, "novissima") == ["segunda"]
    await execute_together(
        writing,
        [
            writing.order(RenameContact, conversation_id=thread, name="Última"),
            writing.order(DeleteConversation, conversation_id=thread),
            writing.inbound(body="terceira", name="Outra", address="1"),
        ],
    )
    assert [bodies(writing, asked) for asked in ("segunda", "ultima", "novissima")] == [[], [], []]
    assert bodies(writing, "terceira") == bodies(writing, "outra") == ["terceira"]


async def execute_together(stock, commands):
    before = len(stock.committed)
    await asyncio.gather(*(stock.writer.execute(command) for command in commands))
    assert len(stock.committed) == before + 1


async def test_another_clinics_words_are_never_found(writing):
    other = another_clinic(writing)
    await receive(writing, "nosso segredo", name="Nossa")
    theirs = writing.inbound(body="deles segredo", name="Deles", address="999")
    await writing.writer.execute(replace_clinic(theirs, other))
    assert bodies(writing, "segredo") == ["nosso segredo"]
    assert bodies(writing, "deles") == []
    assert bodies(writing, "segredo", clinic_id=other.clinic_id) == ["deles segredo"]
    forged = Place(1, 2**42, 2**42, 0, 2**42)
    assert bodies(writing, "deles", before=forged) == []


def another_clinic(stock):
    now = stock.sources.now()

    def add(connection):
        clinic_id = accounts.add_clinic(connection, "Outra", now)
        channel = Channel(id=new_id(), clinic_id=clinic_id, kind="generic", name="S", secret="s" * 32)
        accounts.put_channel(connection, channel)
        return channel

    return stock.database.write_now(add)


def replace_clinic(command, channel):
    return replace(command, clinic_id=channel.clinic_id, channel=channel.ref)


async def test_pages_hold_every_hit_once_and_do_not_shift_while_messages_arrive(writing, monkeypatch):
    monkeypatch.setattr(search, "WINDOW", 4)
    await receive(writing, *(f"consulta {n}" if n % 3 else f"consultas {n}" for n in range(11)))
    for n in range(3):
        await receive(writing, "nada", address=f"n{n}", name="Consulta Rápida")
    seen, before = [], None
    while True:
        found = page(writing, "consulta", limit=3, before=before)
        seen += [hit.message.id for hit in found.items]
        await receive(writing, "consulta nova")
        if found.before is None:
            break
        assert len(found.items) == 3
        before = Place.parse(found.before)
    assert len(seen) == len(set(seen)) == 14


async def test_the_newest_thousand_are_ranked_first(writing, monkeypatch):
    monkeypatch.setattr(search, "WINDOW", 2)
    await receive(writing, "consulta", "consultas 1", "consultas 2", "consulta 3")
    assert bodies(writing, "consulta") == ["consulta 3", "consultas 2", "consulta", "consultas 1"]


@pytest.mark.parametrize("asked", ["", "   ", "*", "\"'", "- NEAR", "😀", "\x00", "\ud83d"])
async def test_what_has_no_words_or_nobody_said_finds_nothing(writing, asked):
    await receive(writing, *TEXTS)
    assert bodies(writing, asked) == []


async def test_operators_are_words(writing):
    await receive(writing, "vem ou nao", "foo AND bar", "isso NEAR aquilo", "words do indice")
    assert bodies(writing, "foo AND bar") == ["foo AND bar"]
    assert bodies(writing, 'foo" OR "vem') == []
    assert bodies(writing, "words:indice") == ["words do indice"]
    assert bodies(writing, "rowid:indice") == []
    assert bodies(writing, "words : do* indice") == ["words do indice"]
    assert bodies(writing, "NEAR(isso aquilo, 5)") == []


async def test_ten_thousand_characters_are_asked_for_as_they_are(writing):
    long = " ".join(f"p{n}" for n in range(1700))
    await receive(writing, long, long.replace("p900 ", ""))
    assert bodies(writing, long) == [long]
    assert bodies(writing, "a " * 5000) == []
    assert bodies(writing, "a" * 10_000) == []


async def test_reindexing_finds_what_was_found_before(writing):
    [message, *_] = await receive(writing, *TEXTS, name="Amanhã da Silva")
    order = writing.order(RenameContact, conversation_id=message.conversation_id, name="Crânio")
    await writing.writer.execute(order)
    [gone] = await receive(writing, "amanhã apagada", address="1", name="Apagada")
    await writing.writer.execute(writing.order(DeleteConversation, conversation_id=gone.conversation_id))
    asked = ("amanha", "cranio", "x", "apagada", "silva")
    before = [bodies(writing, each) for each in asked]
    writing.database.write_now(reindex)
    assert [bodies(writing, each) for each in asked] == before
    await writing.writer.execute(writing.order(DeleteConversation, conversation_id=message.conversation_id))
    assert [bodies(writing, each) for each in asked] == [[]] * 5


@pytest.mark.only("postgresql")
async def test_postgresql_finds_other_forms_of_a_word_with_or_without_accents(writing):
    await receive(writing, "As marcações ficaram", "consultas amanhã", "as preferências dela", "é impossível")
    await receive(writing, "só no mês que vem")
    for asked, found in (
        ("marcação", "As marcações ficaram"),
        ("marcacao", "As marcações ficaram"),
        ("consulta", "consultas amanhã"),
        ("preferencia", "as preferências dela"),
        ("impossiveis", "é impossível"),
        ("meses", "só no mês que vem"),
    ):
        assert bodies(writing, asked) == [found], asked
    [hit] = page(writing, "marcação ficar").items
    assert marked(hit) == ["marcações", "ficaram"]


@pytest.mark.only("sqlite")
async def test_single_whole_words_find_what_a_plain_reading_finds(writing):
    spoken = {}

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.text(max_size=40))
    def extend(body):
        spoken[writing.database.read_now(lambda c: None) or len(spoken)] = body

    extend()
    texts = [*TEXTS, *spoken.values()]
    written = [body.replace("\x00", "\ufffd") for body in texts if body.strip()]
    written = [body.encode("utf-8", "replace").decode() for body in written]
    messages = await receive(writing, *written, name="Rita")
    words = {word for body in written for word in said(body)} - {"rita"}
    for word in words:
        found = {hit.message.id for hit in page(writing, word).items if fold(word) in said(hit.message.body)}
        assert found == {each.id for each in messages if word in said(each.body)}, ascii(word)


async def test_no_text_whatever_raises(writing):
    await receive(writing, *TEXTS)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.text() | st.text("\"*-^:+(){}'\\<>|&!=/@ NEARORNT", max_size=60))
    def ask(asked):
        for hit in page(writing, asked).items:
            assert all(0 <= each.start < each.end <= len(hit.message.body) for each in hit.highlights)

    ask()


async def test_what_an_older_version_had_written_is_found_after_the_migration(writing):
    await receive(writing, "cabeça", name="Josefa")

    def forget(connection):
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TABLE search_index")
            connection.exec_driver_sql("DROP TABLE search_pending")
        connection.exec_driver_sql("DROP TABLE search_documents")
        connection.exec_driver_sql("DROP INDEX ix_messages_delta")
        connection.exec_driver_sql("CREATE INDEX ix_messages_delta ON messages (conversation_id, version)")
        for later in (
            "DROP TABLE clinic_settings",
            "DROP INDEX ix_memberships_clinic",
            "ALTER TABLE memberships DROP COLUMN active",
            "ALTER TABLE members DROP COLUMN password_temporary",
            "ALTER TABLE channels DROP COLUMN active",
            "ALTER TABLE channels DROP COLUMN last_inbound_at",
            "ALTER TABLE channels DROP COLUMN last_outbound_at",
        ):
            connection.exec_driver_sql(later)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")

    writing.database.write_now(forget)
    upgrade(writing.database)
    assert bodies(writing, "cabeca") == bodies(writing, "josefa") == ["cabeça"]


@pytest.mark.only("postgresql")
async def test_a_search_is_planned_for_its_own_words_however_often_one_was_asked(writing):
    """The one plan of a prepared statement walks through every document of the clinic to find a rare word."""

    def ask(connection) -> int:
        for _ in range(12):
            find(connection, writing.clinic_id, "consulta", 10, None)
        kept = "SELECT count(*) FROM pg_prepared_statements WHERE position('tsquery' IN statement) > 0"
        return connection.exec_driver_sql(kept).scalar_one()

    await writing.writer.execute(writing.inbound(body=TEXTS[0]))
    assert await writing.database.read(ask) == 0
