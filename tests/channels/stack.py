"""The real parts around channels: database, writer, inbox, outbox. What `server.py` builds, without screens."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable

from sqlalchemy import text

from recado.app.access import Access
from recado.app.channels import Channels
from recado.app.inbox import DeleteOrder, EditOrder, Inbox, SendOrder
from recado.app.known_channels import KnownChannels
from recado.app.outbox import Outbox
from recado.domain.accounts import Channel
from recado.domain.values import ChannelId, Instant
from recado.store import accounts
from recado.store.database import Database
from recado.store.migrate import upgrade
from recado.store.writer import Writer
from stock import add_member, identity, new_id, now, sources, writing_to

GENERIC_SECRET = "whsec_Z2VuZXJpYyBjaGFubmVsJ3Mga2V5IQ=="
APP_SECRET = "the app's secret"
NUMBER = "106540352242922"


class Stack:
    """One clinic with a channel of each kind and one member."""

    def __init__(
        self, database_url: str, outbound_url: str | None = None, clock: Callable[[], Instant] = now
    ) -> None:
        self.database = Database(database_url)
        upgrade(self.database)
        self.writer = Writer(self.database, sources(clock), self._committed)
        self.access = Access(self.database)
        self.inbox = Inbox(self.writer, self.access)
        self.known_channels = KnownChannels(self.database)
        self.channels = Channels(
            database=self.database,
            writer=self.writer,
            access=self.access,
            base_url="http://recado.test",
            random_bytes=secrets.token_bytes,
        )
        self.outbox = Outbox(self.database, self.inbox, clock)
        self.told = []
        self.clinic_id = self.database.write_now(lambda c: accounts.add_clinic(c, "Clínica Aurora", now()))
        self.generic = self._channel("generic", GENERIC_SECRET, outbound_url and f"{outbound_url}/generic/1")
        self.whatsapp = self._channel("whatsapp", APP_SECRET, outbound_url and f"{outbound_url}/whatsapp")
        member_id = self.database.write_now(
            lambda c: add_member(c, self.clinic_id, "rita@aurora.example", "Rita", "agent")
        )
        self.member = identity(member_id, {self.clinic_id: "agent"})

    def _committed(self, committed) -> None:
        self.told.extend(committed.told)
        for told in committed.told:
            self.known_channels.heed(told.record)
        if committed.queued:
            self.outbox.wake.set()

    def _channel(self, kind, secret: str, outbound_url: str | None) -> Channel:
        channel = Channel(
            id=ChannelId(new_id()),
            clinic_id=self.clinic_id,
            kind=kind,
            name=kind,
            secret=secret,
            verify_token="the verify token",
            phone_number_id=NUMBER,
            access_token="the access token",
            outbound_url=outbound_url,
        )
        self.put(channel)
        return channel

    def put(self, channel: Channel) -> None:
        self.database.write_now(lambda c: accounts.put_channel(c, channel))

    async def reply(self, conversation_id: str, body: str, reply_to: str | None = None) -> str:
        """A member answers; the message's id."""
        order = SendOrder(conversation_id=conversation_id, client_key=new_id(), body=body, reply_to=reply_to)
        return (await self.inbox.send_message(self.member, order)).message.id

    async def edit(self, message_id: str, body: str) -> None:
        order = EditOrder(message_id=message_id, client_key=new_id(), body=body)
        await self.inbox.edit_message(self.member, order)

    async def delete(self, message_id: str) -> None:
        await self.inbox.delete_message(self.member, DeleteOrder(message_id=message_id, client_key=new_id()))

    def rows(self, statement: str, **values) -> list[tuple]:
        return self.database.read_now(lambda c: [tuple(row) for row in c.execute(text(statement), values)])

    def bodies(self) -> list[str]:
        """Every message's body, in the clinic's order."""
        return [body for (body,) in self.rows("SELECT body FROM messages ORDER BY seq")]


@contextlib.asynccontextmanager
async def running(stack: Stack) -> AsyncIterator[Stack]:
    with contextlib.closing(stack.database):
        async with writing_to(stack):
            yield stack
