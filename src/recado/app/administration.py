"""Clinics, channels, members, passwords and the cache, by the operator at the command line: members' commands.

So a server that runs beside hears of them by the log, like any other node.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from recado.app.channels import fresh_keys
from recado.app.passwords import Passwords, check_new_password
from recado.domain.accounts import Channel
from recado.domain.clinic_commands import (
    AddChannel,
    InvalidateCache,
    InviteMember,
    OfClinic,
    ResetPassword,
    UpdateChannel,
    UpdateMember,
)
from recado.domain.clinic_limits import clinic_name
from recado.domain.tags import clinic_of
from recado.domain.text import clean, email_from, name_from
from recado.domain.values import ChannelId, ChannelKind, ClinicId, Instant, MemberId, Role
from recado.errors import (
    AlreadyMemberError,
    ConflictError,
    FieldError,
    InvalidError,
    LastAdminError,
    NotFoundError,
)
from recado.store import accounts
from recado.store.accounts import UsedChannel
from recado.store.batch import Outcome, Sources, carry_out
from recado.store.clinic import clinics_by_id
from recado.store.database import Database


def add_clinic(database: Database, name: str, now: Instant) -> ClinicId:
    name = clean(name).strip()
    if not name:
        raise InvalidError("name: must not be empty", errors=[FieldError("name", "empty")])
    with _told_as_a_line():
        name = clinic_name(name)
    return database.write_now(lambda connection: accounts.add_clinic(connection, name, now))


class NewMember(Struct, frozen=True, kw_only=True):
    clinic_id: ClinicId
    email: str
    name: str
    role: Role
    password: str

    def __repr__(self) -> str:
        return "<NewMember>"


def add_member(database: Database, passwords: Passwords, member: NewMember, sources: Sources) -> MemberId:
    """Add a person to a clinic; who serves another clinic already keeps name and password.

    Raises `not_found` (clinic), `invalid` (email, password), `conflict` (is a member already).
    """
    email = email_from(member.email)
    check_new_password("password", member.password)
    command = InviteMember(
        clinic_id=member.clinic_id,
        email=email,
        name=name_from(member.name, otherwise=email),
        role=member.role,
        password_hash=passwords.hash(member.password),
        temporary=False,
    )
    try:
        return _carry_out(database, command, sources).the_member_id
    except NotFoundError:
        raise NotFoundError("clinic: there is none with this id") from None
    except AlreadyMemberError:
        raise ConflictError("email: is a member of this clinic already") from None
    except IntegrityError:
        raise ConflictError("email: somebody adds the same person just now; try again") from None


def update_member(
    database: Database,
    clinic_id: ClinicId,
    email: str,
    sources: Sources,
    *,
    role: Role | UnsetType = UNSET,
    active: bool | UnsetType = UNSET,
) -> None:
    """Another role, access taken away or given back. Raises `not_found`, `last_admin`."""
    command = UpdateMember(clinic_id=clinic_id, whom=_member(database, email), role=role, active=active)
    try:
        _carry_out(database, command, sources)
    except NotFoundError:
        raise NotFoundError("email: is no member of this clinic") from None
    except LastAdminError:
        raise LastAdminError("email: is the clinic's last active admin") from None


def reset_password(
    database: Database, passwords: Passwords, email: str, password: str, sources: Sources
) -> None:
    """A new password for whoever has this address; all their sessions end. Raises `not_found`, `invalid`."""
    member_id = _member(database, email)
    check_new_password("password", password)
    places = database.read_now(lambda connection: accounts.clinics_of(connection, member_id))
    if not places:
        raise NotFoundError("email: is a member of no clinic")
    command = ResetPassword(
        clinic_id=min(places),
        whom=member_id,
        clinic_ids=places,
        password_hash=passwords.hash(password),
        temporary=False,
    )
    _carry_out(database, command, sources)


class NewChannel(Struct, frozen=True, kw_only=True):
    clinic_id: ClinicId
    kind: ChannelKind
    name: str
    phone_number_id: str | None = None
    outbound_url: str | None = None


def add_channel(
    database: Database, new: NewChannel, sources: Sources, random_bytes: Callable[[int], bytes]
) -> Channel:
    """Raises `not_found` (clinic), `invalid`, `conflict`."""
    command = AddChannel(
        clinic_id=new.clinic_id,
        channel_id=ChannelId(sources.new_id()),
        kind=new.kind,
        name=clean(new.name),
        phone_number_id=new.phone_number_id,
        outbound_url=new.outbound_url,
        **fresh_keys(random_bytes),
    )
    with _told_as_a_line(not_found="clinic: there is none with this id"):
        _carry_out(database, command, sources)
    known = database.read_now(lambda connection: accounts.channels_of(connection, new.clinic_id))
    return next(each for each in known if each.id == command.channel_id)


def channels_of(database: Database, clinic_id: ClinicId) -> list[UsedChannel]:
    """Raises `not_found`."""

    def read(connection: Connection) -> list[UsedChannel]:
        if not clinics_by_id(connection, [clinic_id]):
            raise NotFoundError("clinic: there is none with this id")
        return accounts.used_channels_of(connection, clinic_id)

    return database.read_now(read)


def update_channel(
    database: Database,
    clinic_id: ClinicId,
    channel_id: ChannelId,
    sources: Sources,
    *,
    outbound_url: str | UnsetType = UNSET,
    active: bool | UnsetType = UNSET,
) -> None:
    """Any address for replies; switched off, or on again. Raises `not_found`, `invalid`."""
    command = UpdateChannel(
        clinic_id=clinic_id, channel_id=channel_id, outbound_url=outbound_url, active=active
    )
    with _told_as_a_line(not_found="channel: the clinic has none with this id"):
        _carry_out(database, command, sources)


def invalidate_cache(database: Database, pattern: str, sources: Sources) -> None:
    """Raises `not_found` (clinic), `invalid`."""
    clinic_id = clinic_of(pattern)
    if clinic_id is None:
        raise InvalidError("pattern: malformed", errors=[FieldError("pattern", "malformed")])
    with _told_as_a_line(not_found="clinic: there is none with this id"):
        _carry_out(database, InvalidateCache(clinic_id=clinic_id, pattern=pattern), sources)


@contextmanager
def _told_as_a_line(*, not_found: str | None = None) -> Iterator[None]:
    """What the rules refuse, by option instead of by path."""
    try:
        yield
    except NotFoundError:
        raise NotFoundError(not_found) from None
    except (InvalidError, ConflictError) as error:
        told = "; ".join(f"{each.path}: {each.code}" for each in error.errors)
        raise type(error)(told, errors=error.errors) from None


def _member(database: Database, email: str) -> MemberId:
    known = database.read_now(lambda connection: accounts.credentials_of(connection, email_from(email)))
    if known is None:
        raise NotFoundError("email: nobody has this address")
    return known.member_id


def _carry_out(database: Database, command: OfClinic, sources: Sources) -> Outcome:
    def work(connection: Connection) -> Outcome:
        [outcome] = carry_out(connection, [command], sources).outcomes
        if not isinstance(outcome, Outcome):
            raise outcome
        return outcome

    return database.write_now(work)
