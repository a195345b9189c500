"""Use cases that change an inbox: access first, then the writer. The same for every transport."""

from typing import Annotated

from msgspec import Meta, Struct

from recado.app.access import Access
from recado.domain.accounts import Identity
from recado.domain.commands import ReceiveMessage, RecordDelivery, SendMessage
from recado.domain.text import clean
from recado.domain.values import ClientKey, ConversationId, MessageId, MessageKind, Seq
from recado.store.batch import Outcome
from recado.store.writer import Writer

# In Python `$` also stands before a last line break; in the JSON Schema made of these patterns it does not.
Uuid = Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$(?!\n)")
Key = Meta(pattern=r"^[\x21-\x7e]{1,128}$(?!\n)")


class SendOrder(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a member asks for with `message:send`, as it comes over the wire; who asks is the session's affair.

    `clientKey`: 1 to 128 visible ASCII characters. `expectedSeq`: the newest message the author had seen.
    """

    conversation_id: Annotated[ConversationId, Uuid]
    client_key: Annotated[ClientKey, Key]
    body: str
    kind: MessageKind = "message"
    reply_to: Annotated[MessageId, Uuid] | None = None
    expected_seq: Seq | None = None

    def __repr__(self) -> str:
        return "<SendOrder>"


class Inbox:
    """Every answer means committed, and told to every screen of this node."""

    def __init__(self, writer: Writer, access: Access) -> None:
        self._writer = writer
        self._access = access

    async def receive(self, command: ReceiveMessage) -> Outcome:
        """A patient's message; the channel has checked the signature. Raises `overloaded`, `unavailable`."""
        return await self._writer.execute(command)

    async def record_delivery(self, command: RecordDelivery) -> Outcome:
        return await self._writer.execute(command)

    async def send_message(self, identity: Identity, order: SendOrder) -> Outcome:
        """Raises `not_found`, `forbidden`, `invalid`, `conversation_moved`, `client_key_reused`, `overloaded`."""
        clinic_id = await self._access.conversation(identity, order.conversation_id, "message.send")
        return await self._writer.execute(
            SendMessage(
                clinic_id=clinic_id,
                member_id=identity.member_id,
                member_name=identity.name,
                conversation_id=order.conversation_id,
                client_key=order.client_key,
                body=clean(order.body),
                kind=order.kind,
                reply_to=order.reply_to,
                expected_seq=order.expected_seq,
            )
        )
