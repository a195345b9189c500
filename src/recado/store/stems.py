"""Portuguese stems of folded words, by which a search finds other forms. docs/store.md, "Search".

Computed here and not by the database: a trigger that asked PostgreSQL's own dictionary took 100 µs per message, more
than half of a commit; this takes 3.
"""

import re
import threading
from functools import lru_cache

import Stemmer

_portuguese = Stemmer.Stemmer("portuguese")
_one_at_a_time = threading.Lock()  # a stemmer belongs to one thread

_ENDINGS = tuple(
    (re.compile(f"{folded}$"), accented)
    for folded, accented in (
        ("c(?:ao|oes)", "ção"),
        ("(?<=.)(?:ao|oes)", "ão"),
        ("av(?:el|eis)", "ável"),
        ("iv(?:el|eis)", "ível"),
        ("(?<=..)ais", "al"),
        ("ancias?", "ância"),
        ("encias?", "ência"),
    )
)
"""Snowball tells endings by their accents, which folding took; and it parts `-ão` from `-ões`, `-al` from `-ais`."""

_ONE_OF_THEM = re.compile("(?:ao|oes|vel|[ae]is|cias?)$")

_COMMON = """
a ao aos as ate com como da das de dela dele do dos e ela elas ele eles em entre era essa esse esta este eu foi
ha isso ja la lhe mais mas me mesmo meu minha muito na nao nas nem no nos nossa nosso num numa o os ou para pela
pelo pode por qual quando que quem se sem ser seu so sua tambem te tem ter um uma vai voce voces
"""
_WITHOUT_STEM = frozenset(_COMMON.split())
"""What nobody searches other forms of, and nearly every message has."""


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str | None:
    """Of a word as `domain/words.py` folds it; None if it has none of its own."""
    if word in _WITHOUT_STEM:
        return None
    if _ONE_OF_THEM.search(word):
        for ending, accented in _ENDINGS:
            word, found = ending.subn(accented, word)
            if found:
                break
    with _one_at_a_time:
        return str(_portuguese.stemWord(word))
