"""A message touches fewer pages: indexes hold only what they are asked for. docs/store.md, "Tables"."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

INDEX = (
    "DROP TRIGGER search_documents_inserted",
    "DROP TABLE search_index",
    """
    CREATE VIRTUAL TABLE search_index USING fts5(
      words, content='search_documents', content_rowid='id', columnsize=0, tokenize="ascii tokenchars '/@'")
    """,
    "INSERT INTO search_index (search_index) VALUES ('rebuild')",
)
"""The trigger made FTS5 write a segment per row. The sizes of documents are bm25's affair, which nobody asks for."""

KEYS = ("scope", "key", "purpose", "clinic_id", "conversation_id", "message_id")


def upgrade() -> None:
    op.drop_index("ix_conversations_snoozed", "conversations")
    _partial("ix_conversations_snoozed", "conversations", ["snoozed_until"], "snoozed_until IS NOT NULL")
    op.drop_index("ix_messages_delta", "messages")
    _partial("ix_messages_delta", "messages", ["conversation_id", "version"], "version <> seq")
    if op.get_context().dialect.name == "sqlite":
        for statement in INDEX:
            op.execute(statement)
        _keep_keys_in_their_own_order()


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _keep_keys_in_their_own_order() -> None:
    """One tree instead of rows and an index beside them, which holds half of every row again."""
    op.rename_table("command_keys", "command_keys_before")
    op.create_table(
        "command_keys",
        *(sa.Column(name, sa.Text(), nullable=False) for name in KEYS[:3]),
        sa.Column("clinic_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in KEYS[4:]),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_command_keys"),
        sqlite_with_rowid=False,
    )
    names = ", ".join(KEYS)
    op.execute(f"INSERT INTO command_keys ({names}) SELECT {names} FROM command_keys_before")  # noqa: S608 - our own
    op.drop_table("command_keys_before")
