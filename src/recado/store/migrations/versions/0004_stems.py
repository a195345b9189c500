"""Stems come with the words (store/stems.py), no longer from a trigger. docs/store.md, "Search"."""

from alembic import op

from recado.store.search import reindex

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute("DROP TRIGGER search_documents_inserted ON search_documents")
    op.execute("DROP FUNCTION recado_add_stems, recado_stem")
    reindex(op.get_bind())
