"""The application over real sockets: a real server process, and the Socket.IO client that everybody has."""

import asyncio
import contextlib
import sqlite3
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import socketio
from socketio.exceptions import ConnectionError as Refused

from e2e.patients import deliver

NOBODYS = "01900000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def tokens(server):
    """A session token per member, clinic by clinic."""

    def login(member):
        body = {"email": member["email"], "password": member["password"]}
        return httpx.post(f"{server.url}/api/v1/auth/login", json=body).json()["token"]

    return [[login(member) for member in server.members(clinic_id)] for clinic_id in server.clinic_ids()]


class Phone:
    """A connected client that keeps what it hears, in order."""

    def __init__(self, client):
        self.client = client
        self.heard = []
        self.news = asyncio.Condition()
        client.on("*", self.hear)

    async def hear(self, event, *args):
        async with self.news:
            self.heard.append((event, args[0] if args else None))
            self.news.notify_all()

    async def call(self, event, payload):
        return await self.client.call(event, payload, timeout=10)

    async def until(self, question):
        """The first of what was heard that answers the question."""
        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(lambda: any(question(*each) for each in self.heard))
        return next(payload for event, payload in self.heard if question(event, payload))

    def of(self, event):
        return [payload for name, payload in self.heard if name == event]


@asynccontextmanager
async def phone(server, token=None, *, headers=None, **auth):
    client = socketio.AsyncClient(reconnection=False)
    made = Phone(client)
    await client.connect(
        server.url,
        auth={"client": "test/1"} | ({"token": token} if token else {}) | auth,
        transports=["websocket"],
        headers=headers or {},
    )
    try:
        yield made
    finally:
        await client.disconnect()


def write(server, clinic=0, body="Olá"):
    """A new patient writes; their name is unique."""
    name = f"Paciente {uuid.uuid4().hex[:8]}"
    answer = deliver(server, server.clinic_ids()[clinic], name, body)
    assert answer.status_code == 200, answer.text
    return name


def is_from(name):
    return lambda event, payload: (
        event == "conversation:list:updated" and payload["conversation"]["contact"]["name"] == name
    )


async def conversation_of(server, listening, clinic=0):
    name = await asyncio.to_thread(write, server, clinic)
    return (await listening.until(is_from(name)))["conversation"]


async def test_a_connected_member_hears_their_clinic_at_once(server, tokens):
    async with phone(server, tokens[0][0]) as ana:
        packet = await ana.until(is_from(await asyncio.to_thread(write, server)))
        assert packet["eventType"] == "new"
        assert packet["conversation"]["lastMessage"]["preview"] == "Olá"
        assert packet["seq"] == packet["conversation"]["version"]


async def test_another_clinic_hears_nothing(server, tokens):
    async with phone(server, tokens[0][0]) as ana, phone(server, tokens[1][0]) as carla:
        ours = await asyncio.to_thread(write, server, 0)
        theirs = await asyncio.to_thread(write, server, 1)
        await ana.until(is_from(ours))
        await carla.until(is_from(theirs))
        assert not any(is_from(ours)(*each) for each in carla.heard)
        assert not any(is_from(theirs)(*each) for each in ana.heard)


async def test_messages_go_to_who_joined_the_conversation_then_the_list_to_all(server, tokens):
    async with phone(server, tokens[0][0]) as ana, phone(server, tokens[0][1]) as bruno:
        conversation = await conversation_of(server, ana)
        joined = await bruno.call("conversation:join", {"conversationId": conversation["id"]})
        assert joined["ok"]
        assert set(joined) == {"ok", "cursor"}
        sent = await ana.call(
            "message:send", {"conversationId": conversation["id"], "clientKey": "k1", "body": "Bom dia"}
        )
        await bruno.until(
            lambda event, payload: event == "message:updated" and payload["message"]["status"] == "sent"
        )
        told = [
            (event, payload["seq"], payload.get("clientKey"))
            for event, payload in bruno.heard
            if payload.get("conversationId") == conversation["id"]
            and payload["seq"] >= sent["message"]["seq"]
        ]
        seq = sent["message"]["seq"]
        assert told[:3] == [
            ("message:new", seq, "k1"),
            ("conversation:list:updated", seq, "k1"),
            ("message:updated", seq + 1, None),
        ]
        assert ana.of("message:new") == []


async def test_who_leaves_a_conversation_hears_its_messages_no_more(server, tokens):
    async with phone(server, tokens[0][0]) as ana:
        conversation_id = (await conversation_of(server, ana))["id"]
        await ana.call("conversation:join", {"conversationId": conversation_id})
        assert await ana.call("conversation:leave", {"conversationId": conversation_id}) == {"ok": True}
        sent = await ana.call(
            "message:send", {"conversationId": conversation_id, "clientKey": "k2", "body": "Oi"}
        )
        await ana.until(lambda event, payload: payload.get("seq", 0) > sent["message"]["seq"])
        assert ana.of("message:new") == []


