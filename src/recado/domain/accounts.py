"""Who is there: clinics, members, channels, and the identity that a verified session gives. Pure values."""

from collections.abc import Mapping

from msgspec import Struct

from recado.domain.values import ChannelId, ChannelKind, ChannelRef, ClinicId, Instant, MemberId, Role


class Channel(Struct, frozen=True, kw_only=True):
    """A way to a clinic's patients, with its keys. Never sent to a client, never printed.

    `generic`: `secret` is a Standard Webhooks secret (`whsec_…`) for both directions, `outbound_url` takes replies.
    `whatsapp`: `secret` is the app secret, `outbound_url` replaces the Cloud API's base URL when given.
    One that is not `active` takes nothing in and sends nothing out.
    """

    id: ChannelId
    clinic_id: ClinicId
    kind: ChannelKind
    name: str
    secret: str
    verify_token: str | None = None
    phone_number_id: str | None = None
    access_token: str | None = None
    outbound_url: str | None = None
    active: bool = True

    @property
    def ref(self) -> ChannelRef:
        return ChannelRef(id=self.id, kind=self.kind)

    def __repr__(self) -> str:
        return f"<Channel {self.id}>"


class Identity(Struct, frozen=True, kw_only=True):
    """A verified session: who asks, and in which clinics they have which role.

    `roles` has the clinics where the member is active. `password_temporary`: somebody else chose their password.
    `session_id` names the session in logs and ends its sockets; it is not the token and opens nothing.
    """

    session_id: str
    member_id: MemberId
    name: str
    email: str
    roles: Mapping[ClinicId, Role]
    clinic_names: Mapping[ClinicId, str]
    password_temporary: bool = False
    expires_at: Instant

    def __repr__(self) -> str:
        return f"<Identity {self.member_id}>"
