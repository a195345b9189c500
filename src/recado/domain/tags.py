"""What a cached answer depends on, and what a log record makes stale: the same names on both sides. Pure.

docs/cache.md. Too many tags cost a read of the database, one too few costs the truth. So what cannot be told is told as
None: a record of a type that this version does not know, or that lacks a fact, makes everything older stale.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from recado.domain.events import Record
from recado.domain.values import ClinicId, ConversationId, MemberId
from recado.domain.views import ListFilter

CLINIC = "clinic"
"""What the clinic keeps: settings, members, labels, canned replies."""

NOTHING: tuple[str, ...] = ()

PATTERN = re.compile("clinic:([1-9][0-9]{0,8}):[!-~]{1,200}")
"""What an invalidation names, `clinic:42:*`: visible ASCII, as it is kept in the log."""


def clinic_of(pattern: str) -> ClinicId | None:
    """The clinic whose answers the pattern names; None if it is none."""
    match = PATTERN.fullmatch(pattern)
    return ClinicId(int(match[1])) if match else None


def conversation_tag(conversation_id: ConversationId | str | None) -> str:
    """A conversation as lists show it."""
    return f"c{conversation_id}"


def thread_tag(conversation_id: ConversationId | str | None) -> str:
    """A conversation's messages."""
    return f"t{conversation_id}"


def marks_tag(member_id: MemberId | str | None) -> str:
    """How far a member has read."""
    return f"r{member_id}"


def list_tags(fitting: ListFilter, ids: Iterable[ConversationId], *, first: bool) -> list[str]:
    """Of one page of a list: `ids` are its rows' and that of the row behind, on which its `before` depends.

    A message moves its conversation to the head, so only a first page depends on that. Whatever else lets a
    conversation into a list may put it on any page.
    """
    if fitting.unread:
        raise ValueError("what one member has not read is nobody else's page")
    name = list_name(fitting)
    tags = [conversation_tag(id_) for id_ in ids]
    tags.append(f"into|{name}")
    if first:
        tags.append(f"head|{name}")
    return tags


def list_name(fitting: ListFilter) -> str:
    return _list_name(fitting.status, fitting.assignee_id, fitting.label)


def touched(record: Record) -> Sequence[str] | None:
    """What the record makes stale; None: everything."""
    try:
        return _touched(record)
    except (KeyError, TypeError, ValueError, IndexError):  # a fact that is missing, or is not as we know it
        return None


def _touched(record: Record) -> Sequence[str] | None:
    id_, facts = record.conversation_id, record.facts
    match record.type:
        case "MessageReceived" | "MessageWritten":
            return [conversation_tag(id_), thread_tag(id_), *_heads(*_place(facts["lists"]))]
        case "ConversationUpdated":
            return [conversation_tag(id_), *_entered(facts)]
        case "MessageEdited" | "MessageDeleted" | "ConversationDeleted":
            return conversation_tag(id_), thread_tag(id_)
        case "MessageStatusChanged" if facts["messageStatus"][1] != "failed":
            return (thread_tag(id_),)
        case "MessageStatusChanged":  # the patient waits again, which a list shows
            return conversation_tag(id_), thread_tag(id_)
        case "ContactRenamed":
            return (conversation_tag(id_),)
        case "MarkedRead":
            return (marks_tag(record.member_id),)
        case "ClinicUpdated" | "MemberInvited" | "MemberUpdated":
            return (CLINIC,)
        case "PasswordReset" | "PasswordChanged" | "ChannelAdded" | "ChannelUpdated":
            return NOTHING
        case _:
            return None  # of CacheInvalidated, too: all that its pattern names, and more


def _entered(facts: dict[str, Any]) -> list[str]:
    """The lists it came into without moving to their head; those it left had its row, and depend on that."""
    status, assignee, labels = _place(facts["lists"])
    before = _lists(
        facts["status"][0] if "status" in facts else status,
        facts["assignee"][0] if "assignee" in facts else assignee,
        tuple(facts["labels"][0]) if "labels" in facts else labels,
    )
    return [f"into|{name}" for name in _lists(status, assignee, labels) if name not in before]


def _place(lists: Sequence[Any]) -> tuple[str, str | None, tuple[str, ...]]:
    status, assignee, labels = lists
    return status, assignee, tuple(labels)


@lru_cache(10_000)
def _lists(status: str, assignee: str | None, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all lists that show a conversation which stands so."""
    return tuple(
        _list_name(given_status, given_assignee, label)
        for given_status in (None, status)
        for given_assignee in (None, assignee or "")
        for label in (None, *labels)
    )


@lru_cache(10_000)
def _heads(status: str, assignee: str | None, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Of the first pages of these lists."""
    return tuple(f"head|{name}" for name in _lists(status, assignee, labels))


def _list_name(status: str | None, assignee: str | None, label: str | None) -> str:
    """None is no filter. An assignee "" is nobody. A label may hold any character, so it comes last."""
    return "|".join("" if given is None else f"={given}" for given in (status, assignee, label))
