"""Conversations as the last batches left them, not to be read again, and what need not be written again.

docs/store.md, "One transaction".

The log judges whether they are still true: every change of a conversation is a record of its clinic, and a record has a
random id. A clinic whose newest record is the one we wrote is as we left it, whoever else writes to the database. What
was kept by a transaction that was rolled back names a record that never was, so it is not believed.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from recado.domain.values import ChannelId, ClinicId, Conversation, ConversationId, Seq
from recado.store.signs_of_life import Sign

MAX_CONVERSATIONS = 20_000
"""About 40 MB. When there are more, all are forgotten."""


Place = tuple[ChannelId, str]
"""A channel, and a patient's address there."""


def place_of(conversation: Conversation) -> Place:
    return conversation.channel.id, conversation.contact.address


class ClinicHead(Struct):
    """Where a clinic's log stands, as its row says: the newest record's number and random id."""

    id: ClinicId
    seq: Seq
    head: int

    def advance(self, record_id: int) -> tuple[Seq, int]:
        """Give a record with this random id the next number. Returns it, and the id it is chained to."""
        prev, self.seq, self.head = self.head, Seq(self.seq + 1), record_id
        return self.seq, prev


class _Log(Struct, eq=False):
    """A clinic's log as we know it. When somebody else has written to it, another one takes its place."""

    head: int


class Kept(Struct, frozen=True):
    conversation: Conversation
    last_inbound_seq: Seq
    log: _Log


class Recent:
    """Used by one transaction at a time, which holds the lock of the clinics it speaks of."""

    def __init__(self) -> None:
        self._logs: dict[ClinicId, _Log] = {}
        self._kept: dict[ConversationId, Kept] = {}
        self._at: dict[Place, ConversationId] = {}
        self._signs: dict[tuple[ChannelId, str], tuple[str, _Log]] = {}
        """The second that stands in a channel's row."""

    def at(self, place: Place) -> ConversationId | None:
        """Where this patient's last message went, as far as we know; `still_true` says whether the next one does."""
        return self._at.get(place)

    def still_true(
        self, heads: Mapping[ClinicId, ClinicHead], wanted: Iterable[ConversationId]
    ) -> list[Kept]:
        """Those of `wanted` that were kept and have not changed since; `heads` are the locked clinics'."""
        for clinic_id, head in heads.items():
            known = self._logs.get(clinic_id)
            if known is None or known.head != head.head:
                self._logs[clinic_id] = _Log(head.head)
        kept = [self._kept[id_] for id_ in wanted if id_ in self._kept]
        return [each for each in kept if self._logs.get(each.conversation.clinic_id) is each.log]

    def unwritten(self, signs: Iterable[Sign]) -> list[Sign]:
        """Those whose second does not stand in their channel's row yet. Call `still_true` first."""
        return [
            sign
            for sign in signs
            if self._signs.get((sign.channel_id, sign.column)) != (sign.second, self._logs[sign.clinic_id])
        ]

    def keep(
        self,
        heads: Mapping[ClinicId, ClinicHead],
        conversations: Iterable[Conversation],
        last_inbound: Mapping[ConversationId, Seq],
        signs: Iterable[Sign] = (),
    ) -> None:
        """Remember what a batch has read or changed, and where it left the logs. Call `still_true` first."""
        if len(self._kept) > MAX_CONVERSATIONS:
            self._kept.clear()
            self._at.clear()
        for clinic_id, head in heads.items():
            self._logs[clinic_id].head = head.head
        for sign in signs:
            self._signs[sign.channel_id, sign.column] = (sign.second, self._logs[sign.clinic_id])
        for conversation in conversations:
            if log := self._logs.get(conversation.clinic_id):
                self._keep_place(conversation)
                self._kept[conversation.id] = Kept(conversation, last_inbound[conversation.id], log)

    def _keep_place(self, conversation: Conversation) -> None:
        """An erased patient's address is no longer the conversation's, and nobody's to keep."""
        if not conversation.deleted:
            self._at[place_of(conversation)] = conversation.id
        elif before := self._kept.get(conversation.id):
            self._at.pop(place_of(before.conversation), None)
