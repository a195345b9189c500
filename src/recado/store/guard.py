"""PostgreSQL's own eye on the cache's first rule: what answers are made of changes only together with the log.

For tests and staging. A change of such a row without a record of its clinic, and of its conversation if it has one, in
the same transaction is refused when the transaction commits. docs/cache.md, "Guards".
"""

from typing import NamedTuple

from sqlalchemy import Connection

from recado.errors import ConfigError

BY_HAND = "SET LOCAL recado.by_hand = on"
"""Said in a transaction that repairs rows and knows what it does: docs/cache.md, rule 9."""


class Guarded(NamedTuple):
    """`whose` asks for (clinic_id, conversation_id) of the row `changed`; null: of what the clinic keeps.

    `unseen` are columns that no cached answer shows.
    """

    whose: str
    unseen: str = ""
    events: str = "INSERT OR UPDATE OR DELETE"


OF_CONVERSATION = "SELECT changed.clinic_id, changed.conversation_id"
OF_CLINIC = "SELECT changed.clinic_id, NULL::text"

TABLES = {
    "conversations": Guarded("SELECT changed.clinic_id, changed.id", "last_inbound_seq"),
    "conversation_labels": Guarded(OF_CONVERSATION),
    "messages": Guarded(OF_CONVERSATION, "external_id, sent_at"),
    "attachments": Guarded("SELECT clinic_id, conversation_id FROM messages WHERE id = changed.message_id"),
    "read_marks": Guarded(OF_CONVERSATION),
    "contacts": Guarded("SELECT clinic_id, id FROM conversations WHERE contact_id = changed.id"),
    "clinic_settings": Guarded(OF_CLINIC),
    "clinics": Guarded("SELECT changed.id, NULL::text", "epoch, seq, head", "UPDATE"),
    "memberships": Guarded(OF_CLINIC),
    "members": Guarded(
        "SELECT clinic_id, NULL::text FROM memberships WHERE member_id = changed.id",
        "email, password_hash, password_temporary",
        "UPDATE",
    ),
}

IS_TOLD = """
CREATE OR REPLACE FUNCTION recado_is_told(whose integer, about text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line record;
BEGIN
  FOR line IN
    SELECT conversation_id, xmin AS written_by FROM events WHERE clinic_id = whose ORDER BY seq DESC
  LOOP
    EXIT WHEN line.written_by <> pg_current_xact_id()::xid;
    IF line.conversation_id IS NOT DISTINCT FROM about THEN
      RETURN true;
    END IF;
  END LOOP;
  -- Where no record was ever written nobody can have read anything that one would have to make stale.
  RETURN (SELECT seq = 0 FROM clinics WHERE id = whose);
END $$
"""
"""Whether this transaction wrote a record about it. Its records are the newest ones, as it has the clinic's lock."""

GUARD = """
CREATE OR REPLACE FUNCTION recado_guard_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed {table};
BEGIN
  IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
  IF current_setting('recado.by_hand', true) = 'on'
    OR TG_OP = 'UPDATE' AND to_jsonb(OLD) - '{{{unseen}}}'::text[] = to_jsonb(NEW) - '{{{unseen}}}'::text[]
  THEN
    RETURN NULL;
  END IF;
  IF EXISTS (SELECT FROM ({whose}) AS owner (clinic_id, conversation_id)
    WHERE NOT recado_is_told(owner.clinic_id, owner.conversation_id))
  THEN
    RAISE integrity_constraint_violation USING MESSAGE = TG_OP || ' of {table} without a record in the log';
  END IF;
  RETURN NULL;
END $$
"""


def install(connection: Connection) -> None:
    """Idempotent. Raises ConfigError where there is no such thing."""
    _require_postgresql(connection)
    connection.exec_driver_sql(IS_TOLD)
    for table, guarded in TABLES.items():
        connection.exec_driver_sql(GUARD.format(table=table, unseen=guarded.unseen, whose=guarded.whose))
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS recado_guard ON {table}")
        connection.exec_driver_sql(
            f"CREATE CONSTRAINT TRIGGER recado_guard AFTER {guarded.events} ON {table}"
            f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION recado_guard_{table}()"
        )


def remove(connection: Connection) -> None:
    """Idempotent. Raises ConfigError where there is no such thing."""
    _require_postgresql(connection)
    for table in TABLES:
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS recado_guard_{table}() CASCADE")
    connection.exec_driver_sql("DROP FUNCTION IF EXISTS recado_is_told(integer, text)")


def _require_postgresql(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        raise ConfigError("RECADO_DATABASE_URL: only PostgreSQL has this guard")
