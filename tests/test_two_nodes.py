"""Two `recado serve` on one PostgreSQL: what happens on one is on the screens of the other, and one may die."""

import time
import uuid
from contextlib import contextmanager
from functools import partial

import httpx
import pytest
import socketio

from e2e.patients import deliver
from e2e.processes import Server, StandIn, eventually


@pytest.fixture
def standin(tmp_path):
    (tmp_path / "standin").mkdir()
    program = StandIn(tmp_path / "standin")
    program.start()
    yield program
    program.kill()


@pytest.fixture
def nodes(tmp_path, standin, postgres):
    """Started one after the other on an empty database."""
    url, started = postgres.create_database(), []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        node = Server(tmp_path / name, standin, url)
        node.start()
        started.append(node)
    yield started
    for node in started:
        node.kill()
    postgres.drop_database(url)


@pytest.fixture
def clinic_id(nodes):
    return nodes[0].clinic_ids()[0]


@pytest.fixture
def screens(nodes, clinic_id):
    """A member's socket on each node."""
    clients = []
    for node in nodes:
        with node.api(node.members(clinic_id)[0]) as api:
            token = api.headers["Authorization"].removeprefix("Bearer ")
        client = socketio.SimpleClient()
        client.connect(node.url, auth={"token": token, "client": "e2e/0"}, transports=["websocket"])
        clients.append(client)
    yield clients
    for client in clients:
        client.disconnect()


def next_update(screen):
    while True:
        name, payload = screen.receive(timeout=10)
        if name == "conversation:list:updated":
            return payload


def test_what_a_patient_writes_to_one_node_is_on_the_screens_of_both_at_once(nodes, screens, clinic_id):
    delays, seqs = [], []
    for number in range(10):
        assert deliver(nodes[number % 2], clinic_id, "Maria", f"Olá {number}").status_code == 200
        acknowledged = time.perf_counter()
        updates = [next_update(screen) for screen in screens]
        delays.append(time.perf_counter() - acknowledged)
        assert updates[0] == updates[1]
        seqs.append(updates[0]["seq"])
    assert seqs == list(range(seqs[0], seqs[0] + 10))
    assert min(delays) < 0.1, "the poll alone would take up to a second"


def test_when_a_node_dies_the_other_goes_on_and_sends_what_waits(nodes, screens, standin, clinic_id):
    first, second = nodes
    assert deliver(first, clinic_id, "Maria", "Olá").status_code == 200
    conversation = next_update(screens[1])["conversation"]
    first.kill()
    reply = {"clientKey": "after", "body": "Bom dia, Maria"}
    with second.api(second.members(clinic_id)[0]) as api:
        answer = api.post(f"/conversations/{conversation['id']}/messages", json=reply)
    assert answer.status_code == 201, answer.text
    eventually(lambda: standin.bodies() == ["Bom dia, Maria"], "the reply has left")


def newcomer(admin, clinic_id):
    """A new member of the clinic."""
    email = f"{uuid.uuid4().hex[:8]}@ipe.example"
    invite = {"clientKey": uuid.uuid4().hex, "email": email}
    made = admin.post(f"/clinics/{clinic_id}/members", json=invite).json()
    return {"id": made["memberId"], "email": email, "password": made["temporaryPassword"]}


def tokens(node, member, count):
    login = {"email": member["email"], "password": member["password"]}
    answers = [httpx.post(f"{node.url}/api/v1/auth/login", json=login) for _ in range(count)]
    return [answer.json()["token"] for answer in answers]


@contextmanager
def socket_of(node, token):
    """A socket that does not come back. Its client forgets to close what the server has ended."""
    client = socketio.Client(reconnection=False)
    client.connect(node.url, auth={"token": token, "client": "e2e/0"}, transports=["websocket"])
    line = client.eio.ws
    yield client
    client.disconnect()
    line.shutdown()


def answers(client, path, status):
    return client.get(path).status_code == status


def seconds_until(question, what):
    begun = time.monotonic()
    eventually(question, what, 5)
    return time.monotonic() - begun


ENDINGS = (
    ("POST", "/clinics/{clinic}/members/{member}/password", {}, 401),
    ("PATCH", "/clinics/{clinic}/members/{member}", {"active": False}, 401),
    ("PATCH", "/clinics/{clinic}/members/{member}", {"role": "admin"}, 200),
)
"""What an admin does to a member, and how the member's request for the list of members is answered then."""


def test_what_ends_an_access_on_one_node_ends_it_on_the_other_within_a_second(nodes, clinic_id):
    first, second = nodes
    members = f"/api/v1/clinics/{clinic_id}/members"
    with first.api(first.members(clinic_id)[0]) as admin:
        for method, path, body, expected in ENDINGS:
            member = newcomer(admin, clinic_id)
            with_socket, without = tokens(second, member, 2)
            bearer = {"Authorization": f"Bearer {without}"}
            client = httpx.Client(base_url=second.url, headers=bearer)
            with client as quiet, socket_of(second, with_socket) as socket:
                assert quiet.get(members).status_code == 403, "and the second node remembers the session"
                address = path.format(clinic=clinic_id, member=member["id"])
                answer = admin.request(method, address, json={"clientKey": uuid.uuid4().hex, **body})
                assert answer.is_success, answer.text
                assert (
                    seconds_until(lambda s=socket: not s.connected, "the socket on the other node ends") < 1
                )
                answered = partial(answers, quiet, members, expected)
                assert seconds_until(answered, "so does what REST remembers") < 1


def test_a_logout_on_one_node_ends_that_sessions_sockets_on_the_other_within_a_second(nodes, clinic_id):
    first, second = nodes
    ends, stays = tokens(second, second.members(clinic_id)[0], 2)
    with socket_of(second, ends) as ended, socket_of(second, stays) as other:
        bearer = {"Authorization": f"Bearer {ends}"}
        httpx.post(f"{first.url}/api/v1/auth/logout", headers=bearer).raise_for_status()
        assert seconds_until(lambda: not ended.connected, "the socket on the other node ends") < 1
        assert other.connected


def test_what_is_changed_on_one_node_is_told_on_both(nodes, screens, clinic_id):
    with nodes[0].api(nodes[0].members(clinic_id)[0]) as admin:
        change = {"clientKey": "name", "name": "Ipê Centro"}
        clinic = admin.patch(f"/clinics/{clinic_id}", json=change).json()
    for screen in screens:
        event, payload = screen.receive(timeout=10)
        while event != "clinic:updated":
            event, payload = screen.receive(timeout=10)
        assert payload == {"clinic": clinic, "seq": clinic["version"], "clientKey": "name"}
