"""Whatever goes wrong, the answer is a problem with a stable code, and quotes nothing."""

import asyncio
import re

import pytest
from litestar import Request, get, post
from litestar.exceptions import (
    ClientException,
    InternalServerException,
    NotAuthorizedException,
    ServiceUnavailableException,
)
from litestar.params import FromQuery

from recado.errors import ConversationMovedError, ForbiddenError, RecadoError, SignatureError
from recado.rest.problems import known_errors
from rest.service import ANA, PASSWORD, fields, problem
from stock import new_id

WORD = "paciente-com-febre"
LOGIN = "/api/v1/auth/login"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1/nothing",
        f"/api/v1/{WORD}?x={WORD}",
        "/api/docs/x",
        "/healthz/x",
        "/metrics/x",
    ],
)
async def test_no_route_is_404(service, path):
    answer = await service.client.get(path)
    assert problem(answer) == (404, "not_found")
    assert WORD not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/me", {"GET", "HEAD", "OPTIONS"}),
        ("GET", LOGIN, {"POST", "OPTIONS"}),
        ("PUT", "/api/v1/conversations/x/messages", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/api/openapi.json", {"GET", "HEAD", "OPTIONS"}),
        ("PROPFIND", "/api/v1/me", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_no_such_method_is_405_and_says_which_there_are(service, method, path, allowed):
    answer = await service.client.request(method, path)
    assert problem(answer) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_a_body_that_is_not_json_is_415(service, media_type):
    answer = await service.client.post(LOGIN, content=b'{"email": "x"}', headers={"Content-Type": media_type})
    assert problem(answer) == (415, "unsupported_media_type")


async def test_json_may_say_its_charset(service):
    content = f'{{"email": "{ANA}", "password": "{PASSWORD}"}}'.encode()
    answer = await service.client.post(
        LOGIN, content=content, headers={"Content-Type": "Application/JSON; charset=UTF-8"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "missing"),
        (b"{", "not_json"),
        (WORD.encode(), "not_json"),
        (b'{"email": NaN}', "not_json"),
        (b"\xff\xfe{}", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"x": ' + b"[" * 100_000, "not_json"),
        (b"null", "wrong_type"),
        (b'"text"', "wrong_type"),
    ],
)
async def test_a_malformed_body_is_400_and_not_quoted(service, content, code):
    answer = await service.client.post(LOGIN, content=content, headers=JSON)
    assert problem(answer) == (400, "invalid")
    assert fields(answer) == [("", code)]
    assert WORD not in answer.text


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_one_mebibyte_is_413(service, chunked):
    body = b'{"email": "' + b"x" * 1_048_576 + b'"}'

    async def pieces():
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    answer = await service.client.post(LOGIN, content=pieces() if chunked else body, headers=JSON)
    assert problem(answer) == (413, "too_large")


async def test_a_body_of_one_mebibyte_is_read(service):
    body = b'{"email": "a", "password": "b"}'.ljust(1_048_576)
    answer = await service.client.post(LOGIN, content=body, headers=JSON)
    assert problem(answer) == (401, "invalid_credentials")


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (ValueError(WORD), 500, "internal"),
        (RecadoError(WORD), 500, "internal"),
        (InternalServerException(WORD), 500, "internal"),
        (NotAuthorizedException(WORD), 500, "internal"),  # nothing of ours raises it
        (ServiceUnavailableException(WORD), 503, "unavailable"),
        (ClientException(WORD), 400, "invalid"),
        (ForbiddenError, 403, "forbidden"),
        (SignatureError, 401, "signature_invalid"),
        (ConversationMovedError(state={"code": "mine", "status": 200}), 409, "conversation_moved"),
    ],
)
async def test_routes_from_elsewhere_fail_in_the_same_way(serve, raised, status, code):
    @get("/api/v1/elsewhere", include_in_schema=False)
    async def elsewhere() -> None:
        raise raised

    service = await serve(extra_routes=[elsewhere])
    answer = await service.client.get("/api/v1/elsewhere", params={"q": WORD})
    assert problem(answer) == (status, code)
    assert WORD not in answer.text
    assert answer.headers["x-request-id"]


async def test_routes_from_elsewhere_have_the_same_body_limit_and_parameters(serve):
    @post("/api/v1/elsewhere", include_in_schema=False)
    async def elsewhere(request: Request, number: FromQuery[int]) -> int:
        return len(await request.body()) + number

    service = await serve(extra_routes=[elsewhere])
    answer = await service.client.post("/api/v1/elsewhere?number=1", content=b"x" * 1_048_577)
    assert problem(answer) == (413, "too_large")
    answer = await service.client.post("/api/v1/elsewhere", params={"number": WORD})
    assert problem(answer) == (400, "invalid")
    assert fields(answer) == [("number", "wrong_type")]
    answer = await service.client.post("/api/v1/elsewhere")
    assert problem(answer) == (400, "invalid")
    assert "elsewhere" not in answer.text


async def test_a_hostile_host_is_refused_quietly(service):
    answer = await service.client.get("/api/v1/nothing", headers={"Host": f"{WORD}<"})
    assert problem(answer) == (400, "invalid")
    assert WORD not in answer.text


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault_of_ours(service, capture):
    reader, writer = await asyncio.open_connection(service.client.base_url.host, service.client.base_url.port)
    head = (
        f"POST {LOGIN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    )
    writer.write(head.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    line = await capture.line("request")
    assert (line["code"], line["log_level"]) == ("client_gone", "info")
    assert "request_failed" not in capture.events()
    assert await reader.read() == b""


async def test_a_request_id_is_ours_unless_the_clients_is_tame(service):
    tame = new_id()
    assert (await service.client.get("/healthz", headers={"X-Request-Id": tame})).headers[
        "x-request-id"
    ] == tame
    for wild in ["short", "x" * 65, "Maria das Dores", "../../etc", 'a"b"c"d"e']:
        answer = await service.client.get("/healthz", headers={"X-Request-Id": wild})
        assert answer.headers.get_list("x-request-id") != [wild]
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])


async def test_head_is_get_without_its_body(service):
    for path in ("/healthz", "/api/docs", "/api/v1/me", "/api/v1/nothing"):
        got, head = await service.client.get(path), await service.client.head(path)
        assert head.status_code == got.status_code
        assert head.content == b""
        assert head.headers["content-length"] == str(len(got.content))


async def test_every_answer_of_the_api_is_private_and_harmless(service):
    answers = [
        await service.client.get("/api/v1/me"),
        await service.client.get("/api/v1/nothing"),
        await service.client.get("/healthz"),
        await service.client.post(LOGIN, json={"email": ANA, "password": PASSWORD}),
    ]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_every_error_has_a_code_of_its_own():
    codes = [error.code for error in known_errors()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch("[a-z_]+", code) for code in codes)
