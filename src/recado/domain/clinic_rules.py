"""clinic command + what is known → events, and clinic + event → clinic. Pure; the rules of what a clinic keeps.

The bounds of its lists and texts are in clinic_limits.py. A refused command changes nothing and takes no number.
"""

from collections.abc import Callable
from typing import assert_never

from msgspec import UNSET, Struct
from msgspec.structs import replace

from recado.domain.access import Action, allows
from recado.domain.accounts import Channel
from recado.domain.channel_rules import decide_channel
from recado.domain.clinic import Clinic, ClinicMember
from recado.domain.clinic_commands import (
    AddChannel,
    ChangePassword,
    ClinicCommand,
    InvalidateCache,
    InviteMember,
    OfClinic,
    ResetPassword,
    RotateSecret,
    UpdateChannel,
    UpdateClinic,
    UpdateMember,
)
from recado.domain.clinic_events import (
    CacheInvalidated,
    ChannelAdded,
    ChannelUpdated,
    ClinicEvent,
    ClinicUpdated,
    MemberInvited,
    MemberUpdated,
    PasswordChanged,
    PasswordReset,
)
from recado.domain.clinic_limits import MAX_MEMBERS, canned_replies, clinic_name, hours, labels, waiting_limit
from recado.domain.tags import clinic_of
from recado.domain.values import ClinicId, MemberId, Seq
from recado.errors import (
    AlreadyMemberError,
    ClinicChangedError,
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidError,
    LastAdminError,
    MemberSharedError,
    NotFoundError,
    PasswordTemporaryError,
)


class Person(Struct, frozen=True, kw_only=True):
    """Somebody a command names. `clinic_ids`: where they are a member, deactivated or not.

    `password_temporary`: an admin of theirs was told the password.
    """

    id: MemberId
    name: str
    password_hash: str
    password_temporary: bool = False
    clinic_ids: frozenset[ClinicId]

    def __repr__(self) -> str:
        return f"<Person {self.id}>"


class Office(Struct, frozen=True, kw_only=True):
    """What one clinic command may look at: the clinic, and whom it names, if there is such a person.

    `channels`: all of the clinic's, for a command about one.
    """

    clinic: Clinic
    person: Person | None = None
    channels: tuple[Channel, ...] = ()


def decide_clinic(office: Office, command: OfClinic, new_id: Callable[[], str]) -> tuple[ClinicEvent, ...]:
    """The events that carry `command` out; empty when everything is so already.

    Raises a RefusedError: not_found, invalid, forbidden, or a conflict, with the current clinic in it.
    """
    match command:
        case UpdateClinic():
            _require(office.clinic, command, "clinic.update")
            return _update(office.clinic, command)
        case InviteMember():
            _require(office.clinic, command, "members.manage")
            return _invite(office, command, new_id)
        case UpdateMember():
            _require(office.clinic, command, "members.manage")
            return _update_member(office.clinic, command)
        case ResetPassword():
            _require(office.clinic, command, "members.manage")
            return _reset(office, command)
        case ChangePassword():
            person = office.person
            if (
                person is None
                or command.verified_hash is None
                or person.password_hash != command.verified_hash
            ):
                raise ConflictError(errors=[FieldError("currentPassword", "wrong")])
            return (PasswordChanged(member_id=person.id, kept_session_id=command.kept_session_id),)
        case AddChannel() | UpdateChannel() | RotateSecret():
            _require(office.clinic, command, "channels.manage")
            return decide_channel(office.channels, command)
        case InvalidateCache():
            _require(office.clinic, command, "cache.invalidate")
            return (_invalidate(office.clinic, command),)
        case _:
            assert_never(command)


def evolve_clinic(clinic: Clinic, event: ClinicEvent, seq: Seq) -> Clinic:
    """The clinic after `event`; what no member may see leaves it, and its version, as it is."""
    match event:
        case ClinicUpdated():
            return replace(clinic, version=seq, **event.changed)
        case MemberInvited():
            return _with_member(
                clinic, ClinicMember(id=event.member_id, name=event.name, role=event.role, active=True), seq
            )
        case MemberUpdated():
            before = _member(clinic, event.member_id)
            after = replace(before, role=event.role_after, active=event.active_after)
            return _with_member(clinic, after, seq)
        case PasswordReset() | PasswordChanged() | ChannelAdded() | ChannelUpdated() | CacheInvalidated():
            return clinic
        case _:
            assert_never(event)


