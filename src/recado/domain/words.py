"""Text → the words that search knows, without accents and case, each with its place. Pure; docs/store.md, "Search".

What is indexed, what is asked for and what is highlighted go through here, so the three cannot disagree.
"""

import re
import unicodedata
from collections.abc import Container, Sequence
from typing import NamedTuple

from recado.domain.values import Highlight

MAX_WORD_CHARS = 64
"""A longer word is known by its beginning."""

# Letters and digits with the accents that may follow each as characters of their own.
_WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")
_ASCII_FOLDED = bytes(code if chr(code).isalnum() else 32 for code in bytes(range(128)).lower()).ljust(256)
"""By character: a blank for what is part of no word."""


class Word(NamedTuple):
    """`folded` consists of letters and digits only; `start` and `end` are offsets into the text it stands in."""

    folded: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """In order. What has no letter or digit left once folded is no word."""
    found = (Word(_folded(match[0]), match.start(), match.end()) for match in _WORD.finditer(text))
    return [word for word in found if word.folded]


def folded_words(text: str) -> list[str]:
    """`words_of` without the places, in a tenth of its time: every message that is committed is indexed."""
    if text.isascii():
        words = text.encode().translate(_ASCII_FOLDED).decode().split()
        long = max(map(len, words), default=0) > MAX_WORD_CHARS
        return [word[:MAX_WORD_CHARS] for word in words] if long else words
    return [folded for word in _WORD.findall(text) if (folded := _folded(word))]


def highlights(body: str, asked: Sequence[str], kin: Container[str] = ()) -> tuple[Highlight, ...]:
    """Where `body` has one of the folded words `asked` (at least one) or `kin`, or begins with the last asked for."""
    whole, prefix = frozenset(asked), asked[-1]
    return tuple(
        Highlight(start=word.start, end=word.end)
        for word in words_of(body)
        if word.folded in whole or word.folded in kin or word.folded.startswith(prefix)
    )


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()[:MAX_WORD_CHARS]
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return "".join(filter(str.isalnum, plain))[:MAX_WORD_CHARS]
