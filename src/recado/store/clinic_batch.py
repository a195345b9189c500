"""A batch's commands about clinics themselves: loaded, decided and evolved in turn, saved. docs/store.md.

Costs a batch without such commands nothing. The records go the way of all others (changes.py): one log per clinic.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec import Struct, field, to_builtins
from msgspec.structs import asdict, replace
from sqlalchemy import Connection, delete, exists, select

from recado.domain.accounts import Channel
from recado.domain.clinic import Clinic
from recado.domain.clinic_commands import (
    ChannelCommand,
    ClinicCommand,
    InviteMember,
    OfClinic,
    PasswordCommand,
    ResetPassword,
    UpdateMember,
)
from recado.domain.clinic_events import (
    ChannelAdded,
    ChannelUpdated,
    ClinicEvent,
    ClinicUpdated,
    MemberInvited,
    MemberUpdated,
    PasswordChanged,
    PasswordReset,
    clinic_facts_of,
)
from recado.domain.clinic_rules import Office, Person, decide_clinic, evolve_clinic
from recado.domain.commands import Command, key_of
from recado.domain.events import Record
from recado.domain.packets import ClinicTold
from recado.domain.values import ChannelId, ClinicId, Instant, MemberId, Seq
from recado.errors import ClientKeyReusedError, NotFoundError
from recado.store.bulk import insert_rows, update_rows
from recado.store.changes import Changes, Rows
from recado.store.clinic import clinics_by_id, people
from recado.store.rows import channel_from
from recado.store.tables import channels, clinic_settings, clinics, members, memberships, sessions
from recado.store.working_set import WorkingSet


class Settled(Struct, frozen=True, kw_only=True):
    """A clinic command's result. `member_id` is whom it let in, if that is what it did."""

    clinic: Clinic
    member_id: MemberId | None
    seq: Seq
    repeated: bool = False


