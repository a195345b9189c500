"""The orders that change what a clinic keeps. Pure. `clinic_rules.py` answers them; who may is in access.py.

Given again under its key, a command answers with what there is now and changes nothing, as those of an inbox do.
"""

from msgspec import UNSET, Struct, UnsetType

from recado.domain.clinic import BusinessHours, CannedReply, Label
from recado.domain.values import ChannelId, ChannelKind, ClientKey, ClinicId, MemberId, Role, Seq


class ClinicCommand(Struct, frozen=True, kw_only=True):
    """`member_id` is who gives the order; without one it is the operator, at the command line, who needs no key."""

    clinic_id: ClinicId
    member_id: MemberId | None = None
    client_key: ClientKey | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UpdateClinic(ClinicCommand, frozen=True, kw_only=True):
    """What is UNSET stays; a list replaces the whole list; None takes away."""

    name: str | UnsetType = UNSET
    labels: tuple[Label, ...] | UnsetType = UNSET
    canned_replies: tuple[CannedReply, ...] | UnsetType = UNSET
    waiting_limit_minutes: int | UnsetType | None = UNSET
    hours: BusinessHours | UnsetType | None = UNSET
    expected_version: Seq | None = None


class InviteMember(ClinicCommand, frozen=True, kw_only=True):
    """Let a person in. Who is new gets `name` and `password_hash`; who serves another clinic keeps theirs."""

    email: str
    name: str
    role: Role
    password_hash: str
    temporary: bool = True


class UpdateMember(ClinicCommand, frozen=True, kw_only=True):
    """Give `whom` another role, or take their access away, or give it back."""

    whom: MemberId
    role: Role | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    expected_version: Seq | None = None


class PasswordCommand(ClinicCommand, frozen=True, kw_only=True):
    """A new password for `whom`. It is told in all of `clinic_ids`, so that every server hears that sessions end."""

    whom: MemberId
    clinic_ids: frozenset[ClinicId]
    password_hash: str


class ResetPassword(PasswordCommand, frozen=True, kw_only=True):
    """By an admin, or the operator. All sessions of `whom` end."""

    temporary: bool = True


class ChangePassword(PasswordCommand, frozen=True, kw_only=True):
    """By the member. `verified_hash` is the hash that the present password was found to fit, None if it did not.

    The session that asks goes on, all others end.
    """

    verified_hash: str | None
    kept_session_id: str


class ChannelCommand(ClinicCommand, frozen=True, kw_only=True):
    channel_id: ChannelId


class AddChannel(ChannelCommand, frozen=True, kw_only=True):
    """A way to patients, under a new id.

    The fresh ones are ours: a generic channel without a `secret` gets one of them, a WhatsApp channel the other.
    """

    kind: ChannelKind
    name: str
    secret: str | None = None
    phone_number_id: str | None = None
    access_token: str | None = None
    outbound_url: str | None = None
    fresh_secret: str
    fresh_verify_token: str


class UpdateChannel(ChannelCommand, frozen=True, kw_only=True):
    """What is UNSET stays; None takes away."""

    name: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    secret: str | UnsetType = UNSET
    phone_number_id: str | UnsetType | None = UNSET
    access_token: str | UnsetType | None = UNSET
    outbound_url: str | UnsetType | None = UNSET


class RotateSecret(ChannelCommand, frozen=True, kw_only=True):
    """What we made is made anew: a generic channel's secret, a WhatsApp channel's verify token."""

    fresh_secret: str
    fresh_verify_token: str


class InvalidateCache(ClinicCommand, frozen=True, kw_only=True):
    """Believe no cached answer that `pattern` names and that is older than the order, on any node."""

    pattern: str


OfChannel = AddChannel | UpdateChannel | RotateSecret
OfClinic = (
    UpdateClinic | InviteMember | UpdateMember | ResetPassword | ChangePassword | OfChannel | InvalidateCache
)
