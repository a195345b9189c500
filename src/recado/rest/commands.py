"""Routes that change an inbox: for every command of a socket the same one over HTTP. docs/rest.md, "Commands".

A route's `data` is the order as a socket sends it; what the address and `Idempotency-Key` say of it is filled in by
reading.py and moved to the parameters by document.py.
"""

from litestar import Response, delete, patch, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from recado.app.inbox import (
    DeleteOrder,
    EditOrder,
    EraseOrder,
    Inbox,
    ReadOrder,
    RenameOrder,
    SendOrder,
    UpdateOrder,
)
from recado.domain.values import Conversation, Message, ReadMark
from recado.errors import (
    ClientKeyReusedError,
    ConflictError,
    ConversationChangedError,
    ConversationMovedError,
    ForbiddenError,
    InvalidError,
    MessageLeftError,
    NotFoundError,
    OriginRefusedError,
    OverloadedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from recado.rest.authentication import MemberRequest
from recado.rest.problems import UnsupportedMediaTypeError, refusals


def changing(*conflicts: type[ConflictError]) -> dict[int, ResponseSpec]:
    """What every command may be refused with, and `conflicts`."""
    return refusals(
        InvalidError,
        UnauthenticatedError,
        ForbiddenError,
        OriginRefusedError,
        NotFoundError,
        *conflicts,
        ClientKeyReusedError,
        TooLargeError,
        UnsupportedMediaTypeError,
        UnavailableError,
        OverloadedError,
    )


@post(
    "/conversations/{conversationId:str}/messages",
    status_code=201,
    operation_id="sendMessage",
    summary="Send a message",
    description="Writes a reply, which is queued for the patient's channel, or a note, which stays in the clinic. "
    "The same `clientKey` from the same member answers with the first result, for ever: repeating is safe.",
    response_description="The message, committed.",
    responses={
        200: ResponseSpec(
            Message,
            generate_examples=False,
            description="The `clientKey` was known: the first result as it stands.",
        ),
        **changing(ConflictError, ConversationMovedError),
    },
    tags=["Inbox"],
)
async def send_message(
    request: MemberRequest, inbox: NamedDependency[Inbox], data: JSONBody[SendOrder]
) -> Response[Message]:
    outcome = await inbox.send_message(request.user, data)
    return Response(outcome.the_message, status_code=200 if outcome.repeated else 201)


@patch(
    "/messages/{messageId:str}",
    operation_id="editMessage",
    summary="Edit a message",
    description="Gives a note, or a reply that has not begun to leave, another body. One's own; an admin, a "
    "colleague's too.",
    response_description="The message as it is now.",
    responses=changing(MessageLeftError),
    tags=["Inbox"],
)
async def edit_message(
    request: MemberRequest, inbox: NamedDependency[Inbox], data: JSONBody[EditOrder]
) -> Message:
    return (await inbox.edit_message(request.user, data)).the_message


@delete(
    "/messages/{messageId:str}",
    status_code=200,
    operation_id="deleteMessage",
    summary="Delete a message",
    description="Erases a note, or a reply that has not begun to leave. One's own; an admin, a colleague's too.",
    response_description="The message's tombstone.",
    responses=changing(MessageLeftError),
    tags=["Inbox"],
)
async def delete_message(
    request: MemberRequest, inbox: NamedDependency[Inbox], data: JSONBody[DeleteOrder]
) -> Message:
    return (await inbox.delete_message(request.user, data)).the_message


@put(
    "/conversations/{conversationId:str}/read",
    operation_id="markRead",
    summary="Mark as read",
    description="Says how far the member has read. A smaller `upTo` than before marks as unread.",
    response_description="The member's read mark.",
    responses=changing(),
    tags=["Inbox"],
)
async def mark_read(
    request: MemberRequest, inbox: NamedDependency[Inbox], data: JSONBody[ReadOrder]
) -> ReadMark:
    return (await inbox.mark_read(request.user, data)).the_read


@patch(
    "/conversations/{conversationId:str}",
    operation_id="updateConversation",
    summary="Update a conversation",
    description="Changes what the body names, all at once: assignee, status, labels. "
    "A status that cannot follow the present one is a `conflict`.",
    response_description="The conversation as it is now.",
    responses=changing(ConflictError, ConversationChangedError),
    tags=["Inbox"],
)
async def update_conversation(
    request: MemberRequest, inbox: NamedDependency[Inbox], data: JSONBody[UpdateOrder]
) -> Conversation:
    return (await inbox.update_conversation(request.user, data)).the_conversation


@patch(
    "/conversations/{conversationId:str}/contact",
    operation_id="renameContact",
    summary="Rename the contact",
    description="Gives the conversation's patient another name; the channel's own does not come back.",
    response_description="The conversation as it is now.",
    responses=changing(ConversationChangedError),
    tags=["Inbox"],
)
async def rename_contact(
    request: MemberRequest, inbox: NamedDependency[Inbox], data: JSONBody[RenameOrder]
) -> Conversation:
    return (await inbox.rename_contact(request.user, data)).the_conversation


@delete(
    "/conversations/{conversationId:str}",
    status_code=200,
    operation_id="deleteConversation",
    summary="Delete a conversation",
    description="Erases what was said in it, for good. Admins only.",
    response_description="The conversation's tombstone.",
    responses=changing(),
    tags=["Inbox"],
)
async def delete_conversation(
    request: MemberRequest, inbox: NamedDependency[Inbox], data: JSONBody[EraseOrder]
) -> Conversation:
    return (await inbox.delete_conversation(request.user, data)).the_conversation
