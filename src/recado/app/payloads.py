"""What a client sent → a typed payload, or a refusal by path and code. Pure; the same words on REST and sockets.

msgspec's texts quote the offending value, which may be a patient's words; they stop here. docs/rest.md, "Errors".
"""

import re
from typing import Any, TypeVar

import msgspec

from recado.errors import FieldError, InvalidError

T = TypeVar("T")

CODES = (
    (re.compile(r"Object missing required field `(?P<field>[^`]*)`"), "missing"),
    (re.compile(r"Expected .*, got "), "wrong_type"),
    (re.compile(r"Expected `(?:str|array|object|bytes)` of length >="), "too_short"),
    (re.compile(r"Expected `(?:str|array|object|bytes)` of length <="), "too_long"),
    (re.compile(r"Expected `(?:int|float)` >"), "too_small"),
    (re.compile(r"Expected `(?:int|float)` <"), "too_large"),
    (re.compile(r"(?:Integer value|Number) out of range"), "too_large"),
    (re.compile(r"Invalid enum value"), "unknown_value"),
    (re.compile(r"Expected `str` matching regex|Invalid UUID|Invalid RFC3339"), "wrong_format"),
)
"""msgspec's message → our code, first match wins. What matches nothing is `invalid`."""

WHERE = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def payload_of(value: Any, kind: type[T]) -> T:
    """Decoded JSON as a `kind`. Unknown fields are ignored, so that versions can differ; types are never bent.

    Raises InvalidError with the first field that does not fit.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidError(errors=[field_error(str(error))]) from None


def field_error(message: str, *, under: str = "") -> FieldError:
    """A text of msgspec's → where and what, without the value; `under` is the converted value's own path."""
    where = WHERE.search(message)
    found = ((pattern.match(message), code) for pattern, code in CODES)
    match, code = next(((match, code) for match, code in found if match), (None, "invalid"))
    field = match.groupdict().get("field") if match else None
    steps = (under, where["path"].lstrip(".") if where else "", field)
    return FieldError(".".join(step for step in steps if step), code)
