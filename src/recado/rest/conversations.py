"""Routes that read an inbox: a conversation, pages of them and of messages, and changes by long-poll. docs/rest.md."""

import asyncio
import math
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec

from recado.app.paging import DEFAULT_PAGE, AskedPlace
from recado.app.queries import MAX_WAIT_S, Queries
from recado.app.sessions import Sessions
from recado.domain.values import ClinicId, Conversation, MessageId
from recado.domain.views import ConversationPage, Delta, MessagePage
from recado.errors import (
    CursorAheadError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from recado.rest import parameters
from recado.rest.at_once import Reads, answered
from recado.rest.authentication import MemberRequest, credentials_of
from recado.rest.problems import ClientGoneError, refusals

T = TypeVar("T")

REFUSALS = (InvalidError, UnauthenticatedError, ForbiddenError, NotFoundError, UnavailableError)
READING = refusals(*REFUSALS)
CACHED_READING = {
    304: ResponseSpec(None, generate_examples=False, description="It is as `If-None-Match` says."),
    **refusals(*REFUSALS, CursorAheadError),
}


@get(
    "/clinics/{clinicId:str}/conversations",
    operation_id="listConversations",
    summary="List conversations",
    description="A page of the clinic's conversations, the one with the newest message first. Filters may be combined.",
    response_description="The page.",
    responses=CACHED_READING,
    tags=["Inbox"],
)
async def list_conversations(  # noqa: PLR0913 - Litestar hands them in by name
    request: MemberRequest,
    reads: NamedDependency[Reads],
    clinic_id: parameters.ClinicPath,
    limit: parameters.Limit = DEFAULT_PAGE,
    before: parameters.Before = None,
    *,
    status: parameters.Status = None,
    assignee_id: parameters.Assignee = None,
    label: parameters.Label = None,
    unread: parameters.Unread = False,
    seen: parameters.Seen = None,
) -> Response[ConversationPage]:
    fitting = parameters.list_filter(status, assignee_id, label, unread=unread)
    answer, target = await reads.pages.conversations(
        request.user,
        ClinicId(clinic_id),
        limit=limit,
        before=before,
        fitting=fitting,
        after=parameters.seen_of(seen),
    )
    return answered(request, reads, answer, target)


@get(
    "/conversations/{conversationId:str}",
    operation_id="getConversation",
    summary="Read a conversation",
    description="The conversation as it is now. One that was deleted is not found.",
    response_description="The conversation.",
    responses=CACHED_READING,
    tags=["Inbox"],
)
async def get_conversation(
    request: MemberRequest,
    reads: NamedDependency[Reads],
    conversation_id: parameters.ConversationPath,
    seen: parameters.Seen = None,
) -> Response[Conversation]:
    answer, target = await reads.pages.conversation(
        request.user, parameters.conversation_id_of(conversation_id), after=parameters.seen_of(seen)
    )
    return answered(request, reads, answer, target)


@get(
    "/conversations/{conversationId:str}/messages",
    operation_id="listMessages",
    summary="List messages",
    description="A page of the conversation's messages, newest first: at its end, or `before`, `after` or `around`.",
    response_description="The page.",
    responses=CACHED_READING,
    tags=["Inbox"],
)
async def list_messages(  # noqa: PLR0917 - Litestar hands them in by name
    request: MemberRequest,
    reads: NamedDependency[Reads],
    conversation_id: parameters.ConversationPath,
    limit: parameters.Limit = DEFAULT_PAGE,
    before: parameters.Before = None,
    after: parameters.Newer = None,
    around: parameters.Around = None,
    seen: parameters.Seen = None,
) -> Response[MessagePage]:
    answer, target = await reads.pages.messages(
        request.user,
        parameters.conversation_id_of(conversation_id),
        limit=limit,
        asked=AskedPlace(before, after, None if around is None else MessageId(around)),
        after=parameters.seen_of(seen),
    )
    return answered(request, reads, answer, target)


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
    sessions: NamedDependency[Sessions],
    clinic_id: parameters.ClinicPath,
    after: parameters.After = None,
    conversation_ids: parameters.ConversationIds = None,
    wait: parameters.Wait = 0.0,
) -> Delta:
    if not math.isfinite(wait):
        raise InvalidError(errors=[FieldError("wait", "wrong_type")])
    delta = queries.changes(
        request.user,
        ClinicId(clinic_id),
        after=after,
        conversation_ids=parameters.conversation_ids_of(conversation_ids),
        wait_s=min(MAX_WAIT_S, max(0.0, wait)),
        still=partial(sessions.verify, credentials_of(request).token),
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
