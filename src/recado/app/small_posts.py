"""POSTs that need nothing but their headers and bytes. What takes them and what answers them know each other by it.

Webhooks are such: they come by the thousand, and to route, parse and wrap one takes longer than to carry it out.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from msgspec import Struct

Headers = Mapping[str, str]
"""By lower-case name; the first of several."""


class SmallPost(NamedTuple):
    """`route` has one place for an id, as `/a/{id}/b`; `answer` is told the id, and raises what refuses."""

    route: str
    answer: Callable[[str, Headers, bytes], Awaitable[Struct]]
