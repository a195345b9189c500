"""How much of a list is asked for, and from where on: text → numbers, or a refusal by path and code. Pure."""

from msgspec import Struct

from recado.domain.values import MessageId, Seq
from recado.domain.views import ThreadPlace
from recado.errors import FieldError, InvalidError

DEFAULT_PAGE = 50
MAX_PAGE = 100
MAX_SEQ_DIGITS = 18


class AskedPlace(Struct, frozen=True):
    """A place of a thread as it was asked for. It is looked at when it is known that who asks may read the thread."""

    before: str | None = None
    after: str | None = None
    around: MessageId | None = None

    def place(self) -> ThreadPlace:
        """Of several places `around` counts, then `after`. Raises InvalidError."""
        older, newer = before_of(self.before), before_of(self.after, "after")
        if self.around is not None:
            return ThreadPlace(around=self.around)
        return ThreadPlace(before=older) if newer is None else ThreadPlace(after=newer)


END = AskedPlace()


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
