"""Cached reads over HTTP: a hit is answered as the long way answers, to whoever may have it, and never older."""

import pytest

from recado.app.origins import SESSION_COOKIE
from recado.errors import UnavailableError
from recado.rest.at_once import MAX_HEAD_BYTES
from rest.service import ANA, AROEIRA, BRUNO, CARLA, IPE, problem

LIST = f"/api/v1/clinics/{IPE}/conversations"


@pytest.fixture(params=[False, True], ids=["by the parser", "past the parser"])
async def service(serve, request):
    return await serve(past_the_parser=request.param)


@pytest.fixture
async def addresses(service):
    """One of each kind of answer that is cached."""
    message = await service.receive()
    thread = f"/api/v1/conversations/{message.conversation_id}"
    return [LIST, f"{LIST}?status=open&limit=1", thread, f"{thread}/messages", f"/api/v1/clinics/{IPE}"]


def whole(response):
    """All of an answer but its date and request id, the headers in no order."""
    headers = {
        name: value for name, value in response.headers.items() if name not in {"date", "x-request-id"}
    }
    return response.status_code, response.content, headers


@pytest.fixture
def hits(service):
    """How often the short way answered since the last call."""
    real, answers = service.pages.at_once, []

    def at_once(*asked):
        answer = real(*asked)
        answers.append(answer is not None)
        return answer

    service.pages.at_once = at_once

    def count() -> int:
        found = sum(answers)
        answers.clear()
        return found

    return count


async def test_a_hit_is_answered_as_the_long_way_answers(service, addresses, hits):
    ana = await service.member()
    for address in addresses:
        first = await ana.get(address)
        assert (first.status_code, hits()) == (200, 0)
        again = await ana.get(address)
        assert (whole(again), hits()) == (whole(first), 1)


async def test_a_list_as_our_screens_ask_for_it_needs_no_route_and_is_answered_as_by_one(
    service, addresses, monkeypatch
):
    ana = await service.member()
    orders = [("limit=50&before=9", "before=9&limit=50"), ("limit=50", "limit=50&"), ("limit=1", "limit=1&")]
    by_route = [whole(await ana.get(f"{LIST}?{route}")) for _, route in orders]

    def refuse(*_which, **_more):
        raise AssertionError("the route was asked")

    monkeypatch.setattr(service.pages, "conversations", refuse)
    assert [whole(await ana.get(f"{LIST}?{short}")) for short, _ in orders] == by_route
    assert [status for status, *_ in by_route] == [200] * 3


@pytest.mark.parametrize(
    ("asked", "status"),
    [("limit=0", 400), ("limit=101", 400), (f"limit=50&before={'9' * 19}", 400), ("limit=50&before=x", 400)],
)
async def test_a_list_that_cannot_be_is_refused_by_its_route(service, asked, status):
    ana = await service.member()
    for _ in range(2):
        assert (await ana.get(f"{LIST}?{asked}")).status_code == status


async def test_an_unknown_token_is_looked_up_once(service, monkeypatch):
    asked, read = [], service.sessions._read

    async def counted(*which):
        asked.append(1)
        return await read(*which)

    monkeypatch.setattr(service.sessions, "_read", counted)
    stranger = service.new_client(headers={"Authorization": "Bearer nonsense"})
    assert (problem(await stranger.get(f"{LIST}?limit=50")), len(asked)) == ((401, "unauthenticated"), 1)


@pytest.mark.parametrize(("who", "status"), [(CARLA, 404), (None, 401)])
async def test_a_list_needs_no_route_only_for_whom_it_is_for(service, who, status):
    other = await service.member(who) if who else service.new_client()
    assert (await other.get(f"{LIST}?limit=50")).status_code == status


async def test_the_cookie_opens_the_short_way_too_and_a_bearer_token_counts_before_it(
    service, addresses, hits
):
    token = await service.token()
    client = service.new_client(headers={"Cookie": f"other=1; {SESSION_COOKIE}={token}"})
    for _ in range(2):
        assert (await client.get(LIST)).status_code == 200
    assert hits() == 1
    refused = await client.get(LIST, headers={"Authorization": "Bearer nonsense"})
    assert (problem(refused), hits()) == ((401, "unauthenticated"), 0)


@pytest.mark.parametrize(("who", "status"), [(BRUNO, 200), (CARLA, 404), (None, 401)])
async def test_what_one_member_may_read_is_not_everybodys(service, addresses, who, status):
    ana = await service.member(ANA)
    other = await service.member(who) if who else service.new_client()
    for address in addresses:
        for _ in range(2):
            assert (await ana.get(address)).status_code == 200
            assert (await other.get(address)).status_code == status


async def test_each_member_sees_their_own_read_marks(service, addresses, hits):
    ana, bruno = await service.member(ANA), await service.member(BRUNO)
    [conversation] = (await ana.get(LIST)).json()["items"]
    read = {"clientKey": "k", "upTo": conversation["lastSeq"]}
    mark = (await ana.put(f"/api/v1/conversations/{conversation['id']}/read", json=read)).json()
    for _ in range(2):
        assert (await ana.get(LIST)).json()["reads"] == [mark]
        assert (await bruno.get(LIST)).json()["reads"] == []
    assert hits() == 2


