"""The orders that change an inbox. Pure. Each names its clinic; who may give it is decided before (access.py).

`decide.py` answers a command with events or refuses it. A command is remembered under its `key`: given again, it
answers with the first result and changes nothing (docs/events.md, "Sending").
"""

from typing import Literal, NamedTuple, assert_never

from msgspec import Struct

from recado.domain.values import (
    Attachment,
    ChannelRef,
    ClientKey,
    ClinicId,
    ConversationId,
    Failure,
    Instant,
    MemberId,
    MessageId,
    MessageKind,
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


class SendMessage(Struct, frozen=True, kw_only=True):
    """A member answers (`message`) or writes an internal note (`note`, which never leaves the clinic)."""

    clinic_id: ClinicId
    member_id: MemberId
    member_name: str
    conversation_id: ConversationId
    client_key: ClientKey
    body: str
    kind: MessageKind = "message"
    reply_to: MessageId | None = None
    expected_seq: Seq | None = None


class RecordDelivery(Struct, frozen=True, kw_only=True):
    """The provider's answer to a message that was queued: it took it (`sent`), or never will (`failed`)."""

    clinic_id: ClinicId
    conversation_id: ConversationId
    message_id: MessageId
    channel_id: str
    outcome: Literal["sent", "failed"]
    external_id: str | None = None
    failure: Failure | None = None


Command = ReceiveMessage | SendMessage | RecordDelivery


class CommandKey(NamedTuple):
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
        case SendMessage():
            return CommandKey(
                f"member:{command.member_id}", command.client_key, f"send:{command.conversation_id}"
            )
        case RecordDelivery():
            return None
        case _:
            assert_never(command)
