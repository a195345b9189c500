"""A stand-in for the providers: takes what the sender posts, and shows it. For demos and tests, never for patients.

Answers as they do: the same idempotency key is the same message. It can be told to fail. docs/channels.md, "Stand-in".
"""

import hashlib
from collections import OrderedDict
from typing import Annotated, Any

from litestar import Litestar, Request, Response, Router, get, post
from litestar.exceptions import ClientException
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct
from msgspec.structs import replace

MAX_KEPT = 1000


class Taken(Struct, frozen=True, rename="camel"):
    """A message as it arrived first; `repeats` counts how often its key came again."""

    key: str
    channel: str
    to: str
    body: str
    external_id: str
    repeats: int = 0


class Page(Struct, frozen=True):
    items: list[Taken]


class Failing(Struct, frozen=True, rename="camel"):
    """Answer the next `times` posts with `status`; `code` is a Cloud API error code for the answer's body.

    `keep`: take the message all the same, as when the answer is lost on its way.
    """

    times: Annotated[int, Meta(ge=0)] = 1
    status: Annotated[int, Meta(ge=300, le=599)] = 503
    retry_after: int | None = None
    code: int | None = None
    keep: bool = False


class GenericRecipient(Struct, frozen=True):
    id: str


class GenericData(Struct, frozen=True):
    to: GenericRecipient
    body: str


class GenericPost(Struct, frozen=True):
    type: str
    data: GenericData


class WhatsappText(Struct, frozen=True):
    body: str


class WhatsappPost(Struct, frozen=True):
    messaging_product: str
    to: str
    text: WhatsappText


class StandIn:
    """The last MAX_KEPT messages, in order of first arrival."""

    def __init__(self) -> None:
        self._taken: OrderedDict[str, Taken] = OrderedDict()
        self.failing = Failing(times=0)

    @property
    def items(self) -> list[Taken]:
        return list(self._taken.values())

    def take(self, message: Taken) -> Response[Any] | None:
        """Keep it, or count the repeat. The answer, if it is to be a failure; providers like to quote in them."""
        failing = self.failing
        if failing.times:
            self.failing = replace(failing, times=failing.times - 1)
        if not failing.times or failing.keep:
            known = self._taken.get(message.key)
            self._taken[message.key] = replace(known, repeats=known.repeats + 1) if known else message
            if len(self._taken) > MAX_KEPT:
                self._taken.popitem(last=False)
        if not failing.times:
            return None
        error = {"code": failing.code, "message": f"Told to fail: {message.body}"}
        headers = {} if failing.retry_after is None else {"Retry-After": str(failing.retry_after)}
        return Response({"error": error}, status_code=failing.status, headers=headers)


def create_standin() -> Litestar:
    """`POST /generic/{channelId}`, `POST /whatsapp/{phoneNumberId}/messages`, `GET /messages`, `POST /fail`."""
    standin = StandIn()

    @post("/generic/{channel:str}", status_code=200)
    async def take_generic(
        channel: FromPath[str], data: JSONBody[GenericPost], request: Request[Any, Any, Any]
    ) -> Response[Any]:
        key = _key(request)
        external_id = f"standin-{_digest(key)}"
        failure = standin.take(Taken(key, channel, data.data.to.id, data.data.body, external_id))
        return failure or Response({"externalId": external_id})

    @post("/whatsapp/{number:str}/messages", status_code=200)
    async def take_whatsapp(
        number: FromPath[str], data: JSONBody[WhatsappPost], request: Request[Any, Any, Any]
    ) -> Response[Any]:
        key = _key(request)
        external_id = f"wamid.STANDIN{_digest(key)}"
        failure = standin.take(Taken(key, number, data.to, data.text.body, external_id))
        return failure or Response(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": data.to, "wa_id": data.to}],
                "messages": [{"id": external_id}],
            }
        )

    @get("/messages")
    async def list_taken() -> Page:
        return Page(standin.items)

    @post("/fail", status_code=204)
    async def fail(data: JSONBody[Failing]) -> None:
        standin.failing = data

    handlers = [take_generic, take_whatsapp, list_taken, fail]
    return Litestar([Router("/", route_handlers=handlers)], openapi_config=None, logging_config=None)


def _key(request: Request[Any, Any, Any]) -> str:
    key = request.headers.get("idempotency-key")
    if not key:
        raise ClientException("The header Idempotency-Key is missing.")
    return key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]
