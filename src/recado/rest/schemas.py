"""What both documents say of the code's types beyond what is read off them: limits, times, and what is never null."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, get_args, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from recado.app.channels import AddChannelOrder, UpdateChannelOrder
from recado.app.inbox import Number, Order, UpdateOrder
from recado.app.passwords import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS
from recado.domain.channel_rules import (
    MAX_ACCESS_TOKEN_CHARS,
    MAX_CHANNEL_NAME_CHARS,
    MAX_NUMBER_CHARS,
    MAX_SECRET_CHARS,
    MAX_URL_CHARS,
)
from recado.domain.clinic_limits import (
    CLOSES,
    COLOUR,
    MAX_CANNED_BODY_CHARS,
    MAX_CANNED_REPLIES,
    MAX_CLINIC_LABELS,
    MAX_CLINIC_NAME_CHARS,
    MAX_LABEL_CHARS,
    MAX_OPEN_HOURS,
    MAX_TITLE_CHARS,
    MAX_WAITING_LIMIT_MINUTES,
    OPENS,
    SHORTCUT,
    TIME_ZONE,
)
from recado.domain.decide import MAX_BODY_CHARS, MAX_LABELS, MAX_NAME_CHARS
from recado.domain.tags import PATTERN
from recado.domain.text import MAX_EMAIL_CHARS, VISIBLE
from recado.domain.values import Instant

Node = dict[str, Any]

LIMITS: dict[str, Node] = {
    "body": {"minLength": 1, "maxLength": MAX_BODY_CHARS, "pattern": VISIBLE},
    "name": {"minLength": 1, "maxLength": MAX_NAME_CHARS, "pattern": VISIBLE},
    "labels": {
        "maxItems": MAX_LABELS,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_LABEL_CHARS, "pattern": VISIBLE},
    },
}
"""What the document says of orders' fields whose rules are the domain's (decide.py), with codes of their own."""

CLINIC_LIMITS: dict[str, Node] = {
    "UpdateClinicOrder.name": {"minLength": 1, "maxLength": MAX_CLINIC_NAME_CHARS, "pattern": VISIBLE},
    "UpdateClinicOrder.labels": {"maxItems": MAX_CLINIC_LABELS},
    "UpdateClinicOrder.canned_replies": {"maxItems": MAX_CANNED_REPLIES},
    "UpdateClinicOrder.waiting_limit_minutes": {"minimum": 1, "maximum": MAX_WAITING_LIMIT_MINUTES},
    "InviteOrder.email": {"minLength": 3, "maxLength": MAX_EMAIL_CHARS, "pattern": r"^[^@\s]+@[^@\s]+$"},
    "InviteOrder.name": {},
    "ChangePasswordOrder.new_password": {"minLength": MIN_PASSWORD_CHARS, "maxLength": MAX_PASSWORD_CHARS},
    "Label.name": {"minLength": 1, "maxLength": MAX_LABEL_CHARS, "pattern": VISIBLE},
    "Label.colour": {"pattern": f"^{COLOUR}$"},
    "CannedReply.shortcut": {"pattern": f"^{SHORTCUT}$"},
    "CannedReply.title": {"minLength": 1, "maxLength": MAX_TITLE_CHARS, "pattern": VISIBLE},
    "CannedReply.body": {"minLength": 1, "maxLength": MAX_CANNED_BODY_CHARS, "pattern": VISIBLE},
    "OpenHours.opens": {"pattern": f"^{OPENS}$"},
    "OpenHours.closes": {"pattern": f"^{CLOSES}$"},
    "BusinessHours.time_zone": {"pattern": f"^{TIME_ZONE}$"},
    "BusinessHours.weekly": {"maxItems": MAX_OPEN_HOURS},
    "InvalidateCacheOrder.pattern": {"pattern": f"^{PATTERN.pattern}$"},
}
"""The same for what a clinic keeps (clinic_limits.py) and for its cache (tags.py), by kind and field."""

CHANNEL_LIMITS: dict[str, Node] = {
    "name": {"minLength": 1, "maxLength": MAX_CHANNEL_NAME_CHARS, "pattern": VISIBLE},
    "secret": {"pattern": f"^[!-~]{{1,{MAX_SECRET_CHARS}}}$"},
    "access_token": {"pattern": f"^[!-~]{{1,{MAX_ACCESS_TOKEN_CHARS}}}$"},
    "phone_number_id": {"pattern": f"^[0-9]{{1,{MAX_NUMBER_CHARS}}}$"},
    "outbound_url": {
        "format": "uri",
        "maxLength": MAX_URL_CHARS,
        "pattern": r'^https://[0-9A-Za-z.-]+(:[1-9][0-9]{0,3})?(/[!"$-~]*)?$',
    },
}
"""The same for a channel's settings (channel_rules.py)."""

SNOOZING: Node = {
    "if": {"required": ["status"], "properties": {"status": {"const": "snoozed"}}},
    "then": {"required": ["snoozedUntil"], "properties": {"snoozedUntil": {"type": "string"}}},
}
"""Whoever snoozes says until when."""


def kinds(*bases: type[Struct]) -> Iterator[type[Struct]]:
    for base in bases:
        yield base
        yield from kinds(*base.__subclasses__())


def annotate(schema: Node, kind: type[Struct]) -> None:
    """The class's own docstring, its fields' limits, and which texts are times."""
    schema["description"] = cleandoc(kind.__doc__ or "")
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        property_ = schema["properties"].get(field.encode_name, {})
        parts = list(_parts(hints[field.name]))
        if Instant in parts:
            property_["format"] = "date-time"
        if Number in parts:
            property_["minimum"] = Number.ge  # which Litestar leaves out if it is 0
        if issubclass(kind, Order):
            _unwrap(property_)
        _limit(property_, kind, field.name)
    if kind is UpdateOrder:
        schema |= SNOOZING


def _limit(property_: Node, kind: type[Struct], field: str) -> None:
    limits = CLINIC_LIMITS.get(f"{kind.__name__}.{field}")
    if limits is None and kind in {AddChannelOrder, UpdateChannelOrder}:
        limits = CHANNEL_LIMITS.get(field)
    if limits is None:
        limits = LIMITS.get(field, {}) if issubclass(kind, Order) else {}
    choices = property_.get("oneOf") or property_.get("anyOf") or [property_]
    next(choice for choice in choices if choice != {"type": "null"}).update(limits)


def _parts(hint: Any) -> Iterator[Any]:
    """Everything a type hint is made of: the members of unions, and what Annotated says of them."""
    yield hint
    for part in (*get_args(hint), *getattr(hint, "__metadata__", ())):
        yield from _parts(part)


def _unwrap(schema: Node) -> None:
    """A choice of one, which is what Litestar makes of `X | UnsetType`, is none."""
    for choices in ("oneOf", "anyOf"):
        if len(schema.get(choices, ())) == 1:
            schema.update(schema.pop(choices)[0])


def drop_null(schema: Node) -> None:
    for choices in ("oneOf", "anyOf"):
        if choices in schema:
            schema[choices] = [choice for choice in schema[choices] if choice != {"type": "null"}]
    _unwrap(schema)
