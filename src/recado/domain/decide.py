"""command + what is known → events, or a refusal. Pure; the rules of the inbox live here and in evolve.py.

A refused command changes nothing and takes no number (docs/store.md).
"""

from collections.abc import Callable, Mapping
from typing import assert_never

from msgspec import Struct

from recado.domain.commands import Command, ReceiveMessage, RecordDelivery, SendMessage
from recado.domain.events import Event, MessageReceived, MessageStatusChanged, MessageWritten
from recado.domain.values import (
    Author,
    ContactId,
    ContactRef,
    Conversation,
    ConversationId,
    Message,
    MessageId,
    MessageStatus,
    Seq,
)
from recado.errors import ConversationMovedError, FieldError, InvalidError, NotFoundError

MAX_BODY_CHARS = 16_384
"""A reply longer than this is refused. WhatsApp takes 4,096; a generic channel may take more."""

FORWARD: dict[MessageStatus, frozenset[MessageStatus]] = {
    "received": frozenset(),
    "queued": frozenset({"sent", "delivered", "read", "failed"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "read": frozenset(),
    "failed": frozenset(),
}
"""Status → what may follow. A provider repeats and reorders its reports; a status only ever goes forwards."""


class Thread(Struct, frozen=True):
    """What one command may look at: a conversation, or none yet, and those of its messages that the command names.

    `last_inbound_seq` is the seq of the patient's newest message, 0 before the first.
    """

    conversation: Conversation | None = None
    last_inbound_seq: Seq = Seq(0)
    messages: Mapping[MessageId, Message] = {}


def decide(thread: Thread, command: Command, new_id: Callable[[], str]) -> tuple[Event, ...]:
    """The events that carry `command` out, oldest first; empty when everything is so already.

    Raises a RefusedError (not_found, invalid, conversation_moved).
    """
    match command:
        case ReceiveMessage():
            return (_receive(thread, command, new_id),)
        case SendMessage():
            return (_send(thread, command, new_id),)
        case RecordDelivery():
            return _record_delivery(thread, command)
        case _:
            assert_never(command)


def _receive(thread: Thread, command: ReceiveMessage, new_id: Callable[[], str]) -> MessageReceived:
    conversation = thread.conversation
    if conversation is None:
        conversation_id = ConversationId(new_id())
        contact = ContactRef(
            id=ContactId(new_id()), name=command.contact_name, address=command.contact_address
        )
    else:
        conversation_id, contact = conversation.id, conversation.contact
    return MessageReceived(
        conversation_id=conversation_id,
        message_id=MessageId(new_id()),
        opened=conversation is None,
        contact=contact,
        channel=command.channel,
        body=command.body,
        attachments=tuple(known.attachment for known in command.attachments),
        reply_to=next(iter(thread.messages), None),
        status_before=conversation.status if conversation else "open",
        status_after="open",
        sent_at=command.sent_at,
        external_id=command.external_id,
    )


def _send(thread: Thread, command: SendMessage, new_id: Callable[[], str]) -> MessageWritten:
    conversation = thread.conversation
    if conversation is None or conversation.deleted or conversation.clinic_id != command.clinic_id:
        raise NotFoundError
    if not command.body.strip():
        raise InvalidError(errors=[FieldError("body", "empty")])
    if len(command.body) > MAX_BODY_CHARS:
        raise InvalidError(errors=[FieldError("body", "too_long")])
    if command.reply_to is not None and command.reply_to not in thread.messages:
        raise InvalidError(errors=[FieldError("replyTo", "not_found")])
    if command.expected_seq is not None and thread.last_inbound_seq > command.expected_seq:
        raise ConversationMovedError(state={"conversation": conversation})
    return MessageWritten(
        conversation_id=conversation.id,
        message_id=MessageId(new_id()),
        kind=command.kind,
        author=Author(type="member", id=command.member_id, name=command.member_name),
        body=command.body,
        reply_to=command.reply_to,
        client_key=command.client_key,
    )


def _record_delivery(thread: Thread, command: RecordDelivery) -> tuple[MessageStatusChanged, ...]:
    message = thread.messages.get(command.message_id)
    if thread.conversation is None or message is None:
        raise NotFoundError
    if command.outcome not in FORWARD[message.status]:
        return ()
    return (
        MessageStatusChanged(
            conversation_id=message.conversation_id,
            message_id=message.id,
            before=message.status,
            after=command.outcome,
            failure=command.failure,
        ),
    )
