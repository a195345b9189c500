"""What one command may look at. Pure. The store loads it, `decide` reads it, `evolve` brings it forward."""

from collections.abc import Mapping

from msgspec import Struct

from recado.domain.values import Conversation, Instant, MemberId, Message, MessageId, ReadMark, Seq


class Waiting(Struct, frozen=True):
    """A reply in the outbox. `touched`: somebody has begun to send it, so it may be with the provider already.

    `ended_wait` is since when the patient had waited when it was written, None if they had not.
    """

    touched: bool
    ended_wait: Instant | None


class Thread(Struct, frozen=True, kw_only=True):
    """A conversation, or none yet, and of everything around it that which the command names.

    `messages`: the named one first; behind it, if the command may take an answer back, the last answer that no such
    command names, the replies since, and what the patient wrote first after each of them.
    `last_inbound_seq`: of the patient's newest message, 0 before the first. `inbound_until`: seq → how many of the
    patient's messages there are up to it. `members`: those of the clinic that the command names and that are active.
    `clinic_labels`: what the clinic labels with, if the command labels; empty when it keeps no list.
    """

    conversation: Conversation | None = None
    last_inbound_seq: Seq = Seq(0)
    messages: Mapping[MessageId, Message] = {}
    outbox: Mapping[MessageId, Waiting] = {}
    reads: Mapping[MemberId, ReadMark] = {}
    inbound_until: Mapping[Seq, int] = {}
    members: frozenset[MemberId] = frozenset()
    clinic_labels: frozenset[str] = frozenset()
