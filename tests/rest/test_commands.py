"""Every command of a socket has its twin over HTTP: the same fields, the same answers, the same refusals."""

from uuid import uuid4

import pytest

from recado.app.outbox import Outbox
from rest.service import AROEIRA, BRUNO, CARLA, IPE, fields, problem
from rest.test_conversations import LIST, as_absent, thread
from stock import new_id, now

WORD = "paciente-com-febre"
LATER, LONG_AGO = "2099-12-31T12:00:00.000Z", "2020-01-01T12:00:00.000Z"

TWINS = {
    "send": ("POST", "/conversations/{conversation}/messages", {"body": "Pois não?"}),
    "edit": ("PATCH", "/messages/{note}", {"body": "Alérgica a dipirona."}),
    "delete": ("DELETE", "/messages/{note}", {}),
    "read": ("PUT", "/conversations/{conversation}/read", {"upTo": 1}),
    "update": ("PATCH", "/conversations/{conversation}", {"status": "pending"}),
    "rename": ("PATCH", "/conversations/{conversation}/contact", {"name": "Inês Prado"}),
    "erase": ("DELETE", "/conversations/{conversation}", {}),
}
every_twin = pytest.mark.parametrize("name", TWINS)


class Place:
    """A conversation with a patient's message and a member's note, and who asks there."""

    def __init__(self, service, member, received) -> None:
        self.service = service
        self.member = member
        self.ids = {"conversation": received.conversation_id, "message": received.id}

    def path(self, name, **ids) -> str:
        return "/api/v1" + TWINS[name][1].format(**self.ids | ids)

    async def ask(self, name, ids=None, /, *, by=None, headers=None, **changes):
        """`name`'s command with a key of its own; `changes` are to its body."""
        method, _, usual = TWINS[name]
        body = {"clientKey": new_id(), **usual, **changes}
        path = self.path(name, **(ids or {}))
        return await (by or self.member).request(method, path, json=body, headers=headers)

    async def write(self, **changes) -> dict:
        answer = await self.ask("send", **changes)
        assert answer.status_code == 201
        return answer.json()

    async def conversation(self) -> dict:
        answer = await self.member.get(f"/api/v1/conversations/{self.ids['conversation']}")
        assert answer.status_code == 200
        return answer.json()

    async def seq(self) -> int:
        return (await self.member.get(LIST)).json()["seq"]


async def make_place(service, member, **where) -> Place:
    place = Place(service, member, await service.receive(**where))
    place.ids["note"] = (await place.write(kind="note"))["id"]
    return place


@pytest.fixture
async def place(service) -> Place:
    return await make_place(service, await service.member())


async def test_a_conversation_is_read_by_its_id(place):
    assert await place.conversation() == (await place.member.get(LIST)).json()["items"][0]


async def test_a_note_is_edited(place):
    answer = await place.ask("edit", body="Alérgica a penicilina.")
    assert answer.status_code == 200
    message = answer.json()
    assert (message["id"], message["body"]) == (place.ids["note"], "Alérgica a penicilina.")
    assert message["editedAt"]
    assert (await place.member.get(thread(place.ids["conversation"]))).json()["items"][0] == message


async def test_a_reply_that_still_waits_is_edited_and_deleted(place):
    reply = await place.write()
    edited = (await place.ask("edit", {"note": reply["id"]}, body="Pois não, Inês?")).json()
    assert (edited["body"], edited["status"]) == ("Pois não, Inês?", "queued")
    deleted = await place.ask("delete", {"note": reply["id"]})
    assert (deleted.status_code, deleted.json()["body"], deleted.json()["deleted"]) == (200, "", True)


async def test_reading_moves_the_mark_and_back(place):
    await place.service.receive("E amanhã?")
    forward = await place.ask("read", upTo=3)
    assert forward.status_code == 200
    assert (forward.json()["upTo"], forward.json()["inboundRead"]) == (3, 2)
    back = (await place.ask("read", upTo=0)).json()
    assert (back["upTo"], back["inboundRead"]) == (0, 0)
    assert (await place.member.get(LIST)).json()["reads"] == [back]


async def test_read_marks_are_ones_own(place):
    await place.ask("read")
    bruno = await place.service.member(BRUNO)
    assert (await bruno.get(LIST)).json()["reads"] == []