async def test_clinic_join_tells_the_cursor_and_with_it_what_was_missed(server, tokens):
    clinic_id = server.clinic_ids()[0]
    async with phone(server, tokens[0][0]) as ana:
        start = await ana.call("clinic:join", {"clinicId": clinic_id})
        assert set(start) == {"ok", "cursor", "connections", "server"}
        conversation = await conversation_of(server, ana)
    async with phone(server, tokens[0][0]) as ana:
        missed = await ana.call(
            "clinic:join",
            {"clinicId": clinic_id, "after": start["cursor"], "conversationIds": [conversation["id"]]},
        )
        assert [row["id"] for row in missed["conversations"]] == [conversation["id"]]
        assert [row["body"] for row in missed["messages"]] == ["Olá"]
        assert missed["reads"] == []
        assert "reset" not in missed
        again = await ana.call("clinic:join", {"clinicId": clinic_id, "after": missed["cursor"]})
        assert (again["conversations"], again["cursor"]) == ([], missed["cursor"])


async def test_joining_misses_nothing_and_hears_each_number_once_while_patients_write(server, tokens):
    clinic_id = server.clinic_ids()[0]
    async with phone(server, tokens[0][0]) as ana:
        start = await ana.call("clinic:join", {"clinicId": clinic_id})
        writing = asyncio.gather(*(asyncio.to_thread(write, server) for _ in range(30)))
        while not writing.done():
            async with phone(server, tokens[0][0]) as late:
                joined = await late.call("clinic:join", {"clinicId": clinic_id, "after": start["cursor"]})
                cursor = int(joined["cursor"].rpartition(":")[2])
                have = {row["version"] for row in joined["conversations"]}
                await asyncio.sleep(0)
                heard = [payload["seq"] for payload in late.of("conversation:list:updated")]
                begin = int(start["cursor"].rpartition(":")[2])
                assert have == set(range(begin + 1, cursor + 1))
                assert sorted(set(heard)) == heard
                later = [seq for seq in heard if seq > cursor]
                assert later == list(range(cursor + 1, cursor + 1 + len(later)))
        await writing


async def test_a_repeated_key_answers_with_the_first_message(server, tokens):
    async with phone(server, tokens[0][0]) as ana:
        order = {"conversationId": (await conversation_of(server, ana))["id"], "clientKey": "same"}
        first = await ana.call("message:send", {**order, "body": "um"})
        again = await ana.call("message:send", {**order, "body": "dois"})
        assert (again["message"]["id"], again["message"]["body"]) == (first["message"]["id"], "um")


async def test_an_outdated_reply_is_refused_with_the_current_conversation(server, tokens):
    async with phone(server, tokens[0][0]) as ana:
        conversation = await conversation_of(server, ana)
        refused = await ana.call(
            "message:send",
            {
                "conversationId": conversation["id"],
                "clientKey": "k",
                "body": "Oi",
                "expectedSeq": conversation["lastSeq"] - 1,
            },
        )
        assert (refused["ok"], refused["error"]["code"]) == (False, "conversation_moved")
        assert refused["error"]["conversation"]["id"] == conversation["id"]


async def test_every_change_of_a_conversation_reaches_the_colleague(server, tokens):
    async with phone(server, tokens[0][0]) as ana, phone(server, tokens[0][1]) as bruno:
        conversation = await conversation_of(server, ana)
        about = {"conversationId": conversation["id"]}

        async def change(event, key, **fields):
            answer = await ana.call(event, {**about, "clientKey": key, **fields})
            assert answer["ok"], answer
            told = await bruno.until(lambda name, payload: payload.get("clientKey") == key)
            return answer, told

        answer, told = await change("conversation:update", "u1", status="pending", labels=["Exame"])
        assert told["conversation"] == answer["conversation"]
        assert (told["conversation"]["status"], told["conversation"]["labels"]) == ("pending", ["Exame"])
        answer, told = await change("contact:rename", "u2", name="Maria Silva")
        assert told["conversation"]["contact"]["name"] == "Maria Silva"
        answer, told = await change("message:read", "u3", upTo=conversation["lastSeq"])
        assert told["read"] == answer["read"]
        assert answer["read"]["inboundRead"] == conversation["inboundCount"]
        answer, told = await change("conversation:delete", "u4")
        assert (told["eventType"], told["conversation"]["deleted"]) == ("deleted", True)
        assert told["conversation"]["contact"]["name"] == ""


