"""Every refusal and failure that can leave the process, as one tree, and every way a socket is closed, as one table.

    RecadoError
    ├── RefusedError                    the caller's fault; nothing was changed
    │   ├── InvalidError                400 invalid
    │   ├── UnauthenticatedError        401 unauthenticated
    │   │   ├── InvalidCredentialsError 401 invalid_credentials
    │   │   └── SignatureError          401 signature_invalid
    │   ├── ForbiddenError              403 forbidden
    │   │   └── OriginRefusedError      403 origin_refused
    │   ├── NotFoundError               404 not_found (absent, or another clinic's: the same outside)
    │   ├── ConflictError               409 conflict
    │   │   ├── ClientKeyReusedError    409 client_key_reused
    │   │   ├── CursorAheadError        409 cursor_ahead
    │   │   ├── ConversationMovedError  409 conversation_moved
    │   │   ├── ConversationChangedError 409 conversation_changed
    │   │   ├── MessageLeftError        409 message_left
    │   │   ├── ClinicChangedError      409 clinic_changed
    │   │   ├── LastAdminError          409 last_admin
    │   │   ├── AlreadyMemberError      409 already_member
    │   │   ├── MemberSharedError       409 member_shared
    │   │   └── PasswordTemporaryError  409 password_temporary
    │   ├── TooLargeError               413 too_large
    │   └── RateLimitedError            429 rate_limited
    │       └── TooManyConnectionsError 429 too_many_connections
    ├── UnavailableError                503 unavailable (ours, and worth trying again)
    │   └── OverloadedError             503 overloaded
    └── ConfigError                     stops the start; never reaches a client

A text here names fields and rules, never the value that broke them: values are patients' words.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class FieldError(NamedTuple):
    """One field that was refused: where it stands (`from.id`) and a stable code (`missing`, `too_long`, …)."""

    path: str
    code: str


class RecadoError(Exception):
    """`code` is stable and part of the API; `retryable` says whether the same request may succeed later."""

    code = "internal"
    status = 500
    retryable = False
    title = "Something went wrong on our side."

    def __init__(
        self,
        detail: str | None = None,
        *,
        state: Mapping[str, Any] | None = None,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
    ) -> None:
        """`state` is what the caller should know now (the current conversation, say); it goes out with the code."""
        super().__init__(detail or self.title)
        self.detail = detail
        self.state = dict(state or {})
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s


class RefusedError(RecadoError):
    code = "refused"
    status = 400
    title = "The request was refused."


class InvalidError(RefusedError):
    code = "invalid"
    title = "Part of the request is missing or malformed."


class UnauthenticatedError(RefusedError):
    code = "unauthenticated"
    status = 401
    title = "No valid session came with the request."


class InvalidCredentialsError(UnauthenticatedError):
    code = "invalid_credentials"
    title = "E-mail and password do not belong together."


class SignatureError(UnauthenticatedError):
    code = "signature_invalid"
    title = "The signature does not fit the body."


class ForbiddenError(RefusedError):
    code = "forbidden"
    status = 403
    title = "The session's role does not allow this."


class OriginRefusedError(ForbiddenError):
    code = "origin_refused"
    title = "A page of another origin may not do this."


class NotFoundError(RefusedError):
    code = "not_found"
    status = 404
    title = "There is nothing here for this session."


class ConflictError(RefusedError):
    code = "conflict"
    status = 409
    title = "The current state does not allow this."


class ClientKeyReusedError(ConflictError):
    code = "client_key_reused"
    title = "The clientKey has served another command."


class CursorAheadError(ConflictError):
    code = "cursor_ahead"
    title = "The cursor lies ahead of everything there is; read afresh."


class ConversationMovedError(ConflictError):
    code = "conversation_moved"
    title = "The patient wrote after the message the author had seen."


class ConversationChangedError(ConflictError):
    code = "conversation_changed"
    title = "The conversation changed after the version the author had seen."


class MessageLeftError(ConflictError):
    code = "message_left"
    title = "The message may be with the patient already."


class ClinicChangedError(ConflictError):
    code = "clinic_changed"
    title = "The clinic changed after the version the author had seen."


class LastAdminError(ConflictError):
    code = "last_admin"
    title = "The clinic would be left without an active admin."


class AlreadyMemberError(ConflictError):
    code = "already_member"
    title = "The person is a member of the clinic already."


class MemberSharedError(ConflictError):
    code = "member_shared"
    title = "The person serves another clinic too; only the operator may reset their password."


class PasswordTemporaryError(ConflictError):
    code = "password_temporary"
    title = "The person has not changed the password yet that another clinic's admin was told."


class TooLargeError(RefusedError):
    code = "too_large"
    status = 413
    title = "The request is larger than allowed."


class RateLimitedError(RefusedError):
    code = "rate_limited"
    status = 429
    retryable = True
    title = "Too many attempts; wait before the next."


class TooManyConnectionsError(RateLimitedError):
    code = "too_many_connections"
    title = "This member has as many connections as are allowed."


class UnavailableError(RecadoError):
    code = "unavailable"
    status = 503
    retryable = True
    title = "The service cannot answer just now."


class OverloadedError(UnavailableError):
    code = "overloaded"
    title = "Too much is waiting already; try again soon."


class ConfigError(RecadoError):
    """A setting that stops the start. The text names the variable, never its value (it may be a secret)."""

    code = "config"


class SocketClose(NamedTuple):
    """Why we close a WebSocket: RFC 6455 code, reason on the wire, and whether the client should come back."""

    code: int
    reason: str
    reconnect: bool


CLOSES = {
    close.reason: close
    for close in (
        SocketClose(1000, "closed", reconnect=False),
        SocketClose(1001, "draining", reconnect=True),
        SocketClose(1002, "protocol error", reconnect=True),
        SocketClose(1003, "unsupported data", reconnect=True),
        SocketClose(1007, "invalid UTF-8", reconnect=True),
        SocketClose(1009, "message too big", reconnect=True),
        SocketClose(1011, "internal error", reconnect=True),
        SocketClose(4001, "session ended", reconnect=False),
        SocketClose(4002, "ping timeout", reconnect=True),
        SocketClose(4003, "connect timeout", reconnect=True),
        SocketClose(4004, "upgrade timeout", reconnect=True),
        SocketClose(4008, "slow consumer", reconnect=True),
        SocketClose(4009, "history changed", reconnect=True),
        SocketClose(4010, "access changed", reconnect=True),
    )
}
"""The one table of socket closes, by reason. RFC 6455 section 7.4 keeps 4000–4999 for applications."""


def describe(error: RecadoError) -> dict[str, Any]:
    """Error → the body of a refused acknowledgement: `{code, message, retryable, errors?, retryAfter?, …state}`."""
    body: dict[str, Any] = {
        "code": error.code,
        "message": error.detail or error.title,
        "retryable": error.retryable,
    }
    if error.errors:
        body["errors"] = [field._asdict() for field in error.errors]
    if error.retry_after_s is not None:
        body["retryAfter"] = error.retry_after_s
    return {**error.state, **body}
