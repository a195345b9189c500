"""A body of the WhatsApp Cloud API's webhook → messages, and a count of everything in it. Pure.

Tolerant by rule: what is signed and not understood is counted, never refused, because the provider repeats anything
but a 200 for days. One bad item costs its neighbours nothing. docs/channels.md, "WhatsApp".
"""

import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct, field

from recado.channels.generic import MAX_ID_CHARS, MAX_TEXT_CHARS, Identifier
from recado.channels.sent_times import from_epoch
from recado.domain.accounts import Channel
from recado.domain.commands import InboundAttachment, ReceiveMessage
from recado.domain.text import clean, is_clean, name_from
from recado.domain.values import Attachment
from recado.errors import ForbiddenError

MediaKind = Literal["image", "video", "document", "audio", "sticker"]
MessageItem = Literal["text", MediaKind]
IgnoredItem = Literal["reaction", "status", "unsupported", "unknown", "malformed", "other_number", "refused"]
"""`unsupported` is the provider's own word for what it cannot pass on; `refused` is what our rules did not take."""

_MEDIA: tuple[MediaKind, ...] = get_args(MediaKind)
_NAMED_AND_IGNORED: tuple[Literal["reaction", "unsupported"], ...] = ("reaction", "unsupported")


class Inbound(Struct, frozen=True):
    """What a body held: messages in its order, and how many of each other kind."""

    messages: tuple[tuple[MessageItem, ReceiveMessage], ...]
    ignored: Mapping[IgnoredItem, int]


class _Context(Struct, frozen=True):
    id: str | None = None


class _Item(Struct, frozen=True):
    """What every message has, whatever its type."""

    id: Identifier
    sender: Identifier = field(name="from")
    type: str
    timestamp: str | int = ""
    context: _Context | None = None


class _Text(Struct, frozen=True):
    body: Annotated[str, Meta(min_length=1)]


class _Media(Struct, frozen=True):
    id: Identifier
    mime_type: str = "application/octet-stream"
    caption: str | None = None
    filename: str | None = None


T = TypeVar("T")


def challenge(query: Mapping[str, str], channel: Channel) -> str:
    """The text that confirms a subscription. Raises ForbiddenError unless the verify token is the channel's."""
    given = query.get("hub.verify_token", "").encode(errors="replace")
    expected = (channel.verify_token or "").encode()
    if not expected or not hmac.compare_digest(expected, given) or query.get("hub.mode") != "subscribe":
        raise ForbiddenError("The subscription's mode or verify token is not this channel's.")
    return query.get("hub.challenge", "")


def parse(value: Any, channel: Channel, *, now_s: float, new_id: Callable[[], str]) -> Inbound:
    """`value` is the decoded JSON body. Never raises; `new_id` names attachments."""
    messages: list[tuple[MessageItem, ReceiveMessage]] = []
    ignored: Counter[IgnoredItem] = Counter()
    for change in _changes(value):
        items, statuses = _list(change, "messages"), _list(change, "statuses")
        if not items and not statuses:
            ignored["unknown" if change else "malformed"] += 1
        elif _number(change) != channel.phone_number_id:
            ignored["other_number"] += len(items) + len(statuses)
        else:
            names = _names(change)
            ignored["status"] += len(statuses)
            for item in items:
                read = _read(item, names, channel, now_s, new_id)
                if isinstance(read, str):
                    ignored[read] += 1
                else:
                    messages.append(read)
    return Inbound(tuple(messages), +ignored)


def _read(
    raw: Any, names: Mapping[str, str], channel: Channel, now_s: float, new_id: Callable[[], str]
) -> tuple[MessageItem, ReceiveMessage] | IgnoredItem:
    item = _as(raw, _Item)
    if item is None or not (is_clean(item.id) and is_clean(item.sender)):
        return "malformed"
    kind = next((kind for kind in _MEDIA if kind == item.type), None)
    if kind is None and item.type != "text":
        return next((known for known in _NAMED_AND_IGNORED if known == item.type), "unknown")
    content = _content(raw, kind, new_id)
    if content is None:
        return "malformed"
    body, attachments = content
    replied = (item.context.id if item.context else None) or ""
    return kind or "text", ReceiveMessage(
        clinic_id=channel.clinic_id,
        channel=channel.ref,
        external_id=item.id,
        contact_address=item.sender,
        contact_name=name_from(names.get(item.sender, ""), otherwise=item.sender),
        body=clean(body)[:MAX_TEXT_CHARS],
        sent_at=from_epoch(str(item.timestamp), now_s=now_s),
        attachments=attachments,
        reply_to_external_id=replied if 0 < len(replied) <= MAX_ID_CHARS and is_clean(replied) else None,
    )


def _content(
    raw: Any, kind: MediaKind | None, new_id: Callable[[], str]
) -> tuple[str, tuple[InboundAttachment, ...]] | None:
    """Body and attachments of a text (`kind` is None) or media item; None if what its type promises is not there."""
    if kind is None:
        text = _as(raw.get("text"), _Text)
        return (text.body, ()) if text is not None and text.body.strip() else None
    media = _as(raw.get(kind), _Media)
    if media is None or not is_clean(media.id):
        return None
    attachment = Attachment(
        id=new_id(),
        kind=kind,
        mime_type=name_from(media.mime_type, otherwise="application/octet-stream"),
        name=name_from(media.filename, otherwise="") or None if media.filename else None,
        status="pending",
    )
    return media.caption or "", (InboundAttachment(attachment=attachment, external_id=media.id),)


def _changes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every change's value, `{}` in place of what is no such thing."""
    entries = _list(value, "entry")
    for entry in entries:
        changes = _list(entry, "changes")
        for change in changes:
            inner = change.get("value") if isinstance(change, dict) else None
            yield inner if isinstance(inner, dict) else {}
        if not changes:
            yield {}
    if not entries:
        yield {}


def _number(change: Mapping[str, Any]) -> str:
    metadata = change.get("metadata")
    number = metadata.get("phone_number_id") if isinstance(metadata, dict) else None
    return number if isinstance(number, str) else ""


def _names(change: Mapping[str, Any]) -> dict[str, str]:
    """Address → profile name, for those contacts that have both."""
    names: dict[str, str] = {}
    for contact in _list(change, "contacts"):
        profile = contact.get("profile") if isinstance(contact, dict) else None
        name = profile.get("name") if isinstance(profile, dict) else None
        if isinstance(name, str) and isinstance(contact.get("wa_id"), str):
            names[contact["wa_id"]] = name
    return names


def _list(parent: Any, name: str) -> list[Any]:
    found = parent.get(name) if isinstance(parent, dict) else None
    return found if isinstance(found, list) else []


def _as(raw: Any, kind: type[T]) -> T | None:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        return None
