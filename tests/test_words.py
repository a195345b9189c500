"""A patient's words reach the screens and the provider, and no log line, metric or exception text on the way."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
import uuid

import httpx
import pytest
import socketio

from e2e.processes import Server, eventually

WORD = "palavra-da-paciente"


class EchoingProvider(http.server.BaseHTTPRequestHandler):
    """Refuses every message and quotes it, as providers do."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(body)
        self.send_response(400, WORD)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        """Nothing."""


class Provider:
    def __init__(self) -> None:
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), EchoingProvider)
        self.http.seen = []
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.stop()


@pytest.fixture
def server(tmp_path, provider):
    server = Server(tmp_path, provider)
    server.start()
    yield server
    server.stop()


def generic(server, body: bytes, *, signed=True, path="inbound"):
    channel = server.channel(server.clinic_ids()[0], "generic")
    at, key = str(int(time.time())), base64.b64decode(channel["secret"].removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"m.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{signature if signed else WORD}",
    }
    url = f"{server.url}/api/v1/channels/{channel['id']}/{path}"
    return httpx.post(url, content=body, headers=headers, params={"q": WORD}).status_code


def inbound(**fields) -> bytes:
    message = {
        "externalId": str(uuid.uuid4()),
        "from": {"id": f"{WORD}-id", "name": f"{WORD} Silva"},
        "body": WORD,
        "sentAt": "2026-11-23T08:00:00Z",
    }
    return json.dumps(message | fields).encode()


def whatsapp(server, body: bytes):
    channel = server.channel(server.clinic_ids()[0], "whatsapp")
    digest = hmac.new(channel["secret"].encode(), body, hashlib.sha256).hexdigest()
    return httpx.post(
        f"{server.url}/api/v1/channels/{channel['id']}/whatsapp",
        content=body,
        headers={"X-Hub-Signature-256": f"sha256={digest}"},
    ).status_code


def drive_webhooks(server) -> None:
    same = inbound(externalId="same")
    assert [generic(server, same), generic(server, same)] == [200, 200]
    assert generic(server, same, signed=False) == 401
    assert generic(server, b'{"body": "%s' % WORD.encode()) == 400
    assert generic(server, inbound(sentAt=WORD)) == 400
    assert generic(server, inbound(**{"from": WORD})) == 400
    assert generic(server, inbound(body={"text": WORD})) == 400
    assert generic(server, inbound(), path=WORD) == 404
    assert generic(server, inbound(body=WORD * 100_000)) == 413
    assert generic(server, b'{"body": "\\ud83d %s"}' % WORD.encode()) == 400
    value = {"metadata": {"phone_number_id": WORD}, "messages": [{"type": WORD, "text": WORD}], WORD: WORD}
    assert whatsapp(server, json.dumps({"entry": [{"changes": [{"value": value}]}]}).encode()) == 200
    assert whatsapp(server, json.dumps([WORD]).encode()) in {200, 400}


def drive_rest(api) -> str:
    clinic_id = api.get("/me").json()["clinics"][0]["id"]
    conversation_id = api.get(f"/clinics/{clinic_id}/conversations").json()["items"][0]["id"]
    path = f"/conversations/{conversation_id}/messages"
    assert api.post(path, json={"clientKey": "rest", "body": WORD}).status_code == 201
    assert api.post(path, json={"clientKey": "rest", "body": WORD}).status_code == 200
    assert api.post(path, json={"clientKey": WORD + " x", "body": WORD}).status_code == 400
    assert api.post(path, json={"clientKey": "k", "body": [WORD]}).status_code == 400
    assert api.post(path, json={"clientKey": "k", "body": WORD, "kind": WORD}).status_code == 400
    assert api.post(path, content=WORD).status_code in {400, 415}
    assert api.get(f"/conversations/{WORD}/messages", params={"before": WORD}).status_code == 404
    assert api.get(f"/clinics/{clinic_id}/conversations", params={"before": WORD}).status_code == 400
    assert api.get(f"/clinics/{clinic_id}/changes", params={"after": WORD}).status_code == 400
    assert api.get("/", headers={"X-Request-Id": f"{WORD} {WORD}", "User-Agent": WORD}).status_code == 404
    return conversation_id


def drive_socket(server, token, conversation_id) -> None:
    with socketio.SimpleClient() as client:
        client.connect(server.url, auth={"token": token, "client": WORD}, transports=["websocket"])
        order = {"conversationId": conversation_id, "clientKey": "socket", "body": WORD}
        assert client.call("conversation:join", {"conversationId": conversation_id})["ok"]
        assert client.call("message:send", order)["ok"]
        assert not client.call("message:send", order | {"body": [WORD]})["ok"]
        assert not client.call("message:send", order | {"kind": WORD})["ok"]
        assert not client.call("message:send", WORD)["ok"]
        assert not client.call(WORD, WORD)["ok"]
        assert not client.call("clinic:join", {"clinicId": 1, "after": WORD})["ok"]
    for hostile in (f"42[{WORD}", f'42/{WORD},["x"]', f"9{WORD}", WORD):
        with socketio.SimpleClient(reconnection=False) as client:
            client.connect(server.url, auth={"token": token}, transports=["websocket"])
            line = client.client.eio.ws
            line.send(hostile)
            eventually(
                lambda client=client: not client.connected or not client.client.connected, "it is closed"
            )
        line.shutdown()  # the library leaves open what the server has closed


def test_no_log_line_metric_or_error_holds_a_patients_words(server, provider):
    member = server.members(server.clinic_ids()[0])[0]
    with server.api(member) as api:
        drive_webhooks(server)
        conversation_id = drive_rest(api)
        drive_socket(server, api.headers["Authorization"].removeprefix("Bearer "), conversation_id)
        eventually(lambda: len(provider.http.seen) >= 2, "the replies reached the provider")
        messages = f"/conversations/{conversation_id}/messages"
        eventually(
            lambda: all(m["status"] == "failed" for m in api.get(messages).json()["items"][:2]), "refused"
        )
        for message in api.get(messages).json()["items"][:2]:
            assert WORD not in message["failure"]["message"]
        metrics = httpx.get(server.url + "/metrics").text
    log = server.log.read_text()
    assert WORD not in metrics
    assert WORD not in log
    for event in ("committed", "connected", "request", "event_refused"):
        assert f'"event": "{event}"' in log
