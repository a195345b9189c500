"""The OpenAPI document is complete, and its page needs nobody else. That answers keep to it: conformance.py."""

import re

import pytest
from litestar import post
from litestar.handlers import HTTPRouteHandler
from msgspec.structs import fields

from recado.app.clinics import (
    ChangePasswordOrder,
    InviteOrder,
    UpdateClinicOrder,
    UpdateMemberOrder,
)
from recado.app.inbox import (
    EditOrder,
    ReadOrder,
    RenameOrder,
    SendOrder,
    UpdateOrder,
)
from recado.app.vocabulary import CLINIC_COMMANDS, INBOX_COMMANDS
from recado.errors import RecadoError, SignatureError
from recado.rest import clinics, commands
from recado.rest.problems import known_errors, refusals
from rest.conformance import check_value

OPERATIONS = {
    "login": "POST /api/v1/auth/login",
    "logout": "POST /api/v1/auth/logout",
    "getMe": "GET /api/v1/me",
    "listConversations": "GET /api/v1/clinics/{clinicId}/conversations",
    "listMessages": "GET /api/v1/conversations/{conversationId}/messages",
    "search": "GET /api/v1/clinics/{clinicId}/search",
    "listChanges": "GET /api/v1/clinics/{clinicId}/changes",
    "getConversation": "GET /api/v1/conversations/{conversationId}",
    "sendMessage": "POST /api/v1/conversations/{conversationId}/messages",
    "editMessage": "PATCH /api/v1/messages/{messageId}",
    "deleteMessage": "DELETE /api/v1/messages/{messageId}",
    "markRead": "PUT /api/v1/conversations/{conversationId}/read",
    "updateConversation": "PATCH /api/v1/conversations/{conversationId}",
    "renameContact": "PATCH /api/v1/conversations/{conversationId}/contact",
    "deleteConversation": "DELETE /api/v1/conversations/{conversationId}",
    "getClinic": "GET /api/v1/clinics/{clinicId}",
    "updateClinic": "PATCH /api/v1/clinics/{clinicId}",
    "listMembers": "GET /api/v1/clinics/{clinicId}/members",
    "inviteMember": "POST /api/v1/clinics/{clinicId}/members",
    "updateMember": "PATCH /api/v1/clinics/{clinicId}/members/{memberId}",
    "resetPassword": "POST /api/v1/clinics/{clinicId}/members/{memberId}/password",
    "changePassword": "POST /api/v1/me/password",
    "listChannels": "GET /api/v1/clinics/{clinicId}/channels",
    "getChannelSecrets": "GET /api/v1/clinics/{clinicId}/channels/{channelId}/secrets",
    "addChannel": "POST /api/v1/clinics/{clinicId}/channels",
    "updateChannel": "PATCH /api/v1/clinics/{clinicId}/channels/{channelId}",
    "rotateSecret": "POST /api/v1/clinics/{clinicId}/channels/{channelId}/secret",
    "getHealth": "GET /healthz",
    "getReadiness": "GET /readyz",
}


@pytest.fixture
async def document(service):
    answer = await service.client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    return answer.json()