def _require(clinic: Clinic, command: ClinicCommand, action: Action) -> None:
    """Judged once more where nobody else can change it meanwhile: who was demoted a moment ago may not."""
    if command.member_id is None:
        return
    member = clinic.member(command.member_id)
    if member is None or not member.active:
        raise NotFoundError
    if not allows(member.role, action):
        raise ForbiddenError


def _update(clinic: Clinic, command: UpdateClinic) -> tuple[ClinicUpdated, ...]:
    _expect_version(clinic, command.expected_version)
    asked = ClinicUpdated(
        name=UNSET if command.name is UNSET else clinic_name(command.name),
        labels=UNSET if command.labels is UNSET else labels(command.labels),
        canned_replies=UNSET if command.canned_replies is UNSET else canned_replies(command.canned_replies),
        waiting_limit_minutes=(
            UNSET if command.waiting_limit_minutes is UNSET else waiting_limit(command.waiting_limit_minutes)
        ),
        hours=UNSET if command.hours is UNSET else hours(command.hours),
    )
    changed = {name: value for name, value in asked.changed.items() if value != getattr(clinic, name)}
    return (ClinicUpdated(**changed),) if changed else ()


def _invite(office: Office, command: InviteMember, new_id: Callable[[], str]) -> tuple[MemberInvited, ...]:
    clinic, person = office.clinic, office.person
    if person is not None and clinic.member(person.id):
        raise AlreadyMemberError(state={"clinic": clinic})
    if person is not None and person.password_temporary and command.member_id is not None:
        raise PasswordTemporaryError  # else the admin who was told it would come into this clinic with it
    if len(clinic.members) >= MAX_MEMBERS:
        raise InvalidError(errors=[FieldError("clinicId", "too_many")])
    return (
        MemberInvited(
            member_id=person.id if person else MemberId(new_id()),
            name=person.name if person else command.name,
            role=command.role,
            known=person is not None,
        ),
    )


def _update_member(clinic: Clinic, command: UpdateMember) -> tuple[MemberUpdated, ...]:
    member = _member(clinic, command.whom)
    _expect_version(clinic, command.expected_version)
    role = member.role if command.role is UNSET else command.role
    active = member.active if command.active is UNSET else command.active
    if (role, active) == (member.role, member.active):
        return ()
    others = (each for each in clinic.members if each.id != member.id)
    if (role, active) != ("admin", True) and not any(each.active and each.role == "admin" for each in others):
        raise LastAdminError(state={"clinic": clinic})
    return (
        MemberUpdated(
            member_id=member.id,
            role_before=member.role,
            role_after=role,
            active_before=member.active,
            active_after=active,
        ),
    )


def _reset(office: Office, command: ResetPassword) -> tuple[PasswordReset, ...]:
    """An admin must not come by the keys of another clinic: who serves two is the operator's affair."""
    if office.person is None:
        raise NotFoundError
    if command.member_id is not None:
        _member(office.clinic, command.whom)
        if command.whom == command.member_id:  # one's own is changed with the present one at hand
            raise ForbiddenError
        if office.person.clinic_ids != {command.clinic_id}:
            raise MemberSharedError
    return (PasswordReset(member_id=office.person.id),)


def _invalidate(clinic: Clinic, command: InvalidateCache) -> CacheInvalidated:
    named = clinic_of(command.pattern)
    if named is None:
        raise InvalidError(errors=[FieldError("pattern", "malformed")])
    if named != clinic.id:
        raise ConflictError(errors=[FieldError("pattern", "of_another_clinic")])
    return CacheInvalidated(pattern=command.pattern)


def _expect_version(clinic: Clinic, expected: Seq | None) -> None:
    if expected is not None and clinic.version > expected:
        raise ClinicChangedError(state={"clinic": clinic})


def _member(clinic: Clinic, member_id: MemberId) -> ClinicMember:
    member = clinic.member(member_id)
    if member is None:
        raise NotFoundError
    return member


def _with_member(clinic: Clinic, member: ClinicMember, seq: Seq) -> Clinic:
    """In order of id, as the rows are read."""
    others = [each for each in clinic.members if each.id != member.id]
    return replace(clinic, members=tuple(sorted([*others, member], key=lambda each: each.id)), version=seq)
