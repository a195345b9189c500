"""Use cases about what a clinic keeps, its members and their passwords: access first, then the writer.

Passwords are hashed off the loop and leave here only as hashes. docs/operations.md, "Members and passwords".
"""

import base64
import hmac
import re
from functools import partial
from typing import Annotated, TypedDict
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType

from recado.app.access import Access
from recado.app.inbox import Number, Order, Uuid
from recado.app.passwords import Passwords, check_new_password
from recado.app.sessions import Sessions
from recado.domain.access import Action
from recado.domain.accounts import Identity
from recado.domain.clinic import BusinessHours, CannedReply, Clinic, Label, MemberDetails
from recado.domain.clinic_commands import (
    ChangePassword,
    InviteMember,
    ResetPassword,
    UpdateClinic,
    UpdateMember,
)
from recado.domain.clinic_limits import TIME_ZONE
from recado.domain.text import clean, email_from, name_from
from recado.domain.values import ClientKey, ClinicId, MemberId, Role, Seq, Value
from recado.errors import ConflictError, FieldError, UnauthenticatedError
from recado.store.accounts import password_hash_of
from recado.store.batch import Outcome
from recado.store.clinic import member_details
from recado.store.database import Database
from recado.store.writer import Writer

SOME_ZONE = "America/Sao_Paulo"


class ClinicOrder(Order, frozen=True, kw_only=True):
    clinic_id: ClinicId


class UpdateClinicOrder(ClinicOrder, frozen=True, kw_only=True):
    """`clinic:update`. What is absent stays, a list replaces the whole list, null takes away."""

    name: str | UnsetType = UNSET
    labels: list[Label] | UnsetType = UNSET
    canned_replies: list[CannedReply] | UnsetType = UNSET
    waiting_limit_minutes: int | UnsetType | None = UNSET
    hours: BusinessHours | UnsetType | None = UNSET
    expected_version: Annotated[Seq, Number] | None = None


class InviteOrder(ClinicOrder, frozen=True, kw_only=True):
    """`member:invite`. Who serves another clinic already keeps name and password."""

    email: str
    name: str = ""
    role: Role = "agent"


class MemberOrder(ClinicOrder, frozen=True, kw_only=True):
    member_id: Annotated[MemberId, Uuid]


class UpdateMemberOrder(MemberOrder, frozen=True, kw_only=True):
    """`member:update`. `active` false takes the access away; what the member wrote stays theirs."""

    role: Role | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    expected_version: Annotated[Seq, Number] | None = None


class ResetPasswordOrder(MemberOrder, frozen=True, kw_only=True):
    """`member:reset-password`. All sessions of the member end."""


class ChangePasswordOrder(Order, frozen=True, kw_only=True):
    """`password:change`. All sessions of the member end but the one that asks."""

    current_password: str
    new_password: str


class Invitation(Value, frozen=True, kw_only=True):
    """Who was let in. `temporaryPassword` is there as long as it opens: to be handed over, and changed by them."""

    clinic: Clinic
    member_id: MemberId
    temporary_password: str | None = None


class PasswordResult(Value, frozen=True, kw_only=True):
    """`temporaryPassword` is there as long as it opens: to be handed over, and changed by the member."""

    temporary_password: str | None = None


class By(TypedDict):
    clinic_id: ClinicId
    member_id: MemberId
    client_key: ClientKey


