"""What goes over the wire of REST alone; everything else is the same on sockets. docs/rest.md.

What members ask for are the orders of `recado.app.inbox`, what they are answered the values of `recado.domain`.
"""

from typing import Annotated

from msgspec import Meta, Struct

from recado.domain.accounts import Identity
from recado.domain.values import ClinicId, Instant, MemberId, Role, Value


class LoginRequest(Struct, frozen=True, kw_only=True):
    """E-mail and password of a member."""

    email: Annotated[str, Meta(max_length=320)]
    password: Annotated[str, Meta(max_length=1_024)]

    def __repr__(self) -> str:
        return "<LoginRequest>"


class Member(Value, frozen=True, kw_only=True):
    """The person who is logged in."""

    id: MemberId
    name: str
    email: str


class MyClinic(Value, frozen=True, kw_only=True):
    """A clinic the person belongs to, and what they are there."""

    id: ClinicId
    name: str
    role: Role


class Me(Value, frozen=True, kw_only=True):
    """Who the session belongs to. Without further use it ends at `expiresAt`; use moves that on, up to a limit.

    `passwordTemporary`: somebody else chose the member's password; they should change it.
    """

    member: Member
    clinics: list[MyClinic]
    password_temporary: bool = False
    expires_at: Instant


class LoginAnswer(Me, frozen=True, kw_only=True):
    """`token` is for `Authorization: Bearer` and is shown this once; a browser has it as the session cookie."""

    token: str


class Health(Value, frozen=True, kw_only=True):
    """`checks`: each part the server stands on, and whether it answers."""

    status: str
    checks: dict[str, bool] | None = None


def me(identity: Identity) -> Me:
    return Me(
        member=_member(identity),
        clinics=_clinics(identity),
        password_temporary=identity.password_temporary,
        expires_at=identity.expires_at,
    )


def login_answer(identity: Identity, token: str) -> LoginAnswer:
    return LoginAnswer(
        token=token,
        member=_member(identity),
        clinics=_clinics(identity),
        password_temporary=identity.password_temporary,
        expires_at=identity.expires_at,
    )


def _member(identity: Identity) -> Member:
    return Member(id=identity.member_id, name=identity.name, email=identity.email)


def _clinics(identity: Identity) -> list[MyClinic]:
    return [
        MyClinic(id=clinic_id, name=identity.clinic_names[clinic_id], role=role)
        for clinic_id, role in sorted(identity.roles.items())
    ]
