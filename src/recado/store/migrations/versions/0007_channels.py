"""Channels can be switched off, and say when something last went in and out."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("channels", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("channels", sa.Column("last_inbound_at", sa.Text(), nullable=True))
    op.add_column("channels", sa.Column("last_outbound_at", sa.Text(), nullable=True))
