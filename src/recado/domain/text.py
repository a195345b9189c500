"""Text from outside → text that every database and encoder takes. Pure; each edge that lets text in calls it.

PostgreSQL refuses U+0000 in text, UTF-8 has no form for a lone surrogate, and both arrive: a browser or a
provider cuts an emoji in two (docs/channels.md, "Text").
"""

import re

from recado.errors import FieldError, InvalidError

MAX_NAME_CHARS = 200
MAX_EMAIL_CHARS = 320

SPACES = r"\s\x1c-\x1f\x85\ufeff"
"""For a set of characters. Python, JavaScript and Rust differ in what is a space; here all of theirs are."""
VISIBLE = f"[^{SPACES}]"
"""A character that is seen."""

_VISIBLE = re.compile(VISIBLE)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` with U+FFFD in place of NUL characters and lone surrogates."""
    if text.isascii() and "\0" not in text:  # 0.04 instead of 0.6 µs for a message's words
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def says_nothing(text: str) -> bool:
    """Whether nothing of it would be seen."""
    return _VISIBLE.search(text) is None


def is_clean(text: str) -> bool:
    """Whether `clean` would leave `text` alone. An id that is not clean is refused, since two could become one."""
    return _UNSTORABLE.search(text) is None


def name_from(text: str, *, otherwise: str) -> str:
    """A person's or a file's name for the screen: clean, one line, cut to MAX_NAME_CHARS; `otherwise` if empty."""
    return " ".join(clean(text).split())[:MAX_NAME_CHARS].rstrip() or otherwise


def email_from(text: str, *, path: str = "email") -> str:
    """An address as members are known by it: lower case. Whether mail arrives there is not our affair.

    Raises InvalidError unless it looks like `name@host`.
    """
    email = text.strip().lower()
    name, _, host = email.partition("@")
    one_word = email.split() == [email] and is_clean(email)
    if not name or not host or "@" in host or len(email) > MAX_EMAIL_CHARS or not one_word:
        raise InvalidError(f"{path}: must look like name@host", errors=[FieldError(path, "malformed")])
    return email
