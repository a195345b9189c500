"""What both documents say of the code's types beyond what is read off them: limits, times, and what is never null."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, get_args, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from recado.app.inbox import Number, Order, UpdateOrder
from recado.domain.decide import MAX_BODY_CHARS, MAX_LABEL_CHARS, MAX_LABELS, MAX_NAME_CHARS
from recado.domain.text import VISIBLE
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
            property_ |= LIMITS.get(field.name, {})
    if kind is UpdateOrder:
        schema |= SNOOZING


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