async def test_an_update_changes_what_it_names_and_nothing_else(place):
    bruno = (await (await place.service.member(BRUNO)).get("/api/v1/me")).json()["member"]["id"]
    assigned = (await place.ask("update", assigneeId=bruno, status="open")).json()
    assert (assigned["assigneeId"], assigned["labels"]) == (bruno, [])
    snoozed = await place.ask("update", status="snoozed", snoozedUntil=LATER, labels=["retorno", "retorno "])
    assert snoozed.status_code == 200
    assert snoozed.json()["labels"] == ["retorno"]
    assert (snoozed.json()["assigneeId"], snoozed.json()["snoozedUntil"]) == (bruno, LATER)
    freed = (await place.ask("update", assigneeId=None, status="open")).json()
    assert freed.keys() & {"assigneeId", "snoozedUntil"} == set()
    assert freed == await place.conversation()


async def test_a_contact_is_renamed(place):
    answer = await place.ask("rename", name=" Inês Prado ")
    assert (answer.status_code, answer.json()["contact"]["name"]) == (200, "Inês Prado")
    assert answer.json() == await place.conversation()


async def test_a_deleted_conversation_is_a_tombstone_and_then_absent(place):
    answer = await place.ask("erase")
    assert (answer.status_code, answer.json()["deleted"]) == (200, True)
    absent = await place.member.get(f"/api/v1/conversations/{uuid4()}")
    assert problem(absent) == (404, "not_found")
    gone = [await place.member.get(place.path("erase"))]
    gone += [await place.ask(name) for name in TWINS]
    assert all(as_absent(each) == as_absent(absent) for each in gone)
    assert (await place.member.get(LIST)).json()["items"] == []


@every_twin
async def test_the_same_key_answers_with_the_first_result_and_changes_nothing(place, name):
    key = new_id()
    first = await place.ask(name, clientKey=key)
    seq = await place.seq()
    again = await place.ask(name, clientKey=key)
    by_header = await place.ask(name, clientKey=None, headers={"Idempotency-Key": f'"{key}"'})
    assert first.status_code == (201 if name == "send" else 200)
    assert (again.status_code, by_header.status_code) == (200, 200)
    assert first.json() == again.json() == by_header.json()
    assert await place.seq() == seq


@every_twin
async def test_a_key_is_needed_and_must_look_like_one(place, name):
    method, _, body = TWINS[name]
    without = await place.member.request(method, place.path(name), json=body)
    assert problem(without) == (400, "invalid")
    assert fields(without) == [("clientKey", "missing")]
    assert fields(await place.ask(name, clientKey="com espaço")) == [("clientKey", "wrong_format")]
    misshapen = await place.ask(name, headers={"Idempotency-Key": "com espaco"})
    assert fields(misshapen) == [("Idempotency-Key", "wrong_format")]


@every_twin
async def test_a_key_that_served_another_command_is_refused(place, name):
    key = new_id()
    await place.write(clientKey=key, kind="note")
    other = await place.service.receive(address="outro")
    ids = {"conversation": other.conversation_id}
    if name in {"edit", "delete"}:
        ids["note"] = (await place.write(kind="note"))["id"]
    assert problem(await place.ask(name, ids, clientKey=key)) == (409, "client_key_reused")


@every_twin
async def test_what_is_another_clinics_answers_like_what_is_not_there(place, name):
    carla = await place.service.member(CARLA)
    theirs = await make_place(place.service, carla, clinic_id=AROEIRA)
    absent = await place.ask(name, dict.fromkeys(place.ids, str(uuid4())))
    assert problem(absent) == (404, "not_found")
    not_ids = ["x", "1", f"{{{place.ids['note']}}}", f"{place.ids['note']}x", "%00", "x" * 5_000]
    for ids in (theirs.ids, *(dict.fromkeys(place.ids, text) for text in not_ids)):
        assert as_absent(await place.ask(name, ids)) == as_absent(absent)
    before = await carla.get(thread(theirs.ids["conversation"]))
    assert len(before.json()["items"]) == 2
    assert (await place.ask(name, {key: value.upper() for key, value in place.ids.items()})).is_success


async def test_another_clinics_conversation_is_not_read(place):
    theirs = await place.service.receive(clinic_id=AROEIRA)
    absent = as_absent(await place.member.get(f"/api/v1/conversations/{uuid4()}"))
    for text in (theirs.conversation_id, "x", "%00"):
        answer = await place.member.get(f"/api/v1/conversations/{text}")
        assert problem(answer) == (404, "not_found")
        assert as_absent(answer) == absent


