"""JSON request bodies → typed payloads, strictly. docs/rest.md, "Bodies".

Litestar would take a body of any media type and bend `"5"` into 5, so that the document and the server would
disagree. A handler still just declares `data: Kind`.
"""

from typing import Any, TypeVar

from litestar import Request
from litestar.datastructures import State

from recado.app.payloads import payload_of
from recado.errors import FieldError, InvalidError
from recado.protocol import json_text
from recado.rest.problems import UnsupportedMediaTypeError

T = TypeVar("T")

MAX_BODY_BYTES = 1_048_576


class JsonRequest(Request[Any, Any, State]):
    """A request whose `json()` is already what the handler's `data` asks for; Litestar calls it to fill `data`."""

    async def json(self) -> Any:
        if self.content_type[0] != "application/json":
            raise UnsupportedMediaTypeError
        return read_json(
            await self.body(), self.route_handler.parsed_fn_signature.parameters["data"].annotation
        )


def read_json(body: bytes, kind: type[T]) -> T:
    """Raises InvalidError; lone surrogates, which browsers do send, become U+FFFD."""
    try:
        value = json_text.decode(body.decode("utf-8"))
    except ValueError:
        raise InvalidError(errors=[FieldError("", "not_json")]) from None
    return payload_of(value, kind)
