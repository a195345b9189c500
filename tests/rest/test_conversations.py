"""The inbox over HTTP: pages, sending, changes; and what is another clinic's looks like what is not there."""

import asyncio
import re
import time
from uuid import uuid4

import pytest

from rest.service import AROEIRA, BRUNO, CARLA, IPE, fields, problem, until
from stock import new_id

LIST = f"/api/v1/clinics/{IPE}/conversations"
CHANGES = f"/api/v1/clinics/{IPE}/changes"
MEMBERS = f"/api/v1/clinics/{IPE}/members"
WORD = "paciente-com-febre"


def thread(conversation_id) -> str:
    return f"/api/v1/conversations/{conversation_id}/messages"


def order(**fields) -> dict:
    return {"clientKey": new_id(), "body": "Pois não, Inês?", **fields}


def as_absent(response) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but its request id and date."""
    headers = {
        name: value for name, value in response.headers.items() if name not in {"x-request-id", "date"}
    }
    return response.status_code, response.content, headers


async def test_list_is_newest_first_and_pages_to_the_end(service):
    sent = [await service.receive(address=f"paciente {n}") for n in range(5)]
    ana = await service.member()
    seen, before = [], None
    for _ in range(3):
        params = {"limit": 2} | ({"before": before} if before else {})
        answer = await ana.get(LIST, params=params)
        assert answer.status_code == 200
        page = answer.json()
        assert page.keys() == {"items", "reads", "before", "seq"}
        assert page["seq"] == 5
        seen += [item["id"] for item in page["items"]]
        before = page["before"]
    assert before is None
    assert seen == [message.conversation_id for message in reversed(sent)]


async def test_optional_fields_are_absent_and_never_null(service):
    message = await service.receive()
    ana = await service.member()
    listed = (await ana.get(LIST)).content
    written = (await ana.get(thread(message.conversation_id))).content
    assert (listed.count(b"null"), written.count(b"null")) == (
        1,
        2,
    )  # `before`, and a thread's `after`, at the ends
    assert b"snoozedUntil" not in listed
    assert b"clientKey" not in written


async def test_thread_is_newest_first_and_pages_to_the_beginning(service):
    bodies = [f"mensagem {n}" for n in range(5)]
    [message, *_] = [await service.receive(body) for body in bodies]
    ana = await service.member()
    first = (await ana.get(thread(message.conversation_id), params={"limit": 3})).json()
    rest = (
        await ana.get(thread(message.conversation_id), params={"limit": 3, "before": first["before"]})
    ).json()
    assert [item["body"] for item in first["items"] + rest["items"]] == bodies[::-1]
    assert rest["before"] is None


async def test_a_sent_message_is_201_and_its_repetition_200(service):
    received = await service.receive()
    ana = await service.member()
    body = order()
    first = await ana.post(thread(received.conversation_id), json=body)
    again = await ana.post(thread(received.conversation_id), json={**body, "body": "outra coisa"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["body"] == body["body"]
    assert first.json()["clientKey"] == body["clientKey"]
    assert first.json()["status"] == "queued"
    page = (await ana.get(thread(received.conversation_id))).json()
    assert [item["id"] for item in page["items"]] == [first.json()["id"], received.id]


async def test_a_note_stays_in_the_clinic(service):
    received = await service.receive()
    ana = await service.member()
    answer = await ana.post(thread(received.conversation_id), json=order(kind="note", replyTo=received.id))
    assert answer.status_code == 201
    assert (answer.json()["kind"], answer.json()["replyTo"]) == ("note", received.id)


@pytest.mark.parametrize("header", ["chave-1", '"chave-1"'])
async def test_idempotency_key_serves_as_client_key(service, header):
    received = await service.receive()
    ana = await service.member()
    body = {"body": "Olá"}
    first = await ana.post(thread(received.conversation_id), json=body, headers={"Idempotency-Key": header})
    again = await ana.post(thread(received.conversation_id), json={**body, "clientKey": "chave-1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["clientKey"] == "chave-1"


async def test_the_bodys_client_key_counts_before_the_header(service):
    received = await service.receive()
    ana = await service.member()
    answer = await ana.post(
        thread(received.conversation_id),
        json=order(clientKey="do corpo".replace(" ", "-")),
        headers={"Idempotency-Key": "do-cabecalho"},
    )
    assert answer.json()["clientKey"] == "do-corpo"


async def test_patient_wrote_meanwhile_answers_with_the_conversation_as_it_is(service):
    seen = await service.receive()
    await service.receive("Mais uma coisa")
    ana = await service.member()
    answer = await ana.post(thread(seen.conversation_id), json=order(expectedSeq=seen.seq))
    assert problem(answer) == (409, "conversation_moved")
    assert answer.json()["conversation"] == (await ana.get(LIST)).json()["items"][0]
    assert (await ana.get(thread(seen.conversation_id))).json()["seq"] == 2


async def test_a_client_key_serves_one_command_only(service):
    one, other = await service.receive(), await service.receive(address="outro")
    ana = await service.member()
    body = order()
    assert (await ana.post(thread(one.conversation_id), json=body)).status_code == 201
    assert problem(await ana.post(thread(other.conversation_id), json=body)) == (409, "client_key_reused")


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"body": None}, [("body", "wrong_type")]),
        ({"body": "   "}, [("body", "empty")]),
        ({"body": "x" * 16_385}, [("body", "too_long")]),
        ({"clientKey": None}, [("clientKey", "missing")]),
        ({"clientKey": "com espaço"}, [("clientKey", "wrong_format")]),
        ({"kind": WORD}, [("kind", "unknown_value")]),
        ({"replyTo": WORD}, [("replyTo", "wrong_format")]),
        ({"expectedSeq": "1"}, [("expectedSeq", "wrong_type")]),
        ({"expectedSeq": 1.5}, [("expectedSeq", "wrong_type")]),
    ],
)
async def test_send_names_the_field_that_does_not_fit(service, change, refused):
    received = await service.receive()
    ana = await service.member()
    answer = await ana.post(thread(received.conversation_id), json=order(**change))
    assert problem(answer) == (400, "invalid")
    assert fields(answer) == refused
    assert WORD not in answer.text


async def test_a_reply_is_to_a_message_of_the_conversation(service):
    received, other = await service.receive(), await service.receive(address="outro")
    ana = await service.member()
    for message_id in (str(uuid4()), other.id):
        answer = await ana.post(thread(received.conversation_id), json=order(replyTo=message_id))
        assert problem(answer) == (409, "conflict")
        assert fields(answer) == [("replyTo", "not_found")]


@pytest.mark.parametrize("header", ["", "com espaço", "x" * 129])
async def test_an_idempotency_key_that_cannot_be_a_key_is_refused(service, header):
    received = await service.receive()
    ana = await service.member()
    answer = await ana.post(
        thread(received.conversation_id), json={"body": "Olá"}, headers={"Idempotency-Key": header.encode()}
    )
    assert problem(answer) == (400, "invalid")
    assert fields(answer) == [("Idempotency-Key", "wrong_format")]


async def test_half_an_emoji_is_taken_as_a_replacement_character(service):
    received = await service.receive()
    ana = await service.member()
    raw = b'{"clientKey": "k", "body": "Ol\\u00e1 \\ud83d \\u0000"}'
    answer = await ana.post(
        thread(received.conversation_id), content=raw, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201
    assert answer.json()["body"] == "Olá \ufffd \ufffd"


NOBODYS = "01930000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("query", ["conversations", "changes", "changes?after=1:0&wait=25"])
async def test_another_clinic_answers_like_one_that_does_not_exist(service, query):
    await service.receive(clinic_id=AROEIRA)
    ana = await service.member()
    absent = await ana.get("/api/v1/clinics/424242/conversations")
    for clinic_id in (AROEIRA, 999, 10**17, 10**30, "9" * 5_000, -1, "abc", "1%2F2", "%00", "１"):
        answer = await ana.get(f"/api/v1/clinics/{clinic_id}/{query}")
        assert problem(answer) == (404, "not_found")
        assert as_absent(answer) == as_absent(absent)


async def test_another_clinics_conversation_answers_like_one_that_does_not_exist(service):
    theirs = (await service.receive(clinic_id=AROEIRA)).conversation_id
    ours = (await service.receive()).conversation_id
    ana, carla = await service.member(), await service.member(CARLA)
    not_ids = ["x", "1", f"{{{ours}}}", f"urn:uuid:{ours}", f"{ours}x", f"{ours}%20", "%00", "x" * 5_000]
    for conversation_id in [theirs, NOBODYS, *not_ids]:
        read, wrote = (
            await ana.get(thread(conversation_id)),
            await ana.post(thread(conversation_id), json=order()),
        )
        assert problem(read) == (404, "not_found")
        assert as_absent(read) == as_absent(wrote) == as_absent(await ana.get(thread(str(uuid4()))))
    assert (await carla.get(thread(theirs))).json()["seq"] == 1
    assert (await ana.get(thread(ours.upper()))).status_code == 200  # RFC 9562: read in either case


async def test_a_session_is_asked_for_before_anything_else(service):
    for path in (LIST, CHANGES, thread(NOBODYS), thread("x"), f"{LIST}?limit=x"):
        assert problem(await service.client.get(path)) == (401, "unauthenticated")
    answer = await service.client.post(thread(NOBODYS), content=b"{", headers={"Content-Type": "text/plain"})
    assert problem(answer) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("limit=0", [("limit", "too_small")]),
        ("limit=101", [("limit", "too_large")]),
        ("limit=-1", [("limit", "too_small")]),
        (f"limit={WORD}", [("limit", "wrong_type")]),
        ("limit=", [("limit", "wrong_type")]),
        ("limit=1.5", [("limit", "wrong_type")]),
        (f"limit={'9' * 400}", [("limit", "too_large")]),
        (f"before={WORD}", [("before", "wrong_format")]),
        ("before=-1", [("before", "wrong_format")]),
        (f"before={'9' * 19}", [("before", "wrong_format")]),
        ("before=1%0A", [("before", "wrong_format")]),
    ],
)
async def test_pages_name_the_parameter_that_does_not_fit(service, query, refused):
    received = await service.receive()
    ana = await service.member()
    for path in (LIST, thread(received.conversation_id)):
        answer = await ana.get(f"{path}?{query}")
        assert problem(answer) == (400, "invalid")
        assert fields(answer) == refused
        assert WORD not in answer.text


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        (f"after={WORD}", [("after", "wrong_format")]),
        ("after=", [("after", "wrong_format")]),
        (f"after=1:0&conversationIds={WORD}", [("conversationIds", "wrong_format")]),
        (f"after=1:0&conversationIds={NOBODYS}%0A", [("conversationIds", "wrong_format")]),
        (f"after=1:0&conversationIds={','.join([NOBODYS] * 201)}", [("conversationIds", "too_many")]),
        (f"wait={WORD}", [("wait", "wrong_type")]),
        ("wait=nan", [("wait", "wrong_type")]),
        ("wait=inf", [("wait", "wrong_type")]),
    ],
)
async def test_changes_name_the_parameter_that_does_not_fit(service, query, refused):
    ana = await service.member()
    answer = await ana.get(f"{CHANGES}?{query}")
    assert problem(answer) == (400, "invalid")
    assert fields(answer) == refused
    assert WORD not in answer.text


async def test_changes_answer_the_cursor_and_then_what_came_after(service):
    ana = await service.member()
    start = (await ana.get(CHANGES)).json()
    assert start["conversations"] == start["messages"] == start["reads"] == []
    one, other = await service.receive(), await service.receive(address="outro")
    both = f"{one.conversation_id},{other.conversation_id}"
    delta = (await ana.get(CHANGES, params={"after": start["cursor"], "conversationIds": both})).json()
    assert [each["id"] for each in delta["conversations"]] == both.split(",")
    assert [each["id"] for each in delta["messages"]] == [one.id, other.id]
    without = (await ana.get(CHANGES, params={"after": start["cursor"]})).json()
    assert without["messages"] == []
    assert re.fullmatch(r".+:2", delta["cursor"])


async def test_a_long_poll_answers_when_something_changes(service):
    bruno = await service.member(BRUNO)
    cursor = (await bruno.get(CHANGES)).json()["cursor"]
    started = time.monotonic()
    poll = asyncio.create_task(bruno.get(CHANGES, params={"after": cursor, "wait": 20}))
    await until(lambda: service.feed._clinics)
    await service.receive()
    delta = (await poll).json()
    assert len(delta["conversations"]) == 1
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("wait", ["0.2", "-3"])
async def test_a_long_poll_without_change_answers_with_the_same_cursor(service, wait):
    ana = await service.member()
    cursor = (await ana.get(CHANGES)).json()["cursor"]
    answer = await ana.get(CHANGES, params={"after": cursor, "wait": wait})
    assert answer.json() == {"cursor": cursor, "conversations": [], "messages": [], "reads": []}


@pytest.mark.parametrize("lost", ["access", "session"])
async def test_a_long_poll_answers_nothing_to_who_may_not_any_more(service, lost):
    ana, bruno = await service.member(), await service.member(BRUNO)
    cursor = (await bruno.get(CHANGES)).json()["cursor"]
    poll = asyncio.create_task(bruno.get(CHANGES, params={"after": cursor, "wait": 20}))
    await until(lambda: service.feed._clinics)
    if lost == "access":
        [member_id] = [each["id"] for each in (await ana.get(MEMBERS)).json() if each["email"] == BRUNO]
        order = {"active": False, "clientKey": "k"}
        assert (await ana.patch(f"{MEMBERS}/{member_id}", json=order)).status_code == 200
    else:
        assert (await bruno.post("/api/v1/auth/logout")).status_code == 204
        await service.receive()
    assert problem(await poll) == (401, "unauthenticated")


async def test_nobody_is_waited_for_who_has_hung_up(service):
    ana = await service.member()
    cursor = (await ana.get(CHANGES)).json()["cursor"]
    poll = asyncio.create_task(ana.get(CHANGES, params={"after": cursor, "wait": "1e9"}))
    await until(lambda: service.feed._clinics)
    poll.cancel()
    await until(lambda: not service.feed._clinics)


async def test_overload_and_outage_are_worth_trying_again(service, monkeypatch):
    received = await service.receive()
    ana = await service.member()
    monkeypatch.setattr("recado.store.writer.MAX_WAITING", 0)
    answer = await ana.post(thread(received.conversation_id), json=order())
    assert problem(answer) == (503, "overloaded")
    assert answer.json()["retryable"]
    service.writer.close()
    answer = await ana.post(thread(received.conversation_id), json=order())
    assert problem(answer) == (503, "unavailable")
    assert answer.json()["retryable"]
