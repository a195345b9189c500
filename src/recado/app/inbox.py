"""Use cases that change an inbox: access first, then the writer. The same for every transport."""

from typing import Annotated, TypedDict

from msgspec import UNSET, Meta, Struct, UnsetType

from recado.app.access import Access
from recado.domain.access import Action
from recado.domain.accounts import Identity
from recado.domain.commands import (
    DeleteConversation,
    DeleteMessage,
    EditMessage,
    MarkRead,
    ReceiveMessage,
    RecordDelivery,
    RenameContact,
    ReportStatus,
    SendMessage,
    UpdateConversation,
)
from recado.domain.text import clean
from recado.domain.values import (
    ClientKey,
    ClinicId,
    ConversationId,
    ConversationStatus,
    Instant,
    MemberId,
    MessageId,
    MessageKind,
    Role,
    Seq,
)
from recado.store.batch import Outcome
from recado.store.writer import Writer

# In Python `$` also stands before a last line break; in the JSON Schema made of these patterns it does not.
Uuid = Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$(?!\n)")
Key = Meta(pattern=r"^[\x21-\x7e]{1,128}$(?!\n)")
Time = Meta(
    pattern=r"^([12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    r"|02-(0[1-9]|1[0-9]|2[0-8]))|([12][0-9](0[48]|[2468][048]|[13579][26])|(1[26]|2[048])00)-02-29)"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$(?!\n)"
)
"""An Instant of the years 1000 to 2999; a day that no calendar has is no time."""
Number = Meta(ge=0, le=2**53 - 1)


class Order(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a member asks for, as it comes over the wire; who asks is the session's affair.

    `clientKey`: 1 to 128 visible ASCII characters, chosen by the client, kept through every retry.
    """

    client_key: Annotated[ClientKey, Key]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class ConversationOrder(Order, frozen=True, kw_only=True):
    conversation_id: Annotated[ConversationId, Uuid]


class MessageOrder(Order, frozen=True, kw_only=True):
    message_id: Annotated[MessageId, Uuid]


class SendOrder(ConversationOrder, frozen=True, kw_only=True):
    """`message:send`. `expectedSeq`: the newest message the author had seen."""

    body: str
    kind: MessageKind = "message"
    reply_to: Annotated[MessageId, Uuid] | None = None
    expected_seq: Annotated[Seq, Number] | None = None


class EditOrder(MessageOrder, frozen=True, kw_only=True):
    """`message:edit`."""

    body: str


class DeleteOrder(MessageOrder, frozen=True, kw_only=True):
    """`message:delete`."""


class ReadOrder(ConversationOrder, frozen=True, kw_only=True):
    """`message:read`. A smaller `upTo` than before marks as unread."""

    up_to: Annotated[Seq, Number]


class UpdateOrder(ConversationOrder, frozen=True, kw_only=True):
    """`conversation:update`. What is absent stays; `assigneeId` null takes the assignment away."""

    assignee_id: Annotated[MemberId, Uuid] | UnsetType | None = UNSET
    status: ConversationStatus | UnsetType = UNSET
    snoozed_until: Annotated[Instant, Time] | None = None
    labels: list[str] | UnsetType = UNSET
    expected_version: Annotated[Seq, Number] | None = None


class RenameOrder(ConversationOrder, frozen=True, kw_only=True):
    """`contact:rename`."""

    name: str
    expected_version: Annotated[Seq, Number] | None = None


class EraseOrder(ConversationOrder, frozen=True, kw_only=True):
    """`conversation:delete`."""


class _Who(TypedDict):
    clinic_id: ClinicId
    member_id: MemberId
    member_name: str
    role: Role
    client_key: ClientKey


class Inbox:
    """Every answer means committed, and told to every screen of this node.

    Members' orders raise `not_found`, `forbidden`, `invalid`, `client_key_reused`, `overloaded`, and what they name.
    """

    def __init__(self, writer: Writer, access: Access) -> None:
        self._writer = writer
        self._access = access

    async def receive(self, command: ReceiveMessage) -> Outcome:
        """A patient's message; the channel has checked the signature. Raises `overloaded`, `unavailable`."""
        return await self._writer.execute(command)

    async def record_delivery(self, command: RecordDelivery) -> Outcome:
        return await self._writer.execute(command)

    async def report_status(self, command: ReportStatus) -> Outcome:
        """A provider's later word on a message. Raises `not_found` for what never left from here."""
        return await self._writer.execute(command)

    async def send_message(self, identity: Identity, order: SendOrder) -> Outcome:
        """Raises `conversation_moved`."""
        return await self._writer.execute(
            SendMessage(
                **await self._for_conversation(identity, order, "message.send"),
                conversation_id=order.conversation_id,
                body=clean(order.body),
                kind=order.kind,
                reply_to=order.reply_to,
                expected_seq=order.expected_seq,
            )
        )

    async def edit_message(self, identity: Identity, order: EditOrder) -> Outcome:
        """Raises `message_left`."""
        who = await self._for_message(identity, order)
        return await self._writer.execute(
            EditMessage(**who, message_id=order.message_id, body=clean(order.body))
        )

    async def delete_message(self, identity: Identity, order: DeleteOrder) -> Outcome:
        """Raises `message_left`."""
        who = await self._for_message(identity, order)
        return await self._writer.execute(DeleteMessage(**who, message_id=order.message_id))

    async def mark_read(self, identity: Identity, order: ReadOrder) -> Outcome:
        return await self._writer.execute(
            MarkRead(
                **await self._for_conversation(identity, order, "inbox.read"),
                conversation_id=order.conversation_id,
                up_to=order.up_to,
            )
        )

    async def update_conversation(self, identity: Identity, order: UpdateOrder) -> Outcome:
        """Raises `conversation_changed`, `conflict` (a transition that is none)."""
        labels = order.labels
        return await self._writer.execute(
            UpdateConversation(
                **await self._for_conversation(identity, order, "conversation.update"),
                conversation_id=order.conversation_id,
                assignee_id=order.assignee_id,
                status=order.status,
                snoozed_until=order.snoozed_until,
                labels=UNSET if labels is UNSET else tuple(clean(label) for label in labels),
                expected_version=order.expected_version,
            )
        )

    async def rename_contact(self, identity: Identity, order: RenameOrder) -> Outcome:
        """Raises `conversation_changed`."""
        return await self._writer.execute(
            RenameContact(
                **await self._for_conversation(identity, order, "conversation.update"),
                conversation_id=order.conversation_id,
                name=clean(order.name),
                expected_version=order.expected_version,
            )
        )

    async def delete_conversation(self, identity: Identity, order: EraseOrder) -> Outcome:
        return await self._writer.execute(
            DeleteConversation(
                **await self._for_conversation(identity, order, "conversation.delete"),
                conversation_id=order.conversation_id,
            )
        )

    async def _for_conversation(self, identity: Identity, order: ConversationOrder, action: Action) -> _Who:
        clinic_id = await self._access.conversation(identity, order.conversation_id, action)
        return _who(identity, clinic_id, order)

    async def _for_message(self, identity: Identity, order: MessageOrder) -> _Who:
        clinic_id = await self._access.message(identity, order.message_id, "message.change")
        return _who(identity, clinic_id, order)


def _who(identity: Identity, clinic_id: ClinicId, order: Order) -> _Who:
    return _Who(
        clinic_id=clinic_id,
        member_id=identity.member_id,
        member_name=identity.name,
        role=identity.roles[clinic_id],
        client_key=order.client_key,
    )