async def test_an_agent_does_not_delete_conversations(server, tokens):
    async with phone(server, tokens[0][1]) as bruno:
        conversation_id = (await conversation_of(server, bruno))["id"]
        refused = await bruno.call(
            "conversation:delete", {"conversationId": conversation_id, "clientKey": "k"}
        )
        assert refused["error"]["code"] == "forbidden"


async def test_notes_are_edited_and_taken_back_and_what_left_is_not(server, tokens):
    async with phone(server, tokens[0][0]) as ana:
        about = {"conversationId": (await conversation_of(server, ana))["id"]}
        await ana.call("conversation:join", about)
        note = await ana.call("message:send", {**about, "clientKey": "n1", "body": "um", "kind": "note"})
        about_note = {"messageId": note["message"]["id"]}
        edited = await ana.call("message:edit", {**about_note, "clientKey": "n2", "body": "dois"})
        assert edited["message"]["body"] == "dois"
        deleted = await ana.call("message:delete", {**about_note, "clientKey": "n3"})
        assert (deleted["message"]["body"], deleted["message"]["deleted"]) == ("", True)
        again = await ana.call("message:delete", {**about_note, "clientKey": "n3"})
        assert again == deleted
        reply = (await ana.call("message:send", {**about, "clientKey": "r1", "body": "Oi"}))["message"]
        await ana.until(
            lambda event, payload: (
                event == "message:updated"
                and (payload["message"]["id"], payload["message"]["status"]) == (reply["id"], "sent")
            )
        )
        left = await ana.call("message:delete", {"messageId": reply["id"], "clientKey": "r2"})
        assert left["error"]["code"] == "message_left"
        assert left["error"]["currentMessage"]["status"] == "sent"


async def test_a_members_own_marks_come_with_the_delta_and_no_others(server, tokens):
    clinic_id = server.clinic_ids()[0]
    async with phone(server, tokens[0][0]) as ana, phone(server, tokens[0][1]) as bruno:
        start = await ana.call("clinic:join", {"clinicId": clinic_id})
        conversation = await conversation_of(server, ana)
        read = {"conversationId": conversation["id"], "clientKey": "m1", "upTo": conversation["lastSeq"]}
        mark = (await ana.call("message:read", read))["read"]
        deltas = [
            await who.call("clinic:join", {"clinicId": clinic_id, "after": start["cursor"]})
            for who in (ana, bruno)
        ]
        assert [delta["reads"] for delta in deltas] == [[mark], []]


async def test_a_snoozed_conversation_wakes_by_itself(server, tokens):
    async with phone(server, tokens[0][0]) as ana:
        conversation = await conversation_of(server, ana)
        until = datetime.now(UTC) + timedelta(seconds=0.5)
        order = {
            "conversationId": conversation["id"],
            "clientKey": "s1",
            "status": "snoozed",
            "snoozedUntil": f"{until:%Y-%m-%dT%H:%M:%S}.{until.microsecond // 1000:03}Z",
        }
        snoozed = await ana.call("conversation:update", order)
        woken = await ana.until(
            lambda event, payload: (
                event == "conversation:list:updated" and payload["seq"] > snoozed["conversation"]["version"]
            )
        )
        assert woken["conversation"]["status"] == "open"
        assert "snoozedUntil" not in woken["conversation"]


@pytest.mark.parametrize(
    ("event", "payload", "code", "path"),
    [
        ("message:send", {"conversationId": NOBODYS, "clientKey": "k", "body": "x"}, "not_found", None),
        ("message:send", {"conversationId": NOBODYS, "body": "x"}, "invalid", "clientKey"),
        ("message:send", {"conversationId": "x", "clientKey": "k", "body": "x"}, "invalid", "conversationId"),
        ("message:send", {"conversationId": NOBODYS, "clientKey": 7, "body": "x"}, "invalid", "clientKey"),
        ("message:send", "no object", "invalid", ""),
        ("conversation:join", {"conversationId": NOBODYS}, "not_found", None),
        ("conversation:join", {}, "invalid", "conversationId"),
        ("clinic:join", {"clinicId": 999}, "not_found", None),
        ("clinic:join", {"clinicId": "1"}, "invalid", "clinicId"),
        ("clinic:join", {"clinicId": 1, "after": "nonsense"}, "invalid", "after"),
        ("no:such:event", {}, "invalid", "event"),
    ],
)
async def test_bad_input_gets_one_error_with_a_stable_code(server, tokens, event, payload, code, path):
    async with phone(server, tokens[0][0]) as ana:
        answer = await ana.call(event, payload)
        assert (answer["ok"], answer["error"]["code"], answer["error"]["retryable"]) == (False, code, False)
        if path is not None:
            assert [error["path"] for error in answer["error"]["errors"]] == [path]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"after": "nonsense"}, "wrong_format"),
        ({"after": ""}, "wrong_format"),
        ({"after": f"1:{'9' * 19}"}, "wrong_format"),
        ({"conversationIds": [NOBODYS] * 201}, "too_many"),
    ],
)
async def test_a_delta_is_refused_over_http_as_over_a_socket(server, tokens, asked, code):
    parameters = {name: value if isinstance(value, str) else ",".join(value) for name, value in asked.items()}
    token, address = tokens[0][0], f"{server.url}/api/v1/clinics/1/changes"
    async with phone(server, token) as ana, httpx.AsyncClient() as client:
        told = (await ana.call("clinic:join", {"clinicId": 1, **asked}))["error"]
        answer = await client.get(address, params=parameters, headers={"Authorization": f"Bearer {token}"})
    assert told["errors"] == answer.json()["errors"] == [{"path": next(iter(asked)), "code": code}]


