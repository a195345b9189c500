"""The list's filters over HTTP."""

import pytest

from rest.service import ANA, IPE, problem

LIST = f"/api/v1/clinics/{IPE}/conversations"


@pytest.fixture
async def ana(service):
    return await service.member(ANA)


async def ids(client, **filters):
    answer = await client.get(LIST, params=filters)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


async def test_filters_may_be_combined(service, ana):
    first, second = [(await service.receive(address=f"55{number}")).conversation_id for number in range(2)]
    me = (await ana.get("/api/v1/me")).json()["member"]["id"]
    change = {"clientKey": "k", "status": "pending", "labels": ["exame"], "assigneeId": me}
    assert (await ana.patch(f"/api/v1/conversations/{first}", json=change)).status_code == 200
    assert await ids(ana) == [second, first]
    for fitting in ({"status": "pending"}, {"label": "exame"}, {"assigneeId": me}):
        assert await ids(ana, **fitting) == [first]
        assert await ids(ana, **fitting, unread=True) == [first]
    assert await ids(ana, assigneeId="none") == [second]
    assert await ids(ana, status="pending", assigneeId="none") == []


@pytest.mark.parametrize(
    "filters", [{"status": "lost"}, {"status": "null"}, {"assigneeId": "ana"}, {"unread": "perhaps"}]
)
async def test_a_filter_that_is_none_is_refused(ana, filters):
    assert problem(await ana.get(LIST, params=filters)) == (400, "invalid")
