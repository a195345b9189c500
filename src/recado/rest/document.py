"""The OpenAPI 3.1 document of the routes, and where it is read: /api/openapi.json and /api/docs. docs/rest.md."""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import BaseRoute
from litestar.types import ControllerRouterHandler
from msgspec import Struct
from msgspec.structs import fields

from recado import __version__
from recado.app.inbox import Number, Order
from recado.app.origins import SESSION_COOKIE
from recado.app.passwords import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS
from recado.domain.clinic_limits import (
    CLOSES,
    COLOUR,
    MAX_CANNED_BODY_CHARS,
    MAX_CANNED_REPLIES,
    MAX_CLINIC_LABELS,
    MAX_CLINIC_NAME_CHARS,
    MAX_LABEL_CHARS,
    MAX_OPEN_HOURS,
    MAX_TITLE_CHARS,
    MAX_WAITING_LIMIT_MINUTES,
    OPENS,
    SHORTCUT,
    TIME_ZONE,
)
from recado.domain.decide import MAX_BODY_CHARS, MAX_LABELS, MAX_NAME_CHARS
from recado.domain.text import MAX_EMAIL_CHARS
from recado.domain.values import Instant, Value
from recado.errors import RecadoError
from recado.rest import parameters
from recado.rest.problems import MEDIA_TYPE, known_errors
from recado.rest.reference import STYLE_PATH, Node, render
from recado.rest.shapes import LoginRequest
from recado.rest.webapp import PAGE_HEADERS

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
"""What a route of members asks for: either."""

LIMITS: dict[str, Node] = {
    "body": {"minLength": 1, "maxLength": MAX_BODY_CHARS, "pattern": r"\S"},
    "name": {"minLength": 1, "maxLength": MAX_NAME_CHARS, "pattern": r"\S"},
    "labels": {
        "maxItems": MAX_LABELS,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_LABEL_CHARS, "pattern": r"\S"},
    },
}
"""What the document says of orders' fields whose rules are the domain's (decide.py), with codes of their own."""

CLINIC_LIMITS: dict[str, Node] = {
    "UpdateClinicOrder.name": {"minLength": 1, "maxLength": MAX_CLINIC_NAME_CHARS, "pattern": r"\S"},
    "UpdateClinicOrder.labels": {"maxItems": MAX_CLINIC_LABELS},
    "UpdateClinicOrder.canned_replies": {"maxItems": MAX_CANNED_REPLIES},
    "UpdateClinicOrder.waiting_limit_minutes": {"minimum": 1, "maximum": MAX_WAITING_LIMIT_MINUTES},
    "InviteOrder.email": {"minLength": 3, "maxLength": MAX_EMAIL_CHARS, "pattern": r"^[^@\s]+@[^@\s]+$"},
    "InviteOrder.name": {},
    "ChangePasswordOrder.new_password": {"minLength": MIN_PASSWORD_CHARS, "maxLength": MAX_PASSWORD_CHARS},
    "Label.name": {"minLength": 1, "maxLength": MAX_LABEL_CHARS, "pattern": r"\S"},
    "Label.colour": {"pattern": f"^{COLOUR}$"},
    "CannedReply.shortcut": {"pattern": f"^{SHORTCUT}$"},
    "CannedReply.title": {"minLength": 1, "maxLength": MAX_TITLE_CHARS, "pattern": r"\S"},
    "CannedReply.body": {"minLength": 1, "maxLength": MAX_CANNED_BODY_CHARS, "pattern": r"\S"},
    "OpenHours.opens": {"pattern": f"^{OPENS}$"},
    "OpenHours.closes": {"pattern": f"^{CLOSES}$"},
    "BusinessHours.time_zone": {"pattern": f"^{TIME_ZONE}$"},
    "BusinessHours.weekly": {"maxItems": MAX_OPEN_HOURS},
}
"""The same for what a clinic keeps (clinic_limits.py), by kind and field."""

DESCRIPTION = """\
Everything the web app does, for every other client: the same names, shapes and codes as the Socket.IO events.

Log in to get a token, and send it as `Authorization: Bearer`. A browser has it as a cookie; what changes something by
cookie must come from one of our own pages (`Origin`).
"""


