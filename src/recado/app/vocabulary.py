"""Every event of the socket, both ways: its payload, its answer, and for a command the use case that carries it out.

The gateway acts by this table and the AsyncAPI document is made of it. Knows no transport. Ruled by docs/events.md.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Self

from msgspec import Struct

from recado.app.channels import AddChannelOrder, Channels, RotateSecretOrder, UpdateChannelOrder
from recado.app.clinics import (
    ChangePasswordOrder,
    Clinics,
    Invitation,
    InviteOrder,
    PasswordResult,
    ResetPasswordOrder,
    UpdateClinicOrder,
    UpdateMemberOrder,
)
from recado.app.inbox import (
    DeleteOrder,
    EditOrder,
    EraseOrder,
    Inbox,
    Order,
    ReadOrder,
    RenameOrder,
    SendOrder,
    UpdateOrder,
    Uuid,
)
from recado.domain.accounts import Identity
from recado.domain.channel_views import ChannelDetails
from recado.domain.clinic import Clinic
from recado.domain.packets import ClinicPacket, ConversationPacket, MessagePacket, ReadPacket, TickPacket
from recado.domain.values import ClinicId, Conversation, ConversationId, MemberId, Message, ReadMark, Value
from recado.store.batch import Outcome


class Hello(Struct, frozen=True, rename="camel"):
    """The CONNECT packet's auth. `clinicId` may be left out by who has one clinic."""

    token: str | None = None
    clinic_id: ClinicId | None = None
    client: str = "unknown"


class JoinClinic(Struct, frozen=True, rename="camel"):
    clinic_id: ClinicId
    after: str | None = None
    conversation_ids: list[Annotated[ConversationId, Uuid]] = []


class JoinConversation(Struct, frozen=True, rename="camel"):
    conversation_id: Annotated[ConversationId, Uuid]
    after: str | None = None


class LeaveConversation(Struct, frozen=True, rename="camel"):
    conversation_id: Annotated[ConversationId, Uuid]


class Answer(Value, frozen=True, kw_only=True):
    """The acknowledgement of what was done. A Refused is made of its error instead (errors.py, `describe`)."""

    ok: bool


class RefusedField(Value, frozen=True, kw_only=True):
    """One field that was refused: where it stands in the payload, and a stable code."""

    path: str
    code: str


class Refusal(Value, frozen=True, kw_only=True):
    """Why. A conflict brings the current state: `conversation`, `currentMessage` or `clinic`."""

    code: str
    message: str
    retryable: bool
    errors: list[RefusedField] | None = None
    retry_after: int | None = None
    conversation: Conversation | None = None
    current_message: Message | None = None
    clinic: Clinic | None = None


class Refused(Value, frozen=True, kw_only=True):
    """The acknowledgement of what was not done."""

    ok: bool
    error: Refusal


class Server(Value, frozen=True, kw_only=True):
    version: str


class Joined(Answer, frozen=True, kw_only=True):
    """The answer to both joins; the delta's fields are there when `after` was given."""

    cursor: str
    connections: int | None = None
    server: Server | None = None
    reset: bool = False
    more: bool = False
    clinic: Clinic | None = None
    conversations: list[Conversation] | None = None
    messages: list[Message] | None = None
    reads: list[ReadMark] | None = None


class Left(Answer, frozen=True, kw_only=True):
    pass


class CommandAnswer(Answer, frozen=True, kw_only=True):
    @classmethod
    def of(cls, outcome: Any) -> Self:
        """What the use case returned, as the acknowledgement tells it."""
        raise NotImplementedError


class Sent(CommandAnswer, frozen=True, kw_only=True):
    message: Message

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        return cls(ok=True, message=outcome.the_message)


class Marked(CommandAnswer, frozen=True, kw_only=True):
    read: ReadMark

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        return cls(ok=True, read=outcome.the_read)


class Updated(CommandAnswer, frozen=True, kw_only=True):
    conversation: Conversation

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        return cls(ok=True, conversation=outcome.the_conversation)


class ClinicUpdated(CommandAnswer, frozen=True, kw_only=True):
    clinic: Clinic

    @classmethod
    def of(cls, outcome: Clinic) -> Self:
        return cls(ok=True, clinic=outcome)


