"""The tables, for SQLite and PostgreSQL alike (docs/store.md).

Migrations create them; nothing else knows their columns but `rows.py` and the queries beside it.

Times are `Instant` texts, ids UUIDv7 texts, versions and seqs integers. A patient's words stand in `contacts.name`,
`contacts.address`, `messages.body`, `messages.author_name` and `attachments.name`, folded in `search_documents.words`
and `search_pending.words`, and nowhere else.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

history = Table(
    "history",
    metadata,
    Column("id", Text, primary_key=True),  # which history of the database this is; a restore writes a new one
)

clinics = Table(
    "clinics",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("epoch", Integer, nullable=False, default=1),
    Column("seq", BigInteger, nullable=False, default=0),  # of the newest log record
    Column("head", BigInteger, nullable=False, default=0),  # its random id
    Column("created_at", Text, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),  # lower case
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    # chosen by somebody else: to be changed
    Column("password_temporary", Boolean, nullable=False, server_default=false()),
    Column("created_at", Text, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("member_id", ForeignKey("members.id"), primary_key=True),
    Column("clinic_id", ForeignKey("clinics.id"), primary_key=True),
    Column("role", Text, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
)
Index("ix_memberships_clinic", memberships.c.clinic_id)

clinic_settings = Table(
    "clinic_settings",
    metadata,
    # Beside `clinics`, whose rows every command rewrites. A clinic without a row has never been changed.
    Column("clinic_id", ForeignKey("clinics.id"), primary_key=True),
    Column("labels", JSON, nullable=False),
    Column("canned_replies", JSON, nullable=False),
    Column("waiting_limit_minutes", Integer),
    Column("hours", JSON),
    Column("version", BigInteger, nullable=False),  # of the clinic as its screens hold it, members included
)

sessions = Table(
    "sessions",
    metadata,
    # HMAC-SHA-256 of the token; the token itself is never stored
    Column("token_hash", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("member_id", ForeignKey("members.id"), nullable=False),
    Column("created_at", Text, nullable=False),
    Column("seen_at", Text, nullable=False),
    Column("ends_at", Text, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column("id", Text, primary_key=True),
    Column("clinic_id", ForeignKey("clinics.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("verify_token", Text),
    Column("phone_number_id", Text),
    Column("access_token", Text),
    Column("outbound_url", Text),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("last_inbound_at", Text),  # a patient's message was taken in
    Column("last_outbound_at", Text),  # the provider took a reply
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("clinic_id", ForeignKey("clinics.id"), nullable=False),
    Column("channel_id", ForeignKey("channels.id"), nullable=False),
    Column("address", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("channel_id", "address"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("clinic_id", ForeignKey("clinics.id"), nullable=False),
    Column("channel_id", ForeignKey("channels.id"), nullable=False),
    Column("contact_id", ForeignKey("contacts.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("snoozed_until", Text),
    Column("assignee_id", ForeignKey("members.id")),
    Column("labels", JSON, nullable=False),
    Column("last_message_id", Text),
    Column("last_seq", BigInteger, nullable=False),  # of the newest message: the list's order
    Column("last_inbound_seq", BigInteger, nullable=False),
    Column("inbound_count", Integer, nullable=False),
    Column("waiting_since", Text),
    Column("created_at", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=false()),
)
Index("ix_conversations_list", conversations.c.clinic_id, conversations.c.deleted, conversations.c.last_seq)
Index(
    "ix_conversations_status",
    conversations.c.clinic_id,
    conversations.c.deleted,
    conversations.c.status,
    conversations.c.last_seq,
)
Index(
    "ix_conversations_assignee",
    conversations.c.clinic_id,
    conversations.c.deleted,
    conversations.c.assignee_id,
    conversations.c.last_seq,
)
Index("ix_conversations_delta", conversations.c.clinic_id, conversations.c.version)
Index("ix_conversations_contact", conversations.c.contact_id)
Index(
    "ix_conversations_snoozed",
    conversations.c.snoozed_until,
    sqlite_where=conversations.c.snoozed_until.is_not(None),
    postgresql_where=conversations.c.snoozed_until.is_not(None),
)

conversation_labels = Table(
    "conversation_labels",
    metadata,
    # What `conversations.labels` says, row by row, to be filtered by.
    Column("conversation_id", ForeignKey("conversations.id"), primary_key=True),
    Column("label", Text, primary_key=True),
    Column("clinic_id", ForeignKey("clinics.id"), nullable=False),
)
Index(
    "ix_conversation_labels_label",
    conversation_labels.c.clinic_id,
    conversation_labels.c.label,
    conversation_labels.c.conversation_id,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("clinic_id", ForeignKey("clinics.id"), nullable=False),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("author_type", Text, nullable=False),
    Column("author_id", Text, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("has_attachments", Boolean, nullable=False, server_default=false()),
    Column("reply_to", Text),
    Column("client_key", Text),
    Column("status", Text, nullable=False),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("ordinal", Integer),
    Column("seq", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("external_id", Text),  # the provider's id: of what it brought, or of what it took from us
    Column("sent_at", Text),  # by the patient's phone; order and display go by created_at
    Column("created_at", Text, nullable=False),
    Column("edited_at", Text),
    Column("deleted", Boolean, nullable=False, server_default=false()),
)
Index("ix_messages_thread", messages.c.conversation_id, messages.c.seq)
Index(
    "ix_messages_delta",
    messages.c.conversation_id,
    messages.c.version,
    # most messages never change, and then their version is their place
    sqlite_where=messages.c.version != messages.c.seq,
    postgresql_where=messages.c.version != messages.c.seq,
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("message_id", ForeignKey("messages.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("size", BigInteger),
    Column("name", Text),
    Column("status", Text, nullable=False),
    Column("external_id", Text, nullable=False),
)

read_marks = Table(
    "read_marks",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id"), primary_key=True),
    Column("member_id", ForeignKey("members.id"), primary_key=True),
    Column("clinic_id", ForeignKey("clinics.id"), nullable=False),
    Column("up_to", BigInteger, nullable=False),
    Column("inbound_read", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
)
Index("ix_read_marks_delta", read_marks.c.member_id, read_marks.c.clinic_id, read_marks.c.version)

command_keys = Table(
    "command_keys",
    metadata,
    # "member:<id>" with the member's clientKey, or "channel:<id>" with the provider's message id
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # the command and its conversation: a key serves one purpose only
    Column("purpose", Text, nullable=False),
    Column("clinic_id", Integer, nullable=False),
    Column("conversation_id", Text),  # of a command about a conversation
    Column("message_id", Text),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("clinic_id", ForeignKey("clinics.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("id", BigInteger, nullable=False),
    Column("prev", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("conversation_id", Text),
    Column("message_id", Text),
    Column("member_id", Text),
    Column("client_key", Text),
    Column("facts", JSON, nullable=False),
    Column("at", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("clinic_id", ForeignKey("clinics.id"), nullable=False),
    Column("channel_id", ForeignKey("channels.id"), nullable=False),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    # the message's: one conversation's messages leave in this order
    Column("seq", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Text, nullable=False),  # a lease is a due time ahead, so it ends by itself
    Column("leased", Boolean, nullable=False, server_default=false()),  # by a sender, until due_at
    Column("queued_at", Text, nullable=False),
    Column("ended_wait", Text),  # since when the patient had been waiting for this reply
)
Index("ix_outbox_due", outbox.c.due_at)
Index("ix_outbox_order", outbox.c.conversation_id, outbox.c.seq)

search_documents = Table(
    "search_documents",
    metadata,
    # the clinic, the log number that wrote the text, and whether it is a name (search.py): newest last
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", Text),  # of a message's words
    Column("conversation_id", Text),  # of a contact's name
    Column("words", Text().with_variant(TSVECTOR, "postgresql"), nullable=False),
)
Index(
    "ix_search_documents_name",
    search_documents.c.conversation_id,
    sqlite_where=search_documents.c.conversation_id.is_not(None),
    postgresql_where=search_documents.c.conversation_id.is_not(None),
)

search_pending = Table(
    "search_pending",
    MetaData(),  # SQLite's alone: documents that are not in the index yet (new_documents.py)
    Column("id", BigInteger, primary_key=True),  # of the document; the table itself has no key
    Column("message_id", Text),
    Column("conversation_id", Text),
    Column("words", Text, nullable=False),
)

search_index = Table(
    "search_index",
    MetaData(),  # SQLite's alone, and a virtual table: migrations make it by hand
    Column("rowid", BigInteger, primary_key=True),  # of the document
    Column("words", Text, nullable=False),
)
