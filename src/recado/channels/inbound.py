"""A provider's POST → commands → one answer: routes that `server.py` hands to the REST application, and a shorter way.

In this order, and nothing before its turn: the channel, the size, the signature of the raw bytes, JSON, commands.
200 only after every commit; a fault of ours is 503, so that the provider repeats. docs/channels.md, "In".
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

from litestar import MediaType, Request, Response, Router, get, post
from litestar.params import PathParameter
from msgspec import Struct

from recado.app.inbox import Inbox
from recado.app.known_channels import KnownChannels
from recado.app.small_posts import Headers, SmallPost
from recado.channels import generic, whatsapp
from recado.channels.bodies import MAX_BODY_BYTES, json_of, read_body
from recado.channels.delivery import Fate, deliver, deliver_all
from recado.channels.signatures import verify, verify_whatsapp
from recado.domain.accounts import Channel
from recado.domain.instants import moment
from recado.domain.values import ChannelKind, Instant
from recado.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    OverloadedError,
    RecadoError,
    SignatureError,
    TooLargeError,
    UnavailableError,
)
from recado.observe import CHANNEL_ITEMS, get_logger

ChannelPath = Annotated[UUID, PathParameter(name="channelId", description="The channel.")]

WEBHOOK_REFUSALS: tuple[type[RecadoError], ...] = (
    InvalidError,
    SignatureError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
    OverloadedError,
)
"""What the REST application, which is a sibling, tells in its document of these routes."""

ADDRESS = "/api/v1/channels/{channelId}"

IGNORED: tuple[Fate, ...] = ("refused", "status_unknown")

log = get_logger("channels")


class Received(Struct, frozen=True):
    """The answer to a webhook: messages and statuses taken, messages that had come before, and what is not for us."""

    accepted: int = 0
    repeated: int = 0
    ignored: int = 0


class Webhooks:
    """`now` is wall-clock time; `new_id` names attachments."""

    def __init__(
        self, inbox: Inbox, channels: KnownChannels, *, now: Callable[[], Instant], new_id: Callable[[], str]
    ) -> None:
        self._inbox = inbox
        self._channels = channels
        self._now = now
        self._new_id = new_id

    async def find(self, channel_id: str, kind: ChannelKind) -> Channel:
        """Raises NotFoundError for an id that nobody has, one that is switched off, and one of another kind alike."""
        channel = await self._channels.get(channel_id)
        if channel.kind != kind:
            raise NotFoundError
        return channel

    async def generic(self, channel: Channel, headers: Headers, body: bytes) -> Received:
        now_s = moment(self._now()).timestamp()
        verify(channel.secret, headers, body, now_s=now_s)
        fate = await deliver(self._inbox, generic.parse(json_of(body), channel, now_s=now_s))
        return _answer(channel, Counter({fate: 1}), Counter({"text": 1}), ignored=0)

    async def whatsapp(self, channel: Channel, headers: Headers, body: bytes) -> Received:
        verify_whatsapp(channel.secret, headers.get("x-hub-signature-256"), body)
        now_s = moment(self._now()).timestamp()
        inbound = whatsapp.parse(json_of(body), channel, now_s=now_s, new_id=self._new_id)
        fates = await deliver_all(self._inbox, [item for _, item in inbound.items])
        items: Counter[str] = Counter(inbound.ignored)
        for (kind, _), fate in zip(inbound.items, fates, strict=True):
            items[fate if fate in IGNORED else kind] += 1
        return _answer(channel, Counter(fates), items, ignored=sum(inbound.ignored.values()))


def channel_posts(webhooks: Webhooks) -> Sequence[SmallPost]:
    """The POSTs of `channel_routes`, for who has them whole."""

    async def receive_generic(channel_id: str, headers: Headers, body: bytes) -> Received:
        return await webhooks.generic(await webhooks.find(channel_id, "generic"), headers, body)

    async def receive_whatsapp(channel_id: str, headers: Headers, body: bytes) -> Received:
        return await webhooks.whatsapp(await webhooks.find(channel_id, "whatsapp"), headers, body)

    return [
        SmallPost(f"{ADDRESS}/inbound", receive_generic),
        SmallPost(f"{ADDRESS}/whatsapp", receive_whatsapp),
    ]


def channel_routes(webhooks: Webhooks) -> Router:
    """Every route of a channel."""

    @post(
        "/inbound",
        status_code=200,
        operation_id="receiveGeneric",
        summary="A patient wrote (generic channel)",
        description='The body is `{"externalId", "from": {"id", "name"?}, "body", "sentAt"}`, signed as Standard '
        "Webhooks says (`webhook-id`, `webhook-timestamp`, `webhook-signature`) with the channel's secret. The same "
        "`externalId` never makes a second message. 200 means committed; repeat anything else.",
        opt={"refusals": WEBHOOK_REFUSALS},
    )
    async def receive_generic(channel_id: ChannelPath, request: Request[Any, Any, Any]) -> Received:
        channel = await webhooks.find(str(channel_id), "generic")
        return await webhooks.generic(channel, request.headers, await read_body(request))

    @get(
        "/whatsapp",
        operation_id="confirmWhatsapp",
        summary="Confirm a WhatsApp subscription",
        description="What the Cloud API asks when the webhook is set up: `hub.challenge` comes back as plain text if "
        "`hub.verify_token` is the channel's.",
        media_type=MediaType.TEXT,
        opt={"refusals": (ForbiddenError, NotFoundError, UnavailableError)},
    )
    async def confirm_whatsapp(channel_id: ChannelPath, request: Request[Any, Any, Any]) -> Response[str]:
        channel = await webhooks.find(str(channel_id), "whatsapp")
        return Response(whatsapp.challenge(dict(request.query_params), channel), media_type=MediaType.TEXT)

    @post(
        "/whatsapp",
        status_code=200,
        operation_id="receiveWhatsapp",
        summary="Something happened on a WhatsApp number",
        description="A webhook body of the Cloud API, signed with the app secret (`X-Hub-Signature-256`). What is "
        "signed and not understood is answered 200 and counted. 200 means committed; repeat anything else. A status "
        "counts as accepted whether or not it changed something.",
        opt={"refusals": WEBHOOK_REFUSALS},
    )
    async def receive_whatsapp(channel_id: ChannelPath, request: Request[Any, Any, Any]) -> Received:
        channel = await webhooks.find(str(channel_id), "whatsapp")
        return await webhooks.whatsapp(channel, request.headers, await read_body(request))

    return Router(
        ADDRESS.replace("}", ":str}"),
        route_handlers=[receive_generic, confirm_whatsapp, receive_whatsapp],
        request_max_body_size=MAX_BODY_BYTES,
        security=[{}],
        tags=["Channels"],
    )


def _answer(channel: Channel, fates: Counter[str], items: Counter[str], *, ignored: int) -> Received:
    for item, count in items.items():
        CHANNEL_ITEMS.labels(channel.kind, item).inc(count)
    ignored += sum(fates[fate] for fate in IGNORED)
    received = Received(fates["accepted"], fates["repeated"], ignored)
    log.debug("webhook_received", channel=channel.id, accepted=received.accepted, repeated=received.repeated)
    return received