async def test_what_was_acknowledged_is_in_every_later_answer(service, addresses, hits):
    ana = await service.member()
    for number in range(5):
        for address in addresses:
            await ana.get(address)
        message = await service.receive(f"Mensagem {number}")
        for address in addresses[:4]:
            answer = await ana.get(address)
            assert f"Mensagem {number}" in answer.text
            assert answer.headers["recado-cursor"].endswith(f":{message.seq}")


async def test_what_has_changed_is_read_by_the_short_way_and_answered_alike(service, addresses, monkeypatch):
    ana = await service.member()
    for address in addresses:
        await ana.get(address)
    await service.receive("Mais uma")
    for long_way in ("conversations", "conversation", "messages", "clinic"):
        monkeypatch.setattr(service.pages, long_way, None)
    for address in addresses:
        read = await ana.get(address)
        assert read.status_code == 200
        assert whole(await ana.get(address)) == whole(read)


async def test_a_read_that_fails_is_told_as_the_long_way_tells_it(service, monkeypatch):
    ana = await service.member()
    await ana.get(LIST)
    await service.receive("Mais uma")
    monkeypatch.setattr(service.pages, "_database", None)
    assert problem(await ana.get(LIST)) == (500, "internal")


@pytest.mark.parametrize(("patience_s", "tried"), [(0, 1), (60, 2)])
async def test_a_read_that_took_long_to_fail_is_not_tried_again(
    service, addresses, monkeypatch, patience_s, tried
):
    """Where the database is silent, it would take the client twice as long to hear of it."""
    monkeypatch.setattr("recado.rest.at_once.PATIENCE_S", patience_s)
    ana, tries = await service.member(), []
    for address in addresses:
        await ana.get(address)
    await service.receive("Mais uma")

    async def fails(*_which):
        tries.append(1)
        raise UnavailableError

    monkeypatch.setattr(service.pages, "_load", fails)
    failed = await ana.get(LIST)
    assert (problem(failed), len(tries)) == ((503, "unavailable"), tried)
    monkeypatch.undo()
    assert "Mais uma" in (await ana.get(LIST)).text


async def test_a_page_that_another_member_had_read_again_is_answered_with_ones_own_marks(
    service, addresses, hits
):
    ana, bruno = await service.member(ANA), await service.member(BRUNO)
    for number in range(3):
        assert (await bruno.get(LIST)).status_code == 200
        message = await service.receive(f"Mensagem {number}")
        assert (await ana.get(LIST)).json()["seq"] == message.seq
        hits()
        answer = await bruno.get(LIST)
        assert (answer.json()["seq"], answer.json()["reads"], hits()) == (message.seq, [], 1)


async def test_a_head_of_any_length_is_understood(service, addresses, hits):
    ana = await service.member()
    for padding in ("x", "x" * MAX_HEAD_BYTES):
        for _ in range(2):
            answer = await ana.get(LIST, headers={"X-Padding": padding, "X-Request-Id": "of-the-client"})
            assert (answer.status_code, answer.headers["x-request-id"]) == (200, "of-the-client")
    assert hits() == 3


async def test_a_body_that_the_client_has_is_not_sent_again(service, addresses, hits):
    ana = await service.member()
    for address in addresses:
        version = (await ana.get(address)).headers["etag"]
        for unless in (version, f'"x", W/{version}', "*"):
            answer = await ana.get(address, headers={"If-None-Match": unless})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", version)
        assert (await ana.get(address, headers={"If-None-Match": '"x"'})).status_code == 200
    assert hits() == 4 * len(addresses)
    await service.receive("Mais uma")
    version = (await ana.get(LIST)).headers["etag"]
    assert (await ana.get(LIST, headers={"If-None-Match": version})).status_code == 304
    await service.receive("E outra")
    assert (await ana.get(LIST, headers={"If-None-Match": version})).status_code == 200


async def test_an_answer_is_not_older_than_what_the_client_has_seen(service, addresses):
    ana = await service.member()
    for address in addresses:
        cursor = (await ana.get(address)).headers["recado-cursor"]
        epoch = cursor.rpartition(":")[0]
        assert (await ana.get(address, headers={"Recado-After": cursor})).status_code == 200
        assert (await ana.get(address, headers={"Recado-After": "of.another:999"})).status_code == 200
        for _ in range(2):
            ahead = await ana.get(address, headers={"Recado-After": f"{epoch}:999"})
            assert problem(ahead) == (409, "cursor_ahead")
            malformed = await ana.get(address, headers={"Recado-After": "x"})
            assert problem(malformed) == (400, "invalid")


async def test_an_unread_list_is_one_members_own_and_read_afresh(service, addresses, hits):
    ana = await service.member()
    for _ in range(2):
        assert len((await ana.get(LIST, params={"unread": "true"})).json()["items"]) == 1
    assert hits() == 0


async def test_a_member_who_is_thrown_out_gets_no_hit_any_more(service, addresses):
    ana, bruno = await service.member(ANA), await service.member(BRUNO)
    for _ in range(2):
        assert (await bruno.get(LIST)).status_code == 200
    clinic = (await ana.get(f"/api/v1/clinics/{IPE}")).json()
    [bruno_id] = [each["id"] for each in clinic["members"] if each["name"] == "bruno"]
    gone = {"clientKey": "gone", "active": False}
    assert (await ana.patch(f"/api/v1/clinics/{IPE}/members/{bruno_id}", json=gone)).status_code == 200
    assert (await bruno.get(LIST)).status_code == 401
    assert (await ana.get(f"/api/v1/clinics/{AROEIRA}")).status_code == 404
