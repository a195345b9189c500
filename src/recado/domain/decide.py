"""command + what is known → events, or a refusal. Pure; the rules of the inbox live here and in evolve.py.

A refused command changes nothing and takes no number (docs/store.md).
"""

from collections.abc import Callable
from typing import assert_never

from msgspec import UNSET

from recado.domain.clinic_limits import MAX_LABEL_CHARS
from recado.domain.commands import (
    DeleteConversation,
    DeleteMessage,
    EditMessage,
    InboxCommand,
    MarkRead,
    MemberCommand,
    OfMember,
    ReceiveMessage,
    RecordDelivery,
    RenameContact,
    ReportStatus,
    SendMessage,
    UpdateConversation,
    WakeConversation,
)
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
from recado.domain.text import says_nothing
from recado.domain.thread import Thread
from recado.domain.transitions import BY_MEMBERS, BY_PATIENTS, FORWARD
from recado.domain.values import (
    Author,
    ContactId,
    ContactRef,
    Conversation,
    ConversationId,
    Failure,
    Instant,
    Message,
    MessageId,
    MessageStatus,
    Seq,
)
from recado.errors import (
    ConflictError,
    ConversationChangedError,
    ConversationMovedError,
    FieldError,
    ForbiddenError,
    InvalidError,
    MessageLeftError,
    NotFoundError,
)

MAX_BODY_CHARS = 16_384
"""A reply longer than this is refused. WhatsApp takes 4,096; a generic channel may take more."""
MAX_NAME_CHARS = 200
MAX_LABELS = 20


def decide(
    thread: Thread, command: InboxCommand, now: Instant, new_id: Callable[[], str]
) -> tuple[Event, ...]:
    """The events that carry `command` out, oldest first; empty when everything is so already.

    Raises a RefusedError: not_found, invalid, forbidden, or a conflict with the current state in it.
    """
    match command:
        case MemberCommand():
            return _decide_for_member(thread, command, now, new_id)
        case ReceiveMessage():
            return (_receive(thread, command, new_id),)
        case RecordDelivery():
            return _change_status(thread, command.message_id, command.outcome, command.failure)
        case ReportStatus():
            named = next(iter(thread.messages), None)
            return _change_status(thread, named, command.status, command.failure)
        case WakeConversation():
            return _wake(thread, now)
        case _:
            assert_never(command)


def _decide_for_member(
    thread: Thread, command: OfMember, now: Instant, new_id: Callable[[], str]
) -> tuple[Event, ...]:
    conversation = thread.conversation
    if conversation is None or conversation.deleted or conversation.clinic_id != command.clinic_id:
        raise NotFoundError
    match command:
        case SendMessage():
            return (_send(conversation, thread, command, new_id),)
        case EditMessage():
            return _edit(thread, command)
        case DeleteMessage():
            return (_delete_message(conversation, thread, command),)
        case MarkRead():
            return _mark_read(thread, command, conversation)
        case UpdateConversation():
            return _update(conversation, thread, command, now)
        case RenameContact():
            return _rename(conversation, command)
        case DeleteConversation():
            return (
                ConversationDeleted(
                    conversation_id=conversation.id,
                    status_before=conversation.status,
                    assignee_before=conversation.assignee_id,
                    labels_before=conversation.labels,
                ),
            )
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
        status_before=conversation.status if conversation else BY_PATIENTS,
        status_after=BY_PATIENTS,
        sent_at=command.sent_at,
        external_id=command.external_id,
    )


def _send(
    conversation: Conversation, thread: Thread, command: SendMessage, new_id: Callable[[], str]
) -> MessageWritten:
    if command.reply_to is not None and command.reply_to not in thread.messages:
        raise ConflictError(errors=[FieldError("replyTo", "not_found")])
    if command.expected_seq is not None and thread.last_inbound_seq > command.expected_seq:
        raise ConversationMovedError(state={"conversation": conversation})
    return MessageWritten(
        conversation_id=conversation.id,
        message_id=MessageId(new_id()),
        kind=command.kind,
        author=Author(type="member", id=command.member_id, name=command.member_name),
        body=_body(command.body),
        reply_to=command.reply_to,
        client_key=command.client_key,
        ended_wait=conversation.waiting_since if command.kind == "message" else None,
    )


