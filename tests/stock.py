"""A small real clinic for tests: a migrated database, two channels, members, and the writer over them."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uuid_utils

from recado.domain.accounts import Channel
from recado.domain.clinic_commands import InviteMember
from recado.domain.commands import ReceiveMessage, RecordDelivery, ReportStatus, SendMessage
from recado.domain.instants import from_epoch_ms
from recado.domain.packets import ConversationTold
from recado.domain.values import ClinicId
from recado.store import accounts, guard
from recado.store.batch import Committed, Sources
from recado.store.database import Database
from recado.store.migrate import upgrade
from recado.store.writer import Writer

MONDAY_8_AM_MS = 1_763_971_200_000


def new_id() -> str:
    return str(uuid_utils.uuid7())


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
            clinic_id=self.clinic_id,
            channel=self.channel.ref,
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
    sources = Sources(lambda: from_epoch_ms(next(clock)), new_id, lambda: random.getrandbits(62))
    now, member_id = sources.now(), new_id()
    clinic_id = database.write_now(lambda connection: accounts.add_clinic(connection, "Clínica", now))
    channel = Channel(id=new_id(), clinic_id=clinic_id, kind="whatsapp", name="W", secret="s" * 32)

    def fill(connection) -> None:
        accounts.add_member(connection, member_id, "ana@clinica.example", "Ana", "no-hash", now)
        accounts.add_membership(connection, member_id, clinic_id, "admin")
        accounts.put_channel(connection, channel)

    database.write_now(fill)
    return Stock(database, clinic_id, channel, member_id, sources)


@asynccontextmanager
async def writing_to(stock: Stock) -> AsyncIterator[Stock]:
    """The stock with its writer running."""
    task = asyncio.create_task(stock.writer.run())
    yield stock
    stock.writer.close()
    await task