class Offices(Struct, kw_only=True):
    """The clinics and people that a batch's clinic commands name, and what the commands change of them."""

    clinics: dict[ClinicId, Clinic]
    people: dict[str, Person]
    """By id and by e-mail address."""
    channels: dict[ChannelId, Channel] = field(default_factory=dict)
    """All of the clinics that a command about a channel names."""
    names: dict[ClinicId, str] = field(default_factory=dict)
    changed: set[ClinicId] = field(default_factory=set)
    new_members: Rows = field(default_factory=list)
    new_memberships: Rows = field(default_factory=list)
    memberships: Rows = field(default_factory=list)
    passwords: Rows = field(default_factory=list)
    new_channels: set[ChannelId] = field(default_factory=set)
    changed_channels: set[ChannelId] = field(default_factory=set)
    kept_sessions: list[str] = field(default_factory=list)
    deactivated: list[MemberId] = field(default_factory=list)

    def carry_out(
        self,
        found: WorkingSet,
        changes: Changes,
        command: OfClinic,
        *,
        at: Instant,
        new_id: Callable[[], str],
        random_62_bits: Callable[[], int],
    ) -> Settled:
        """Decide `command` and note what it changes. Raises its refusal."""
        clinic = self.clinics.get(command.clinic_id)
        if clinic is None:
            raise NotFoundError
        if repeated := self._first_result(found, clinic, command):
            return repeated
        person = self.people.get(_whom(command))
        invited = None
        ours = tuple(each for each in self.channels.values() if each.clinic_id == clinic.id)
        office = Office(clinic=clinic, person=person, channels=ours)
        for event in decide_clinic(office, command, new_id):
            self._note(command, event, at)
            invited = event.member_id if isinstance(event, MemberInvited) else None
            for clinic_id in sorted(_places(command).intersection(found.clinics)):
                record = _number(found, clinic_id, command, event, at, random_62_bits())
                after = evolve_clinic(self.clinics[clinic_id], event, record.seq)
                self._keep(found, after)
                changes.told.append(ClinicTold(record=record, clinic=after))
        if key := key_of(command):
            changes.remember(found, key, command.clinic_id)
        seq = found.clinics[command.clinic_id].seq
        return Settled(clinic=self.clinics[command.clinic_id], member_id=invited, seq=seq)

    def save(self, connection: Connection) -> None:
        """Write every row: people before memberships, memberships before the sessions that end with them."""
        insert_rows(connection, members, self.new_members)
        insert_rows(connection, memberships, self.new_memberships)
        update_rows(connection, memberships, self.memberships)
        update_rows(connection, members, self.passwords)
        self._save_channels(connection)
        update_rows(connection, clinics, [{"id": id_, "name": name} for id_, name in self.names.items()])
        self._save_settings(connection)
        self._end_sessions(connection)

    def _first_result(self, found: WorkingSet, clinic: Clinic, command: OfClinic) -> Settled | None:
        key = key_of(command)
        known = found.first_result(key) if key else None
        if key is None or known is None:
            return None
        person = self.people.get(_whom(command)) if isinstance(command, InviteMember) else None
        of_another = isinstance(command, InviteMember) and (person is None or not clinic.member(person.id))
        if known.purpose != key.purpose or of_another:
            raise ClientKeyReusedError
        return Settled(
            clinic=clinic, member_id=person.id if person else None, seq=clinic.version, repeated=True
        )

    def _note(self, command: OfClinic, event: ClinicEvent, at: Instant) -> None:
        """Collect the rows that one event changes, beside the clinic's own."""
        match event:
            case ClinicUpdated(name=str(name)):
                self.names[command.clinic_id] = name
            case MemberInvited() if isinstance(command, InviteMember):
                self._let_in(command, event, at)
            case MemberUpdated():
                self.memberships.append(
                    {
                        "member_id": event.member_id,
                        "clinic_id": command.clinic_id,
                        "role": event.role_after,
                        "active": event.active_after,
                    }
                )
                if not event.active_after:
                    self.deactivated.append(event.member_id)
            case PasswordReset() | PasswordChanged() if isinstance(command, PasswordCommand):
                self._set_password(command, event)
            case ChannelAdded():
                self.channels[event.channel.id] = event.channel
                self.new_channels.add(event.channel.id)
            case ChannelUpdated():
                self.channels[event.after.id] = event.after
                self.changed_channels.add(event.after.id)

    def _let_in(self, command: InviteMember, event: MemberInvited, at: Instant) -> None:
        if not event.known:
            self.new_members.append(
                {
                    "id": event.member_id,
                    "email": command.email,
                    "name": event.name,
                    "password_hash": command.password_hash,
                    "password_temporary": command.temporary,
                    "created_at": at,
                }
            )
        membership = {"member_id": event.member_id, "clinic_id": command.clinic_id}
        self.new_memberships.append({**membership, "role": event.role, "active": True})
        before = self.people.get(command.email)
        self.people[event.member_id] = self.people[command.email] = Person(
            id=event.member_id,
            name=event.name,
            password_hash=before.password_hash if before else command.password_hash,
            password_temporary=before.password_temporary if before else command.temporary,
            clinic_ids=(before.clinic_ids if before else frozenset()) | {command.clinic_id},
        )

    def _set_password(self, command: PasswordCommand, event: PasswordReset | PasswordChanged) -> None:
        person = replace(
            self.people[event.member_id],
            password_hash=command.password_hash,
            password_temporary=isinstance(command, ResetPassword) and command.temporary,
        )
        self.people = {key: person if each.id == person.id else each for key, each in self.people.items()}
        self.passwords.append(
            {
                "id": person.id,
                "password_hash": command.password_hash,
                "password_temporary": person.password_temporary,
            }
        )
        if isinstance(event, PasswordChanged):
            self.kept_sessions.append(event.kept_session_id)

    def _keep(self, found: WorkingSet, clinic: Clinic) -> None:
        """The batch's next commands see it, those about conversations too."""
        if clinic == self.clinics[clinic.id]:
            return
        self.clinics[clinic.id] = clinic
        self.changed.add(clinic.id)
        found.labels[clinic.id] = frozenset(label.name for label in clinic.labels)
        staff = {(clinic.id, each.id) for each in clinic.members}
        active = {(clinic.id, each.id) for each in clinic.members if each.active}
        found.members = found.members - staff | active

    def _save_channels(self, connection: Connection) -> None:
        for save, ids in (
            (insert_rows, self.new_channels),
            (update_rows, self.changed_channels - self.new_channels),
        ):
            save(connection, channels, [asdict(self.channels[id_]) for id_ in sorted(ids)])

    def _save_settings(self, connection: Connection) -> None:
        if not self.changed:
            return
        query = select(clinic_settings.c.clinic_id).where(clinic_settings.c.clinic_id.in_(self.changed))
        known = set(connection.execute(query).scalars())
        rows = [_settings_row(self.clinics[id_]) for id_ in sorted(self.changed)]
        insert_rows(connection, clinic_settings, [row for row in rows if row["clinic_id"] not in known])
        update_rows(connection, clinic_settings, [row for row in rows if row["clinic_id"] in known])

    def _end_sessions(self, connection: Connection) -> None:
        """Of a new password all but the one that asked for it; of who may in nowhere any more, all."""
        if self.passwords:
            theirs = sessions.c.member_id.in_([row["id"] for row in self.passwords])
            connection.execute(delete(sessions).where(theirs, sessions.c.id.not_in(self.kept_sessions)))
        if self.deactivated:
            elsewhere = exists().where(memberships.c.member_id == sessions.c.member_id, memberships.c.active)
            theirs = sessions.c.member_id.in_(self.deactivated)
            connection.execute(delete(sessions).where(theirs, ~elsewhere))


