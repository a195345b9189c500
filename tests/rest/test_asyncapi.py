"""The AsyncAPI document is one, names exactly the socket's events, and describes what really goes over it."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from recado.app.vocabulary import CLIENT_EVENTS, SERVER_EVENTS
from recado.errors import (
    ConflictError,
    ConversationMovedError,
    FieldError,
    InvalidError,
    MessageLeftError,
    OverloadedError,
    describe,
)
from recado.rest.asyncapi import describe_events
from rest.service import IPE

SPECIFICATION = Path(__file__).parents[2] / "web/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"


@pytest.fixture(scope="module")
def document():
    return json.loads(json.dumps(describe_events()))


def check(document, shape, value):
    schema = {"$ref": f"#/components/schemas/{shape}", "components": document["components"]}
    jsonschema_rs.validate(schema, value, validate_formats=True)


def test_the_specification_finds_it_valid(document):
    jsonschema_rs.validate(json.loads(SPECIFICATION.read_text("utf-8")), document)


def test_its_operations_are_the_sockets_events(document):
    operations = document["operations"]
    asked = {name for name, each in operations.items() if each["action"] == "receive"}
    assert asked == {"CONNECT", *CLIENT_EVENTS}
    assert operations.keys() - asked == set(SERVER_EVENTS)
    assert {name for name in asked if "reply" in operations[name]} == set(CLIENT_EVENTS)


def test_every_reference_leads_somewhere(document):
    def references(node):
        if isinstance(node, dict):
            yield from [node["$ref"]] if "$ref" in node else []
            node = list(node.values())
        for each in node if isinstance(node, list) else ():
            yield from references(each)

    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


async def test_it_is_served_beside_the_openapi_document(service, document):
    answer = await service.client.get("/api/asyncapi.json")
    assert answer.headers["content-type"] == "application/vnd.aai.asyncapi+json;version=3.0.0"
    assert answer.json() == document
    assert 'href="/api/asyncapi.json"' in (await service.client.get("/api/docs")).text


async def test_answers_and_refusals_are_as_it_says(service, document):
    received = await service.receive()
    ana = await service.member()
    place = f"/api/v1/conversations/{received.conversation_id}"
    message = (await ana.post(f"{place}/messages", json={"clientKey": "k", "body": "Olá"})).json()
    conversation = (await ana.get(place)).json()
    check(document, "SendOrder", {"clientKey": "k", "conversationId": conversation["id"], "body": "Olá"})
    check(document, "Sent", {"ok": True, "message": message})
    check(document, "Updated", {"ok": True, "conversation": conversation})
    told = {"conversationId": conversation["id"], "clinicId": IPE, "eventType": "updated", "seq": 2}
    told |= {"timestamp": message["createdAt"], "conversation": conversation}
    check(document, "ConversationPacket", told)
    for error in (
        InvalidError(errors=[FieldError("body", "empty")]),
        ConflictError(errors=[FieldError("replyTo", "not_found")]),
        ConversationMovedError(state={"conversation": conversation}),
        MessageLeftError(state={"currentMessage": message}),
        OverloadedError(retry_after_s=1),
    ):
        check(document, "Refused", {"ok": False, "error": describe(error)})


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("Sent", {"ok": False}),
        ("Refused", {"ok": False, "error": {"code": "no_such", "message": "", "retryable": False}}),
        ("SendOrder", {"clientKey": "k", "conversationId": "x", "body": "Olá"}),
        ("UpdateOrder", {"clientKey": "k", "conversationId": "0" * 36, "status": "snoozed"}),
        ("Connections", {"count": None}),
    ],
)
def test_what_is_never_said_does_not_fit(document, shape, value):
    with pytest.raises(jsonschema_rs.ValidationError):
        check(document, shape, value)
