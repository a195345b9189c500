"""JSON request bodies → typed payloads, strictly. docs/rest.md, "Bodies".

Litestar would take a body of any media type and bend `"5"` into 5, so that the document and the server would
disagree. A handler still just declares `data: Kind`; if that is an order of the inbox, it comes complete.
"""

import re
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import State

from recado.app.inbox import Order
from recado.app.payloads import payload_of
from recado.errors import FieldError, InvalidError
from recado.protocol import json_text
from recado.rest import parameters
from recado.rest.problems import UnsupportedMediaTypeError

MAX_BODY_BYTES = 1_048_576
NOBODYS = str(UUID(int=0))
NO_CLINIC = 0


class JsonRequest(Request[Any, Any, State]):
    """A request whose `json()` is already what the handler's `data` asks for; Litestar calls it to fill `data`."""

    async def body(self) -> bytes:
        """An order may come without one, if its address and headers say all that there is to say."""
        return await super().body() or (b"{}" if issubclass(self._kind, Order) else b"")

    async def json(self) -> Any:
        if self.content_type[0] != "application/json" and await super().body():
            raise UnsupportedMediaTypeError
        value = read_json(await self.body())
        if isinstance(value, dict) and issubclass(self._kind, Order):
            self._complete(value)
        return payload_of(value, self._kind)

    @property
    def _kind(self) -> Any:
        return self.route_handler.parsed_fn_signature.parameters["data"].annotation

    def _complete(self, order: dict[str, Any]) -> None:
        """What REST says of an order outside of its body: ids in the address, the key perhaps as a header."""
        key = parameters.client_key_of(self.headers.get("idempotency-key"))
        if order.get("clientKey") is None:
            order.pop("clientKey", None)
            order |= {"clientKey": key} if key else {}
        order |= {name: _id(name, text) for name, text in self.path_params.items()}


def read_json(body: bytes) -> Any:
    """Raises InvalidError; lone surrogates, which browsers do send, become U+FFFD."""
    try:
        return json_text.decode(body.decode("utf-8"))
    except ValueError:
        raise InvalidError(errors=[FieldError("", "not_json")]) from None


def _id(name: str, text: str) -> str | int:
    """What cannot be an id becomes one that nobody has: both are answered alike."""
    if name == "clinicId":
        return int(text) if re.fullmatch("[0-9]{1,9}", text, re.ASCII) else NO_CLINIC
    try:
        return str(msgspec.convert(text, UUID))
    except msgspec.ValidationError:
        return NOBODYS
