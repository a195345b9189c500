"""How much of a list is asked for, and from where on: text → numbers, or a refusal by path and code. Pure."""

from recado.domain.values import Seq
from recado.errors import FieldError, InvalidError

MAX_PAGE = 100
MAX_SEQ_DIGITS = 18


def limit_of(limit: int) -> int:
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidError(errors=[FieldError("limit", "out_of_range")])
    return limit


def before_of(before: str | None, path: str = "before") -> Seq | None:
    """Opaque to clients; to us it is the seq of the last row they saw."""
    if before is None:
        return None
    if not before.isascii() or not before.isdigit() or len(before) > MAX_SEQ_DIGITS:
        raise InvalidError(errors=[FieldError(path, "malformed")])
    return Seq(int(before))
