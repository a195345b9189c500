"""What a clinic keeps, as one versioned value that every member may see. Pure; shapes are docs/events.md.

No e-mail address and no password is in it: what only admins may read is asked for by itself.
"""

from typing import Literal

from recado.domain.values import ClinicId, MemberId, Role, Seq, Value

Weekday = Literal[1, 2, 3, 4, 5, 6, 7]


class ClinicMember(Value, frozen=True, kw_only=True):
    """A colleague. Who is not `active` may not in any more; what they wrote stays theirs."""

    id: MemberId
    name: str
    role: Role
    active: bool


class Label(Value, frozen=True, kw_only=True):
    """What a conversation may be labelled with, by its `name`; `colour` is `#rrggbb`."""

    name: str
    colour: str


class CannedReply(Value, frozen=True, kw_only=True):
    """A text to begin an answer with; `shortcut` is what is typed after the slash."""

    shortcut: str
    title: str
    body: str


class OpenHours(Value, frozen=True, kw_only=True):
    """Open on `day` (1 is Monday, 7 Sunday) from `opens` until `closes`, `HH:MM` local time; `24:00` ends a day."""

    day: Weekday
    opens: str
    closes: str


class BusinessHours(Value, frozen=True, kw_only=True):
    """When the clinic is open: a time zone's IANA name, and the week by day and hour."""

    time_zone: str
    weekly: tuple[OpenHours, ...]


class Clinic(Value, frozen=True, kw_only=True):
    """Everything of the clinic's own that its screens hold. `version`: seq of its last change, 0 before the first."""

    id: ClinicId
    name: str
    members: tuple[ClinicMember, ...]
    labels: tuple[Label, ...]
    canned_replies: tuple[CannedReply, ...]
    waiting_limit_minutes: int | None = None
    hours: BusinessHours | None = None
    version: Seq

    def member(self, member_id: MemberId) -> ClinicMember | None:
        return next((each for each in self.members if each.id == member_id), None)


class MemberDetails(Value, frozen=True, kw_only=True):
    """A member as admins know them."""

    id: MemberId
    name: str
    email: str
    role: Role
    active: bool
