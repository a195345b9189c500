"""A small real clinic for tests: a migrated database, two channels, members, and the writer over them."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import uuid_utils

from recado.domain.accounts import Channel, Identity
from recado.domain.clinic_commands import InviteMember
from recado.domain.commands import ReceiveMessage, RecordDelivery, ReportStatus, SendMessage
from recado.domain.instants import from_epoch_ms, instant
from recado.domain.packets import ConversationTold
from recado.domain.values import ClinicId, Instant, MemberId, Role
from recado.store import accounts, guard
from recado.store.batch import Committed, Sources
from recado.store.database import Database
from recado.store.migrate import upgrade
from recado.store.writer import Writer

MONDAY_8_AM_MS = 1_763_971_200_000


def new_id() -> str:
    return str(uuid_utils.uuid7())


def now() -> Instant:
    return instant(datetime.now(UTC))


def sources(clock: Callable[[], Instant] = now) -> Sources:
    return Sources(clock, new_id, lambda: random.getrandbits(62))


def identity(member_id: MemberId, roles: Mapping[ClinicId, Role]) -> Identity:
    """Who is logged in."""
    return Identity(
        session_id="s",
        member_id=member_id,
        name="Ana",
        email="ana@clinica.example",
        roles=roles,
        clinic_names=dict.fromkeys(roles, "Clínica"),
        expires_at=Instant("2999-01-01T00:00:00.000Z"),
    )


def add_member(connection, clinic_id, email, name, role="admin", password_hash="no-hash") -> MemberId:
    """Somebody new, who works there."""
    member_id = MemberId(new_id())
    accounts.add_member(connection, member_id, email, name, password_hash, now())
    accounts.add_membership(connection, member_id, clinic_id, role)
    return member_id


@dataclass
class Stock:
    database: Database
    clinic_id: ClinicId
    channel: Channel
    member_id: str
    sources: Sources
    committed: list[Committed] = field(default_factory=list)
    numbers: itertools.count = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.writer = Writer(self.database, self.sources, self.committed.append)

    @property
    def told(self):
        return [told for committed in self.committed for told in committed.told]

    @property
    def talked(self):
        """What was told about conversations."""
        return [told for told in self.told if isinstance(told, ConversationTold)]

    def inbound(self, address="5511999990001", body="Bom dia", **fields) -> ReceiveMessage:
        return ReceiveMessage(
            clinic_id=fields.pop("clinic_id", self.clinic_id),
            channel=fields.pop("channel", self.channel.ref),
            external_id=fields.pop("external_id", f"wamid.{next(self.numbers)}"),
            contact_address=address,
            contact_name=fields.pop("name", "Maria das Dores"),
            body=body,
            sent_at=from_epoch_ms(MONDAY_8_AM_MS),
            **fields,
        )

    def who(self, fields):
        """Who orders, unless `fields` says otherwise."""
        return {
            "clinic_id": fields.pop("clinic_id", self.clinic_id),
            "member_id": fields.pop("member_id", self.member_id),
            "member_name": "Ana",
            "role": fields.pop("role", "admin"),
            "client_key": fields.pop("client_key", f"key-{next(self.numbers)}"),
        }

    def order(self, command, /, **fields):
        """A member's command of this type."""
        return command(**self.who(fields), **fields)

    def settle(self, command, /, **fields):
        """An admin's command of this type about the clinic; the operator's with `member_id=None`."""
        by = {"clinic_id": self.clinic_id, "member_id": self.member_id, **fields}
        if by["member_id"] is not None:
            by.setdefault("client_key", f"key-{next(self.numbers)}")
        return command(**by)

    def invitation(self, email="bruno@clinica.example", **fields):
        fields = {"name": "Bruno", "role": "agent", "password_hash": "no-hash", **fields}
        return self.settle(InviteMember, email=email, **fields)

    def reply(self, conversation_id, body="Bom dia, Maria", **fields) -> SendMessage:
        return self.order(SendMessage, conversation_id=conversation_id, body=body, **fields)

    def reported(self, external_id, status, **fields) -> ReportStatus:
        return ReportStatus(
            clinic_id=self.clinic_id,
            channel_id=self.channel.id,
            external_id=external_id,
            status=status,
            **fields,
        )

    def delivered(self, message, outcome="sent", **fields) -> RecordDelivery:
        return RecordDelivery(
            clinic_id=self.clinic_id,
            conversation_id=message.conversation_id,
            message_id=message.id,
            channel_id=self.channel.id,
            outcome=outcome,
            **fields,
        )


def by_hand(database: Database, *statements: str) -> None:
    """Change rows as somebody at a database shell does: the log tells nothing of it, and PostgreSQL is told so."""
    said = [guard.BY_HAND] if database.shared else []
    database.write_now(lambda connection: [connection.exec_driver_sql(each) for each in (*said, *statements)])


def make_stock(url: str) -> Stock:
    database = Database(url)
    upgrade(database)
    clock = itertools.count(MONDAY_8_AM_MS)
    theirs = sources(lambda: from_epoch_ms(next(clock)))
    clinic_id = database.write_now(lambda c: accounts.add_clinic(c, "Clínica", theirs.now()))
    channel = Channel(id=new_id(), clinic_id=clinic_id, kind="whatsapp", name="W", secret="s" * 32)
    database.write_now(lambda c: accounts.put_channel(c, channel))
    member_id = database.write_now(lambda c: add_member(c, clinic_id, "ana@clinica.example", "Ana"))
    return Stock(database, clinic_id, channel, member_id, theirs)


class Written(Protocol):
    writer: Writer


Place = TypeVar("Place", bound=Written)


@asynccontextmanager
async def writing_to(place: Place) -> AsyncIterator[Place]:
    """What has a writer, with its writer running."""
    task = asyncio.create_task(place.writer.run())
    try:
        yield place
    finally:
        place.writer.close()
        await task
