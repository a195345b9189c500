"""The body of a generic channel's webhook → `ReceiveMessage`. Pure; the form is docs/channels.md, "Generic channel"."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from recado.app.payloads import payload_of
from recado.channels.sent_times import from_rfc3339
from recado.domain.accounts import Channel
from recado.domain.commands import ReceiveMessage
from recado.domain.text import clean, is_clean, name_from
from recado.errors import FieldError, InvalidError

MAX_ID_CHARS = 256
MAX_TEXT_CHARS = 65_536
"""Of a patient's message. A patient writes a few lines; more than this is somebody's log file."""

Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]


class Sender(Struct, frozen=True):
    id: Identifier
    name: str | None = None


class InboundBody(Struct, frozen=True, rename="camel"):
    external_id: Identifier
    sender: Sender = field(name="from")
    body: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS)]
    sent_at: Annotated[str, Meta(max_length=64)]


def parse(value: Any, channel: Channel, *, now_s: float) -> ReceiveMessage:
    """`value` is the decoded JSON body. Raises InvalidError, by path and code."""
    told = payload_of(value, InboundBody)
    sent_at = from_rfc3339(told.sent_at, now_s=now_s)
    if sent_at is None:
        raise InvalidError(errors=[FieldError("sentAt", "wrong_format")])
    for path, identifier in (("externalId", told.external_id), ("from.id", told.sender.id)):
        if not is_clean(identifier):
            raise InvalidError(errors=[FieldError(path, "wrong_format")])
    if not told.body.strip():
        raise InvalidError(errors=[FieldError("body", "empty")])
    return ReceiveMessage(
        clinic_id=channel.clinic_id,
        channel=channel.ref,
        external_id=told.external_id,
        contact_address=told.sender.id,
        contact_name=name_from(told.sender.name or "", otherwise=told.sender.id),
        body=clean(told.body),
        sent_at=sent_at,
    )
