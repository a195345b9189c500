"""Who asks: login, logout, me; bearer and cookie; origins; addresses behind proxies."""

import pytest

from recado.app.origins import SESSION_COOKIE
from rest.service import ANA, CARLA, IPE, PASSWORD, fields, problem

LOGIN = "/api/v1/auth/login"
LOGOUT = "/api/v1/auth/logout"
ME = "/api/v1/me"
GOOD = {"email": ANA, "password": PASSWORD}


def cookie_of(response) -> dict[str, str]:
    [header] = response.headers.get_list("set-cookie")
    parts = [part.strip().partition("=") for part in header.split(";")]
    return {name.lower(): value for name, _, value in parts}


async def test_login_answers_token_member_and_clinics(service):
    answer = await service.client.post(LOGIN, json=GOOD)
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"token", "expiresAt", "member", "clinics"}
    assert body["member"].keys() == {"id", "name", "email"}
    assert body["member"]["email"] == ANA
    assert body["clinics"] == [{"id": IPE, "name": "Clínica Ipê", "role": "admin"}]
    assert len(body["expiresAt"]) == 24
    assert answer.headers["cache-control"] == "no-store"


async def test_login_sets_the_cookie_that_only_we_can_read(service):
    answer = await service.client.post(LOGIN, json=GOOD)
    cookie = cookie_of(answer)
    assert cookie[SESSION_COOKIE] == answer.json()["token"]
    assert cookie.keys() >= {"httponly", "samesite", "path", "max-age"}
    assert (cookie["samesite"].lower(), cookie["path"]) == ("strict", "/")
    assert "secure" not in cookie
    assert "domain" not in cookie


async def test_cookie_is_secure_where_the_public_url_is_https(serve):
    service = await serve(public_url="https://inbox.example")
    assert "secure" in cookie_of(await service.client.post(LOGIN, json=GOOD))


@pytest.mark.parametrize("wrong", [{"password": "outra senha"}, {"email": "ninguem@ipe.example"}])
async def test_wrong_credentials_are_told_apart_by_nobody(service, wrong):
    answer = await service.client.post(LOGIN, json={**GOOD, **wrong})
    assert problem(answer) == (401, "invalid_credentials")
    assert "set-cookie" not in answer.headers
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_too_many_attempts_are_told_when_to_come_back(serve):
    service = await serve(login_attempts=2)
    for _ in range(2):
        await service.client.post(LOGIN, json={**GOOD, "password": "errada"})
    answer = await service.client.post(LOGIN, json=GOOD)
    assert problem(answer) == (429, "rate_limited")
    assert answer.json()["retryable"]
    assert 0 < int(answer.headers["retry-after"]) == answer.json()["retryAfter"]


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({}, [("email", "missing")]),
        ({"email": ANA}, [("password", "missing")]),
        ({"email": 7, "password": PASSWORD}, [("email", "wrong_type")]),
        ({"email": ANA, "password": "x" * 2_000}, [("password", "too_long")]),
        ([], [("", "wrong_type")]),
    ],
)
async def test_login_names_the_field_that_does_not_fit(service, body, refused):
    answer = await service.client.post(LOGIN, json=body)
    assert problem(answer) == (400, "invalid")
    assert fields(answer) == refused


async def test_unknown_fields_are_ignored(service):
    assert (await service.client.post(LOGIN, json={**GOOD, "remember": True})).status_code == 200


