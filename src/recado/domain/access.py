"""Who may do what, as a table. Pure. Asked by `app.access` for every command, query and join, and nowhere else."""

from typing import Literal

from recado.domain.values import Role

Action = Literal[
    "inbox.read",
    "message.send",
    "message.change",
    "conversation.update",
    "conversation.delete",
    "clinic.update",
    "members.manage",
    "channels.manage",
    "realtime.read",
    "cache.read",
    "cache.invalidate",
]

ALLOWED: dict[Action, frozenset[Role]] = {
    "inbox.read": frozenset({"admin", "agent"}),
    "message.send": frozenset({"admin", "agent"}),
    "message.change": frozenset({"admin", "agent"}),  # one's own; decide lets admins change a colleague's
    "conversation.update": frozenset({"admin", "agent"}),
    "conversation.delete": frozenset({"admin"}),
    "clinic.update": frozenset({"admin"}),
    "members.manage": frozenset({"admin"}),
    "channels.manage": frozenset({"admin"}),
    "realtime.read": frozenset({"admin"}),
    "cache.read": frozenset({"admin"}),
    "cache.invalidate": frozenset({"admin"}),
}


def allows(role: Role, action: Action) -> bool:
    return role in ALLOWED[action]