class Invited(CommandAnswer, frozen=True, kw_only=True):
    """`temporaryPassword` is there as long as it opens."""

    clinic: Clinic
    member_id: MemberId
    temporary_password: str | None = None

    @classmethod
    def of(cls, outcome: Invitation) -> Self:
        return cls(
            ok=True,
            clinic=outcome.clinic,
            member_id=outcome.member_id,
            temporary_password=outcome.temporary_password,
        )


class PasswordSet(CommandAnswer, frozen=True, kw_only=True):
    """`temporaryPassword` is there after a reset, as long as it opens."""

    temporary_password: str | None = None

    @classmethod
    def of(cls, outcome: PasswordResult) -> Self:
        return cls(ok=True, temporary_password=outcome.temporary_password)


class ChannelSettled(CommandAnswer, frozen=True, kw_only=True):
    channel: ChannelDetails

    @classmethod
    def of(cls, outcome: ChannelDetails) -> Self:
        return cls(ok=True, channel=outcome)


class Connections(Value, frozen=True, kw_only=True):
    """`clinic:connections`: how many screens of the clinic are live on this node."""

    count: int


class Draining(Value, frozen=True, kw_only=True):
    """`server:draining`: this node is going; the client shall come back after so long."""

    reconnect_in_ms: int


class ClientEvent(Struct, frozen=True):
    """What a client may say, and what it is acknowledged with unless it is refused."""

    payload: type[Struct]
    answer: type[Answer]


class Command(ClientEvent, frozen=True):
    """One that changes something: `use_case` is a method, called with its object, the identity and the order."""

    payload: type[Order]
    answer: type[CommandAnswer]
    use_case: Callable[[Any, Identity, Any], Awaitable[Any]]


JOINS: Mapping[str, ClientEvent] = {
    "clinic:join": ClientEvent(JoinClinic, Joined),
    "conversation:join": ClientEvent(JoinConversation, Joined),
    "conversation:leave": ClientEvent(LeaveConversation, Left),
}

INBOX_COMMANDS: Mapping[str, Command] = {
    "message:send": Command(SendOrder, Sent, Inbox.send_message),
    "message:edit": Command(EditOrder, Sent, Inbox.edit_message),
    "message:delete": Command(DeleteOrder, Sent, Inbox.delete_message),
    "message:read": Command(ReadOrder, Marked, Inbox.mark_read),
    "conversation:update": Command(UpdateOrder, Updated, Inbox.update_conversation),
    "conversation:delete": Command(EraseOrder, Updated, Inbox.delete_conversation),
    "contact:rename": Command(RenameOrder, Updated, Inbox.rename_contact),
}

CLINIC_COMMANDS: Mapping[str, Command] = {
    "clinic:update": Command(UpdateClinicOrder, ClinicUpdated, Clinics.update),
    "member:invite": Command(InviteOrder, Invited, Clinics.invite),
    "member:update": Command(UpdateMemberOrder, ClinicUpdated, Clinics.update_member),
    "member:reset-password": Command(ResetPasswordOrder, PasswordSet, Clinics.reset_password),
    "password:change": Command(ChangePasswordOrder, PasswordSet, Clinics.change_password),
}

CHANNEL_COMMANDS: Mapping[str, Command] = {
    "channel:add": Command(AddChannelOrder, ChannelSettled, Channels.add),
    "channel:update": Command(UpdateChannelOrder, ChannelSettled, Channels.update),
    "channel:rotate-secret": Command(RotateSecretOrder, ChannelSettled, Channels.rotate_secret),
}

CLIENT_EVENTS: Mapping[str, ClientEvent] = {
    **JOINS,
    **INBOX_COMMANDS,
    **CLINIC_COMMANDS,
    **CHANNEL_COMMANDS,
}

SERVER_EVENTS: Mapping[str, type[Value]] = {
    "message:new": MessagePacket,
    "message:updated": MessagePacket,
    "conversation:list:updated": ConversationPacket,
    "conversation:read": ReadPacket,
    "clinic:updated": ClinicPacket,
    "clinic:tick": TickPacket,
    "clinic:connections": Connections,
    "server:draining": Draining,
}