def _edit(thread: Thread, command: EditMessage) -> tuple[MessageEdited, ...]:
    message = _changeable(thread, command)
    if _body(command.body) == message.body:
        return ()
    return (MessageEdited(conversation_id=message.conversation_id, message_id=message.id, body=command.body),)


def _delete_message(conversation: Conversation, thread: Thread, command: DeleteMessage) -> MessageDeleted:
    message = _changeable(thread, command)
    since = conversation.waiting_since
    return MessageDeleted(
        conversation_id=message.conversation_id,
        message_id=message.id,
        waiting_since=since if message.kind == "note" else _waiting_without(message, conversation, thread),
    )


def _changeable(thread: Thread, command: EditMessage | DeleteMessage) -> Message:
    """A note, or a reply that nobody has begun to send; its author's, or anybody's for an admin."""
    message = thread.messages.get(command.message_id)
    if message is None or message.deleted:
        raise NotFoundError
    if message.author.id != command.member_id and (
        command.role != "admin" or message.author.type != "member"
    ):
        raise ForbiddenError
    waiting = thread.outbox.get(message.id)
    if message.kind != "note" and (waiting is None or waiting.touched):
        raise MessageLeftError(state={"currentMessage": message})
    return message


def _mark_read(thread: Thread, command: MarkRead, conversation: Conversation) -> tuple[MarkedRead, ...]:
    up_to = min(command.up_to, conversation.last_seq)
    if up_to < 0:
        raise InvalidError(errors=[FieldError("upTo", "too_small")])
    mark = thread.reads.get(command.member_id)
    if mark is not None and mark.up_to == up_to:
        return ()
    whole = up_to >= thread.last_inbound_seq
    return (
        MarkedRead(
            conversation_id=conversation.id,
            member_id=command.member_id,
            up_to=Seq(up_to),
            inbound_read=conversation.inbound_count if whole else thread.inbound_until.get(command.up_to, 0),
        ),
    )


def _update(
    conversation: Conversation, thread: Thread, command: UpdateConversation, now: Instant
) -> tuple[ConversationUpdated, ...]:
    _expect_version(conversation, command.expected_version)
    status = conversation.status if command.status is UNSET else command.status
    assignee = conversation.assignee_id if command.assignee_id is UNSET else command.assignee_id
    labels = conversation.labels if command.labels is UNSET else _labels(thread, conversation, command.labels)
    if assignee not in {None, conversation.assignee_id} and assignee not in thread.members:
        raise ConflictError(errors=[FieldError("assigneeId", "not_found")])
    until = _snoozed_until(conversation, command, now)
    if (status, assignee, labels, until) == (
        conversation.status,
        conversation.assignee_id,
        conversation.labels,
        conversation.snoozed_until,
    ):
        return ()
    if status != conversation.status and status not in BY_MEMBERS[conversation.status]:
        raise ConflictError(state={"conversation": conversation})
    return (
        ConversationUpdated(
            conversation_id=conversation.id,
            status_before=conversation.status,
            status_after=status,
            snoozed_until=until,
            assignee_before=conversation.assignee_id,
            assignee_after=assignee,
            labels_before=conversation.labels,
            labels_after=labels,
        ),
    )


def _snoozed_until(conversation: Conversation, command: UpdateConversation, now: Instant) -> Instant | None:
    """A time belongs to `snoozed` and to nothing else, and lies ahead."""
    status = conversation.status if command.status is UNSET else command.status
    if status != "snoozed":
        if command.snoozed_until is not None:
            raise ConflictError(errors=[FieldError("snoozedUntil", "needs_snoozed")])
        return None
    if command.snoozed_until is None and command.status is not UNSET:
        raise InvalidError(errors=[FieldError("snoozedUntil", "missing")])
    if command.snoozed_until is not None and command.snoozed_until <= now:
        raise ConflictError(errors=[FieldError("snoozedUntil", "in_the_past")])
    return command.snoozed_until or conversation.snoozed_until


