"""A request's raw body, bounded, and the JSON in it. Signatures are over these bytes, so nobody parses them first."""

from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException

from recado.errors import FieldError, InvalidError, TooLargeError
from recado.protocol import json_text

MAX_BODY_BYTES = 1_048_576
"""For a route's `request_max_body_size`: Litestar stops there, whether or not a Content-Length came."""


async def read_body(request: Request[Any, Any, Any]) -> bytes:
    """All of the body. Raises TooLargeError as soon as it is known to be larger; the rest is left unread."""
    try:
        return await request.body()
    except HTTPException as error:
        if error.status_code == TooLargeError.status:
            raise TooLargeError from None
        raise


def json_of(body: bytes) -> Any:
    """Raises InvalidError, which says nothing of what stood in `body`."""
    try:
        return json_text.decode(body.decode("utf-8"))
    except ValueError:
        raise InvalidError(errors=[FieldError("", "not_json")]) from None