def operations(document):
    return {
        operation["operationId"]: (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def body_of(operation):
    """The name of its request body's schema."""
    content = operation.get("requestBody", {}).get("content", {})
    return content["application/json"]["schema"]["$ref"].rpartition("/")[2] if content else None


def nodes(node):
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


async def test_document_is_openapi_3_1_and_lists_every_operation(document):
    assert document["openapi"].startswith("3.1")
    assert {name: place for name, (place, _) in operations(document).items()} == OPERATIONS


async def test_every_reference_leads_somewhere(document):
    schemas = document["components"]["schemas"]
    references = {node["$ref"] for node in nodes(document) if isinstance(node, dict) and "$ref" in node}
    assert references <= {f"#/components/schemas/{name}" for name in schemas}


async def test_everything_is_described(document):
    for name, (_, operation) in operations(document).items():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (name, parameter["name"])
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            assert not response["description"].startswith(("Request fulfilled", "Additional")), (name, status)
    for name, schema in document["components"]["schemas"].items():
        assert "description" in schema, name


async def test_members_routes_take_bearer_or_cookie_and_the_others_nothing(document):
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["cookie"]["in"], schemes["cookie"]["name"]) == ("cookie", "recado_session")
    for name, (_, operation) in operations(document).items():
        open_to_all = name in {"login", "logout", "getHealth", "getReadiness"}
        assert operation.get("security", []) == ([] if open_to_all else [{"bearer": []}, {"cookie": []}])
        assert ("401" in operation["responses"]) == (not open_to_all or name == "login")


async def test_every_refusal_is_a_problem(document):
    for name, (_, operation) in operations(document).items():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, (name, status)
        assert "500" in operation["responses"]
        if operation.get("parameters") or "requestBody" in operation:
            assert "400" in operation["responses"], name
        if "requestBody" in operation:
            assert {"413", "415"} <= operation["responses"].keys()


async def test_answers_are_never_null_where_a_field_is_optional(document):
    asked = {body_of(operation) for _, operation in operations(document).values()}
    for name, schema in document["components"]["schemas"].items():
        if name not in asked:
            for field, kind in schema["properties"].items():
                nullable = any(choice == {"type": "null"} for choice in kind.get("oneOf", ()))
                assert not nullable or field in schema["required"], f"{name}.{field}"
    assert document["components"]["schemas"]["Message"]["properties"]["createdAt"]["format"] == "date-time"


async def test_an_order_is_its_body_its_address_and_perhaps_a_header(document):
    schemas = document["components"]["schemas"]
    for order, address in (
        (SendOrder, "conversationId"),
        (EditOrder, "messageId"),
        (ReadOrder, "conversationId"),
        (UpdateOrder, "conversationId"),
        (RenameOrder, "conversationId"),
        (UpdateClinicOrder, "clinicId"),
        (InviteOrder, "clinicId"),
        (UpdateMemberOrder, "clinicId memberId"),
        (ChangePasswordOrder, ""),
    ):
        [operation] = [each for _, each in operations(document).values() if body_of(each) == order.__name__]
        path = operation["parameters"]
        assert {each["name"] for each in path} == set(address.split())
        assert all((each["in"], each["required"]) == ("path", True) for each in path)
        schema = schemas[order.__name__]
        assert schema["properties"].keys() == {each.encode_name for each in fields(order)} - set(
            address.split()
        )
        assert "clientKey" in schema["required"]
        assert operation["requestBody"]["required"]
        assert "client_key_reused" in operation["responses"]["409"]["description"]


async def test_an_order_that_says_no_more_has_its_key_as_a_header(document):
    for name, address in (
        ("deleteMessage", "messageId"),
        ("deleteConversation", "conversationId"),
        ("resetPassword", "clinicId memberId"),
        ("rotateSecret", "clinicId channelId"),
    ):
        operation = operations(document)[name][1]
        *path, header = operation["parameters"]
        assert {each["name"] for each in path} == set(address.split())
        assert all((each["in"], each["required"]) == ("path", True) for each in path)
        assert (header["name"], header["in"], header["required"]) == ("Idempotency-Key", "header", True)
        assert "requestBody" not in operation


def test_no_command_of_a_socket_is_without_its_route():
    handlers = [*vars(commands).values(), *vars(clinics).values()]
    signatures = [each.parsed_fn_signature for each in handlers if isinstance(each, HTTPRouteHandler)]
    taken = {each.parameters["data"].annotation for each in signatures if "data" in each.parameters}
    assert taken == {command.payload for command in (INBOX_COMMANDS | CLINIC_COMMANDS).values()}


async def test_options_allow_what_the_document_lists(service, document):
    for path, item in document["paths"].items():
        address = path.replace("{clinicId}", "1")
        allowed = (await service.client.options(address)).headers["allow"].split(", ")
        methods = {method.upper() for method in item}
        assert sorted(allowed) == allowed
        assert set(allowed) == methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


async def test_the_orders_limits_are_in_the_document(document):
    def limits(order, field):
        return document["components"]["schemas"][order]["properties"][field]

    assert limits("EditOrder", "body")["maxLength"] == 16_384
    assert limits("RenameOrder", "name")["maxLength"] == 200
    assert limits("ReadOrder", "upTo")["minimum"] == 0
    assert limits("ReadOrder", "upTo")["maximum"] == 2**53 - 1
    assert limits("UpdateOrder", "labels")["maxItems"] == 20
    assert limits("UpdateOrder", "labels")["items"]["maxLength"] == 50
    assert limits("UpdateOrder", "snoozedUntil")["format"] == "date-time"
    assert {"type": "null"} in limits("UpdateOrder", "assigneeId")["oneOf"]
    assert limits("UpdateOrder", "status")["type"] == "string"
    assert limits("UpdateClinicOrder", "labels")["maxItems"] == 50
    assert limits("UpdateClinicOrder", "labels")["items"] == {"$ref": "#/components/schemas/Label"}
    assert limits("UpdateClinicOrder", "name")["maxLength"] == 100
    assert {"type": "null"} in limits("UpdateClinicOrder", "hours")["oneOf"]
    assert limits("UpdateClinicOrder", "waitingLimitMinutes")["oneOf"][0]["maximum"] == 10_080
    assert limits("ChangePasswordOrder", "newPassword")["minLength"] == 10
    assert "maxLength" not in limits("InviteOrder", "name")
    assert limits("Label", "name")["maxLength"] == 50
    assert limits("OpenHours", "opens")["pattern"].startswith("^")
    assert limits("UpdateChannelOrder", "name")["maxLength"] == 100
    assert limits("UpdateChannelOrder", "secret")["pattern"] == "^[!-~]{1,256}$"


async def test_conflicts_are_named_where_they_can_happen(document):
    conflicts = {
        name: set(re.findall(r"`(\w+)`:", operation["responses"]["409"]["description"]))
        - {"client_key_reused"}
        for name, (_, operation) in operations(document).items()
        if "409" in operation["responses"]
    }
    assert conflicts == {
        "listConversations": {"cursor_ahead"},
        "getConversation": {"cursor_ahead"},
        "listMessages": {"cursor_ahead"},
        "getClinic": {"cursor_ahead"},
        "sendMessage": {"conflict", "conversation_moved"},
        "editMessage": {"message_left"},
        "deleteMessage": {"message_left"},
        "markRead": set(),
        "updateConversation": {"conflict", "conversation_changed"},
        "renameContact": {"conversation_changed"},
        "deleteConversation": set(),
        "updateClinic": {"clinic_changed", "conflict"},
        "inviteMember": {"already_member", "password_temporary"},
        "updateMember": {"clinic_changed", "last_admin"},
        "resetPassword": {"member_shared"},
        "changePassword": {"conflict"},
        "addChannel": {"conflict"},
        "updateChannel": {"conflict"},
        "rotateSecret": set(),
    }


async def test_routes_from_elsewhere_are_in_the_document(serve):
    @post(
        "/api/v1/elsewhere", operation_id="elsewhere", tags=["Webhooks"], responses=refusals(SignatureError)
    )
    async def elsewhere() -> None: ...

    service = await serve(extra_routes=[elsewhere])
    document = (await service.client.get("/api/openapi.json")).json()
    assert "signature_invalid" in operations(document)["elsewhere"][1]["responses"]["401"]["description"]
    assert 'id="elsewhere"' in (await service.client.get("/api/docs")).text


async def test_page_shows_every_operation_error_and_schema(service, document):
    answer = await service.client.get("/api/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    anchors = set(re.findall(r' id="([^"]+)"', answer.text))
    assert anchors >= set(OPERATIONS)
    assert anchors >= {f"error-{error.code}" for error in known_errors()}
    assert anchors >= {f"schema-{name}" for name in document["components"]["schemas"]}
    links = set(re.findall(r' href="#([^"]+)"', answer.text))
    assert links <= anchors


async def test_page_needs_no_script_and_nothing_from_elsewhere(service):
    answer = await service.client.get("/api/docs")
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert "://" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    [style] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', answer.text)
    sheet = await service.client.get(style)
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert "url(" not in sheet.text
    assert "@import" not in sheet.text


def test_conformance_finds_what_does_not_conform():
    document = {
        "components": {
            "schemas": {
                "A": {
                    "type": "object",
                    "required": ["n"],
                    "properties": {"n": {"type": "integer"}, "k": {"type": "string", "enum": ["x"]}},
                }
            }
        }
    }
    schema = {"$ref": "#/components/schemas/A"}
    check_value(document, schema, {"n": 1, "k": "x"}, "")
    for wrong in ({}, {"n": True}, {"n": None}, {"n": 1, "k": "y"}, {"n": 1, "other": 1}, []):
        with pytest.raises(AssertionError):
            check_value(document, schema, wrong, "")


def test_every_error_class_is_known():
    assert {error.code for error in known_errors()} >= {RecadoError.code, SignatureError.code}
