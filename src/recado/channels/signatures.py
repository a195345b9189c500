"""Who posted this body? Standard Webhooks for generic channels, X-Hub-Signature-256 for WhatsApp.

Pure: works on the raw bytes as they came, before anything is parsed; the clock is an argument.
Specifications: https://www.standardwebhooks.com, https://developers.facebook.com/docs/graph-api/webhooks.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from recado.errors import SignatureError

TOLERANCE_S = 300
"""How far a Standard Webhooks timestamp may lie from our clock, both ways: what bounds a replay."""

MAX_SIGNATURES = 16
"""A provider that rotates keys sends two or three; the rest would be work for nothing."""

_SECRET_PREFIX = "whsec_"  # noqa: S105  # the form's prefix, not a secret


class SecretError(ValueError):
    """The channel's own secret cannot be used. Never says what it looks like."""


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three Standard Webhooks headers for `body`.

    Raises SecretError.
    """
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": _signature(_key(secret), webhook_id, str(timestamp), body),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float) -> None:
    """Raises SignatureError unless one of the signatures in `headers` (lower-case names) is ours for `body`."""
    webhook_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (webhook_id and timestamp and given) or not webhook_id.isascii():
        raise SignatureError
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SignatureError
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise SignatureError
    try:
        key = _key(secret)
    except SecretError:
        raise SignatureError from None
    expected = _signature(key, webhook_id, timestamp, body).encode()
    signatures = given.encode(errors="replace").split(b" ")[:MAX_SIGNATURES]
    if not any(hmac.compare_digest(expected, one) for one in signatures):
        raise SignatureError


def sign_whatsapp(app_secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256.

    Raises SecretError.
    """
    if not app_secret:
        raise SecretError("the app secret is empty")
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def verify_whatsapp(app_secret: str, header: str | None, body: bytes) -> None:
    """Raises SignatureError unless `header` is the X-Hub-Signature-256 of `body`."""
    try:
        expected = sign_whatsapp(app_secret, body)
    except SecretError:
        raise SignatureError from None
    if not hmac.compare_digest(expected.encode(), (header or "").encode(errors="replace")):
        raise SignatureError


def _key(secret: str) -> bytes:
    """`whsec_` and base64, its padding optional → the key's bytes. An empty key would let everybody sign."""
    encoded = secret.removeprefix(_SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise SecretError("the webhook secret is not base64") from None
    if not key:
        raise SecretError("the webhook secret is empty")
    return key


def _signature(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
