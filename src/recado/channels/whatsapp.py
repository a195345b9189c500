"""A body of the WhatsApp Cloud API's webhook → messages and statuses, and a count of everything else. Pure.

Tolerant by rule: what is signed and not understood is counted, never refused, because the provider repeats anything
but a 200 for days. One bad item costs its neighbours nothing. docs/channels.md, "WhatsApp".
"""

import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct, field

from recado.app.outbox import LEASE_S
from recado.channels.delivery import Item, StatusReport
from recado.channels.generic import MAX_ID_CHARS, MAX_TEXT_CHARS, Identifier
from recado.channels.providers import failure_after_sent
from recado.channels.sent_times import age_s, from_epoch
from recado.domain.accounts import Channel
from recado.domain.commands import InboundAttachment, ReceiveMessage, ReportStatus
from recado.domain.text import clean, is_clean, name_from
from recado.domain.values import Attachment
from recado.errors import ForbiddenError

MediaKind = Literal["image", "video", "document", "audio", "sticker"]
StatusKind = Literal["sent", "delivered", "read", "failed"]
TakenItem = Literal["text", MediaKind, "status"]
IgnoredItem = Literal[
    "reaction", "unsupported", "unknown", "malformed", "other_number", "status_unknown", "refused"
]
"""`unsupported` is the provider's own word for what it cannot pass on. Found out later than here: `status_unknown`,
of a message that did not leave from here; `refused`, what our rules did not take."""

_MEDIA: tuple[MediaKind, ...] = get_args(MediaKind)
_STATUSES: tuple[StatusKind, ...] = get_args(StatusKind)
_MESSAGE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMED_AND_IGNORED: tuple[Literal["reaction", "unsupported"], ...] = ("reaction", "unsupported")


class Inbound(Struct, frozen=True):
    """What a body held: messages and statuses, each in their order, and how many of each other kind."""

    items: tuple[tuple[TakenItem, Item], ...]
    ignored: Mapping[IgnoredItem, int]


class _Context(Struct, frozen=True):
    id: str | None = None


class _Item(Struct, frozen=True):
    """What every message has, whatever its type. Time and context are asked for later: they cost no message."""

    id: Identifier
    sender: Identifier = field(name="from")
    type: str
    timestamp: Any = ""
    context: Any = None


class _Text(Struct, frozen=True):
    body: Annotated[str, Meta(min_length=1)]


class _Media(Struct, frozen=True):
    id: Identifier
    mime_type: str = "application/octet-stream"
    caption: str | None = None
    filename: str | None = None


class _Status(Struct, frozen=True):
    id: Identifier
    status: str
    timestamp: Any = ""
    biz_opaque_callback_data: Any = None


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
    taken: list[tuple[TakenItem, Item]] = []
    ignored: Counter[IgnoredItem] = Counter()
    for change in _changes(value):
        messages, statuses = _list(change, "messages"), _list(change, "statuses")
        if not messages and not statuses:
            ignored["unknown" if change else "malformed"] += 1
        elif _number(change) != channel.phone_number_id:
            ignored["other_number"] += len(messages) + len(statuses)
        else:
            names = _names(change)
            read = [_message(raw, names, channel, now_s, new_id) for raw in messages]
            for item in (*read, *(_status(raw, channel, now_s) for raw in statuses)):
                if isinstance(item, str):
                    ignored[item] += 1
                else:
                    taken.append(item)
    return Inbound(tuple(taken), ignored)


def _message(
    raw: Any, names: Mapping[str, str], channel: Channel, now_s: float, new_id: Callable[[], str]
) -> tuple[TakenItem, Item] | IgnoredItem:
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
    context = _as(item.context, _Context)
    replied = (context.id if context else None) or ""
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


def _status(raw: Any, channel: Channel, now_s: float) -> tuple[TakenItem, Item] | IgnoredItem:
    told = _as(raw, _Status)
    if told is None or not is_clean(told.id):
        return "malformed"
    status = next((known for known in _STATUSES if known == told.status), None)
    if status is None:
        return "unknown"
    codes = [error.get("code") for error in _list(raw, "errors") if isinstance(error, dict)]
    command = ReportStatus(
        clinic_id=channel.clinic_id,
        channel_id=channel.id,
        external_id=told.id,
        status=status,
        failure=failure_after_sent(c for c in codes if isinstance(c, int)) if status == "failed" else None,
    )
    return "status", StatusReport(command, early=status != "sent" and _left_just_now(told, now_s))


def _left_just_now(told: _Status, now_s: float) -> bool:
    """It names a message of ours, and our sender may still be writing the provider's id down.

    Never true of a strange time: a wrong clock is no reason to have a status repeated for days.
    """
    ours, age = told.biz_opaque_callback_data, age_s(str(told.timestamp), now_s=now_s)
    if not isinstance(ours, str) or not _MESSAGE_ID.fullmatch(ours):
        return False
    return age is not None and abs(age) <= LEASE_S


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
