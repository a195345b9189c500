"""state + event → state. Pure: the only place where an inbox changes.

The law: what a screen held before, brought forward by packets (packets.py), equals what it would read afresh.
"""

from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from recado.domain.events import (
    ContactRenamed,
    ConversationDeleted,
    ConversationUpdated,
    Event,
    MarkedRead,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageStatusChanged,
    MessageWritten,
)
from recado.domain.thread import Thread, Waiting
from recado.domain.values import (
    PREVIEW_CHARS,
    Author,
    ClinicId,
    Conversation,
    Instant,
    LastMessage,
    Message,
    ReadMark,
    Seq,
)
from recado.errors import NotFoundError


class Stamp(Struct, frozen=True):
    """Which record an event is: its clinic, its number, its time."""

    clinic_id: ClinicId
    seq: Seq
    at: Instant


def evolve(thread: Thread, event: Event, stamp: Stamp) -> Thread:
    match event:
        case MessageReceived():
            return _received(thread, event, stamp)
        case MessageWritten():
            return _written(thread, event, stamp)
        case MessageEdited():
            return _edited(thread, event, stamp)
        case MessageDeleted():
            return _message_deleted(thread, event, stamp)
        case MessageStatusChanged():
            return _status_changed(thread, event, stamp)
        case MarkedRead():
            mark = ReadMark(
                conversation_id=event.conversation_id,
                member_id=event.member_id,
                up_to=event.up_to,
                inbound_read=event.inbound_read,
                version=stamp.seq,
            )
            return replace(thread, reads={**thread.reads, event.member_id: mark})
        case ConversationUpdated():
            return _changed(
                thread,
                stamp,
                status=event.status_after,
                snoozed_until=event.snoozed_until,
                assignee_id=event.assignee_after,
                labels=event.labels_after,
            )
        case ContactRenamed():
            contact = replace(_conversation(thread).contact, name=event.name)
            return _changed(thread, stamp, contact=contact)
        case ConversationDeleted():
            return _deleted(thread, stamp)
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


def _received(thread: Thread, event: MessageReceived, stamp: Stamp) -> Thread:
    before = thread.conversation or Conversation(
        id=event.conversation_id,
        clinic_id=stamp.clinic_id,
        contact=event.contact,
        channel=event.channel,
        status=event.status_before,
        labels=(),
        last_seq=stamp.seq,
        inbound_count=0,
        created_at=stamp.at,
        version=stamp.seq,
    )
    ordinal = before.inbound_count + 1
    waiting_since = None if event.status_before == "resolved" else before.waiting_since
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
        seq=stamp.seq,
        version=stamp.seq,
        created_at=stamp.at,
    )
    conversation = replace(
        before,
        status=event.status_after,
        snoozed_until=None,
        inbound_count=ordinal,
        waiting_since=waiting_since or stamp.at,
        last_message=preview_of(message),
        last_seq=stamp.seq,
        version=stamp.seq,
    )
    return replace(
        thread,
        conversation=conversation,
        last_inbound_seq=stamp.seq,
        messages={**thread.messages, message.id: message},
    )


def _written(thread: Thread, event: MessageWritten, stamp: Stamp) -> Thread:
    before = _conversation(thread)
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
        seq=stamp.seq,
        version=stamp.seq,
        created_at=stamp.at,
    )
    waiting = {message.id: Waiting(touched=False, ended_wait=event.ended_wait)} if leaves else {}
    conversation = replace(
        before,
        waiting_since=None if leaves else before.waiting_since,
        last_message=preview_of(message),
        last_seq=stamp.seq,
        version=stamp.seq,
    )
    return replace(
        thread,
        conversation=conversation,
        messages={**thread.messages, message.id: message},
        outbox={**thread.outbox, **waiting},
    )


def _edited(thread: Thread, event: MessageEdited, stamp: Stamp) -> Thread:
    message = replace(
        thread.messages[event.message_id], body=event.body, edited_at=stamp.at, version=stamp.seq
    )
    return _previewed(_with_message(thread, message), message, stamp)


def _message_deleted(thread: Thread, event: MessageDeleted, stamp: Stamp) -> Thread:
    message = replace(
        thread.messages[event.message_id], body="", attachments=(), deleted=True, version=stamp.seq
    )
    left = {id_: waiting for id_, waiting in thread.outbox.items() if id_ != message.id}
    after = _waiting(replace(_with_message(thread, message), outbox=left), event.waiting_since, stamp)
    return _previewed(after, message, stamp)


def _status_changed(thread: Thread, event: MessageStatusChanged, stamp: Stamp) -> Thread:
    message = replace(
        thread.messages[event.message_id], status=event.after, failure=event.failure, version=stamp.seq
    )
    return _waiting(_with_message(thread, message), event.waiting_since, stamp)


def _deleted(thread: Thread, stamp: Stamp) -> Thread:
    before = _conversation(thread)
    return replace(
        _changed(
            thread,
            stamp,
            contact=replace(before.contact, name="", address=""),
            status="resolved",
            snoozed_until=None,
            assignee_id=None,
            labels=(),
            last_message=None,
            waiting_since=None,
            deleted=True,
        ),
        messages={},
        outbox={},
    )


def _conversation(thread: Thread) -> Conversation:
    if thread.conversation is None:
        raise NotFoundError
    return thread.conversation


def _changed(thread: Thread, stamp: Stamp, **fields: object) -> Thread:
    """The conversation with these fields, at this version."""
    conversation = replace(_conversation(thread), version=stamp.seq, **fields)
    return replace(thread, conversation=conversation)


def _with_message(thread: Thread, message: Message) -> Thread:
    return replace(thread, messages={**thread.messages, message.id: message})


def _previewed(thread: Thread, message: Message, stamp: Stamp) -> Thread:
    """A list row shows the newest message, so it changes with it."""
    last = _conversation(thread).last_message
    if last is None or last.id != message.id:
        return thread
    return _changed(thread, stamp, last_message=preview_of(message))


def _waiting(thread: Thread, since: Instant | None, stamp: Stamp) -> Thread:
    if _conversation(thread).waiting_since == since:
        return thread
    return _changed(thread, stamp, waiting_since=since)
