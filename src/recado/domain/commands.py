"""The orders that change an inbox. Pure. Each names its clinic; who may give it is decided before (access.py).

`decide.py` answers a command with events or refuses it. A command is remembered under its key: given again, it
answers with the first result and changes nothing (docs/events.md, "Sending").
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from recado.domain.clinic_commands import (
    ClinicCommand,
    OfClinic,
    PasswordCommand,
    RotateSecret,
    UpdateChannel,
    UpdateMember,
)
from recado.domain.values import (
    Attachment,
    ChannelId,
    ChannelRef,
    ClientKey,
    ClinicId,
    ConversationId,
    ConversationStatus,
    Failure,
    Instant,
    MemberId,
    MessageId,
    MessageKind,
    Role,
    Seq,
)


class InboundAttachment(Struct, frozen=True, kw_only=True):
    """A file as the provider announced it; `external_id` is what its bytes are asked for with."""

    attachment: Attachment
    external_id: str


class ReceiveMessage(Struct, frozen=True, kw_only=True):
    """A patient wrote. The channel's `external_id` makes a repeated delivery harmless."""

    clinic_id: ClinicId
    channel: ChannelRef
    external_id: str
    contact_address: str
    contact_name: str
    body: str
    sent_at: Instant
    attachments: tuple[InboundAttachment, ...] = ()
    reply_to_external_id: str | None = None


class RecordDelivery(Struct, frozen=True, kw_only=True):
    """The provider's answer to a message that was queued: it took it (`sent`), or never will (`failed`)."""

    clinic_id: ClinicId
    conversation_id: ConversationId
    message_id: MessageId
    channel_id: str
    outcome: Literal["sent", "failed"]
    external_id: str | None = None
    failure: Failure | None = None


class ReportStatus(Struct, frozen=True, kw_only=True):
    """The provider's later word on a message it took, by the provider's own id. Repeated, late and out of order."""

    clinic_id: ClinicId
    channel_id: str
    external_id: str
    status: Literal["sent", "delivered", "read", "failed"]
    failure: Failure | None = None


class WakeConversation(Struct, frozen=True, kw_only=True):
    """The time a conversation was snoozed until has come."""

    clinic_id: ClinicId
    conversation_id: ConversationId


class MemberCommand(Struct, frozen=True, kw_only=True):
    """What every order of a member says: who, where, and the key that makes repeating it harmless."""

    clinic_id: ClinicId
    member_id: MemberId
    member_name: str
    role: Role
    client_key: ClientKey


class SendMessage(MemberCommand, frozen=True, kw_only=True):
    """A member answers (`message`) or writes an internal note (`note`, which never leaves the clinic)."""

    conversation_id: ConversationId
    body: str
    kind: MessageKind = "message"
    reply_to: MessageId | None = None
    expected_seq: Seq | None = None


class EditMessage(MemberCommand, frozen=True, kw_only=True):
    """A new text for a note, or for a reply that has not left."""

    message_id: MessageId
    body: str


class DeleteMessage(MemberCommand, frozen=True, kw_only=True):
    """Take back a note, or a reply that has not left; its words are erased."""

    message_id: MessageId


class MarkRead(MemberCommand, frozen=True, kw_only=True):
    """Put the member's read mark at `up_to`: forwards as they read, backwards to mark as unread."""

    conversation_id: ConversationId
    up_to: Seq


class UpdateConversation(MemberCommand, frozen=True, kw_only=True):
    """Assign, change the status, label; what is UNSET stays. `assignee_id` None takes the assignment away."""

    conversation_id: ConversationId
    assignee_id: MemberId | UnsetType | None = UNSET
    status: ConversationStatus | UnsetType = UNSET
    snoozed_until: Instant | None = None
    labels: tuple[str, ...] | UnsetType = UNSET
    expected_version: Seq | None = None


class RenameContact(MemberCommand, frozen=True, kw_only=True):
    """Give the conversation's patient another name; the channel's own name for them no longer counts."""

    conversation_id: ConversationId
    name: str
    expected_version: Seq | None = None


class DeleteConversation(MemberCommand, frozen=True, kw_only=True):
    """Erase a conversation's words, and the patient's name and address; a tombstone stays."""

    conversation_id: ConversationId


ChannelCommand = ReceiveMessage | RecordDelivery | ReportStatus | WakeConversation
OfMember = (
    SendMessage
    | EditMessage
    | DeleteMessage
    | MarkRead
    | UpdateConversation
    | RenameContact
    | DeleteConversation
)
InboxCommand = ChannelCommand | OfMember
"""What is about one conversation."""
Command = InboxCommand | OfClinic


class CommandKey(Struct, frozen=True):
    """What makes a repeated command harmless: `key` is unique within `scope` and serves one `purpose` for ever."""

    scope: str
    key: str
    purpose: str


def channel_scope(channel_id: str) -> str:
    """The scope of a provider's message ids, the patients' and, once it took them, ours."""
    return f"channel:{channel_id}"


def key_of(command: Command) -> CommandKey | None:
    """None: repeating it is harmless by itself (a status only goes forwards)."""
    match command:
        case ReceiveMessage():
            return CommandKey(channel_scope(command.channel.id), command.external_id, "receive")
        case MemberCommand():
            return CommandKey(f"member:{command.member_id}", command.client_key, _purpose(command))
        case ClinicCommand(member_id=str(member_id), client_key=str(client_key)):
            return CommandKey(f"member:{member_id}", client_key, _clinic_purpose(command))
        case _:
            return None


def _purpose(command: OfMember) -> str:
    """The command and what it is about: a client that gives one key two purposes has a bug worth telling."""
    about = (
        command.message_id if isinstance(command, (EditMessage, DeleteMessage)) else command.conversation_id
    )
    return f"{type(command).__name__}:{about}"


def _clinic_purpose(command: OfClinic) -> str:
    match command:
        case UpdateMember() | PasswordCommand():
            about: ClinicId | MemberId | ChannelId = command.whom
        case UpdateChannel() | RotateSecret():
            about = command.channel_id
        case _:
            about = command.clinic_id
    return f"{type(command).__name__}:{about}"
