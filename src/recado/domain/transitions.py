"""Which status of a conversation or a message may follow which, as tables. Pure."""

from recado.domain.values import ConversationStatus, MessageStatus

BY_MEMBERS: dict[ConversationStatus, frozenset[ConversationStatus]] = {
    "open": frozenset({"pending", "snoozed", "resolved"}),
    "pending": frozenset({"open", "snoozed", "resolved"}),
    "snoozed": frozenset({"open", "pending", "snoozed", "resolved"}),
    "resolved": frozenset({"open"}),
}
"""Snoozed may be snoozed again, until another time. What is resolved is opened before it becomes anything else."""

BY_PATIENTS: ConversationStatus = "open"
"""Whatever it was, a patient's message opens it."""

FORWARD: dict[MessageStatus, frozenset[MessageStatus]] = {
    "received": frozenset(),
    "queued": frozenset({"sent", "delivered", "read", "failed"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "read": frozenset(),
    "failed": frozenset(),
}
"""A provider repeats and reorders its reports; a status only ever goes forwards."""
