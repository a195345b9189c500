"""A webhook past the parser is answered as one by it, headers and log line included."""

import http.client
import socket
from urllib.parse import urlsplit

import pytest

from channels.webhooks import fixture
from e2e.patients import sign_generic
from e2e.processes import shared_server
from recado.channels.signatures import sign_whatsapp


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with shared_server(tmp_path_factory.mktemp("posts"), HEAD_TIMEOUT_S="0.5") as server:
        yield server


def generic(server):
    channel = server.channel(server.clinic_ids()[0], "generic")
    headers, body = sign_generic(channel["secret"], "Rosa", "Bom dia")
    return f"/api/v1/channels/{channel['id']}/inbound", headers, body


def forged(server):
    target, headers, body = generic(server)
    return target, headers, body.replace(b"Bom", b"Mau")


def no_json(server):
    channel = server.channel(server.clinic_ids()[0], "whatsapp")
    body = b"no JSON"
    headers = {"X-Hub-Signature-256": sign_whatsapp(channel["secret"], body)}
    return f"/api/v1/channels/{channel['id']}/whatsapp", headers, body


def statuses(server):
    channel = server.channel(server.clinic_ids()[0], "whatsapp")
    body = fixture("text")
    headers = {"X-Hub-Signature-256": sign_whatsapp(channel["secret"], body)}
    return f"/api/v1/channels/{channel['id']}/whatsapp", headers, body


def unknown(server):
    target, headers, body = generic(server)
    return target.replace(target.split("/")[4], "01900000-0000-7000-8000-000000000000"), headers, body


def told(server, target, headers, body, *lines, missing=0):
    """The answer's status, its headers but the date, and its body, to a request without its last bytes."""
    size = f"Content-Length: {len(body)}"
    named = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"POST {target} HTTP/1.1", "Host: recado", *named, size, *lines, "", ""])
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), 10) as connection:
        connection.sendall(head.encode() + body[: len(body) - missing])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, dict(answer.getheaders()) | {"date": ""}, answer.read()


@pytest.mark.parametrize(
    ("webhook", "status"), [(generic, 200), (statuses, 200), (forged, 401), (no_json, 400), (unknown, 404)]
)
def test_a_webhook_is_answered_the_same_by_both_ways(server, webhook, status):
    target, headers, body = webhook(server)
    known = "X-Request-Id: 0123456789"
    told(server, target, headers, body)  # so that both are repeated
    short = told(server, target, headers, body, known)
    long = told(server, target, headers, body, known, "X-Odd:there is no space before")
    assert short == long
    assert short[0] == status
    assert short[1]["x-request-id"] == "0123456789"


def test_a_webhook_goes_past_the_parser_and_has_a_heads_time_to_come(server):
    """The parser would wait for the rest for ever."""
    assert told(server, *generic(server), missing=1)[0] == 408
