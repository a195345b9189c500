"""The AsyncAPI 3 document of the socket: /api/asyncapi.json. Made of app/vocabulary.py; docs/events.md in prose.

As AsyncAPI has it, the server speaks: it receives what clients say, replies with the acknowledgement, and sends.
"""

import msgspec
from msgspec import Struct

from recado import __version__
from recado.app.inbox import Order
from recado.app.vocabulary import CLIENT_EVENTS, SERVER_EVENTS, Answer, Hello, Refused
from recado.domain.values import Value
from recado.errors import RecadoError
from recado.rest.problems import known_errors
from recado.rest.schemas import Node, annotate, drop_null, kinds

CHANNEL = "socket"

DESCRIPTION = """\
Socket.IO protocol v5 over Engine.IO v4: every Socket.IO client works. An operation is an event; its reply is the
acknowledgement, which says either what was done or why not. The same commands over HTTP are in /api/openapi.json.
"""


def describe_events() -> Node:
    """Every event of the vocabulary, exactly as it is carried out and told."""
    shapes: set[type[Struct]] = {Hello, Refused, *SERVER_EVENTS.values()}
    shapes |= {shape for event in CLIENT_EVENTS.values() for shape in (event.payload, event.answer)}
    answers = {event.answer for event in CLIENT_EVENTS.values()} | {Refused}
    messages = {"CONNECT": _message("CONNECT", Hello)}
    messages |= {name: _message(name, event.payload) for name, event in CLIENT_EVENTS.items()}
    messages |= {name: _message(name, payload) for name, payload in SERVER_EVENTS.items()}
    messages |= {answer.__name__: _message("acknowledgement", answer) for answer in answers}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Recado", "version": __version__, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            CHANNEL: {
                "address": "/socket.io/",
                "title": "The namespace `/`",
                "description": "Who connects is in their clinic's room at once. docs/events.md has the rules.",
                "messages": dict(sorted(messages.items())),
            }
        },
        "operations": {
            "CONNECT": _operation("receive", "CONNECT", "Who is there: the auth of the CONNECT packet."),
            **{name: _asked(name, event.answer) for name, event in CLIENT_EVENTS.items()},
            **{name: _operation("send", name) for name in SERVER_EVENTS},
        },
        "components": {"schemas": _schemas(shapes)},
    }


def _message(name: str, payload: type[Struct]) -> Node:
    return {"name": name, "payload": {"$ref": f"#/components/schemas/{payload.__name__}"}}


def _operation(action: str, message: str, summary: str = "") -> Node:
    operation = {
        "action": action,
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "messages": [_reference(message)],
    }
    return operation | ({"summary": summary} if summary else {})


def _asked(name: str, answer: type[Answer]) -> Node:
    replies = [_reference(each.__name__) for each in (answer, Refused)]
    return _operation("receive", name) | {
        "reply": {"channel": {"$ref": f"#/channels/{CHANNEL}"}, "messages": replies}
    }


def _reference(message: str) -> Node:
    return {"$ref": f"#/channels/{CHANNEL}/messages/{message}"}


def _schemas(shapes: set[type[Struct]]) -> Node:
    """All that the shapes are made of, by name."""
    ordered = sorted(shapes, key=lambda shape: shape.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    for kind in {*shapes, *kinds(Value, Order)}:
        if schema := schemas.get(kind.__name__):
            annotate(schema, kind)
            if issubclass(kind, Value):
                _never_null(schema)
            if issubclass(kind, Answer | Refused):
                schema["properties"]["ok"]["const"] = issubclass(kind, Answer)
    codes = {error.code for error in known_errors() if error.__module__ == RecadoError.__module__}
    schemas["Refusal"]["properties"]["code"]["enum"] = sorted(codes)
    return schemas


def _never_null(schema: Node) -> None:
    """In what we say an optional field without a value is absent."""
    for name, property_ in schema["properties"].items():
        if name not in schema.get("required", ()):
            property_.pop("default", None)
            drop_null(property_)
