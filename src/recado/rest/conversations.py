"""Routes of the inbox: pages of conversations and messages, sending, and changes by long-poll. docs/rest.md."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from recado.app.inbox import Inbox
from recado.app.queries import MAX_WAIT_S, Queries
from recado.domain.accounts import Identity
from recado.domain.values import ClinicId, Message
from recado.domain.views import ConversationPage, Delta, MessagePage
from recado.errors import (
    ClientKeyReusedError,
    ConversationMovedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    OriginRefusedError,
    OverloadedError,
    RecadoError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from recado.rest import parameters, shapes
from recado.rest.problems import ClientGoneError, UnsupportedMediaTypeError, refusals

T = TypeVar("T")

READING = refusals(InvalidError, UnauthenticatedError, ForbiddenError, NotFoundError, UnavailableError)

MemberRequest = Request[Identity, None, State]


@get(
    "/clinics/{clinicId:str}/conversations",
    operation_id="listConversations",
    summary="List conversations",
    description="A page of the clinic's conversations, the one with the newest message first.",
    response_description="The page.",
    responses=READING,
    tags=["Inbox"],
)
async def list_conversations(
    request: MemberRequest,
    queries: NamedDependency[Queries],
    clinic_id: parameters.ClinicPath,
    limit: parameters.Limit = parameters.DEFAULT_PAGE,
    before: parameters.Before = None,
) -> ConversationPage:
    return await queries.conversations(request.user, ClinicId(clinic_id), limit=limit, before=before)


@get(
    "/conversations/{conversationId:str}/messages",
    operation_id="listMessages",
    summary="List messages",
    description="A page of the conversation's messages, newest first.",
    response_description="The page.",
    responses=READING,
    tags=["Inbox"],
)
async def list_messages(
    request: MemberRequest,
    queries: NamedDependency[Queries],
    conversation_id: parameters.ConversationPath,
    limit: parameters.Limit = parameters.DEFAULT_PAGE,
    before: parameters.Before = None,
) -> MessagePage:
    return await queries.messages(
        request.user, parameters.conversation_id_of(conversation_id), limit=limit, before=before
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
        **refusals(
            InvalidError,
            UnauthenticatedError,
            ForbiddenError,
            OriginRefusedError,
            NotFoundError,
            ConversationMovedError,
            ClientKeyReusedError,
            TooLargeError,
            UnsupportedMediaTypeError,
            UnavailableError,
            OverloadedError,
        ),
    },
    tags=["Inbox"],
)
async def send_message(
    request: MemberRequest,
    inbox: NamedDependency[Inbox],
    conversation_id: parameters.ConversationPath,
    data: JSONBody[shapes.SendRequest],
    idempotency_key: parameters.IdempotencyKey = None,
) -> Response[Message]:
    order = shapes.send_order(
        parameters.conversation_id_of(conversation_id), data, parameters.client_key_of(idempotency_key)
    )
    outcome = await inbox.send_message(request.user, order)
    if outcome.message is None:
        raise RecadoError  # a send always makes a message
    return Response(outcome.message, status_code=200 if outcome.repeated else 201)


@get(
    "/clinics/{clinicId:str}/changes",
    operation_id="listChanges",
    summary="Read what changed",
    description="Everything that changed after a cursor, as current rows; with `wait` it is a long-poll. "
    "With `more`, ask again with the new cursor; with `reset`, read afresh.",
    response_description="The delta.",
    responses=READING,
    tags=["Inbox"],
)
async def list_changes(
    request: MemberRequest,
    queries: NamedDependency[Queries],
    clinic_id: parameters.ClinicPath,
    after: parameters.After = None,
    conversation_ids: parameters.ConversationIds = None,
    wait: parameters.Wait = 0.0,
) -> Delta:
    delta = queries.changes(
        request.user,
        ClinicId(clinic_id),
        after=after,
        conversation_ids=parameters.conversation_ids_of(conversation_ids),
        wait_s=min(MAX_WAIT_S, max(0.0, wait)),
    )
    return await _while_connected(request, delta)


async def _while_connected(request: MemberRequest, work: Coroutine[Any, Any, T]) -> T:
    """`work`'s result; it is cancelled when the client hangs up, so that nobody is waited for who has left."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(request: MemberRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
