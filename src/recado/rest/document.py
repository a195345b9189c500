"""The OpenAPI 3.1 document of the routes, and where it is read: /api/openapi.json and /api/docs. docs/rest.md."""

from collections.abc import Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ControllerRouterHandler
from msgspec import Struct
from msgspec.structs import fields

from recado import __version__
from recado.app.inbox import Number, Order, UpdateOrder
from recado.app.origins import SESSION_COOKIE
from recado.domain.decide import MAX_BODY_CHARS, MAX_LABEL_CHARS, MAX_LABELS, MAX_NAME_CHARS
from recado.domain.text import VISIBLE
from recado.domain.values import Instant, Value
from recado.errors import RecadoError
from recado.rest import parameters
from recado.rest.problems import MEDIA_TYPE, known_errors, refusals
from recado.rest.reference import STYLE_PATH, Node, render
from recado.rest.shapes import LoginRequest
from recado.rest.webapp import PAGE_HEADERS

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
"""What a route of members asks for: either."""

LIMITS: dict[str, Node] = {
    "body": {"minLength": 1, "maxLength": MAX_BODY_CHARS, "pattern": VISIBLE},
    "name": {"minLength": 1, "maxLength": MAX_NAME_CHARS, "pattern": VISIBLE},
    "labels": {
        "maxItems": MAX_LABELS,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_LABEL_CHARS, "pattern": VISIBLE},
    },
}
"""What the document says of orders' fields whose rules are the domain's (decide.py), with codes of their own."""

SNOOZING: Node = {
    "if": {"required": ["status"], "properties": {"status": {"const": "snoozed"}}},
    "then": {"required": ["snoozedUntil"], "properties": {"snoozedUntil": {"type": "string"}}},
}
"""Whoever snoozes says until when."""

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
    elsewhere = _refusals_from_elsewhere(application)
    for operation in _operations(document):
        operation["responses"] |= _refused(elsewhere.get(operation["operationId"], ()))
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
        parameter.update(parameters.EXACTLY.get(parameter["name"], {}))
    responses = operation["responses"]
    responses.get("204", {}).pop("content", None)
    responses |= _refused([RecadoError])


def _refusals_from_elsewhere(application: Litestar) -> dict[str, Sequence[type[RecadoError]]]:
    """Operation → the errors that a route names as `opt["refusals"]`: one that was handed in cannot import ours."""
    return {
        str(handler.operation_id): handler.opt["refusals"]
        for route in application.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "refusals" in handler.opt
    }


def _refused(errors: Sequence[type[RecadoError]]) -> Node:
    return {
        str(status): {
            "description": response.description,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, response in refusals(*errors).items()
    }


def _take_from_order(document: Node, operation: Node) -> None:
    """What the address says of an order (reading.py) is no property of its body any more.

    Its key may come in either, which no document can say: this one asks for it in the body, and in the header where
    there would be nothing else to say.
    """
    body = operation.get("requestBody", {})
    order_name = next(_references(body), "")
    if order_name not in {kind.__name__ for kind in _kinds(Order)}:
        return
    order = document["components"]["schemas"][order_name]
    properties = order["properties"]
    for parameter in operation["parameters"]:
        name = parameter["name"]
        parameter |= {"description": parameters.NAMED[name], "schema": {"type": "string", "format": "uuid"}}
        del properties[name]
    order["required"] = sorted(set(order["required"]) & set(properties))
    body["required"] = True
    if list(properties) == ["clientKey"]:
        header = {"name": "Idempotency-Key", "in": "header", "required": True}
        header |= {"description": parameters.IDEMPOTENCY_KEY, "schema": dict(properties["clientKey"])}
        operation["parameters"].append(header)
        del operation["requestBody"], document["components"]["schemas"][order_name]


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
            property_ |= LIMITS.get(field.name, {})
    if kind is UpdateOrder:
        schema |= SNOOZING


def _parts(hint: Any) -> Iterator[Any]:
    """Everything a type hint is made of: the members of unions, and what Annotated says of them."""
    yield hint
    for part in (*get_args(hint), *getattr(hint, "__metadata__", ())):
        yield from _parts(part)


def _unwrap(schema: Node) -> None:
    """A choice of one, which is what Litestar makes of `X | UnsetType`, is none."""
    if len(schema.get("oneOf", ())) == 1:
        schema.update(schema.pop("oneOf")[0])
