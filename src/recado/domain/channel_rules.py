"""channel command + the clinic's channels → events. Pure; what a channel's settings must look like is here, too.

Whoever runs the server may send replies anywhere. An admin's address must prove its name by a certificate, or one
clinic's admin would make the server post into its own network. docs/channels.md, "Settings".
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, assert_never
from urllib.parse import urlsplit

from msgspec import UNSET
from msgspec.structs import replace

from recado.domain.accounts import Channel
from recado.domain.clinic_commands import AddChannel, OfChannel, RotateSecret, UpdateChannel
from recado.domain.clinic_events import ChannelAdded, ChannelEvent, ChannelUpdated
from recado.domain.text import says_nothing
from recado.domain.values import ChannelId, ChannelKind
from recado.errors import ConflictError, FieldError, InvalidError, NotFoundError

MAX_CHANNELS = 50
MAX_CHANNEL_NAME_CHARS = 100
MAX_SECRET_CHARS = 256
MAX_ACCESS_TOKEN_CHARS = 1_024
MAX_NUMBER_CHARS = 32
MAX_URL_CHARS = 2_000
MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64
"""Of a generic channel's secret: what Standard Webhooks asks for."""

PATHS = {
    "secret": "secret",
    "phone_number_id": "phoneNumberId",
    "access_token": "accessToken",
    "outbound_url": "outboundUrl",
}
"""Settings that a form of their own is asked of → where they stand in an order."""

OF_WHATSAPP_ONLY = frozenset({"phone_number_id", "access_token"})


def decide_channel(channels: Sequence[Channel], command: OfChannel) -> tuple[ChannelEvent, ...]:
    """Raises not_found, invalid, or conflict. Who may is asked before."""
    match command:
        case AddChannel():
            return (_add(channels, command),)
        case UpdateChannel():
            before = _known(channels, command.channel_id)
            asked = {name: getattr(command, name) for name in ("name", "active", *PATHS)}
            changed = {
                name: value
                for name, value in asked.items()
                if value is not UNSET and value != getattr(before, name)
            }
            return _updated(before, _checked(before.kind, changed, by_operator=command.member_id is None))
        case RotateSecret():
            before = _known(channels, command.channel_id)
            ours = {"secret": command.fresh_secret}
            if before.kind == "whatsapp":
                ours = {"verify_token": command.fresh_verify_token}
            return _updated(before, ours)
        case _:
            assert_never(command)


def _add(channels: Sequence[Channel], command: AddChannel) -> ChannelAdded:
    if len(channels) >= MAX_CHANNELS:
        raise InvalidError(errors=[FieldError("clinicId", "too_many")])
    given = {name: value for name in ("name", *PATHS) if (value := getattr(command, name)) is not None}
    settings = _checked(command.kind, given, by_operator=command.member_id is None)
    if command.kind == "whatsapp":
        settings |= {"verify_token": command.fresh_verify_token}
    otherwise = command.fresh_secret if command.kind == "generic" else ""
    return ChannelAdded(
        channel=Channel(
            id=command.channel_id,
            clinic_id=command.clinic_id,
            kind=command.kind,
            **{"secret": otherwise, **settings},
        )
    )


def _updated(before: Channel, changed: dict[str, Any]) -> tuple[ChannelUpdated, ...]:
    after = replace(before, **changed)
    return () if after == before else (ChannelUpdated(before=before, after=after),)


def _known(channels: Sequence[Channel], channel_id: ChannelId) -> Channel:
    for channel in channels:
        if channel.id == channel_id:
            return channel
    raise NotFoundError


def _checked(kind: ChannelKind, settings: dict[str, Any], *, by_operator: bool) -> dict[str, Any]:
    """What is kept of `settings`, each in its form."""
    kept = dict(settings)
    if "name" in settings:
        kept["name"] = _name(settings["name"])
    for name, path in PATHS.items():
        value = settings.get(name)
        if value is None:
            continue
        if kind == "generic" and name in OF_WHATSAPP_ONLY:
            raise ConflictError(errors=[FieldError(path, "of_another_kind")])
        if not _fits(name, value, by_operator=by_operator):
            raise InvalidError(errors=[FieldError(path, "wrong_format")])
        if kind == "generic" and name == "secret" and not _is_key(value):
            raise ConflictError(errors=[FieldError(path, "wrong_format")])
    return kept


def _name(name: str) -> str:
    """One line, without spaces around it."""
    if says_nothing(name):
        raise InvalidError(errors=[FieldError("name", "empty")])
    if len(name) > MAX_CHANNEL_NAME_CHARS:
        raise InvalidError(errors=[FieldError("name", "too_long")])
    return " ".join(name.split())


def _fits(name: str, value: str, *, by_operator: bool) -> bool:
    """Whether it will do for a channel of some kind."""
    match name:
        case "secret":
            return _is_visible(value, MAX_SECRET_CHARS)
        case "access_token":
            return _is_visible(value, MAX_ACCESS_TOKEN_CHARS)
        case "phone_number_id":
            return re.fullmatch(rf"[0-9]{{1,{MAX_NUMBER_CHARS}}}", value) is not None
        case _:
            return _is_address(value, {"https", "http"} if by_operator else {"https"})


def _is_visible(value: str, limit: int) -> bool:
    """ASCII, as a header's value must be."""
    return re.fullmatch(rf"[!-~]{{1,{limit}}}", value) is not None


def _is_key(secret: str) -> bool:
    """`whsec_` and base64, its padding optional."""
    encoded = secret.removeprefix("whsec_").rstrip("=")
    if encoded == secret.rstrip("="):
        return False
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES


def _is_address(url: str, schemes: set[str]) -> bool:
    if not _is_visible(url, MAX_URL_CHARS):
        return False
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in schemes and parts.username is None and not parts.fragment
