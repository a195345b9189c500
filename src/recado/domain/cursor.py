"""Where a client stands in a clinic's log, as text: `<epoch>:<seq>`. Pure. docs/events.md, "The cursor"."""

import re
from typing import NamedTuple

from recado.domain.values import Seq
from recado.errors import FieldError, InvalidError

_FORM = re.compile(r"([\x21-\x7e]{1,128}):([0-9]{1,18})", re.ASCII)


class Cursor(NamedTuple):
    """`epoch` names the log's history: after a restore it is another, and numbers mean nothing across it."""

    epoch: str
    seq: Seq

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


def parse_cursor(text: str, *, path: str = "after") -> Cursor:
    """`seq` is what follows the last colon. Raises InvalidError at `path`."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise InvalidError(errors=[FieldError(path, "wrong_format")])
    return Cursor(form[1], Seq(int(form[2])))