async def test_me_knows_bearer_and_cookie(service):
    login = (await service.client.post(LOGIN, json=GOOD)).json()
    by_cookie = await service.client.get(ME)
    by_token = await service.new_client().get(ME, headers={"Authorization": f"bearer {login['token']}"})
    assert by_cookie.status_code == by_token.status_code == 200
    assert by_cookie.json() == by_token.json()
    assert by_cookie.json()["member"] == login["member"]
    assert by_cookie.json()["clinics"] == login["clinics"]
    assert by_cookie.json().keys() == {"member", "clinics", "expiresAt"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Bearer {'x' * 5_000}"},
        {"Authorization": "Basic YW5hOmFuYQ=="},
        {"Cookie": f"{SESSION_COOKIE}=nonsense"},
        {"Cookie": f"{SESSION_COOKIE}="},
    ],
)
async def test_without_a_session_nobody_is_told_anything(service, headers):
    answer = await service.client.get(ME, headers=headers)
    assert problem(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_bearer_counts_where_a_cookie_comes_along(service):
    await service.client.post(LOGIN, json=GOOD)
    carla = await service.token(CARLA)
    answer = await service.client.get(ME, headers={"Authorization": f"Bearer {carla}"})
    assert answer.json()["member"]["email"] == CARLA
    answer = await service.client.get(ME, headers={"Authorization": "Bearer nonsense"})
    assert problem(answer) == (401, "unauthenticated")


async def test_a_proxys_own_basic_credentials_do_not_hide_the_cookie(service):
    await service.client.post(LOGIN, json=GOOD)
    assert (await service.client.get(ME, headers={"Authorization": "Basic YTpi"})).status_code == 200


async def test_logout_ends_the_session_and_takes_the_cookie_back(service):
    token = (await service.client.post(LOGIN, json=GOOD)).json()["token"]
    origin = str(service.client.base_url).rstrip("/")
    answer = await service.client.post(LOGOUT, headers={"Origin": origin})
    assert (answer.status_code, answer.content) == (204, b"")
    cookie = cookie_of(answer)
    assert (cookie[SESSION_COOKIE].strip('"'), cookie["max-age"]) == ("", "0")
    assert problem(await service.client.get(ME))[0] == 401
    by_token = await service.client.get(ME, headers={"Authorization": f"Bearer {token}"})
    assert problem(by_token) == (401, "unauthenticated")


async def test_logout_by_bearer_needs_no_origin_and_no_session(service):
    headers = {"Authorization": f"Bearer {await service.token()}"}
    for _ in range(2):
        assert (await service.client.post(LOGOUT, headers=headers)).status_code == 204
    assert problem(await service.client.get(ME, headers=headers)) == (401, "unauthenticated")


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", [LOGIN, LOGOUT])
async def test_pages_of_others_neither_log_in_nor_out(service, path, headers):
    answer = await service.client.post(path, json=GOOD, headers=headers)
    assert problem(answer) == (403, "origin_refused")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [{}, *FOREIGN])
async def test_with_the_cookie_only_our_own_pages_change_something(service, headers):
    await service.client.post(LOGIN, json=GOOD)
    message = await service.receive()
    path = f"/api/v1/conversations/{message.conversation_id}/messages"
    answer = await service.client.post(path, json={"clientKey": "k", "body": "Olá"}, headers=headers)
    assert problem(answer) == (403, "origin_refused")
    assert problem(await service.client.post(LOGOUT, headers=headers)) == (403, "origin_refused")
    assert (await service.client.get(ME)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://inbox.example"}, {"Origin": "http://dev:5173"}],
)
async def test_our_own_pages_change_something_with_the_cookie(serve, headers):
    service = await serve(public_url="https://inbox.example", allowed_origins=("http://dev:5173",))
    message = await service.receive()
    cookie = {"Cookie": f"{SESSION_COOKIE}={await service.token()}"}
    path = f"/api/v1/conversations/{message.conversation_id}/messages"
    answer = await service.client.post(path, json={"clientKey": "k", "body": "Olá"}, headers=cookie | headers)
    assert answer.status_code == 201


async def test_a_bearer_token_may_come_from_anywhere(service):
    message = await service.receive()
    ana = await service.member()
    path = f"/api/v1/conversations/{message.conversation_id}/messages"
    answer = await ana.post(
        path, json={"clientKey": "k", "body": "Olá"}, headers={"Origin": "https://partner.example"}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(("trusted", "second"), [((), 429), (("127.0.0.0/8",), 401)])
async def test_attempts_count_per_address_that_a_trusted_proxy_tells(serve, trusted, second):
    service = await serve(login_attempts=1, trusted_proxies=trusted)
    wrong = {**GOOD, "password": "errada"}
    first = await service.client.post(LOGIN, json=wrong, headers={"X-Forwarded-For": "198.51.100.1"})
    other = await service.client.post(LOGIN, json=wrong, headers={"X-Forwarded-For": "198.51.100.2"})
    assert (first.status_code, other.status_code) == (401, second)
