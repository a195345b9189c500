"""What goes over the wire of REST alone; everything else is `recado.domain`'s, the same on sockets. docs/rest.md."""

from typing import Annotated

from msgspec import Meta, Struct

from recado.app.inbox import Key, SendOrder, Uuid
from recado.domain.accounts import Identity
from recado.domain.decide import MAX_BODY_CHARS
from recado.domain.values import (
    ClientKey,
    ClinicId,
    ConversationId,
    Instant,
    MemberId,
    MessageId,
    MessageKind,
    Role,
    Seq,
    Value,
)
from recado.errors import FieldError, InvalidError

BODY_LIMITS = {"min_length": 1, "max_length": MAX_BODY_CHARS, "pattern": r"\S"}
"""For the document only: the rules themselves are the domain's (decide.py), with codes of their own."""


class LoginRequest(Struct, frozen=True, kw_only=True):
    """E-mail and password of a member."""

    email: Annotated[str, Meta(max_length=320)]
    password: Annotated[str, Meta(max_length=1_024)]

    def __repr__(self) -> str:
        return "<LoginRequest>"


class Member(Value, frozen=True, kw_only=True):
    """The person who is logged in."""

    id: MemberId
    name: str
    email: str


class Clinic(Value, frozen=True, kw_only=True):
    """A clinic the person belongs to, and what they are there."""

    id: ClinicId
    name: str
    role: Role


class Me(Value, frozen=True, kw_only=True):
    """Who the session belongs to. Without further use it ends at `expiresAt`; use moves that on, up to a limit."""

    member: Member
    clinics: list[Clinic]
    expires_at: Instant


class LoginAnswer(Me, frozen=True, kw_only=True):
    """`token` is for `Authorization: Bearer` and is shown this once; a browser has it as the session cookie."""

    token: str


class SendRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A reply, or with kind `note` an internal note.

    `clientKey` may stand in the header `Idempotency-Key` instead. `expectedSeq` is the newest message the author had
    seen: if the patient wrote after it, the answer is `conversation_moved`.
    """

    client_key: Annotated[ClientKey, Key] | None = None
    body: Annotated[str, Meta(extra_json_schema={"extra": BODY_LIMITS})]
    kind: MessageKind = "message"
    reply_to: Annotated[MessageId, Uuid] | None = None
    expected_seq: Seq | None = None

    def __repr__(self) -> str:
        return "<SendRequest>"


class Health(Value, frozen=True, kw_only=True):
    """`checks`: each part the server stands on, and whether it answers."""

    status: str
    checks: dict[str, bool] | None = None


def me(identity: Identity) -> Me:
    return Me(member=_member(identity), clinics=_clinics(identity), expires_at=identity.expires_at)


def login_answer(identity: Identity, token: str) -> LoginAnswer:
    return LoginAnswer(
        token=token,
        member=_member(identity),
        clinics=_clinics(identity),
        expires_at=identity.expires_at,
    )


def send_order(
    conversation_id: ConversationId, request: SendRequest, idempotency_key: ClientKey | None
) -> SendOrder:
    """Raises InvalidError if neither the body nor the header has a key."""
    client_key = request.client_key or idempotency_key
    if client_key is None:
        raise InvalidError(errors=[FieldError("clientKey", "missing")])
    return SendOrder(
        conversation_id=conversation_id,
        client_key=client_key,
        body=request.body,
        kind=request.kind,
        reply_to=request.reply_to,
        expected_seq=request.expected_seq,
    )


def _member(identity: Identity) -> Member:
    return Member(id=identity.member_id, name=identity.name, email=identity.email)


def _clinics(identity: Identity) -> list[Clinic]:
    return [
        Clinic(id=clinic_id, name=identity.clinic_names[clinic_id], role=role)
        for clinic_id, role in sorted(identity.roles.items())
    ]
