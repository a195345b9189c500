"""The demo: two clinics, three members, four channels and six conversations, made once.

Passwords and channel keys are derived from RECADO_SECRET, so that they can be printed again and differ everywhere.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.resources import files
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from recado.app.passwords import Passwords
from recado.domain.accounts import Channel
from recado.domain.clinic import BusinessHours, CannedReply, Label
from recado.domain.clinic_commands import UpdateClinic
from recado.domain.commands import Command, MarkRead, ReceiveMessage, RecordDelivery, SendMessage
from recado.domain.instants import shift
from recado.domain.values import (
    ChannelId,
    ChannelKind,
    ClientKey,
    ClinicId,
    Conversation,
    ConversationId,
    Instant,
    MemberId,
    Message,
    Role,
    Seq,
)
from recado.store import accounts
from recado.store.batch import Outcome, Sources, carry_out
from recado.store.clinic import clinics_by_id
from recado.store.database import Database

STANDIN_URL = "http://127.0.0.1:8009"
"""Where the demo's channels send to until a stand-in says otherwise."""


class DemoMember(Struct, frozen=True, rename="camel"):
    clinic_id: ClinicId
    email: str
    password: str
    role: Role
    name: str

    def __repr__(self) -> str:
        return f"<DemoMember {self.email}>"


class DemoChannel(Struct, frozen=True, rename="camel"):
    clinic_id: ClinicId
    id: ChannelId
    kind: ChannelKind
    secret: str
    verify_token: str | None
    phone_number_id: str | None

    def __repr__(self) -> str:
        return f"<DemoChannel {self.id}>"


class Demo(Struct, frozen=True, rename="camel"):
    """What `recado demo --json` prints."""

    url: str
    members: list[DemoMember]
    channels: list[DemoChannel]


class _Person(NamedTuple):
    clinic: int
    email: str
    name: str
    role: Role


CLINICS = ("Clínica Ipê", "Clínica Aroeira")
PEOPLE = (
    _Person(0, "ana@ipe.example", "Ana Ribeiro", "admin"),
    _Person(0, "bruno@ipe.example", "Bruno Tavares", "agent"),
    _Person(1, "carla@aroeira.example", "Carla Nunes", "admin"),
)
CHANNELS: Mapping[ChannelKind, str] = {"generic": "Site", "whatsapp": "WhatsApp da recepção"}
PHONE_NUMBER_IDS = ("106540352242922", "106540352242923")


class _Line(Struct, frozen=True):
    at: int
    by: str
    text: str
    note: bool = False


class _Talk(Struct, frozen=True):
    channel: ChannelKind
    name: str
    address: str
    lines: list[_Line]


class _Talks(Struct, frozen=True):
    conversations: list[_Talk]


class _Settings(Struct, frozen=True, rename="camel"):
    labels: tuple[Label, ...]
    canned_replies: tuple[CannedReply, ...]
    waiting_limit_minutes: int
    hours: BusinessHours


