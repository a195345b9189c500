"""The OpenAPI 3.1 document of the routes, and where it is read: /api/openapi.json and /api/docs. docs/rest.md.

The socket's own document (asyncapi.py) is read beside it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ControllerRouterHandler

from recado import __version__
from recado.app.inbox import Order
from recado.app.origins import SESSION_COOKIE
from recado.domain.values import Value
from recado.errors import RecadoError
from recado.rest import parameters
from recado.rest.asyncapi import describe_events
from recado.rest.problems import MEDIA_TYPE, known_errors, refusals
from recado.rest.reference import STYLE_PATH, Node, render
from recado.rest.schemas import annotate, drop_null, kinds
from recado.rest.shapes import LoginRequest
from recado.rest.webapp import PAGE_HEADERS

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
"""What a route of members asks for: either."""

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
    for kind in kinds(Value, Order, LoginRequest):
        if schema := document["components"]["schemas"].get(kind.__name__):
            annotate(schema, kind)
    return document


def document_router(document: Node) -> Router:
    """The document as JSON and as a page, and the socket's document: all made once."""
    document_json = msgspec.json.encode(document)
    events_json = msgspec.json.encode(describe_events())
    page = render(document, list(known_errors()))
    style = Path(__file__).with_name("reference.css").read_bytes()

    @get("/openapi.json", sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        return Response(document_json, media_type="application/vnd.oai.openapi+json")

    @get("/asyncapi.json", sync_to_thread=False)
    def asyncapi_json() -> Response[bytes]:
        return Response(events_json, media_type="application/vnd.aai.asyncapi+json;version=3.0.0")

    @get("/docs", sync_to_thread=False)
    def docs() -> Response[str]:
        return Response(page, media_type="text/html", headers=PAGE_HEADERS)

    @get(STYLE_PATH.removeprefix("/api"), sync_to_thread=False)
    def docs_style() -> Response[bytes]:
        return Response(style, media_type="text/css", headers={"Cache-Control": "no-cache"})

    return Router(
        "/api", route_handlers=[openapi_json, asyncapi_json, docs, docs_style], include_in_schema=False
    )


def _operations(document: Node) -> Iterator[Node]:
    for path in document["paths"].values():
        yield from path.values()


def _complete(operation: Node) -> None:
    """What Litestar leaves out: that anything may fail, that 204 has no body, that a query string has no null."""
    for parameter in operation.get("parameters", ()):
        drop_null(parameter["schema"])
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
    if order_name not in {kind.__name__ for kind in kinds(Order)}:
        return
    order = document["components"]["schemas"][order_name]
    properties = order["properties"]
    for parameter in operation.setdefault("parameters", []):
        name = parameter["name"]
        schema = {"type": "integer"} if name == "clinicId" else {"type": "string", "format": "uuid"}
        parameter |= {"description": parameters.NAMED[name], "schema": schema}
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
                drop_null(kind)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
