"""What happened to what a clinic keeps, in the past tense. Pure. One event is one log record, as in events.py.

No event holds a password, its hash or an e-mail address. A channel's keys are in events, and never in a record.
"""

from typing import Any, Literal, NamedTuple, assert_never

from msgspec import UNSET, Struct, UnsetType

from recado.domain.accounts import Channel
from recado.domain.clinic import BusinessHours, CannedReply, Label
from recado.domain.events import Record
from recado.domain.values import MemberId, Role


class ClinicUpdated(Struct, frozen=True, kw_only=True):
    """Only what changed is set."""

    name: str | UnsetType = UNSET
    labels: tuple[Label, ...] | UnsetType = UNSET
    canned_replies: tuple[CannedReply, ...] | UnsetType = UNSET
    waiting_limit_minutes: int | UnsetType | None = UNSET
    hours: BusinessHours | UnsetType | None = UNSET

    @property
    def changed(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in fields.items() if value is not UNSET}


class MemberInvited(Struct, frozen=True, kw_only=True):
    """`known`: the person serves another clinic already, and keeps name and password."""

    member_id: MemberId
    name: str
    role: Role
    known: bool


class MemberUpdated(Struct, frozen=True, kw_only=True):
    member_id: MemberId
    role_before: Role
    role_after: Role
    active_before: bool
    active_after: bool


class PasswordReset(Struct, frozen=True, kw_only=True):
    member_id: MemberId


class PasswordChanged(Struct, frozen=True, kw_only=True):
    member_id: MemberId
    kept_session_id: str


class ChannelAdded(Struct, frozen=True, kw_only=True):
    channel: Channel


class ChannelUpdated(Struct, frozen=True, kw_only=True):
    before: Channel
    after: Channel

    @property
    def changed(self) -> list[str]:
        fields = self.before.__struct_fields__
        return sorted(name for name in fields if getattr(self.before, name) != getattr(self.after, name))


class CacheInvalidated(Struct, frozen=True, kw_only=True):
    pattern: str


ChannelEvent = ChannelAdded | ChannelUpdated
ClinicEvent = (
    ClinicUpdated
    | MemberInvited
    | MemberUpdated
    | PasswordReset
    | PasswordChanged
    | ChannelEvent
    | CacheInvalidated
)


def clinic_facts_of(event: ClinicEvent) -> dict[str, Any]:
    """Event → what the log remembers: ids and states before and after, and the names of the settings that changed."""
    match event:
        case ClinicUpdated():
            return {"changed": sorted(event.changed)}
        case MemberInvited():
            return {"memberId": event.member_id, "role": [None, event.role]}
        case MemberUpdated():
            changes: dict[str, list[Any]] = {
                "role": [event.role_before, event.role_after],
                "active": [event.active_before, event.active_after],
            }
            changed = {name: states for name, states in changes.items() if states[0] != states[1]}
            return {"memberId": event.member_id, **changed}
        case PasswordReset():
            return {"memberId": event.member_id}
        case PasswordChanged():
            return {"memberId": event.member_id, "keptSessionId": event.kept_session_id}
        case ChannelAdded():
            return {"channelId": event.channel.id}
        case ChannelUpdated():
            states = [event.before.active, event.after.active]
            active = {"active": states} if states[0] != states[1] else {}
            return {"channelId": event.after.id, "changed": event.changed, **active}
        case CacheInvalidated():
            return {"pattern": event.pattern}
        case _:
            assert_never(event)


class AccessChange(NamedTuple):
    """What a record says of somebody's access. `reason` is why their sockets in the clinic close, None: they stay.

    The sockets of `kept_session_id` stay in any case.
    """

    member_id: MemberId
    reason: Literal["session ended", "access changed"] | None
    kept_session_id: str | None = None


CLOSED_BY: dict[str, Literal["session ended", "access changed"] | None] = {
    "MemberInvited": None,
    "MemberUpdated": "access changed",
    "PasswordReset": "session ended",
    "PasswordChanged": "session ended",
}
"""Records about a member's access → why the member's sockets in that clinic close."""


def access_change(record: Record) -> AccessChange | None:
    if record.type not in CLOSED_BY:
        return None
    facts = record.facts
    return AccessChange(facts["memberId"], CLOSED_BY[record.type], facts.get("keptSessionId"))
