"""`GET /api/v1/admin/realtime` on a whole server: for administrators, about their clinics only."""

import httpx
import pytest
import socketio

from e2e.processes import Server, StandIn


@pytest.fixture(scope="module")
def tokens(server):
    """By role, of the first clinic's members."""
    tokens = {}
    for member in server.members(server.clinic_ids()[0]):
        body = {"email": member["email"], "password": member["password"]}
        told = httpx.post(f"{server.url}/api/v1/auth/login", json=body).json()
        [role] = [each["role"] for each in told["clinics"] if each["id"] == server.clinic_ids()[0]]
        tokens[role] = told["token"]
    return tokens


def ask(server, token=None, **query):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{server.url}/api/v1/admin/realtime", params=query, headers=headers)


def test_an_administrator_sees_the_process_and_their_clinic(server, tokens):
    clinic_id = server.clinic_ids()[0]
    with socketio.SimpleClient() as client:
        client.connect(server.url, auth={"token": tokens["admin"]}, transports=["websocket"])
        told = ask(server, tokens["admin"], clinicId=clinic_id).json()
        assert told["connections"] == {
            "total": 1,
            "opening": 0,
            "live": 1,
            "closing": 0,
            "byTransport": {"picows": 1},
        }
        assert told["clinicConnections"] == 1
        assert told["handshake"]["count"] >= 1
        assert "clinicConnections" not in ask(server, tokens["admin"]).json()
        metrics = httpx.get(f"{server.url}/metrics").text
        assert 'recado_realtime_connections{state="live",transport="picows"} 1.0' in metrics


@pytest.mark.parametrize(
    ("role", "query", "status"),
    [
        (None, {}, 401),
        ("agent", {}, 403),
        ("admin", {"clinicId": 999}, 404),
        ("admin", {"clinicId": "x"}, 400),
    ],
)
def test_others_see_nothing(server, tokens, role, query, status):
    assert ask(server, tokens.get(role), **query).status_code == status


def test_the_portable_transport_carries_the_product(tmp_path):
    standin = StandIn(tmp_path)
    standin.start()
    server = Server(tmp_path, standin, WEBSOCKET="asgi")
    server.start()
    try:
        clinic_id = server.clinic_ids()[0]
        with server.api(server.members(clinic_id)[0]) as api, socketio.SimpleClient() as client:
            token = api.headers["authorization"].removeprefix("Bearer ")
            client.connect(server.url, auth={"token": token, "clinicId": clinic_id}, transports=["websocket"])
            joined = client.call("clinic:join", {"clinicId": clinic_id}, timeout=10)
            assert joined["ok"]
            [conversation, *_] = api.get(f"/clinics/{clinic_id}/conversations").json()["items"]
            note = {"conversationId": conversation["id"], "clientKey": "k", "body": "oi", "kind": "note"}
            assert client.call("message:send", note, timeout=10)["ok"]
            assert client.receive(timeout=10)[0] in {"conversation:list:updated", "clinic:connections"}
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()
    finally:
        if server.process.poll() is None:
            server.kill()
        standin.stop()


def test_a_members_connections_are_bounded_if_one_says_so(tmp_path):
    standin = StandIn(tmp_path)
    standin.start()
    server = Server(tmp_path, standin, MAX_CONNECTIONS_PER_MEMBER="1")
    server.start()
    try:
        member = server.members(server.clinic_ids()[0])[0]
        body = {"email": member["email"], "password": member["password"]}
        token = httpx.post(f"{server.url}/api/v1/auth/login", json=body).json()["token"]
        with socketio.SimpleClient() as first, socketio.SimpleClient(reconnection=False) as second:
            first.connect(server.url, auth={"token": token}, transports=["websocket"])
            with pytest.raises(socketio.exceptions.ConnectionError):
                second.connect(server.url, auth={"token": token}, transports=["websocket"])
        with socketio.SimpleClient() as third:
            third.connect(server.url, auth={"token": token}, transports=["websocket"])
    finally:
        server.stop()
        standin.stop()
