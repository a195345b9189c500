"""state + event → state. Pure: the only place where an inbox changes.

The law: what a screen held before, brought forward by packets (packets.py), equals what it would read afresh.
"""

from typing import assert_never

from msgspec.structs import replace

from recado.domain.decide import Thread
from recado.domain.events import Event, MessageReceived, MessageStatusChanged, MessageWritten
from recado.domain.values import (
    PREVIEW_CHARS,
    Author,
    ClinicId,
    Conversation,
    Instant,
    LastMessage,
    Message,
    Seq,
)
from recado.errors import NotFoundError


def evolve(thread: Thread, event: Event, *, clinic_id: ClinicId, seq: Seq, at: Instant) -> Thread:
    """The thread after `event`, which is number `seq` of its clinic's log and happened at `at`."""
    match event:
        case MessageReceived():
            return _received(thread, event, clinic_id, seq, at)
        case MessageWritten():
            return _written(thread, event, seq, at)
        case MessageStatusChanged():
            return _status_changed(thread, event, seq)
        case _:
            assert_never(event)


def preview_of(message: Message) -> LastMessage:
    return LastMessage(
        id=message.id,
        kind=message.kind,
        direction=message.direction,
        preview=message.body[:PREVIEW_CHARS],
        author_name=message.author.name,
        at=message.created_at,
    )


def _received(thread: Thread, event: MessageReceived, clinic_id: ClinicId, seq: Seq, at: Instant) -> Thread:
    before = thread.conversation or Conversation(
        id=event.conversation_id,
        clinic_id=clinic_id,
        contact=event.contact,
        channel=event.channel,
        status=event.status_before,
        labels=(),
        last_seq=seq,
        inbound_count=0,
        created_at=at,
        version=seq,
    )
    ordinal = before.inbound_count + 1
    message = Message(
        id=event.message_id,
        conversation_id=event.conversation_id,
        kind="message",
        direction="inbound",
        author=Author(type="contact", id=event.contact.id, name=event.contact.name),
        body=event.body,
        attachments=event.attachments,
        reply_to=event.reply_to,
        status="received",
        ordinal=ordinal,
        seq=seq,
        version=seq,
        created_at=at,
    )
    conversation = replace(
        before,
        status=event.status_after,
        snoozed_until=None,
        inbound_count=ordinal,
        waiting_since=before.waiting_since or at,
        last_message=preview_of(message),
        last_seq=seq,
        version=seq,
    )
    return Thread(conversation, seq, {**thread.messages, message.id: message})


def _written(thread: Thread, event: MessageWritten, seq: Seq, at: Instant) -> Thread:
    before = thread.conversation
    if before is None:
        raise NotFoundError
    leaves = event.kind == "message"
    message = Message(
        id=event.message_id,
        conversation_id=event.conversation_id,
        kind=event.kind,
        direction="outbound",
        author=event.author,
        body=event.body,
        attachments=(),
        reply_to=event.reply_to,
        client_key=event.client_key,
        status="queued" if leaves else "sent",
        seq=seq,
        version=seq,
        created_at=at,
    )
    conversation = replace(
        before,
        waiting_since=None if leaves else before.waiting_since,
        last_message=preview_of(message),
        last_seq=seq,
        version=seq,
    )
    return Thread(conversation, thread.last_inbound_seq, {**thread.messages, message.id: message})


def _status_changed(thread: Thread, event: MessageStatusChanged, seq: Seq) -> Thread:
    message = thread.messages.get(event.message_id)
    if message is None:
        raise NotFoundError
    changed = replace(message, status=event.after, failure=event.failure, version=seq)
    return Thread(thread.conversation, thread.last_inbound_seq, {**thread.messages, changed.id: changed})
