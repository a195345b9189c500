"""What changed since a cursor, as rows are now: the answer to `after`. docs/events.md; docs/store.md, "Reading".

When a network comes back, every screen behind it asks at once, so the statements are built once: building them takes
longer than running them. Each function runs in one snapshot.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, select

from recado.domain.cursor import Cursor
from recado.domain.values import ClinicId, ConversationId, MemberId, Message
from recado.domain.views import Delta
from recado.store.bulk import among, wanted
from recado.store.clinic import clinic_after
from recado.store.inbox import head_of
from recado.store.rows import conversation_from, messages_from, read_mark_from, select_conversations
from recado.store.tables import conversations, messages, read_marks

DELTA_ROWS = 500

_CONVERSATIONS = (
    select_conversations()
    .where(conversations.c.clinic_id == bindparam("clinic"), conversations.c.version > bindparam("after"))
    .order_by(conversations.c.version)
    .limit(bindparam("limit"))
)
_CONVERSATION = _CONVERSATIONS.where(conversations.c.id == bindparam("only"))
_READS = (
    select(read_marks)
    .where(
        read_marks.c.member_id == bindparam("member"),
        read_marks.c.clinic_id == bindparam("clinic"),
        read_marks.c.version > bindparam("after"),
    )
    .order_by(read_marks.c.version)
    .limit(bindparam("limit"))
)
_READ = _READS.where(read_marks.c.conversation_id == bindparam("only"))
_OF_THREADS = select(messages).where(
    among(messages.c.conversation_id), messages.c.clinic_id == bindparam("clinic")
)
_CAME = (
    _OF_THREADS.where(messages.c.version == messages.c.seq, messages.c.seq > bindparam("after"))
    .order_by(messages.c.seq)
    .limit(bindparam("limit"))
)
_CHANGED = (
    _OF_THREADS.where(messages.c.version != messages.c.seq, messages.c.version > bindparam("after"))
    .order_by(messages.c.version)
    .limit(bindparam("limit"))
)


def clinic_delta(
    connection: Connection,
    clinic_id: ClinicId,
    member_id: MemberId,
    after: Cursor,
    conversation_ids: Sequence[ConversationId],
) -> Delta:
    """What changed in the clinic after `after`, with the messages of `conversation_ids` (others' are not found)."""
    return _delta(connection, clinic_id, member_id, after, conversation_ids, only=None)


def conversation_delta(
    connection: Connection,
    clinic_id: ClinicId,
    member_id: MemberId,
    after: Cursor,
    conversation_id: ConversationId,
) -> Delta:
    """What changed in one conversation after `after`."""
    return _delta(connection, clinic_id, member_id, after, [conversation_id], only=conversation_id)


def _delta(
    connection: Connection,
    clinic_id: ClinicId,
    member_id: MemberId,
    after: Cursor,
    conversation_ids: Sequence[ConversationId],
    only: ConversationId | None,
) -> Delta:
    """At most DELTA_ROWS rows; with `more` the cursor stands at the last version that is complete."""
    head = head_of(connection, clinic_id).cursor
    reset = after.epoch != head.epoch or after.seq > head.seq
    if reset or after.seq == head.seq:
        return Delta(cursor=str(head), reset=reset, conversations=[], messages=[], reads=[])
    asked = {
        "clinic": clinic_id,
        "member": member_id,
        "after": after.seq,
        "only": only,
        "limit": DELTA_ROWS + 1,
    }
    rows_of = _CONVERSATIONS if only is None else _CONVERSATION
    marks_of = _READS if only is None else _READ
    changed = [conversation_from(row) for row in connection.execute(rows_of, asked)]
    said = _messages_after(connection, asked, conversation_ids)
    marks = [read_mark_from(row) for row in connection.execute(marks_of, asked).mappings()]
    ours = clinic_after(connection, clinic_id, after.seq) if only is None else None
    kept = [ours] if ours else []
    versions = sorted(row.version for rows in (changed, said, marks, kept) for row in rows)
    end, more = head.seq, len(versions) > DELTA_ROWS
    if more:
        cut = versions[DELTA_ROWS]
        end = max((version for version in versions if version < cut), default=cut)
    return Delta(
        cursor=str(Cursor(head.epoch, end)),
        more=more,
        clinic=ours if ours and ours.version <= end else None,
        conversations=[row for row in changed if row.version <= end],
        messages=[row for row in said if row.version <= end],
        reads=[row for row in marks if row.version <= end],
    )


def _messages_after(
    connection: Connection, asked: Mapping[str, Any], conversation_ids: Sequence[ConversationId]
) -> list[Message]:
    """By version: those that came since, and those that changed since. Each kind has an index of its own."""
    if not conversation_ids:
        return []
    threads = {**asked, **wanted((id_,) for id_ in conversation_ids)}
    rows = [row for query in (_CAME, _CHANGED) for row in connection.execute(query, threads).mappings()]
    return sorted(messages_from(connection, rows), key=attrgetter("version"))[: asked["limit"]]