async def test_another_clinics_conversation_answers_exactly_like_none(server, tokens):
    async with phone(server, tokens[0][0]) as ana, phone(server, tokens[1][0]) as carla:
        theirs = (await conversation_of(server, ana))["id"]
        for event, extra in (
            ("message:send", {"clientKey": "k", "body": "x"}),
            ("conversation:join", {}),
        ):
            answers = [await carla.call(event, {"conversationId": id_, **extra}) for id_ in (theirs, NOBODYS)]
            assert answers[0] == answers[1]
            assert answers[0]["error"]["code"] == "not_found"
        assert (await carla.call("clinic:join", {"clinicId": server.clinic_ids()[0]}))["error"]["code"] == (
            "not_found"
        )


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_without_a_session_the_connection_is_refused_with_a_code(server, token):
    client, reasons = socketio.AsyncClient(reconnection=False), []
    client.on("connect_error", reasons.append)
    with pytest.raises(Refused):
        await client.connect(server.url, auth={"token": token} if token else {}, transports=["websocket"])
    assert reasons == [
        {
            "message": "No valid session came with the request.",
            "data": {"code": "unauthenticated", "retryable": False},
        }
    ]


class TestCookie:
    """A browser attaches the cookie by itself, so the page's origin decides whether it counts."""

    async def test_the_cookie_opens_the_door_to_our_own_page(self, server, tokens):
        headers = {"Cookie": f"recado_session={tokens[0][0]}", "Origin": server.url}
        async with phone(server, headers=headers) as ana:
            assert (await ana.call("clinic:join", {"clinicId": server.clinic_ids()[0]}))["ok"]

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
    async def test_the_cookie_is_worth_nothing_to_other_pages(self, server, tokens, origin):
        headers = {"Cookie": f"recado_session={tokens[0][0]}"} | ({"Origin": origin} if origin else {})
        with pytest.raises(Refused):
            async with phone(server, headers=headers):
                pass


async def test_logout_ends_the_sessions_sockets_at_once_and_no_others(server):
    member = server.members(server.clinic_ids()[0])[0]
    with server.api(member) as mine, server.api(member) as other:
        token = mine.headers["Authorization"].removeprefix("Bearer ")
        other_token = other.headers["Authorization"].removeprefix("Bearer ")
        async with phone(server, token) as ana, phone(server, other_token) as elsewhere:
            gone = asyncio.Event()
            ana.client.on("disconnect", lambda *_: gone.set())
            await asyncio.to_thread(mine.post, "/auth/logout")
            async with asyncio.timeout(1):
                await gone.wait()
            assert (await elsewhere.call("clinic:join", {"clinicId": server.clinic_ids()[0]}))["ok"]


async def test_when_the_history_is_another_screens_come_back_and_read_afresh(server, tokens):
    clinic_id = server.clinic_ids()[0]
    async with phone(server, tokens[0][0]) as ana:
        before = (await ana.call("clinic:join", {"clinicId": clinic_id}))["cursor"]
        ended = asyncio.Event()
        ana.client.on("disconnect", lambda _reason: ended.set())
        with contextlib.closing(sqlite3.connect(server.database)) as database, database:
            database.execute("UPDATE history SET id = id || '2'")
        async with asyncio.timeout(10):
            await ended.wait()
    async with phone(server, tokens[0][0]) as ana:
        joined = await ana.call("clinic:join", {"clinicId": clinic_id, "after": before})
        assert joined["reset"]
        await ana.until(is_from(await asyncio.to_thread(write, server)))


async def test_screens_are_told_how_many_they_are(server, tokens):
    async with phone(server, tokens[1][0]) as carla:
        async with phone(server, tokens[1][0]):
            await carla.until(lambda event, payload: event == "clinic:connections" and payload["count"] == 2)
        carla.heard.clear()
        await carla.until(lambda event, payload: event == "clinic:connections" and payload["count"] == 1)
