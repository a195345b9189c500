"""Two `recado serve` on one PostgreSQL: what happens on one is on the screens of the other, and one may die."""

import time

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
