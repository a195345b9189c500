"""`/api/v1/admin/cache` on a whole server: for administrators, with the numbers of their reads; and to load anew."""

import http.client
import socket
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from e2e.processes import shared_server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with shared_server(tmp_path_factory.mktemp("caching")) as server:
        yield server


def token_of(server, role):
    """Of the first clinic's member with this role."""
    clinic_id = server.clinic_ids()[0]
    for member in server.members(clinic_id):
        body = {"email": member["email"], "password": member["password"]}
        told = httpx.post(f"{server.url}/api/v1/auth/login", json=body).json()
        if {"id": clinic_id, "role": role}.items() <= told["clinics"][0].items():
            return told["token"]
    raise LookupError(role)


def get(server, path, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{server.url}/api/v1{path}", headers=headers)


def test_an_administrator_sees_how_reads_were_answered(server):
    token = token_of(server, "admin")
    before = get(server, "/admin/cache", token).json()
    for _ in range(3):
        assert get(server, f"/clinics/{server.clinic_ids()[0]}", token).status_code == 200
    after = get(server, "/admin/cache", token).json()
    assert after["misses"] == before["misses"] + 1
    assert after["memory"]["hits"] == before["memory"]["hits"] + 2
    assert after["memory"]["bytes"] > 0
    assert (after["feed"]["followed"], after["feed"]["leasesOver"]) == (1, 0)
    assert after["feed"]["oldestMs"] < 3000
    assert after["audit"]["untrue"] == 0
    assert "redis" not in after
    metrics = httpx.get(f"{server.url}/metrics").text
    assert f'recado_cache_hits_total{{level="memory"}} {float(after["memory"]["hits"])}' in metrics
    assert f"recado_cache_misses_total {float(after['misses'])}" in metrics
    assert "recado_feed_lease_age_seconds 0." in metrics


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("agent", 403)])
def test_others_see_nothing(server, role, status):
    assert get(server, "/admin/cache", role and token_of(server, role)).status_code == status


def invalidate(server, role, clinic_id, pattern):
    body = {"clinicId": clinic_id, "pattern": pattern, "clientKey": str(uuid4())}
    headers = {"Authorization": f"Bearer {token_of(server, role)}"}
    return httpx.post(f"{server.url}/api/v1/admin/cache/invalidate", headers=headers, json=body)


def test_an_administrator_has_the_own_clinic_loaded_anew(server):
    clinic_id, token = server.clinic_ids()[0], token_of(server, "admin")
    path = f"/clinics/{clinic_id}"
    known = get(server, path, token)
    before = get(server, "/admin/cache", token).json()["misses"]
    assert invalidate(server, "admin", clinic_id, f"clinic:{clinic_id}:*").status_code == 204
    again = get(server, path, token)
    assert again.headers["recado-cursor"] != known.headers["recado-cursor"]
    assert again.json() == known.json()
    assert get(server, "/admin/cache", token).json()["misses"] == before + 1


def test_nobody_else_has_a_clinic_loaded_anew(server):
    ours, another = server.clinic_ids()[:2]
    assert invalidate(server, "agent", ours, f"clinic:{ours}:*").status_code == 403
    assert invalidate(server, "admin", another, f"clinic:{another}:*").status_code == 404


@pytest.mark.parametrize(
    ("pattern", "status", "code"),
    [("clinic:{another}:*", 409, "of_another_clinic"), ("clinic:{ours}", 400, "malformed")],
)
def test_a_pattern_that_is_not_of_the_orders_clinic_is_refused_by_its_code(server, pattern, status, code):
    ours, another = server.clinic_ids()[:2]
    refused = invalidate(server, "admin", ours, pattern.format(ours=ours, another=another))
    assert (refused.status_code, refused.json()["errors"]) == (status, [{"path": "pattern", "code": code}])


def spoken(server, path, token, line):
    """A hit's answer to a head with this line: its status, its headers but date and id, its body."""
    head = f"GET /api/v1{path} HTTP/1.1\r\nHost: recado\r\nAuthorization: Bearer {token}\r\n{line}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), 10) as connection:
        connection.sendall(head.encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        told = {(name, value) for name, value in answer.getheaders() if name not in {"date", "x-request-id"}}
        return answer.status, told, answer.read()


@pytest.mark.parametrize("asked", ["X-Request-Id: 0123456789", "If-None-Match: *", "Recado-After: another:1"])
def test_a_hit_past_the_parser_is_answered_as_one_by_it(server, asked):
    clinic_id, token = server.clinic_ids()[0], token_of(server, "admin")
    for path in (f"/clinics/{clinic_id}", f"/clinics/{clinic_id}/conversations?limit=3"):
        assert get(server, path, token).status_code == 200
        tidy = spoken(server, path, token, asked)
        untidy = spoken(server, path, token, f"{asked}\r\nX-Odd:there is no space before")
        assert tidy == untidy
        assert tidy[0] == (304 if "None" in asked else 200)


def test_whoever_is_refused_is_refused_past_the_parser_too(server):
    clinic_id, token = server.clinic_ids()[0], token_of(server, "admin")
    path = f"/clinics/{clinic_id}"
    assert spoken(server, path, token, "X-Ok: 1")[0] == 200
    assert spoken(server, path, "nonsense", "X-Ok: 1")[0] == 401
    assert spoken(server, path, token, "Recado-After: x")[0] == 400
