"""What a clinic keeps: settings, members who are not active, passwords that somebody else chose."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "clinic_settings",
        sa.Column("clinic_id", sa.Integer(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("canned_replies", sa.JSON(), nullable=False),
        sa.Column("waiting_limit_minutes", sa.Integer(), nullable=True),
        sa.Column("hours", sa.JSON(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="fk_clinic_settings_clinic_id"),
        sa.PrimaryKeyConstraint("clinic_id", name="pk_clinic_settings"),
    )
    op.add_column("memberships", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_index("ix_memberships_clinic", "memberships", ["clinic_id"])
    op.add_column(
        "members", sa.Column("password_temporary", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    with op.batch_alter_table("command_keys") as keys:
        keys.alter_column("conversation_id", existing_type=sa.Text(), nullable=True)