class Clinics:
    """Members' orders raise `not_found`, `forbidden`, `invalid`, `client_key_reused`, `overloaded`, and what they name.

    `secret` is what temporary passwords are derived from: the same order, repeated, answers with the same one.
    """

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        access: Access,
        passwords: Passwords,
        sessions: Sessions,
        secret: str,
    ) -> None:
        self._database = database
        self._writer = writer
        self._access = access
        self._passwords = passwords
        self._sessions = sessions
        self._secret = secret

    async def members(self, identity: Identity, clinic_id: ClinicId) -> list[MemberDetails]:
        """As admins may see them."""
        self._access.clinic(identity, clinic_id, "members.manage")
        return await self._database.read(partial(member_details, clinic_id=clinic_id))

    async def update(self, identity: Identity, order: UpdateClinicOrder) -> Clinic:
        """Raises `clinic_changed`."""
        by = self._by(identity, order, "clinic.update")
        outcome = await self._writer.execute(
            UpdateClinic(
                **by,
                name=UNSET if order.name is UNSET else clean(order.name),
                labels=UNSET if order.labels is UNSET else tuple(map(_clean_label, order.labels)),
                canned_replies=(
                    UNSET if order.canned_replies is UNSET else tuple(map(_clean_reply, order.canned_replies))
                ),
                waiting_limit_minutes=order.waiting_limit_minutes,
                hours=_in_a_known_zone(order.hours),
                expected_version=order.expected_version,
            )
        )
        return outcome.the_clinic

    async def invite(self, identity: Identity, order: InviteOrder) -> Invitation:
        """Raises `already_member`, `password_temporary`."""
        by = self._by(identity, order, "members.manage")
        email = email_from(order.email)
        password = self._temporary(by)
        outcome = await self._writer.execute(
            InviteMember(
                **by,
                email=email,
                name=name_from(order.name, otherwise=email.partition("@")[0]),
                role=order.role,
                password_hash=await self._passwords.make_hash(password),
            )
        )
        return Invitation(
            clinic=outcome.the_clinic,
            member_id=outcome.the_member_id,
            temporary_password=await self._if_it_opens(outcome.the_member_id, password),
        )

    async def update_member(self, identity: Identity, order: UpdateMemberOrder) -> Clinic:
        """Raises `clinic_changed`, `last_admin`."""
        outcome: Outcome = await self._writer.execute(
            UpdateMember(
                **self._by(identity, order, "members.manage"),
                whom=order.member_id,
                role=order.role,
                active=order.active,
                expected_version=order.expected_version,
            )
        )
        return outcome.the_clinic

    async def reset_password(self, identity: Identity, order: ResetPasswordOrder) -> PasswordResult:
        """Raises `member_shared`; `forbidden` for one's own, which is changed with the present one at hand."""
        by = self._by(identity, order, "members.manage")
        password = self._temporary(by)
        await self._writer.execute(
            ResetPassword(
                **by,
                whom=order.member_id,
                clinic_ids=frozenset({order.clinic_id}),
                password_hash=await self._passwords.make_hash(password),
            )
        )
        return PasswordResult(temporary_password=await self._if_it_opens(order.member_id, password))

    async def change_password(self, identity: Identity, order: ChangePasswordOrder) -> PasswordResult:
        """Raises `conflict` for a wrong present password, `invalid` for a new one that will not do, `rate_limited`."""
        check_new_password("newPassword", order.new_password)
        if not identity.roles:
            raise UnauthenticatedError
        await self._writer.execute(
            ChangePassword(
                clinic_id=min(identity.roles),
                member_id=identity.member_id,
                client_key=order.client_key,
                whom=identity.member_id,
                clinic_ids=frozenset(identity.roles),
                password_hash=await self._passwords.make_hash(order.new_password),
                verified_hash=await self._sessions.confirm(identity, order.current_password),
                kept_session_id=identity.session_id,
            )
        )
        return PasswordResult()

    def _by(self, identity: Identity, order: ClinicOrder, action: Action) -> By:
        return given_by(self._access, identity, order, action)

    def _temporary(self, by: By) -> str:
        """80 bits in four groups of letters and digits that nobody mistakes for each other."""
        of = f"temporary password {by['member_id']} {by['client_key']}"
        digest = hmac.digest(self._secret.encode(), of.encode(), "sha256")
        text = base64.b32encode(digest[:10]).decode().lower()
        return "-".join(text[start : start + 4] for start in range(0, 16, 4))

    async def _if_it_opens(self, member_id: MemberId, password: str) -> str | None:
        known = await self._database.read(partial(password_hash_of, member_id=member_id))
        return password if await self._passwords.verify(known, password) else None


def given_by(access: Access, identity: Identity, order: ClinicOrder, action: Action) -> By:
    """What every command about the clinic says. Raises `not_found`, `forbidden`."""
    access.clinic(identity, order.clinic_id, action)
    return By(clinic_id=order.clinic_id, member_id=identity.member_id, client_key=order.client_key)


def _clean_label(label: Label) -> Label:
    return Label(name=clean(label.name), colour=label.colour.lower())


def _clean_reply(reply: CannedReply) -> CannedReply:
    return CannedReply(shortcut=clean(reply.shortcut), title=clean(reply.title), body=clean(reply.body))


def _in_a_known_zone(hours: BusinessHours | UnsetType | None) -> BusinessHours | UnsetType | None:
    """Raises ConflictError; a system that knows no zones at all cannot judge, and takes what has their form.

    What has not is refused with the rest of the order's forms (clinic_limits.py).
    """
    zone = hours.time_zone if isinstance(hours, BusinessHours) else SOME_ZONE
    if re.fullmatch(TIME_ZONE, zone) and not _is_known(zone) and _is_known(SOME_ZONE):
        raise ConflictError(errors=[FieldError("hours.timeZone", "unknown")])
    return hours


def _is_known(time_zone: str) -> bool:
    try:
        ZoneInfo(time_zone)
    except (OSError, ValueError, KeyError):  # a folder, no path at all, not found
        return False
    return True
