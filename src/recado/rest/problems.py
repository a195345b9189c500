"""Every refusal and failure → RFC 9457 problem details, Litestar's own among them. docs/rest.md, "Errors".

Litestar's texts quote paths, queries and values; none of them leaves here.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import ParameterKwarg, PathParameter
from litestar.types import ExceptionHandlersMap

from recado.app.payloads import field_error
from recado.domain.clinic import Clinic
from recado.domain.values import Conversation, Message, Value
from recado.errors import (
    ConfigError,
    FieldError,
    InvalidError,
    NotFoundError,
    RecadoError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)
from recado.observe import get_logger

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/api/docs#error-"
"""A problem's `type` is where the reference explains its code: reference.py writes the anchors."""

log = get_logger("rest")


class MethodNotAllowedError(RefusedError):
    code = "method_not_allowed"
    status = 405
    title = "This address does not take that method."


class UnsupportedMediaTypeError(RefusedError):
    code = "unsupported_media_type"
    status = 415
    title = "The body must be application/json."


class ClientGoneError(RefusedError):
    """The client hung up while we read or waited. Only the log ever sees it."""

    code = "client_gone"
    title = "The client closed the connection."


class ProblemField(Value, frozen=True, kw_only=True):
    """One field that was refused: where it stands in the request, and a stable code."""

    path: str
    code: str


class Problem(Value, frozen=True, kw_only=True):
    """Why a request was refused or failed (RFC 9457). `code` is stable; `retryable` says whether to try again.

    A conflict carries the current state (`conversation`, `currentMessage`, `clinic`), so that nobody need ask.
    """

    type: str
    title: str
    status: int
    code: str
    retryable: bool
    detail: str | None = None
    errors: tuple[ProblemField, ...] | None = None
    retry_after: int | None = None
    conversation: Conversation | None = None
    current_message: Message | None = None
    clinic: Clinic | None = None
    checks: dict[str, bool] | None = None


def refusals(*errors: type[RecadoError]) -> dict[int, ResponseSpec]:
    """For a route's `responses`: what the OpenAPI document says it may refuse with."""
    by_status = defaultdict(list)
    for error in errors:
        by_status[error.status].append(f"`{error.code}`: {error.title}")
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description="\n\n".join(lines), media_type=MEDIA_TYPE
        )
        for status, lines in sorted(by_status.items())
    }


def known_errors(base: type[RecadoError] = RecadoError) -> Iterator[type[RecadoError]]:
    """Every error that an answer may carry, the general before the special."""
    if base not in {RefusedError, ConfigError, ClientGoneError}:
        yield base
    for error in base.__subclasses__():
        yield from known_errors(error)


def problem_response(request: Request[Any, Any, Any], error: RecadoError) -> Response[bytes]:
    request.state.code = error.code
    headers, body = told(error)
    return Response(body, status_code=error.status, headers=headers, media_type=MEDIA_TYPE)


def told(error: RecadoError) -> tuple[dict[str, str], bytes]:
    """What the client is told beside the status: headers, and a body of MEDIA_TYPE."""
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return headers, msgspec.json.encode(_body(error))


def refusal_of(error: Exception, route: str | None) -> RecadoError:
    """What the client is told of `error`. Our own fault: the operator hears its type and place (observe.py)."""
    if isinstance(error, RecadoError) and error.status != 500:
        return error
    log.error("request_failed", exc_info=error, route=route)
    return RecadoError()


def _body(error: RecadoError) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "retryable": error.retryable,
    }
    if error.detail:
        body["detail"] = error.detail
    if error.errors:
        body["errors"] = [field._asdict() for field in error.errors]
    if error.retry_after_s is not None:
        body["retryAfter"] = error.retry_after_s
    return {**error.state, **body}


def on_litestar_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    translated = _translate(request, error)
    if translated is None:
        return on_error(request, error)
    response = problem_response(request, translated)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "")
        response.headers["Allow"] = allowed.replace("GET", "GET, HEAD")  # which every GET route has
    return response


def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return problem_response(request, refusal_of(error, request.scope.get("path_template")))


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    HTTPException: on_litestar_error,
    Exception: on_error,
}


def _translate(request: Request[Any, Any, Any], error: HTTPException) -> RecadoError | None:
    """None for what nobody foresaw."""
    match error.status_code:
        case 400:
            return _invalid(request, error)
        case 404:
            return NotFoundError()
        case 405:
            return MethodNotAllowedError()
        case 413:
            return TooLargeError()
        case 503:
            return UnavailableError()
    gone = isinstance(error, InternalServerException) and error.detail == "client disconnected prematurely"
    return ClientGoneError() if gone else None


def _invalid(request: Request[Any, Any, Any], error: HTTPException) -> RecadoError:
    if not isinstance(error, ValidationException) or not isinstance(error.extra, Sequence):
        return InvalidError()
    try:
        return InvalidError(errors=list(_field_errors(request, error.extra)))
    except NotFoundError as absent:
        return absent


def _field_errors(request: Request[Any, Any, Any], messages: Sequence[Any]) -> Iterator[FieldError]:
    """Litestar names the handler's parameters; the client knows them by their names on the wire.

    Raises NotFoundError for a path parameter: what cannot be an id is as absent as an id that nobody has.
    """
    parameters = request.route_handler.parsed_fn_signature.parameters
    for message in messages:
        name = str(message.get("key", "")).partition(".")[0]
        if name == "data":  # only its absence; decoding (reading.py) refuses everything else before
            yield FieldError("", "missing")
            continue
        definition = parameters[name].kwarg_definition if name in parameters else None
        if isinstance(definition, PathParameter):
            raise NotFoundError
        wire_name = definition.name if isinstance(definition, ParameterKwarg) and definition.name else name
        yield field_error(str(message.get("message", "")), under=wire_name)