class DemoMaker:
    """Runs synchronously, before anything is served or beside a server that is."""

    def __init__(self, database: Database, passwords: Passwords, secret: str, sources: Sources) -> None:
        self._database = database
        self._passwords = passwords
        self._secret = secret
        self._sources = sources

    def make(self, url: str, standin_url: str | None) -> Demo:
        """Create what is missing and tell all of it. `standin_url` None leaves the channels as they are."""
        clinic_ids = [self._clinic(name) for name in CLINICS]
        member_ids = {person.email: self._member(person, clinic_ids[person.clinic]) for person in PEOPLE}
        channels = [
            channel
            for number, clinic_id in enumerate(clinic_ids)
            for channel in self._channels(number, clinic_id, standin_url)
        ]
        staff = {
            person.email.partition("@")[0]: (member_ids[person.email], person.name)
            for person in PEOPLE
            if person.clinic == 0
        }
        self._database.write_now(partial(self._talk, channels={c.kind: c for c in channels[:2]}, staff=staff))
        for clinic_id in clinic_ids:
            self._database.write_now(partial(self._settle, clinic_id=clinic_id))
        return Demo(
            url=url,
            members=[
                DemoMember(clinic_ids[p.clinic], p.email, self._derive("password", p.email), p.role, p.name)
                for p in PEOPLE
            ],
            channels=[
                DemoChannel(c.clinic_id, c.id, c.kind, c.secret, c.verify_token, c.phone_number_id)
                for c in channels
            ],
        )

    def _derive(self, purpose: str, of: str) -> str:
        digest = hmac.new(self._secret.encode(), f"demo {purpose} {of}".encode(), hashlib.sha256).digest()
        return base64.b32encode(digest[:15]).decode().lower()

    def _clinic(self, name: str) -> ClinicId:
        def work(connection: Connection) -> ClinicId:
            return accounts.clinic_by_name(connection, name) or accounts.add_clinic(
                connection, name, self._sources.now()
            )

        return self._database.write_now(work)

    def _member(self, person: _Person, clinic_id: ClinicId) -> MemberId:
        found = self._database.read_now(partial(accounts.credentials_of, email=person.email))
        if found:
            return found.member_id
        member_id = MemberId(self._sources.new_id())
        password_hash = self._passwords.hash(self._derive("password", person.email))

        def work(connection: Connection) -> None:
            accounts.add_member(
                connection, member_id, person.email, person.name, password_hash, self._sources.now()
            )
            accounts.add_membership(connection, member_id, clinic_id, person.role)

        self._database.write_now(work)
        return member_id

    def _channels(self, number: int, clinic_id: ClinicId, standin_url: str | None) -> Iterator[Channel]:
        """The clinic's two channels, pointed at the stand-in. An admin may have changed their secret, or their name."""
        there = self._database.read_now(partial(accounts.channels_of, clinic_id=clinic_id))
        for kind, name in CHANNELS.items():
            new = self._new_channel(number, clinic_id, kind, name)
            known = next((each for each in there if new.secret == each.secret or name == each.name), None)
            channel = known or new
            path = f"generic/{channel.id}" if kind == "generic" else "whatsapp"
            if standin_url or channel.outbound_url is None:
                channel = replace(channel, outbound_url=f"{(standin_url or STANDIN_URL).rstrip('/')}/{path}")
            if channel != known:
                self._database.write_now(partial(accounts.put_channel, channel=channel))
            yield channel

    def _new_channel(self, number: int, clinic_id: ClinicId, kind: ChannelKind, name: str) -> Channel:
        of = f"{number} {kind}"
        secret = self._derive("secret", of)
        generic = kind == "generic"
        return Channel(
            id=ChannelId(self._sources.new_id()),
            clinic_id=clinic_id,
            kind=kind,
            name=name,
            secret=f"whsec_{base64.b64encode(secret.encode()).decode()}" if generic else secret,
            verify_token=None if generic else self._derive("verify token", of),
            phone_number_id=None if generic else PHONE_NUMBER_IDS[number],
            access_token=None if generic else self._derive("access token", of),
        )

    def _talk(
        self,
        connection: Connection,
        channels: dict[ChannelKind, Channel],
        staff: dict[str, tuple[MemberId, str]],
    ) -> None:
        """Let the six conversations happen, line by line, in one transaction; once."""
        clinic_id = channels["generic"].clinic_id
        if accounts.log_has_begun(connection, clinic_id):
            return
        talks = msgspec.json.decode(files("recado.app").joinpath("demo_talk.json").read_bytes(), type=_Talks)
        lines = sorted(
            ((line, talk) for talk in talks.conversations for line in talk.lines),
            key=lambda each: -each[0].at,
        )
        now = self._sources.now()
        begun: dict[str, Conversation] = {}
        answered: dict[ConversationId, Seq] = {}
        for number, (line, talk) in enumerate(lines):
            at = shift(now, -60.0 * line.at)
            channel = channels[talk.channel]
            key = f"demo-{number}"
            if line.by == "patient":
                command: Command = _from_patient(talk, line, channel, key, at)
            else:
                command = _from_staff(line, clinic_id, begun[talk.address].id, staff[line.by], key)
            outcome = self._carry_out(connection, command, at)
            begun[talk.address] = conversation = outcome.the_conversation
            if line.by != "patient":
                answered[conversation.id] = outcome.seq
            if outcome.the_message.status == "queued":
                self._carry_out(connection, _sent(outcome.the_message, channel, f"{key}-sent"), at)
        for conversation_id, seq in answered.items():
            for who in staff.values():
                self._carry_out(connection, _reading(clinic_id, conversation_id, who, seq), now)

    def _settle(self, connection: Connection, clinic_id: ClinicId) -> None:
        """Labels, canned replies, waiting limit and hours for a clinic that has never been changed."""
        if clinics_by_id(connection, [clinic_id])[clinic_id].version:
            return
        text = files("recado.app").joinpath("demo_clinic.json").read_bytes()
        settings = msgspec.json.decode(text, type=_Settings)
        command = UpdateClinic(clinic_id=clinic_id, **msgspec.structs.asdict(settings))
        self._carry_out(connection, command, self._sources.now())

    def _carry_out(self, connection: Connection, command: Command, at: Instant) -> Outcome:
        committed = carry_out(connection, [command], replace(self._sources, now=lambda: at))
        [outcome] = committed.outcomes
        if not isinstance(outcome, Outcome):
            raise outcome
        return outcome


def _from_patient(talk: _Talk, line: _Line, channel: Channel, key: str, at: Instant) -> ReceiveMessage:
    return ReceiveMessage(
        clinic_id=channel.clinic_id,
        channel=channel.ref,
        external_id=key,
        contact_address=talk.address,
        contact_name=talk.name,
        body=line.text,
        sent_at=at,
    )


def _from_staff(
    line: _Line, clinic_id: ClinicId, conversation_id: ConversationId, who: tuple[MemberId, str], key: str
) -> SendMessage:
    member_id, name = who
    return SendMessage(
        clinic_id=clinic_id,
        member_id=member_id,
        member_name=name,
        role="agent",
        conversation_id=conversation_id,
        client_key=ClientKey(key),
        body=line.text,
        kind="note" if line.note else "message",
    )


def _sent(message: Message, channel: Channel, external_id: str) -> RecordDelivery:
    return RecordDelivery(
        clinic_id=channel.clinic_id,
        conversation_id=message.conversation_id,
        message_id=message.id,
        channel_id=channel.id,
        outcome="sent",
        external_id=external_id,
    )


def _reading(
    clinic_id: ClinicId, conversation_id: ConversationId, who: tuple[MemberId, str], up_to: Seq
) -> MarkRead:
    """What was answered was read, by everybody."""
    member_id, name = who
    return MarkRead(
        clinic_id=clinic_id,
        member_id=member_id,
        member_name=name,
        role="agent",
        client_key=ClientKey(f"demo-read-{conversation_id}"),
        conversation_id=conversation_id,
        up_to=up_to,
    )
