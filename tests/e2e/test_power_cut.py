"""`kill -9` of the server: what was acknowledged is there, leaves once, and open pages catch up by themselves."""

import concurrent.futures
import contextlib
import itertools
import sqlite3
import uuid

import httpx
import pytest
import socketio
from playwright.sync_api import expect

from e2e.patients import deliver
from e2e.processes import eventually

PATIENT = "João Pereira"


@pytest.fixture
def clinic_id(server):
    return server.clinic_ids()[0]


@pytest.fixture
def members(server, clinic_id):
    return server.members(clinic_id)


@pytest.fixture
def api(server, members):
    with server.api(members[0]) as api:
        yield api


@pytest.fixture
def conversation_id(server, clinic_id, api):
    """Of a patient who has just written through the generic channel."""
    assert deliver(server, clinic_id, PATIENT, "Olá, preciso de um retorno.").status_code == 200
    newest = api.get(f"/clinics/{clinic_id}/conversations").json()["items"][0]
    assert newest["contact"]["name"] == PATIENT
    return newest["id"]


def send_by_rest(server, api, conversation_id, message):
    answer = api.post(f"/conversations/{conversation_id}/messages", json=message)
    assert answer.status_code == 201, answer.text
    return answer.json()


def send_by_socket(server, api, conversation_id, message):
    token = api.headers["Authorization"].removeprefix("Bearer ")
    with socketio.SimpleClient() as client:
        client.connect(server.url, auth={"token": token, "client": "e2e/0"}, transports=["websocket"])
        answer = client.call("message:send", {"conversationId": conversation_id, **message}, timeout=10)
        assert answer["ok"], answer
        return answer["message"]


def clinics_log(server, clinic_id):
    """The numbers of the clinic's log, as they lie in the database."""
    with contextlib.closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT seq FROM events WHERE clinic_id = ? ORDER BY seq", [clinic_id])
        return [seq for (seq,) in rows]


def seq_of(cursor):
    return int(cursor.rpartition(":")[2])


@pytest.mark.parametrize("send", [send_by_rest, send_by_socket])
def test_acknowledged_message_survives_leaves_once_and_reaches_an_open_page(
    send, server, standin, api, clinic_id, members, conversation_id, open_window
):
    colleague = open_window(members[1])
    colleague.open(PATIENT)
    changes = f"/clinics/{clinic_id}/changes"
    start = api.get(changes).json()["cursor"]
    replies = ["Primeira resposta", "Segunda resposta", "Terceira resposta"]

    sent = []
    for text in replies:
        sent.append(send(server, api, conversation_id, {"clientKey": str(uuid.uuid4()), "body": text}))
        server.kill()
        server.start()
        # The page is not touched: it finds its way back by itself.
        expect(colleague.bubble(text)).to_have_attribute("data-status", "sent", timeout=40_000)
    colleague.wait_until_live()
    ids = [message["id"] for message in sent]
    assert colleague.message_ids()[-3:] == ids

    page = api.get(f"/conversations/{conversation_id}/messages").json()
    assert [message["id"] for message in page["items"]][:3] == ids[::-1]
    assert standin.bodies() == replies
    assert len({message["key"] for message in standin.messages()}) == 3

    # Each reply took two numbers, one when it was written and one when it had left; together they leave no hole.
    delta = api.get(changes, params={"after": start, "conversationIds": conversation_id}).json()
    assert "reset" not in delta
    numbers = [number for message in delta["messages"] for number in (message["seq"], message["version"])]
    assert sorted(numbers) == list(range(seq_of(start) + 1, seq_of(delta["cursor"]) + 1))
    assert clinics_log(server, clinic_id) == list(range(1, seq_of(delta["cursor"]) + 1))


def test_cut_in_a_burst_loses_no_acknowledged_message_and_repeats_none(
    server, standin, api, clinic_id, conversation_id
):
    burst = [{"clientKey": str(uuid.uuid4()), "body": f"Aviso {number}"} for number in range(40)]
    path = f"/conversations/{conversation_id}/messages"

    def send(message):
        try:
            answer = api.post(path, json=message)
        except httpx.TransportError:
            return None  # not acknowledged
        return answer.json()["id"] if answer.status_code in {200, 201} else None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(send, message) for message in burst]
        for _ in itertools.islice(concurrent.futures.as_completed(sending), 15):
            pass
        server.kill()
        acknowledged = {answer for future in sending if (answer := future.result())}
    assert 15 <= len(acknowledged) < 40, "the cut came after the burst"
    server.start()

    def stored():
        return [
            item["id"]
            for item in api.get(path, params={"limit": 100}).json()["items"]
            if item.get("clientKey")
        ]

    assert acknowledged <= set(stored())
    again = [api.post(path, json=message) for message in burst]
    assert {answer.status_code for answer in again} <= {200, 201}
    assert len(stored()) == len(set(stored())) == 40
    assert acknowledged <= {answer.json()["id"] for answer in again}

    eventually(lambda: len(standin.messages()) >= 40, "all replies left")
    assert sorted(standin.bodies()) == sorted(message["body"] for message in burst)
    seq = api.get(f"/clinics/{clinic_id}/conversations").json()["seq"]
    assert clinics_log(server, clinic_id) == list(range(1, seq + 1))
