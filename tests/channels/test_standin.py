from collections.abc import AsyncIterator

import httpx
import pytest

from recado.channels.standin import MAX_KEPT, StandIn, Taken, create_standin

WHATSAPP = {"messaging_product": "whatsapp", "to": "551", "type": "text", "text": {"body": "oi"}}
GENERIC = {
    "type": "message.outbound",
    "data": {"messageId": "m", "to": {"id": "p", "name": "P"}, "body": "olá"},
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_standin())
    async with httpx.AsyncClient(transport=transport, base_url="http://standin.test") as client:
        yield client


async def post_whatsapp(client, key):
    return await client.post("/whatsapp/1065/messages", json=WHATSAPP, headers={"Idempotency-Key": key})


async def post_generic(client, key):
    return await client.post("/generic/7", json=GENERIC, headers={"Idempotency-Key": key})


async def items(client):
    return (await client.get("/messages")).json()["items"]


async def test_both_shapes_are_taken_in_order_of_arrival(client):
    whatsapp = (await post_whatsapp(client, "a")).json()
    generic = (await post_generic(client, "b")).json()
    assert await items(client) == [
        {
            "key": "a",
            "channel": "1065",
            "to": "551",
            "body": "oi",
            "externalId": whatsapp["messages"][0]["id"],
            "repeats": 0,
        },
        {
            "key": "b",
            "channel": "7",
            "to": "p",
            "body": "olá",
            "externalId": generic["externalId"],
            "repeats": 0,
        },
    ]


async def test_the_same_key_has_the_same_answer_and_counts_as_a_repeat(client):
    first, again = await post_generic(client, "a"), await post_generic(client, "a")
    assert first.json() == again.json()
    [message] = await items(client)
    assert message["repeats"] == 1


async def test_it_fails_as_often_as_it_is_told(client):
    await client.post("/fail", json={"times": 2, "status": 429, "retryAfter": 7, "code": 130429})
    for _ in range(2):
        answer = await post_whatsapp(client, "a")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert answer.json()["error"]["code"] == 130429
    assert await items(client) == []
    assert (await post_whatsapp(client, "a")).status_code == 200
    assert len(await items(client)) == 1


async def test_it_can_take_a_message_and_lose_the_answer(client):
    await client.post("/fail", json={"keep": True})
    assert (await post_whatsapp(client, "a")).status_code == 503
    assert len(await items(client)) == 1


def test_it_keeps_the_newest_messages_only():
    standin = StandIn()
    for number in range(MAX_KEPT + 5):
        standin.take(Taken(f"{number}", "7", "p", "oi", f"x-{number}"))
    kept = standin.items
    assert [kept[0].key, kept[-1].key, len(kept)] == ["5", f"{MAX_KEPT + 4}", MAX_KEPT]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"type": "message.outbound"}'])
async def test_what_is_no_message_is_refused(client, body):
    for address in ("/generic/7", "/whatsapp/1065/messages"):
        assert (await client.post(address, content=body, headers={"Idempotency-Key": "a"})).status_code == 400
    assert (await client.post("/generic/7", json=GENERIC)).status_code == 400
    assert await items(client) == []