@every_twin
async def test_a_session_is_asked_for_first(place, name):
    stranger = place.service.client
    assert problem(await place.ask(name, by=stranger)) == (401, "unauthenticated")
    assert problem(await place.ask(name, {"conversation": "x", "note": "x"}, by=stranger)) == (
        401,
        "unauthenticated",
    )


@every_twin
async def test_a_foreign_page_may_not_use_the_cookie(place, name):
    cookie = {"Cookie": f"recado_session={await place.service.token()}", "Origin": "https://evil.example"}
    assert problem(await place.ask(name, by=place.service.client, headers=cookie)) == (403, "origin_refused")


@every_twin
async def test_overload_and_outage_are_worth_trying_again(place, name, monkeypatch):
    monkeypatch.setattr("recado.store.writer.MAX_WAITING", 0)
    answer = await place.ask(name)
    assert problem(answer) == (503, "overloaded")
    assert answer.json()["retryable"]
    place.service.writer.close()
    assert problem(await place.ask(name)) == (503, "unavailable")


@every_twin
@pytest.mark.parametrize(
    ("content", "headers", "refused"),
    [
        (b"{", {"Content-Type": "application/json"}, (400, "invalid")),
        (b"[]", {"Content-Type": "application/json"}, (400, "invalid")),
        (b"{}", {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
        (b" " * 1_048_577, {"Content-Type": "application/json"}, (413, "too_large")),
    ],
)
async def test_a_body_that_is_there_must_be_json(place, name, content, headers, refused):
    answer = await place.member.request(
        TWINS[name][0], place.path(name), content=content, headers={"Idempotency-Key": "k", **headers}
    )
    assert problem(answer) == refused


@pytest.mark.parametrize("name", ["delete", "erase", "update"])
async def test_an_order_without_a_word_of_its_own_needs_no_body(place, name):
    answer = await place.member.request(TWINS[name][0], place.path(name), headers={"Idempotency-Key": "k"})
    assert answer.status_code == 200
    assert answer.json().get("deleted", False) == (name != "update")


async def test_the_address_counts_and_not_what_the_body_says_of_it(place):
    other = await place.service.receive(address="outro")
    answer = await place.ask("rename", conversationId=other.conversation_id)
    assert answer.json()["id"] == place.ids["conversation"]


@pytest.mark.parametrize(
    ("name", "changes", "refused"),
    [
        ("edit", {"body": None}, [("body", "wrong_type")]),
        ("edit", {"body": " "}, [("body", "empty")]),
        ("edit", {"body": "x" * 16_385}, [("body", "too_long")]),
        ("read", {"upTo": None}, [("upTo", "wrong_type")]),
        ("read", {"upTo": "1"}, [("upTo", "wrong_type")]),
        ("read", {"upTo": -1}, [("upTo", "too_small")]),
        ("read", {"upTo": 2**53}, [("upTo", "too_large")]),
        ("update", {"status": WORD}, [("status", "unknown_value")]),
        ("update", {"status": None}, [("status", "wrong_type")]),
        ("update", {"labels": None}, [("labels", "wrong_type")]),
        ("update", {"labels": ["\x1f"]}, [("labels", "malformed")]),
        ("update", {"labels": ["x" * 51]}, [("labels", "malformed")]),
        ("update", {"labels": [str(number) for number in range(21)]}, [("labels", "too_many")]),
        ("update", {"assigneeId": WORD}, [("assigneeId", "wrong_format")]),
        ("update", {"expectedVersion": "1"}, [("expectedVersion", "wrong_type")]),
        ("update", {"status": "snoozed"}, [("snoozedUntil", "missing")]),
        ("update", {"status": "snoozed", "snoozedUntil": WORD}, [("snoozedUntil", "wrong_format")]),
        (
            "update",
            {"status": "snoozed", "snoozedUntil": "2027-02-30T10:00:00.000Z"},
            [("snoozedUntil", "wrong_format")],
        ),
        ("rename", {"name": None}, [("name", "wrong_type")]),
        ("rename", {"name": "  "}, [("name", "empty")]),
        ("rename", {"name": "x" * 201}, [("name", "too_long")]),
        ("rename", {"expectedVersion": -1}, [("expectedVersion", "too_small")]),
    ],
)
async def test_a_command_names_the_field_that_does_not_fit(place, name, changes, refused):
    answer = await place.ask(name, **changes)
    assert problem(answer) == (400, "invalid")
    assert fields(answer) == refused
    assert WORD not in answer.text
    assert await place.seq() == 2


@pytest.mark.parametrize(
    ("name", "changes", "refused"),
    [
        ("update", {"assigneeId": str(uuid4())}, [("assigneeId", "not_found")]),
        ("update", {"snoozedUntil": LATER}, [("snoozedUntil", "needs_snoozed")]),
        ("update", {"status": "snoozed", "snoozedUntil": LONG_AGO}, [("snoozedUntil", "in_the_past")]),
    ],
)
async def test_what_only_the_present_state_does_not_allow_is_a_conflict(place, name, changes, refused):
    answer = await place.ask(name, **changes)
    assert problem(answer) == (409, "conflict")
    assert fields(answer) == refused
    assert await place.seq() == 2


@pytest.mark.parametrize("day", ["2028-02-29", "2096-02-29", "2400-02-29", "2999-12-31"])
async def test_every_day_of_the_calendar_is_a_time(place, day):
    answer = await place.ask("update", status="snoozed", snoozedUntil=f"{day}T23:59:59.999Z")
    assert answer.json()["snoozedUntil"] == f"{day}T23:59:59.999Z"


@pytest.mark.parametrize(
    "time",
    [
        *("2027-02-29T10:00:00.000Z", "2100-02-29T10:00:00.000Z", "2027-04-31T10:00:00.000Z"),
        *("2027-00-10T10:00:00.000Z", "2027-13-01T10:00:00.000Z", "2027-01-00T10:00:00.000Z"),
        *("2027-01-01T24:00:00.000Z", "2027-01-01T10:60:00.000Z", "2027-01-01T10:00:60.000Z"),
        *("0999-01-01T10:00:00.000Z", "2027-01-01T10:00:00Z", "2027-01-01T10:00:00.000Z\n"),
    ],
)
async def test_what_no_calendar_or_clock_shows_is_no_time(place, time):
    answer = await place.ask("update", status="snoozed", snoozedUntil=time)
    assert problem(answer) == (400, "invalid")
    assert fields(answer) == [("snoozedUntil", "wrong_format")]


async def test_nobody_of_another_clinic_is_assigned(place):
    carla = await place.service.member(CARLA)
    stranger = (await carla.get("/api/v1/me")).json()["member"]["id"]
    assert fields(await place.ask("update", assigneeId=stranger)) == [("assigneeId", "not_found")]


async def test_an_integer_may_be_written_with_a_fraction_of_zero(place):
    assert (await place.ask("read", upTo=1.0)).json()["upTo"] == 1


@pytest.mark.parametrize("name", ["update", "rename"])
async def test_who_saw_an_older_version_is_told_the_present_one(place, name):
    seen = await place.conversation()
    await place.ask("update", labels=["retorno"])
    answer = await place.ask(name, expectedVersion=seen["version"])
    assert problem(answer) == (409, "conversation_changed")
    current = answer.json()["conversation"]
    assert current == await place.conversation()
    assert (await place.ask(name, expectedVersion=current["version"])).status_code == 200


async def test_a_status_that_cannot_follow_is_a_conflict(place):
    resolved = (await place.ask("update", status="resolved")).json()
    answer = await place.ask("update", status="pending")
    assert problem(answer) == (409, "conflict")
    assert answer.json()["conversation"] == resolved == await place.conversation()


@pytest.mark.parametrize("name", ["edit", "delete"])
async def test_a_reply_that_has_begun_to_leave_stays(place, name):
    reply = await place.write()
    await Outbox(place.service.database, place.service.inbox, now).lease(1)
    answer = await place.ask(name, {"note": reply["id"]})
    assert problem(answer) == (409, "message_left")
    assert answer.json()["currentMessage"] == reply


@pytest.mark.parametrize("name", ["edit", "delete"])
async def test_a_message_is_its_authors_and_an_admins(place, name):
    bruno = await place.service.member(BRUNO)
    assert problem(await place.ask(name, by=bruno)) == (403, "forbidden")
    assert problem(await place.ask(name, {"note": place.ids["message"]})) == (403, "forbidden")
    his = (await place.ask("send", by=bruno, kind="note")).json()
    assert (await place.ask(name, {"note": his["id"]})).status_code == 200


async def test_only_an_admin_deletes_a_conversation(place):
    answer = await place.ask("erase", by=await place.service.member(BRUNO))
    assert problem(answer) == (403, "forbidden")
    assert (await place.conversation())["clinicId"] == IPE


async def test_a_deleted_message_is_absent_to_whoever_comes_next(place):
    assert (await place.ask("delete")).status_code == 200
    for name in ("edit", "delete"):
        assert problem(await place.ask(name)) == (404, "not_found")
