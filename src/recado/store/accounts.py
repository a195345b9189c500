"""Statements about clinics, members, sessions and channels."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from recado.domain.accounts import Channel, Identity
from recado.domain.values import ChannelId, ClinicId, Instant, MemberId, Role
from recado.store.bulk import among, wanted
from recado.store.postgres import PREPARED_AFTER
from recado.store.rows import channel_from
from recado.store.tables import channels, clinics, members, memberships, sessions


class Credentials(NamedTuple):
    member_id: MemberId
    password_hash: str


class UsedChannel(NamedTuple):
    """A channel, and when something last went in and out by it."""

    channel: Channel
    last_inbound_at: Instant | None
    last_outbound_at: Instant | None


class SessionRow(NamedTuple):
    id: str
    member_id: MemberId
    seen_at: Instant
    ends_at: Instant


# What every socket that connects asks, built once: building a statement takes longer than running it.
_SESSION = select(sessions.c.id, sessions.c.member_id, sessions.c.seen_at, sessions.c.ends_at).where(
    sessions.c.token_hash == bindparam("token")
)
_LEFT = select(sessions.c.id).where(among(sessions.c.id))
_CHANNELS = select(channels).where(among(channels.c.id))
_MEMBER = select(members).where(members.c.id == bindparam("member"))
_PLACES = (
    select(memberships.c.clinic_id, memberships.c.role, clinics.c.name)
    .join(clinics, clinics.c.id == memberships.c.clinic_id)
    .where(memberships.c.member_id == bindparam("member"), memberships.c.active)
    .order_by(memberships.c.clinic_id)
)


def add_clinic(connection: Connection, name: str, now: Instant) -> ClinicId:
    result = connection.execute(insert(clinics).values(name=name, created_at=now).returning(clinics.c.id))
    return ClinicId(result.scalar_one())


def clinic_by_name(connection: Connection, name: str) -> ClinicId | None:
    query = select(clinics.c.id).where(clinics.c.name == name).order_by(clinics.c.id).limit(1)
    return connection.execute(query).scalar_one_or_none()


def log_has_begun(connection: Connection, clinic_id: ClinicId) -> bool:
    return bool(connection.execute(select(clinics.c.seq).where(clinics.c.id == clinic_id)).scalar_one())


def add_member(
    connection: Connection, member_id: MemberId, email: str, name: str, password_hash: str, now: Instant
) -> None:
    connection.execute(
        insert(members).values(
            id=member_id, email=email.lower(), name=name, password_hash=password_hash, created_at=now
        )
    )


def add_membership(connection: Connection, member_id: MemberId, clinic_id: ClinicId, role: Role) -> None:
    connection.execute(insert(memberships).values(member_id=member_id, clinic_id=clinic_id, role=role))


def credentials_of(connection: Connection, email: str, *, locked: bool = False) -> Credentials | None:
    """`locked`: they stay so until the transaction ends."""
    query = select(members.c.id, members.c.password_hash).where(members.c.email == email.lower())
    row = connection.execute(query.with_for_update(read=True) if locked else query).one_or_none()
    return Credentials(row.id, row.password_hash) if row else None


def password_hash_of(connection: Connection, member_id: MemberId) -> str | None:
    return connection.execute(select(members.c.password_hash).where(members.c.id == member_id)).scalar()


def clinics_of(connection: Connection, member_id: MemberId) -> frozenset[ClinicId]:
    """Where somebody is a member, deactivated or not."""
    query = select(memberships.c.clinic_id).where(memberships.c.member_id == member_id)
    return frozenset(connection.execute(query).scalars())


def set_password_hash(connection: Connection, member_id: MemberId, password_hash: str) -> None:
    connection.execute(update(members).where(members.c.id == member_id).values(password_hash=password_hash))


def add_session(connection: Connection, token_hash: str, row: SessionRow) -> None:
    connection.execute(
        insert(sessions).values(
            token_hash=token_hash,
            id=row.id,
            member_id=row.member_id,
            created_at=row.seen_at,
            seen_at=row.seen_at,
            ends_at=row.ends_at,
        )
    )


def session_of(connection: Connection, token_hash: str) -> SessionRow | None:
    row = connection.execute(_SESSION, {"token": token_hash}).one_or_none()
    return SessionRow(*row) if row else None


def prepare(connection: Connection) -> None:
    """Ask who somebody is until these statements are prepared."""
    for _ in range(PREPARED_AFTER):
        session_of(connection, "")
        for statement in (_MEMBER, _PLACES):
            connection.execute(statement, {"member": ""}).all()


def touch_session(connection: Connection, session_id: str, now: Instant) -> None:
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


def end_session(connection: Connection, session_id: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.id == session_id))


def sessions_left(connection: Connection, session_ids: Iterable[str]) -> frozenset[str]:
    """Those of `session_ids` that nobody has ended."""
    asked = wanted([(session_id,) for session_id in session_ids])
    return frozenset(connection.execute(_LEFT, asked).scalars())


def forget_sessions(connection: Connection, seen_before: Instant, now: Instant) -> None:
    """Delete the sessions that are over, whether by idleness or by age."""
    connection.execute(
        delete(sessions).where((sessions.c.seen_at < seen_before) | (sessions.c.ends_at < now))
    )


def identity_of(
    connection: Connection, member_id: MemberId, session_id: str, expires_at: Instant
) -> Identity:
    """Who a member is today; raises NoResultFound if there is no such member."""
    member = connection.execute(_MEMBER, {"member": member_id}).one()
    places = connection.execute(_PLACES, {"member": member_id}).all()
    return Identity(
        session_id=session_id,
        member_id=member_id,
        name=member.name,
        email=member.email,
        roles={place.clinic_id: place.role for place in places},
        clinic_names={place.clinic_id: place.name for place in places},
        password_temporary=member.password_temporary,
        expires_at=expires_at,
    )


def put_channel(connection: Connection, channel: Channel) -> None:
    """Add the channel, or give the one with its id these settings."""
    values = {name: getattr(channel, name) for name in channel.__struct_fields__}
    known = channel_by_id(connection, channel.id) is not None
    statement = update(channels).where(channels.c.id == channel.id) if known else insert(channels)
    connection.execute(statement.values(values))


def channel_by_id(connection: Connection, channel_id: ChannelId) -> Channel | None:
    row = connection.execute(select(channels).where(channels.c.id == channel_id)).mappings().one_or_none()
    return channel_from(row) if row else None


def channels_by_id(connection: Connection, channel_ids: Iterable[ChannelId]) -> list[Channel]:
    asked = wanted([(id_,) for id_ in channel_ids])
    return [channel_from(row) for row in connection.execute(_CHANNELS, asked).mappings()]


def channels_of(connection: Connection, clinic_id: ClinicId) -> list[Channel]:
    query = select(channels).where(channels.c.clinic_id == clinic_id).order_by(channels.c.id)
    return [channel_from(row) for row in connection.execute(query).mappings()]


def used_channels_of(connection: Connection, clinic_id: ClinicId) -> list[UsedChannel]:
    query = select(channels).where(channels.c.clinic_id == clinic_id).order_by(channels.c.id)
    return [
        UsedChannel(channel_from(row), row["last_inbound_at"], row["last_outbound_at"])
        for row in connection.execute(query).mappings()
    ]
