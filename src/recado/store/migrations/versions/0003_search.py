"""Search: a document of words per message and per contact's name. docs/store.md, "Search"."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from recado.store.search import reindex

revision = "0003"
down_revision = "0002"

SQLITE = (
    """
    CREATE VIRTUAL TABLE search_index
    USING fts5(words, content='search_documents', content_rowid='id', tokenize="ascii tokenchars '/@'")
    """,
    """
    CREATE TRIGGER search_documents_inserted AFTER INSERT ON search_documents BEGIN
      INSERT INTO search_index (rowid, words) VALUES (new.id, new.words);
    END
    """,
    """
    CREATE TRIGGER search_documents_deleted AFTER DELETE ON search_documents BEGIN
      INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', old.id, old.words);
    END
    """,
)
"""Our words are folded already: all that the tokenizer has to do is to part them at spaces."""

POSTGRESQL = (
    """
    CREATE FUNCTION recado_stem(word text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
      SELECT (ts_lexize('pg_catalog.portuguese_stem', CASE
        WHEN word !~ '(ao|oes|vel|[ae]is|cias?)$' THEN word  -- most words, and one test instead of seven
        WHEN word ~ 'c(ao|oes)$' THEN regexp_replace(word, 'c(ao|oes)$', 'ção')
        WHEN word ~ '.(ao|oes)$' THEN regexp_replace(word, '(ao|oes)$', 'ão')
        WHEN word ~ 'av(el|eis)$' THEN regexp_replace(word, 'av(el|eis)$', 'ável')
        WHEN word ~ 'iv(el|eis)$' THEN regexp_replace(word, 'iv(el|eis)$', 'ível')
        WHEN word ~ '..ais$' THEN regexp_replace(word, 'ais$', 'al')
        WHEN word ~ 'ancias?$' THEN regexp_replace(word, 'ancias?$', 'ância')
        WHEN word ~ 'encias?$' THEN regexp_replace(word, 'encias?$', 'ência')
        ELSE word END))[1]
    $$
    """,
    """
    CREATE FUNCTION recado_add_stems() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.message_id IS NULL THEN RETURN NEW; END IF;  -- a name
      NEW.words := NEW.words || array_to_tsvector(ARRAY(
        SELECT split_part(term, '/', 1) || '=' || stem
        FROM unnest(tsvector_to_array(NEW.words)) AS term, recado_stem(split_part(term, '/', 2)) AS stem
        WHERE stem IS NOT NULL));
      RETURN NEW;
    END
    $$
    """,
    """
    CREATE TRIGGER search_documents_inserted BEFORE INSERT ON search_documents
    FOR EACH ROW EXECUTE FUNCTION recado_add_stems()
    """,
    "CREATE INDEX search_index ON search_documents USING gin (words)",
)
"""Snowball tells Portuguese endings by their accents, which folding took, so they are put back first; and it keeps
`-ão` and `-ões`, `-al` and `-ais`, `-vel` and `-veis` apart."""


def upgrade() -> None:
    op.create_table(
        "search_documents",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("words", sa.Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_documents"),
    )
    of_names = sa.text("conversation_id IS NOT NULL")
    op.create_index(
        "ix_search_documents_name",
        "search_documents",
        ["conversation_id"],
        sqlite_where=of_names,
        postgresql_where=of_names,
    )
    for statement in SQLITE if op.get_context().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
    reindex(op.get_bind())