def _wake(thread: Thread, now: Instant) -> tuple[ConversationUpdated, ...]:
    conversation = thread.conversation
    until = conversation.snoozed_until if conversation else None
    if conversation is None or conversation.deleted or until is None or until > now:
        return ()
    return (
        ConversationUpdated(
            conversation_id=conversation.id,
            status_before=conversation.status,
            status_after="open",
            snoozed_until=None,
            assignee_before=conversation.assignee_id,
            assignee_after=conversation.assignee_id,
            labels_before=conversation.labels,
            labels_after=conversation.labels,
        ),
    )


def _rename(conversation: Conversation, command: RenameContact) -> tuple[ContactRenamed, ...]:
    _expect_version(conversation, command.expected_version)
    name = " ".join(command.name.split())
    if says_nothing(name):
        raise InvalidError(errors=[FieldError("name", "empty")])
    if len(command.name) > MAX_NAME_CHARS:
        raise InvalidError(errors=[FieldError("name", "too_long")])
    if name == conversation.contact.name:
        return ()
    return (ContactRenamed(conversation_id=conversation.id, name=name),)


def _change_status(
    thread: Thread, message_id: MessageId | None, status: MessageStatus, failure: Failure | None
) -> tuple[MessageStatusChanged, ...]:
    conversation = thread.conversation
    message = thread.messages.get(message_id) if message_id else None
    if conversation is None or message is None:
        raise NotFoundError
    if message.deleted or status not in FORWARD[message.status]:
        return ()
    since = conversation.waiting_since
    if status == "failed":  # a reply that never arrived was no answer
        since = _waiting_without(message, conversation, thread)
    return (
        MessageStatusChanged(
            conversation_id=message.conversation_id,
            message_id=message.id,
            before=message.status,
            after=status,
            failure=failure,
            waiting_since=since,
        ),
    )


def _waiting_without(reply: Message, conversation: Conversation, thread: Thread) -> Instant | None:
    """Since when the patient waits if `reply` is no answer: for the oldest they wrote after the last that stands."""
    said = [each for each in thread.messages.values() if each.kind == "message" and each.id != reply.id]
    answers = [
        each.seq
        for each in said
        if each.direction == "outbound" and each.status != "failed" and not each.deleted
    ]
    answered = max(answers, default=0)
    if answered > reply.seq:
        return conversation.waiting_since
    asked = (each.created_at for each in said if each.direction == "inbound" and each.seq > answered)
    since = min(asked, default=None)
    waiting = thread.outbox.get(reply.id)
    if since and waiting and waiting.ended_wait:  # not for what was settled before without an answer
        return max(since, waiting.ended_wait)
    return since


def _expect_version(conversation: Conversation, expected: Seq | None) -> None:
    if expected is not None and conversation.version > expected:
        raise ConversationChangedError(state={"conversation": conversation})


def _body(body: str) -> str:
    if says_nothing(body):
        raise InvalidError(errors=[FieldError("body", "empty")])
    if len(body) > MAX_BODY_CHARS:
        raise InvalidError(errors=[FieldError("body", "too_long")])
    return body


def _labels(thread: Thread, conversation: Conversation, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Each once, in the order given. If the clinic keeps a list, new ones are on it; old ones may stay."""
    if len(labels) > MAX_LABELS:
        raise InvalidError(errors=[FieldError("labels", "too_many")])
    if any(says_nothing(label) or len(label) > MAX_LABEL_CHARS for label in labels):
        raise InvalidError(errors=[FieldError("labels", "malformed")])
    cleaned = tuple(dict.fromkeys(label.strip() for label in labels))
    if thread.clinic_labels and not thread.clinic_labels.union(conversation.labels).issuperset(cleaned):
        raise ConflictError(errors=[FieldError("labels", "unknown")])
    return cleaned
