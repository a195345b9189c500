"""A clinic's channels as its admins know them. Pure; shapes are docs/events.md.

No key is in `ChannelDetails`: what opens something is asked for by itself, and the access token is never told.
"""

from recado.domain.values import ChannelId, ChannelKind, Instant, Value


class ChannelDetails(Value, frozen=True, kw_only=True):
    """`address` is where the provider posts to. One that is not `active` takes nothing in and sends nothing out."""

    id: ChannelId
    kind: ChannelKind
    name: str
    active: bool
    address: str
    has_secret: bool
    has_access_token: bool
    phone_number_id: str | None = None
    outbound_url: str | None = None
    last_inbound_at: Instant | None = None
    last_outbound_at: Instant | None = None


class ChannelSecrets(Value, frozen=True, kw_only=True):
    """`secret` signs what comes in; `verifyToken` is what WhatsApp asks for when the webhook is set up."""

    secret: str
    verify_token: str | None = None
