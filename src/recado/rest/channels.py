"""Routes of a clinic's channels, for its admins. What providers post is elsewhere. docs/rest.md, "Channels"."""

from litestar import get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from recado.app.channels import AddChannelOrder, Channels, RotateSecretOrder, UpdateChannelOrder
from recado.domain.channel_views import ChannelDetails, ChannelSecrets
from recado.domain.values import ChannelId, ClinicId
from recado.errors import ConflictError
from recado.rest import parameters
from recado.rest.authentication import MemberRequest
from recado.rest.commands import changing
from recado.rest.conversations import READING


@get(
    "/clinics/{clinicId:str}/channels",
    operation_id="listChannels",
    summary="List channels",
    description="The clinic's channels by name, with the address each provider posts to, and when something last "
    "came in and went out. Without keys. Admins.",
    response_description="The channels.",
    responses=READING,
    tags=["Clinic"],
)
async def list_channels(
    request: MemberRequest, channels: NamedDependency[Channels], clinic_id: parameters.ClinicPath
) -> list[ChannelDetails]:
    return await channels.channels(request.user, ClinicId(clinic_id))


@get(
    "/clinics/{clinicId:str}/channels/{channelId:str}/secrets",
    operation_id="getChannelSecrets",
    summary="Read a channel's secrets",
    description="What the provider must be told: the secret, and WhatsApp's verify token. The access token is never "
    "told. Admins.",
    response_description="The secrets.",
    responses=READING,
    tags=["Clinic"],
)
async def get_channel_secrets(
    request: MemberRequest,
    channels: NamedDependency[Channels],
    clinic_id: parameters.ClinicPath,
    channel_id: parameters.ChannelPath,
) -> ChannelSecrets:
    return await channels.secrets(request.user, ClinicId(clinic_id), ChannelId(str(channel_id)))


@post(
    "/clinics/{clinicId:str}/channels",
    status_code=200,
    operation_id="addChannel",
    summary="Add a channel",
    description="A way to patients. A generic channel's secret is made if none is given, a WhatsApp channel's verify "
    "token always. Admins.",
    response_description="The channel.",
    responses=changing(ConflictError),
    tags=["Clinic"],
)
async def add_channel(
    request: MemberRequest, channels: NamedDependency[Channels], data: JSONBody[AddChannelOrder]
) -> ChannelDetails:
    return await channels.add(request.user, data)


@patch(
    "/clinics/{clinicId:str}/channels/{channelId:str}",
    operation_id="updateChannel",
    summary="Update a channel",
    description="Changes what the body names; null takes away. `active` false switches it off: its provider is "
    "answered `not_found`, and replies fail. Admins.",
    response_description="The channel as it is now.",
    responses=changing(ConflictError),
    tags=["Clinic"],
)
async def update_channel(
    request: MemberRequest, channels: NamedDependency[Channels], data: JSONBody[UpdateChannelOrder]
) -> ChannelDetails:
    return await channels.update(request.user, data)


@post(
    "/clinics/{clinicId:str}/channels/{channelId:str}/secret",
    status_code=200,
    operation_id="rotateSecret",
    summary="Rotate a channel's secret",
    description="Makes a generic channel's secret anew, or a WhatsApp channel's verify token; the old one counts no "
    "more. Admins.",
    response_description="The channel, without the secret.",
    responses=changing(),
    tags=["Clinic"],
)
async def rotate_secret(
    request: MemberRequest, channels: NamedDependency[Channels], data: JSONBody[RotateSecretOrder]
) -> ChannelDetails:
    return await channels.rotate_secret(request.user, data)
