"""On SQLite, search documents are taken into the index many at once (new_documents.py). docs/store.md, "Search"."""

from alembic import op

revision = "0010"
down_revision = "0009"

LIST = """
CREATE TABLE search_pending (
  id BIGINT NOT NULL, message_id TEXT, conversation_id TEXT, words TEXT NOT NULL
)
"""
"""Without a key, so that rows lie in the order they come: what a batch writes is a page or two."""


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.execute(LIST)
