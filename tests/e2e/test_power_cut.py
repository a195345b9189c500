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
def server(own_server):
    return own_server


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

    # Each reply took two numbers, one when it was written and one when it had left; reading it took some in between.
    delta = api.get(changes, params={"after": start, "conversationIds": conversation_id}).json()
    assert "reset" not in delta
    numbers = [number for message in delta["messages"] for number in (message["seq"], message["version"])]
    assert len(set(numbers)) == len(numbers) == 6
    assert set(numbers) <= set(range(seq_of(start) + 1, seq_of(delta["cursor"]) + 1))
    assert clinics_log(server, clinic_id) == list(range(1, seq_of(delta["cursor"]) + 1))


def burst_of(size, round_number):
    return [
        {"clientKey": str(uuid.uuid4()), "body": f"Aviso {round_number}.{number}"} for number in range(size)
    ]


def cut_within(server, api, path, burst):
    """Send the burst from eight threads and kill the server when some are acknowledged; those messages' ids."""

    def send(message):
        with contextlib.suppress(httpx.TransportError):
            answer = api.post(path, json=message)
            return answer.json()["id"] if answer.is_success else None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(send, message) for message in burst]
        for _ in itertools.islice(concurrent.futures.as_completed(sending), len(burst) // 3):
            pass
        server.kill()
        return {answer for future in sending if (answer := future.result())}


def all_messages(api, path):
    """Ids of every message of the conversation that a member wrote, page by page."""
    ids, before = [], ""
    while before is not None:
        page = api.get(path, params={"limit": 100, "before": before} if before else {"limit": 100}).json()
        ids += [message["id"] for message in page["items"] if message["direction"] == "outbound"]
        before = page["before"]
    return ids


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(540)])])
def test_cut_in_a_burst_loses_no_acknowledged_message_and_repeats_none(
    rounds, server, standin, api, clinic_id, conversation_id
):
    path = f"/conversations/{conversation_id}/messages"
    written = []
    for number in range(rounds):
        burst = burst_of(40, number)
        acknowledged = cut_within(server, api, path, burst)
        assert len(burst) // 3 <= len(acknowledged) < len(burst), "the cut came after the burst"
        server.start()
        assert acknowledged <= set(all_messages(api, path))

        # What was not acknowledged is sent again with its key, as any client would; the rest may be, too.
        answers = [api.post(path, json=message) for message in burst]
        assert {answer.status_code for answer in answers} <= {200, 201}
        assert acknowledged <= {answer.json()["id"] for answer in answers}
        written += burst
        stored = all_messages(api, path)
        assert len(stored) == len(set(stored)) == len(written)

    texts = sorted(message["body"] for message in written)
    eventually(lambda: len(standin.messages()) >= len(texts), "all replies left", 20 + len(texts) / 10)
    assert sorted(standin.bodies()) == texts
    seq = api.get(f"/clinics/{clinic_id}/conversations").json()["seq"]
    assert clinics_log(server, clinic_id) == list(range(1, seq + 1))
