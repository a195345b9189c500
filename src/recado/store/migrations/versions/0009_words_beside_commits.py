"""PostgreSQL's search index takes in what waits beside the commits (pending_words.py). docs/store.md, "Search"."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER INDEX search_index SET (gin_pending_list_limit = 4096)")
