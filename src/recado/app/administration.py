"""Making clinics and members, for the command line. The settings pages come with their own commands."""

from collections.abc import Callable

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from recado.app.passwords import MIN_PASSWORD_CHARS, Passwords
from recado.domain.text import clean
from recado.domain.values import ClinicId, Instant, MemberId, Role
from recado.errors import ConflictError, FieldError, InvalidError, NotFoundError
from recado.store import accounts
from recado.store.database import Database


def add_clinic(database: Database, name: str, now: Instant) -> ClinicId:
    name = clean(name).strip()
    if not name:
        raise InvalidError("name: must not be empty", errors=[FieldError("name", "empty")])
    return database.write_now(lambda connection: accounts.add_clinic(connection, name, now))


class NewMember(Struct, frozen=True, kw_only=True):
    clinic_id: ClinicId
    email: str
    name: str
    role: Role
    password: str

    def __repr__(self) -> str:
        return "<NewMember>"


def add_member(
    database: Database, passwords: Passwords, member: NewMember, now: Instant, new_id: Callable[[], str]
) -> MemberId:
    """Add a person to a clinic; who serves another clinic already keeps name and password.

    Raises `not_found` (clinic), `invalid` (email, password), `conflict` (is a member already).
    """
    email = clean(member.email).strip().lower()
    if email.count("@") != 1 or email.startswith("@") or email.endswith("@"):
        raise InvalidError("email: must look like name@host", errors=[FieldError("email", "malformed")])
    if len(member.password) < MIN_PASSWORD_CHARS:
        raise InvalidError(
            f"password: must have at least {MIN_PASSWORD_CHARS} characters",
            errors=[FieldError("password", "too_short")],
        )
    password_hash = passwords.hash(member.password)

    def work(connection: Connection) -> MemberId:
        if not accounts.clinic_exists(connection, member.clinic_id):
            raise NotFoundError("clinic: there is none with this id")
        known = accounts.credentials_of(connection, email)
        member_id = known.member_id if known else MemberId(new_id())
        if not known:
            name = clean(member.name).strip() or email
            accounts.add_member(connection, member_id, email, name, password_hash, now)
        accounts.add_membership(connection, member_id, member.clinic_id, member.role)
        return member_id

    try:
        return database.write_now(work)
    except IntegrityError:
        raise ConflictError("email: is a member of this clinic already") from None
