"""The parameters that several routes share, with their limits and what the OpenAPI document says of them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args
from uuid import UUID

import msgspec
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from recado.app.inbox import Key
from recado.app.paging import MAX_PAGE
from recado.app.payloads import field_error
from recado.app.queries import MAX_THREADS
from recado.domain.cursor import Cursor, parse_cursor
from recado.domain.text import clean
from recado.domain.values import ClientKey, ConversationId, ConversationStatus, MemberId
from recado.domain.views import ListFilter
from recado.errors import FieldError, InvalidError

# As in app/inbox.py, `$` alone would let a last line break pass.
ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ROW = r"^[0-9]{1,18}$(?!\n)"
CURSOR = r"^[!-~]{1,128}:[0-9]{1,18}$(?!\n)"
SEEN = r"^([!-~]{1,128}:[0-9]{1,18})?$(?!\n)"

IDEMPOTENCY_KEY = (
    "The command's `clientKey`, bare or in the double quotes of the IETF's draft. "
    "Every other command takes the header too, in place of its body's `clientKey`."
)
NAMED = {
    "conversationId": "The conversation.",
    "messageId": "The message.",
    "clinicId": "The clinic.",
    "memberId": "The member.",
    "channelId": "The channel.",
}
"""What the address of a command may name, in the document's words."""

# What cannot be an id is refused like an id that nobody has: problems.py.
ClinicPath = Annotated[int, PathParameter(name="clinicId", description=NAMED["clinicId"])]
ConversationPath = Annotated[UUID, PathParameter(name="conversationId", description=NAMED["conversationId"])]
ChannelPath = Annotated[UUID, PathParameter(name="channelId", description=NAMED["channelId"])]

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=MAX_PAGE, description="How many items at most.")]
Before = Annotated[
    str | None,
    QueryParameter(
        name="before", pattern=ROW, description="`before` of the page that came last; without it, the newest."
    ),
]
Newer = Annotated[
    str | None,
    QueryParameter(
        name="after",
        pattern=ROW,
        description="`after` of the page that came last: newer messages. Counts before `before`.",
    ),
]
Around = Annotated[
    str | None,
    QueryParameter(
        name="around",
        pattern=rf"^{ID}$(?!\n)",
        description="A message: the page around it. Counts before `after` and `before`.",
    ),
]
Status = Annotated[str | None, QueryParameter(name="status", description="Only those with this status.")]
Assignee = Annotated[
    str | None,
    QueryParameter(
        name="assigneeId",
        pattern=rf"^(none|{ID})$(?!\n)",
        description="Only this member's; `none` for those that are nobody's.",
    ),
]
Label = Annotated[str | None, QueryParameter(name="label", description="Only those with this label.")]
Unread = Annotated[
    bool, QueryParameter(name="unread", description="Only those with messages that you have not read.")
]
After = Annotated[
    str | None,
    QueryParameter(
        name="after",
        pattern=CURSOR,
        description="The cursor of what the client holds, `<epoch>:<seq>`. Without it the answer is the cursor alone.",
    ),
]
Seen = Annotated[
    str | None,
    HeaderParameter(
        name="Recado-After",
        pattern=SEEN,
        description="A cursor that the client has seen, `<epoch>:<seq>`: the answer is not older than that, whichever "
        "node gives it. One of another history is passed over.",
    ),
]
ConversationIds = Annotated[
    str | None,
    QueryParameter(
        name="conversationIds",
        pattern=rf"^({ID})?(,({ID})?)*$(?!\n)",
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


def seen_of(parameter: str | None) -> Cursor | None:
    """An empty header says nothing."""
    return parse_cursor(parameter, path="Recado-After") if parameter else None


def conversation_ids_of(parameter: str | None) -> list[ConversationId]:
    """One that is not the member's is simply not answered."""
    return [ConversationId(text) for text in (parameter or "").split(",") if text]


def client_key_of(parameter: str | None) -> ClientKey | None:
    """Raises InvalidError for what cannot be a clientKey."""
    if parameter is None:
        return None
    bare = parameter[1:-1] if len(parameter) > 2 and parameter[0] == parameter[-1] == '"' else parameter
    if not re.search(str(Key.pattern), bare):
        raise InvalidError(errors=[FieldError("Idempotency-Key", "wrong_format")])
    return ClientKey(bare)


def list_filter(
    status: Status = None, assignee_id: Assignee = None, label: Label = None, *, unread: Unread = False
) -> ListFilter:
    """Raises InvalidError for a status that there is none of."""
    whose = None if assignee_id is None else MemberId("" if assignee_id == "none" else assignee_id)
    return ListFilter(
        status=_status_of(status),
        assignee_id=whose,
        label=None if label is None else clean(label),
        unread=unread,
    )


def _status_of(parameter: str | None) -> ConversationStatus | None:
    # Not Litestar's affair: it takes the text `null` for no status.
    try:
        return None if parameter is None else msgspec.convert(parameter, ConversationStatus)
    except msgspec.ValidationError as error:
        raise InvalidError(errors=[field_error(str(error), under="status")]) from None


EXACTLY: Mapping[str, dict[str, Any]] = {
    "status": {"schema": {"type": "string", "enum": list(get_args(ConversationStatus))}},
    "conversationIds": {
        "style": "form",
        "explode": False,
        "schema": {
            "type": "array",
            # An address cannot tell no item from an empty one.
            "items": {"type": "string", "pattern": f"^({ID})?$"},
            "maxItems": MAX_THREADS,
        },
    },
}
"""What the document says of parameters that Litestar sees as plain text."""
