"""Stems come with the words (store/stems.py); on SQLite documents lie in the order they come. docs/store.md, "Search".

SQLite kept them by number, which begins with the clinic: a batch for a hundred clinics wrote a hundred pages of 4 KiB.
"""

import sqlalchemy as sa
from alembic import op

from recado.store.search import reindex

revision = "0004"
down_revision = "0003"

TRIGGERS = (
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


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        _keep_in_order_of_coming()
    else:
        op.execute("DROP TRIGGER search_documents_inserted ON search_documents")
        op.execute("DROP FUNCTION recado_add_stems, recado_stem")
    reindex(op.get_bind())


def _keep_in_order_of_coming() -> None:
    """A key of type INTEGER is SQLite's own order of the rows; one of type BIGINT is an index beside them."""
    op.drop_table("search_documents")
    op.execute("INSERT INTO search_index (search_index) VALUES ('delete-all')")
    op.create_table(
        "search_documents",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_documents"),
    )
    op.create_index(
        "ix_search_documents_name",
        "search_documents",
        ["conversation_id"],
        sqlite_where=sa.text("conversation_id IS NOT NULL"),
    )
    for trigger in TRIGGERS:
        op.execute(trigger)
