"""PostgreSQL's search index takes in what waits in small portions. docs/store.md, "Search"."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER INDEX search_index SET (gin_pending_list_limit = 64)")
        op.execute("SELECT gin_clean_pending_list('search_index')")
