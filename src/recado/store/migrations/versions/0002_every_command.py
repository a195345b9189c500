"""Every command: read marks, keys of commands that are about no message, waits that a reply ended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "read_marks",
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("clinic_id", sa.Integer(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        sa.Column("inbound_read", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="fk_read_marks_clinic_id"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_read_marks_conversation_id"
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name="fk_read_marks_member_id"),
        sa.PrimaryKeyConstraint("conversation_id", "member_id", name="pk_read_marks"),
    )
    op.create_index("ix_read_marks_delta", "read_marks", ["member_id", "clinic_id", "version"])
    op.create_table(
        "conversation_labels",
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("clinic_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="fk_conversation_labels_clinic_id"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_conversation_labels_conversation_id"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "label", name="pk_conversation_labels"),
    )
    op.create_index(
        "ix_conversation_labels_label", "conversation_labels", ["clinic_id", "label", "conversation_id"]
    )
    op.create_index("ix_conversations_snoozed", "conversations", ["snoozed_until"])
    for filtered in ("status", "assignee"):
        column = "assignee_id" if filtered == "assignee" else filtered
        op.create_index(
            f"ix_conversations_{filtered}", "conversations", ["clinic_id", "deleted", column, "last_seq"]
        )
    op.add_column("outbox", sa.Column("ended_wait", sa.Text(), nullable=True))
    op.add_column("command_keys", sa.Column("conversation_id", sa.Text(), nullable=True))
    _find_conversations()
    with op.batch_alter_table("command_keys") as keys:
        keys.alter_column("conversation_id", existing_type=sa.Text(), nullable=False)
        keys.alter_column("message_id", existing_type=sa.Text(), nullable=True)
    _rename_purposes()


def _find_conversations() -> None:
    """Until now every key was about a message, and that says which conversation."""
    op.execute(
        "UPDATE command_keys SET conversation_id ="
        " (SELECT conversation_id FROM messages WHERE messages.id = command_keys.message_id)"
    )


def _rename_purposes() -> None:
    """A send's purpose was written `send:<id>`; commands now go by their own names."""
    op.execute(
        "UPDATE command_keys SET purpose = 'SendMessage:' || substr(purpose, 6) WHERE purpose LIKE 'send:%'"
    )
