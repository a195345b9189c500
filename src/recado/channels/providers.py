"""A message on its way out → the provider's request, and the provider's answer → what to do next. Pure.

The failures' texts are ours: a provider's text may quote the message. docs/channels.md, "Out".
"""

from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from recado.channels.generic import MAX_ID_CHARS
from recado.channels.signatures import SecretError, sign
from recado.domain.instants import moment
from recado.domain.text import is_clean
from recado.domain.values import ChannelKind, Failure, Instant
from recado.store.outbox import Departure

WHATSAPP_MAX_CHARS = 4096

INCOMPLETE = Failure(
    code="channel_incomplete", message="The channel's settings lack what sending needs, or it cannot be used."
)
SWITCHED_OFF = Failure(code="channel_off", message="The channel is switched off.")
TOO_LONG = Failure(code="too_long", message="WhatsApp takes at most 4,096 characters.")
MOVED = Failure(code="address_moved", message="The channel's address answers that it has moved for good.")
REFUSED = Failure(code="refused", message="The channel refused the message.")
ACCESS_REFUSED = Failure(code="access_refused", message="The channel refused our key or token.")
WINDOW_CLOSED = Failure(
    code="window_closed",
    message="WhatsApp takes free text only within 24 hours of the patient's last message.",
)
UNREACHABLE = Failure(code="unreachable", message="WhatsApp cannot deliver to this number.")
UNDELIVERED = Failure(code="undelivered", message="WhatsApp took the message and could not deliver it.")
GAVE_UP = Failure(code="gave_up", message="The channel did not take the message in the time allowed.")

AGAIN_STATUSES = frozenset({302, 303, 307, 408, 425, 429})
"""With every 5xx: the provider's state, not the message, is at fault."""

# The Cloud API's error codes, which its documentation asks to prefer to the HTTP status: throttling comes as 400 too.
WHATSAPP_AGAIN = frozenset({2, 4, 80007, 130429, 131000, 131016, 131048, 131056, 133004})
WHATSAPP_FAILURES = {131047: WINDOW_CLOSED, 131026: UNREACHABLE, 0: ACCESS_REFUSED, 190: ACCESS_REFUSED}


class Post(NamedTuple):
    url: str
    headers: Mapping[str, str]
    content: bytes


class Sent(Struct, frozen=True):
    """The provider took it, under this id if it said one."""

    external_id: str | None


class Again(Struct, frozen=True):
    """Not now; not before `retry_after_s` if the provider said so."""

    retry_after_s: float = 0.0


Answer = Sent | Again | Failure


def compose(departure: Departure, *, whatsapp_url: str, now: Instant) -> Post | Failure:
    """The request that carries `departure`; the same key and body on every attempt. A Failure if there is none."""
    if not departure.channel.active:
        return SWITCHED_OFF
    if departure.channel.kind == "whatsapp":
        return _compose_whatsapp(departure, whatsapp_url)
    return _compose_generic(departure, now)


def read_answer(
    kind: ChannelKind, status: int, headers: Mapping[str, str], body: bytes, *, now: Instant
) -> Answer:
    """`headers` by lower-case name; `body` may be cut or empty: the status alone decides, WhatsApp's errors aside."""
    answer = _object(body)
    if 200 <= status < 300:
        return Sent(_external_id(kind, answer))
    code = _whatsapp_code(answer) if kind == "whatsapp" else None
    if status >= 500 or status in AGAIN_STATUSES or code in WHATSAPP_AGAIN:
        return Again(_retry_after_s(headers.get("retry-after", ""), now))
    if status in {301, 308}:
        return MOVED
    if code in WHATSAPP_FAILURES:
        return WHATSAPP_FAILURES[code]
    return ACCESS_REFUSED if status in {401, 403} else REFUSED


def failure_after_sent(codes: Iterable[int]) -> Failure:
    """Of a message that WhatsApp took and then gave up, for these errors; it is not posted again."""
    return next((WHATSAPP_FAILURES[code] for code in codes if code in WHATSAPP_FAILURES), UNDELIVERED)


def _compose_generic(departure: Departure, now: Instant) -> Post | Failure:
    channel = departure.channel
    data = {
        "messageId": departure.message_id,
        "conversationId": departure.conversation_id,
        "to": {"id": departure.to_address, "name": departure.to_name},
        "body": departure.body,
    }
    if departure.reply_to_external_id:
        data["replyToExternalId"] = departure.reply_to_external_id
    content = msgspec.json.encode(
        {"type": "message.outbound", "timestamp": departure.queued_at, "data": data}
    )
    try:
        signed = sign(channel.secret, departure.message_id, int(moment(now).timestamp()), content)
    except SecretError:
        return INCOMPLETE
    return _post(channel.outbound_url, departure, content, signed)


def _compose_whatsapp(departure: Departure, whatsapp_url: str) -> Post | Failure:
    channel = departure.channel
    if not channel.phone_number_id or not channel.access_token:
        return INCOMPLETE
    if len(departure.body) > WHATSAPP_MAX_CHARS:
        return TOO_LONG
    message: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": departure.to_address,
        "type": "text",
        "text": {"preview_url": False, "body": departure.body},
        # Comes back in every status of the message, which tells ours from those of others on the same number.
        "biz_opaque_callback_data": departure.message_id,
    }
    if departure.reply_to_external_id:
        message["context"] = {"message_id": departure.reply_to_external_id}
    base = (channel.outbound_url or whatsapp_url).rstrip("/")
    return _post(
        f"{base}/{channel.phone_number_id}/messages",
        departure,
        msgspec.json.encode(message),
        {"Authorization": f"Bearer {channel.access_token}"},
    )


def _post(
    url: str | None, departure: Departure, content: bytes, headers: Mapping[str, str]
) -> Post | Failure:
    if not url:
        return INCOMPLETE
    always = {"Content-Type": "application/json", "Idempotency-Key": departure.message_id}
    return Post(url, {**always, **headers}, content)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _external_id(kind: ChannelKind, answer: Mapping[str, Any]) -> str | None:
    found = answer.get("externalId")
    if kind == "whatsapp":
        messages = answer.get("messages")
        first = messages[0] if isinstance(messages, list) and messages else None
        found = first.get("id") if isinstance(first, dict) else None
    usable = isinstance(found, str) and 0 < len(found) <= MAX_ID_CHARS and is_clean(found)
    return found if usable else None


def _whatsapp_code(answer: Mapping[str, Any]) -> int | None:
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None


def _retry_after_s(text: str, now: Instant) -> float:
    """RFC 9110 section 10.2.3: seconds, or a date. 0 for what is neither."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - moment(now).astimezone(UTC)).total_seconds())
