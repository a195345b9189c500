"""Conversations as the last batches left them, not to be read again. docs/store.md, "One transaction".

The log judges whether they are still true: every change of a conversation is a record of its clinic, and a record has a
random id. A clinic whose newest record is the one we wrote is as we left it, whoever else writes to the database. What
was kept by a transaction that was rolled back names a record that never was, so it is not believed.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from recado.domain.values import ClinicId, Conversation, ConversationId, Seq

MAX_CONVERSATIONS = 20_000
"""About 40 MB. When there are more, all are forgotten."""


class ClinicHead(Struct):
    """Where a clinic's log stands: the newest record's number and random id."""

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

    def keep(
        self,
        heads: Mapping[ClinicId, ClinicHead],
        conversations: Iterable[Conversation],
        last_inbound: Mapping[ConversationId, Seq],
    ) -> None:
        """Remember what a batch has read or changed, and where it left the logs. Call `still_true` first."""
        if len(self._kept) > MAX_CONVERSATIONS:
            self._kept.clear()
        for clinic_id, head in heads.items():
            self._logs[clinic_id].head = head.head
        for conversation in conversations:
            if log := self._logs.get(conversation.clinic_id):
                self._kept[conversation.id] = Kept(conversation, last_inbound[conversation.id], log)