def load_offices(connection: Connection, commands: Sequence[Command]) -> Offices:
    """Five statements, however many clinic commands there are; without one, none."""
    ours = [command for command in commands if isinstance(command, ClinicCommand)]
    if not ours:
        return Offices(clinics={}, people={})
    named = {_whom(command) for command in ours if not isinstance(command, InviteMember)}
    emails = {_whom(command) for command in ours if isinstance(command, InviteMember)}
    places = set().union(*(_places(command) for command in ours))
    return Offices(
        clinics=clinics_by_id(connection, places),
        people=people(connection, {MemberId(id_) for id_ in named if id_}, emails),
        channels=_channels(connection, {each.clinic_id for each in ours if isinstance(each, ChannelCommand)}),
    )


def _channels(connection: Connection, clinic_ids: Collection[ClinicId]) -> dict[ChannelId, Channel]:
    if not clinic_ids:
        return {}
    query = select(channels).where(channels.c.clinic_id.in_(clinic_ids))
    return {row["id"]: channel_from(row) for row in connection.execute(query).mappings()}


def _whom(command: OfClinic) -> str:
    """Under what `people` knows whom the command names; "" if it names nobody."""
    match command:
        case InviteMember():
            return command.email
        case UpdateMember() | PasswordCommand():
            return command.whom
        case _:
            return ""


def _places(command: OfClinic) -> frozenset[ClinicId]:
    """The clinics that are told."""
    return frozenset({command.clinic_id}) | (
        command.clinic_ids if isinstance(command, PasswordCommand) else frozenset()
    )


def _number(
    found: WorkingSet, clinic_id: ClinicId, command: OfClinic, event: ClinicEvent, at: Instant, record_id: int
) -> Record:
    """Give the event the clinic's next number and chain it to the record before."""
    seq, prev = found.clinics[clinic_id].advance(record_id)
    return Record(
        clinic_id=clinic_id,
        seq=seq,
        id=record_id,
        prev=prev,
        type=type(event).__name__,
        conversation_id=None,
        message_id=None,
        member_id=command.member_id,
        client_key=command.client_key if clinic_id == command.clinic_id else None,
        facts=clinic_facts_of(event),
        at=at,
    )


def _settings_row(clinic: Clinic) -> dict[str, Any]:
    return {
        "clinic_id": clinic.id,
        "labels": to_builtins(clinic.labels),
        "canned_replies": to_builtins(clinic.canned_replies),
        "waiting_limit_minutes": clinic.waiting_limit_minutes,
        "hours": to_builtins(clinic.hours),
        "version": clinic.version,
    }
