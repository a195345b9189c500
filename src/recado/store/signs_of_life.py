"""When something last came in by a channel, and when its provider last took a reply: for admins, to the second.

A channel's row is written when that second is a new one (`Recent.unwritten`), not for each of its messages: at 1,000
messages/s over 100 channels that is one in ten. docs/channels.md, "Settings".
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from recado.domain.packets import ConversationTold, Told
from recado.domain.values import ChannelId, ClinicId, Instant
from recado.store.bulk import update_rows
from recado.store.tables import channels

_SECONDS = len("2026-11-23T10:42:07")


class Sign(NamedTuple):
    """`column` of the channel's row is to say `at`."""

    clinic_id: ClinicId
    channel_id: ChannelId
    column: str
    at: Instant

    @property
    def second(self) -> str:
        return self.at[:_SECONDS]


def signs_of_life(told: Sequence[Told]) -> Iterable[Sign]:
    """The newest of each kind of each channel."""
    newest: dict[tuple[ChannelId, str], Sign] = {}
    for each in told:
        if isinstance(each, ConversationTold) and (column := _column(each)):
            channel_id = each.conversation.channel.id
            newest[channel_id, column] = Sign(each.record.clinic_id, channel_id, column, each.record.at)
    return newest.values()


def save(connection: Connection, signs: Sequence[Sign]) -> None:
    for column in sorted({sign.column for sign in signs}):
        rows = [{"id": sign.channel_id, column: sign.at} for sign in signs if sign.column == column]
        update_rows(connection, channels, rows)


def _column(told: ConversationTold) -> str | None:
    if told.record.type == "MessageReceived":
        return "last_inbound_at"
    if told.record.type == "MessageStatusChanged" and told.message and told.message.status == "sent":
        return "last_outbound_at"
    return None
