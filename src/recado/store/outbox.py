"""What waits to leave. A lease is a due time ahead: if its holder dies, the row comes due again by itself."""

from collections.abc import Collection

from msgspec import Struct
from sqlalchemy import Connection, bindparam, exists, func, select, update

from recado.domain.accounts import Channel
from recado.domain.values import ChannelId, ClinicId, ConversationId, Instant, MessageId
from recado.store.bulk import among, execute, tuples_of, wanted
from recado.store.rows import channel_from
from recado.store.tables import channels, contacts, conversations, messages, outbox


class Departure(Struct, frozen=True, kw_only=True):
    """A message on its way out. `attempts` counts this one too; `message_id` is the provider's idempotency key."""

    clinic_id: ClinicId
    channel: Channel
    conversation_id: ConversationId
    message_id: MessageId
    to_address: str
    to_name: str
    body: str
    reply_to_external_id: str | None
    attempts: int
    queued_at: Instant

    def __repr__(self) -> str:
        return f"<Departure {self.message_id}>"


_replied = messages.alias("replied")
_earlier = outbox.alias("earlier")

_is_first = ~exists().where(
    _earlier.c.conversation_id == outbox.c.conversation_id, _earlier.c.seq < outbox.c.seq
)
"""Nothing of the same conversation waits before it: messages leave in the order they were written."""

_is_wanted = outbox.c.channel_id.not_in(tuples_of(outbox.c.channel_id)) & _is_first

_turns = (
    select(
        outbox.c.message_id,
        func.row_number()
        .over(partition_by=outbox.c.channel_id, order_by=(outbox.c.due_at, outbox.c.seq))
        .label("turn"),
    )
    .where(outbox.c.due_at <= bindparam("now"), _is_wanted)
    .subquery("turns")
)
"""What is due, counted for each channel by itself, so that one that is far behind leaves room for the others."""

_DUE = (
    select(
        outbox.c.message_id,
        outbox.c.attempts,
        outbox.c.queued_at,
        outbox.c.channel_id,
        outbox.c.clinic_id,
        outbox.c.conversation_id,
        messages.c.body,
        contacts.c.address,
        contacts.c.name,
        _replied.c.external_id,
    )
    .join(_turns, _turns.c.message_id == outbox.c.message_id)
    .join(messages, messages.c.id == outbox.c.message_id)
    .join(conversations, conversations.c.id == outbox.c.conversation_id)
    .join(contacts, contacts.c.id == conversations.c.contact_id)
    .outerjoin(_replied, _replied.c.id == messages.c.reply_to)
    .where(outbox.c.due_at <= bindparam("now"), _turns.c.turn <= bindparam("of_each"))
    .order_by(outbox.c.due_at, outbox.c.seq)
    .limit(bindparam("limit"))
    .with_for_update(of=(outbox, messages), skip_locked=True)
)
_LEASE = (
    update(outbox)
    .where(among(outbox.c.message_id))
    .values(due_at=bindparam("until"), leased=True, attempts=outbox.c.attempts + 1)
)
_CHANNELS = select(channels).where(among(channels.c.id))
_NEXT_DUE = select(func.min(outbox.c.due_at)).where(_is_wanted)


def lease(
    connection: Connection,
    now: Instant,
    until: Instant,
    limit: int,
    *,
    of_each: int,
    without: Collection[ChannelId] = (),
) -> list[Departure]:
    """The due messages, longest due first, now due again at `until`; of each conversation the first only.

    At most `of_each` of a channel, and none of those `without`. What another node is leasing at this moment is left
    to it (PostgreSQL: SKIP LOCKED).
    """
    asked = {"now": now, "limit": limit, "of_each": of_each, **wanted((id_,) for id_ in without)}
    rows = connection.execute(_DUE, asked).all()
    if not rows:
        return []
    execute(connection, _LEASE, {"until": until, **wanted((row.message_id,) for row in rows)})
    theirs = wanted((id_,) for id_ in {row.channel_id for row in rows})
    known = {row["id"]: channel_from(row) for row in connection.execute(_CHANNELS, theirs).mappings()}
    return [
        Departure(
            clinic_id=row.clinic_id,
            channel=known[row.channel_id],
            conversation_id=row.conversation_id,
            message_id=row.message_id,
            to_address=row.address,
            to_name=row.name,
            body=row.body,
            reply_to_external_id=row.external_id,
            attempts=row.attempts + 1,
            queued_at=row.queued_at,
        )
        for row in rows
    ]


def postpone(connection: Connection, message_id: MessageId, until: Instant) -> None:
    """Give the lease back; the message is due again at `until`."""
    connection.execute(
        update(outbox).where(outbox.c.message_id == message_id).values(due_at=until, leased=False)
    )


def end_leases(connection: Connection, now: Instant) -> None:
    """What others had leased is due now. For who knows that no other sender is alive."""
    connection.execute(update(outbox).where(outbox.c.leased).values(due_at=now, leased=False))


def next_due(connection: Connection, without: Collection[ChannelId] = ()) -> Instant | None:
    """When the next message of the other channels comes due; None when nothing of theirs waits."""
    return connection.execute(_NEXT_DUE, wanted((id_,) for id_ in without)).scalar_one_or_none()