class NoRoutes(Router):
    """Takes Litestar's documentation routes and drops them: they load scripts from elsewhere, and their 404 is HTML."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        del value
        return []


def openapi_config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Recado",
        version=__version__,
        description=DESCRIPTION,
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", description="The token that login returned."
                ),
                "cookie": SecurityScheme(
                    type="apiKey",
                    name=SESSION_COOKIE,
                    security_scheme_in="cookie",
                    description="Set by login.",
                ),
            }
        ),
        openapi_router=NoRoutes("/", route_handlers=[]),
    )


def describe(application: Litestar) -> Node:
    """The application's routes as an OpenAPI document, made exact where Litestar's is only near."""
    document = application.openapi_schema.to_schema()
    for operation in _operations(document):
        _complete(operation)
        _take_from_order(document, operation)
    _forbid_null(document)
    for kind in _kinds(Value, Order, LoginRequest):
        if schema := document["components"]["schemas"].get(kind.__name__):
            _annotate(schema, kind)
    return document


def document_router(document: Node) -> Router:
    """The document as JSON and as a page, both made once."""
    document_json = msgspec.json.encode(document)
    page = render(document, list(known_errors()))
    style = Path(__file__).with_name("reference.css").read_bytes()

    @get("/openapi.json", sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        return Response(document_json, media_type="application/vnd.oai.openapi+json")

    @get("/docs", sync_to_thread=False)
    def docs() -> Response[str]:
        return Response(page, media_type="text/html", headers=PAGE_HEADERS)

    @get(STYLE_PATH.removeprefix("/api"), sync_to_thread=False)
    def docs_style() -> Response[bytes]:
        return Response(style, media_type="text/css", headers={"Cache-Control": "no-cache"})

    return Router("/api", route_handlers=[openapi_json, docs, docs_style], include_in_schema=False)


def _operations(document: Node) -> Iterator[Node]:
    for path in document["paths"].values():
        yield from path.values()


def _complete(operation: Node) -> None:
    """What Litestar leaves out: that anything may fail, that 204 has no body, that a query string has no null."""
    for parameter in operation.get("parameters", ()):
        _drop_null(parameter["schema"])
    responses = operation["responses"]
    responses.get("204", {}).pop("content", None)
    responses["500"] = {
        "description": f"`{RecadoError.code}`: {RecadoError.title}",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _take_from_order(document: Node, operation: Node) -> None:
    """What the address and a header say of an order (reading.py) is no property of its body any more."""
    body = operation.get("requestBody", {})
    name = next(_references(body), "")
    if name not in {kind.__name__ for kind in _kinds(Order)}:
        return
    order = document["components"]["schemas"][name]
    properties = order["properties"]
    for parameter in operation.setdefault("parameters", []):
        name = parameter["name"]
        schema = {"type": "integer"} if name == "clinicId" else {"type": "string", "format": "uuid"}
        parameter |= {"description": parameters.NAMED[name], "schema": schema}
        del properties[name]
    header = {"name": "Idempotency-Key", "in": "header", "required": False}
    header |= {"description": parameters.IDEMPOTENCY_KEY, "schema": dict(properties["clientKey"])}
    operation["parameters"].append(header)
    order["required"] = sorted(set(order["required"]) & set(properties) - {"clientKey"})
    body["required"] = bool(order["required"])


def _forbid_null(document: Node) -> None:
    """In what we answer an optional field without a value is absent, never null; Litestar only sees `| None = None`.

    A request may say null, so the schemas of request bodies stay as they are.
    """
    asked = {
        name for operation in _operations(document) for name in _references(operation.get("requestBody", {}))
    }
    for name, schema in document["components"]["schemas"].items():
        for field, kind in schema.get("properties", {}).items():
            if name not in asked and field not in schema.get("required", ()):
                kind.pop("default", None)
                _drop_null(kind)


def _drop_null(schema: Node) -> None:
    if "oneOf" in schema:
        schema["oneOf"] = [choice for choice in schema["oneOf"] if choice != {"type": "null"}]
        _unwrap(schema)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _references(each)


def _kinds(*bases: type[Struct]) -> Iterator[type[Struct]]:
    for base in bases:
        yield base
        yield from _kinds(*base.__subclasses__())


def _annotate(schema: Node, kind: type[Struct]) -> None:
    """The class's own docstring, its fields' limits, and which texts are times."""
    schema["description"] = cleandoc(kind.__doc__ or "")
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        property_ = schema["properties"].get(field.encode_name, {})
        parts = list(_parts(hints[field.name]))
        if Instant in parts:
            property_["format"] = "date-time"
        if Number in parts:
            property_["minimum"] = Number.ge  # which Litestar leaves out if it is 0
        if issubclass(kind, Order):
            _unwrap(property_)
        _limit(property_, kind, field.name)


def _limit(property_: Node, kind: type[Struct], field: str) -> None:
    limits = CLINIC_LIMITS.get(f"{kind.__name__}.{field}")
    if limits is None:
        limits = LIMITS.get(field, {}) if issubclass(kind, Order) else {}
    choices = property_.get("oneOf", [property_])
    next(choice for choice in choices if choice != {"type": "null"}).update(limits)


def _parts(hint: Any) -> Iterator[Any]:
    """Everything a type hint is made of: the members of unions, and what Annotated says of them."""
    yield hint
    for part in (*get_args(hint), *getattr(hint, "__metadata__", ())):
        yield from _parts(part)


def _unwrap(schema: Node) -> None:
    """A choice of one, which is what Litestar makes of `X | UnsetType`, is none."""
    if len(schema.get("oneOf", ())) == 1:
        schema.update(schema.pop("oneOf")[0])
