"""The parameters that several routes share, with their limits and what the OpenAPI document says of them."""

import re
from typing import Annotated
from uuid import UUID

from litestar.params import PathParameter, QueryParameter

from recado.app.inbox import Key, Uuid
from recado.app.queries import MAX_PAGE, MAX_THREADS
from recado.domain.text import is_clean
from recado.domain.values import ClientKey, ConversationId, ConversationStatus, MemberId
from recado.domain.views import ListFilter
from recado.errors import FieldError, InvalidError

DEFAULT_PAGE = 50

IDEMPOTENCY_KEY = "`clientKey` for a body that has none, bare or in the double quotes of the IETF's draft."
NAMED = {
    "conversationId": "The conversation.",
    "messageId": "The message.",
    "clinicId": "The clinic.",
    "memberId": "The member.",
}
"""What the address of a command may name, in the document's words."""

# What cannot be an id is refused like an id that nobody has: problems.py.
ClinicPath = Annotated[int, PathParameter(name="clinicId", description=NAMED["clinicId"])]
ConversationPath = Annotated[UUID, PathParameter(name="conversationId", description=NAMED["conversationId"])]

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=MAX_PAGE, description="How many items at most.")]
Before = Annotated[
    str | None,
    QueryParameter(name="before", description="`before` of the page that came last; without it, the newest."),
]
Newer = Annotated[
    str | None,
    QueryParameter(name="after", description="`after` of the page that came last: newer messages."),
]
Around = Annotated[UUID | None, QueryParameter(name="around", description="A message: the page around it.")]
Status = Annotated[
    ConversationStatus | None, QueryParameter(name="status", description="Only those with this status.")
]
Assignee = Annotated[
    str | None,
    QueryParameter(name="assigneeId", description="Only this member's; `none` for those that are nobody's."),
]
Label = Annotated[str | None, QueryParameter(name="label", description="Only those with this label.")]
Unread = Annotated[
    bool, QueryParameter(name="unread", description="Only those with messages that you have not read.")
]
After = Annotated[
    str | None,
    QueryParameter(
        name="after",
        description="The cursor of what the client holds, `<epoch>:<seq>`. Without it the answer is the cursor alone.",
    ),
]
ConversationIds = Annotated[
    str | None,
    QueryParameter(
        name="conversationIds",
        description=f"Conversations whose messages are wanted too: ids joined by commas, at most {MAX_THREADS}.",
    ),
]
Wait = Annotated[
    float,
    QueryParameter(
        name="wait",
        description="Seconds to wait for a change when there is none yet; less than 0 is 0, more than 25 is 25.",
    ),
]


def conversation_id_of(parameter: UUID) -> ConversationId:
    return ConversationId(str(parameter))


def conversation_ids_of(parameter: str | None) -> list[ConversationId]:
    """Raises InvalidError unless each is a UUID; one that is not the member's is simply not answered."""
    try:
        return [conversation_id_of(UUID(text)) for text in (parameter or "").split(",") if text]
    except ValueError:
        raise InvalidError(errors=[FieldError("conversationIds", "wrong_format")]) from None


def client_key_of(parameter: str | None) -> ClientKey | None:
    """Raises InvalidError for what cannot be a clientKey."""
    if parameter is None:
        return None
    bare = parameter[1:-1] if len(parameter) > 1 and parameter[0] == parameter[-1] == '"' else parameter
    if not re.search(str(Key.pattern), bare):
        raise InvalidError(errors=[FieldError("Idempotency-Key", "wrong_format")])
    return ClientKey(bare)


def list_filter(
    status: Status = None, assignee_id: Assignee = None, label: Label = None, *, unread: Unread = False
) -> ListFilter:
    """Raises InvalidError for an assignee that can be nobody."""
    if assignee_id not in {None, "none"} and not re.search(str(Uuid.pattern), str(assignee_id)):
        raise InvalidError(errors=[FieldError("assigneeId", "wrong_format")])
    if label is not None and not is_clean(label):
        raise InvalidError(errors=[FieldError("label", "wrong_format")])
    whose = None if assignee_id is None else MemberId("" if assignee_id == "none" else assignee_id)
    return ListFilter(status=status, assignee_id=whose, label=label, unread=unread)
