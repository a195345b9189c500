"""Reading what clinics keep: the whole versioned value, what admins may see, and whom a command names."""

from collections.abc import Collection

from msgspec import convert
from sqlalchemy import Connection, bindparam, or_, select

from recado.domain.clinic import BusinessHours, CannedReply, Clinic, ClinicMember, Label, MemberDetails
from recado.domain.clinic_rules import Person
from recado.domain.values import ClinicId, MemberId, Seq
from recado.store.bulk import among, wanted
from recado.store.tables import clinic_settings, clinics, members, memberships

_NEWER = select(clinic_settings.c.version).where(
    clinic_settings.c.clinic_id == bindparam("clinic"), clinic_settings.c.version > bindparam("after")
)
_CLINICS = (
    select(
        clinics.c.id,
        clinics.c.name,
        clinic_settings.c.labels,
        clinic_settings.c.canned_replies,
        clinic_settings.c.waiting_limit_minutes,
        clinic_settings.c.hours,
        clinic_settings.c.version,
    )
    .outerjoin(clinic_settings, clinic_settings.c.clinic_id == clinics.c.id)
    .where(among(clinics.c.id))
)
_STAFF = (
    select(memberships.c.clinic_id, members.c.id, members.c.name, memberships.c.role, memberships.c.active)
    .join(members, members.c.id == memberships.c.member_id)
    .where(among(memberships.c.clinic_id))
    .order_by(members.c.id)
)
_LABELS_OF = select(clinic_settings.c.clinic_id, clinic_settings.c.labels).where(
    among(clinic_settings.c.clinic_id)
)
_LABELS, _CANNED_REPLIES, _HOURS = tuple[Label, ...], tuple[CannedReply, ...], BusinessHours | None


def clinics_by_id(connection: Connection, ids: Collection[ClinicId]) -> dict[ClinicId, Clinic]:
    """Two statements, however many clinics."""
    asked = wanted((id_,) for id_ in ids)
    staff: dict[ClinicId, list[ClinicMember]] = {}
    for row in connection.execute(_STAFF, asked):
        member = ClinicMember(id=row.id, name=row.name, role=row.role, active=row.active)
        staff.setdefault(row.clinic_id, []).append(member)
    return {
        row.id: Clinic(
            id=row.id,
            name=row.name,
            members=tuple(staff.get(row.id, ())),
            labels=convert(row.labels or (), _LABELS),
            canned_replies=convert(row.canned_replies or (), _CANNED_REPLIES),
            waiting_limit_minutes=row.waiting_limit_minutes,
            hours=convert(row.hours, _HOURS),
            version=row.version or Seq(0),
        )
        for row in connection.execute(_CLINICS, asked)
    }


def clinic_after(connection: Connection, clinic_id: ClinicId, seq: Seq) -> Clinic | None:
    """The clinic, if it changed after `seq`."""
    if connection.execute(_NEWER, {"clinic": clinic_id, "after": seq}).first() is None:
        return None
    return clinics_by_id(connection, [clinic_id])[clinic_id]


def label_names(connection: Connection, ids: Collection[ClinicId]) -> dict[ClinicId, frozenset[str]]:
    """What these clinics label with; a clinic without a list has none here."""
    return {
        row.clinic_id: frozenset(label["name"] for label in row.labels)
        for row in connection.execute(_LABELS_OF, wanted((id_,) for id_ in ids))
    }


def member_details(connection: Connection, clinic_id: ClinicId) -> list[MemberDetails]:
    """In order of id; who is deactivated too."""
    query = (
        select(members.c.id, members.c.name, members.c.email, memberships.c.role, memberships.c.active)
        .join(members, members.c.id == memberships.c.member_id)
        .where(memberships.c.clinic_id == clinic_id)
        .order_by(members.c.id)
    )
    return [MemberDetails(**row) for row in connection.execute(query).mappings()]


def people(connection: Connection, ids: Collection[MemberId], emails: Collection[str]) -> dict[str, Person]:
    """Those with one of these ids or (lower-case) addresses, by id and by address. Two statements at most.

    Their rows are locked, in order of id and after the clinics': two clinics must not judge one person at once.
    """
    query = (
        select(
            members.c.id,
            members.c.email,
            members.c.name,
            members.c.password_hash,
            members.c.password_temporary,
        )
        .where(or_(members.c.id.in_(ids), members.c.email.in_(emails)))
        .order_by(members.c.id)
        .with_for_update(key_share=True)
    )
    found = connection.execute(query).all()
    places: dict[MemberId, set[ClinicId]] = {row.id: set() for row in found}
    if found:
        theirs = memberships.c.member_id.in_(places)
        where = select(memberships.c.member_id, memberships.c.clinic_id).where(theirs)
        for member_id, clinic_id in connection.execute(where):
            places[member_id].add(clinic_id)
    by_either: dict[str, Person] = {}
    for row in found:
        by_either[row.id] = by_either[row.email] = Person(
            id=row.id,
            name=row.name,
            password_hash=row.password_hash,
            password_temporary=row.password_temporary,
            clinic_ids=frozenset(places[row.id]),
        )
    return by_either
