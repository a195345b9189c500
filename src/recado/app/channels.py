"""A clinic's channels as its admins see and change them. docs/channels.md, "Settings"."""

import base64
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypedDict
from uuid import UUID, uuid5

from msgspec import UNSET, UnsetType

from recado.app.access import Access
from recado.app.clinics import ClinicOrder, given_by
from recado.app.inbox import Uuid
from recado.domain.accounts import Channel, Identity
from recado.domain.channel_views import ChannelDetails, ChannelSecrets
from recado.domain.clinic_commands import AddChannel, OfChannel, RotateSecret, UpdateChannel
from recado.domain.text import clean
from recado.domain.values import ChannelId, ChannelKind, ClinicId
from recado.errors import NotFoundError
from recado.store import accounts
from recado.store.accounts import UsedChannel
from recado.store.database import Database
from recado.store.writer import Writer

PATHS: dict[ChannelKind, str] = {"generic": "inbound", "whatsapp": "whatsapp"}
"""Where under a channel's address its provider posts to."""


class AddChannelOrder(ClinicOrder, frozen=True, kw_only=True):
    """`channel:add`. Keys of ours are made: a generic channel's `secret` if none is given, WhatsApp's verify token."""

    kind: ChannelKind
    name: str
    secret: str | None = None
    phone_number_id: str | None = None
    access_token: str | None = None
    outbound_url: str | None = None


class ChannelOrder(ClinicOrder, frozen=True, kw_only=True):
    channel_id: Annotated[ChannelId, Uuid]


class UpdateChannelOrder(ChannelOrder, frozen=True, kw_only=True):
    """`channel:update`. What is absent stays, null takes away."""

    name: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    secret: str | UnsetType = UNSET
    phone_number_id: str | UnsetType | None = UNSET
    access_token: str | UnsetType | None = UNSET
    outbound_url: str | UnsetType | None = UNSET


class RotateSecretOrder(ChannelOrder, frozen=True, kw_only=True):
    """`channel:rotate-secret`. The old one counts no more."""


class FreshKeys(TypedDict):
    fresh_secret: str
    fresh_verify_token: str


class Channels:
    """Admins' orders raise `not_found`, `forbidden`, `invalid`, `conflict`, `client_key_reused`, `overloaded`.

    `base_url` is where providers reach us; `random_bytes(n)` is a source fit for secrets.
    """

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        access: Access,
        base_url: str,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._writer = writer
        self._access = access
        self._base_url = base_url
        self._random_bytes = random_bytes

    async def channels(self, identity: Identity, clinic_id: ClinicId) -> list[ChannelDetails]:
        """As admins know them, by name."""
        self._access.clinic(identity, clinic_id, "channels.manage")
        used = await self._database.read(partial(accounts.used_channels_of, clinic_id=clinic_id))
        return sorted(map(self._details, used), key=lambda each: (each.name.casefold(), each.id))

    async def secrets(self, identity: Identity, clinic_id: ClinicId, channel_id: ChannelId) -> ChannelSecrets:
        """What the provider must be told."""
        self._access.clinic(identity, clinic_id, "channels.manage")
        channel = await self._read(channel_id)
        if channel.clinic_id != clinic_id:
            raise NotFoundError
        return ChannelSecrets(secret=channel.secret, verify_token=channel.verify_token)

    async def add(self, identity: Identity, order: AddChannelOrder) -> ChannelDetails:
        # The same order, repeated, is about the same channel.
        channel_id = ChannelId(str(uuid5(UUID(identity.member_id), order.client_key)))
        return await self._carry_out(
            AddChannel(
                **given_by(self._access, identity, order, "channels.manage"),
                channel_id=channel_id,
                kind=order.kind,
                name=clean(order.name),
                secret=order.secret,
                phone_number_id=order.phone_number_id,
                access_token=order.access_token,
                outbound_url=order.outbound_url,
                **fresh_keys(self._random_bytes),
            )
        )

    async def update(self, identity: Identity, order: UpdateChannelOrder) -> ChannelDetails:
        return await self._carry_out(
            UpdateChannel(
                **given_by(self._access, identity, order, "channels.manage"),
                channel_id=order.channel_id,
                name=UNSET if order.name is UNSET else clean(order.name),
                active=order.active,
                secret=order.secret,
                phone_number_id=order.phone_number_id,
                access_token=order.access_token,
                outbound_url=order.outbound_url,
            )
        )

    async def rotate_secret(self, identity: Identity, order: RotateSecretOrder) -> ChannelDetails:
        by = given_by(self._access, identity, order, "channels.manage")
        keys = fresh_keys(self._random_bytes)
        return await self._carry_out(RotateSecret(**by, channel_id=order.channel_id, **keys))

    async def _carry_out(self, command: OfChannel) -> ChannelDetails:
        await self._writer.execute(command)
        used = await self._database.read(partial(accounts.used_channels_of, clinic_id=command.clinic_id))
        return next(self._details(each) for each in used if each.channel.id == command.channel_id)

    async def _read(self, channel_id: ChannelId) -> Channel:
        channel = await self._database.read(partial(accounts.channel_by_id, channel_id=channel_id))
        if channel is None:
            raise NotFoundError
        return channel

    def _details(self, used: UsedChannel) -> ChannelDetails:
        channel = used.channel
        return ChannelDetails(
            id=channel.id,
            kind=channel.kind,
            name=channel.name,
            active=channel.active,
            address=webhook_address(self._base_url, channel),
            has_secret=bool(channel.secret),
            has_access_token=bool(channel.access_token),
            phone_number_id=channel.phone_number_id,
            outbound_url=channel.outbound_url,
            last_inbound_at=used.last_inbound_at,
            last_outbound_at=used.last_outbound_at,
        )


def webhook_address(base_url: str, channel: Channel) -> str:
    """Where the channel's provider posts to."""
    return f"{base_url}/api/v1/channels/{channel.id}/{PATHS[channel.kind]}"


def fresh_keys(random_bytes: Callable[[int], bytes]) -> FreshKeys:
    """Keys of ours, for whichever kind of channel needs which."""
    return FreshKeys(
        fresh_secret=f"whsec_{base64.b64encode(random_bytes(32)).decode()}",
        fresh_verify_token=base64.urlsafe_b64encode(random_bytes(24)).decode(),
    )
