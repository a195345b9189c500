"""A clinic's channels, over HTTP: listed, added, changed, rotated; who may, and what is never told."""

import json

import pytest

from recado.app.inbox import SendOrder
from recado.domain.commands import RecordDelivery
from rest.service import BRUNO, CARLA, IPE, fields, problem
from stock import new_id

CHANNELS = f"/api/v1/clinics/{IPE}/channels"
NOBODYS = "01900000-0000-7000-8000-000000000000"
TOKEN = "EAAG-token-secreto"
APP_SECRET = "app-secreto"


@pytest.fixture
async def ana(service):
    return await service.member()


async def ask(client, method, path, **body):
    return await client.request(method, path, json={"clientKey": new_id(), **body})


async def add(client, **body):
    answer = await ask(client, "POST", CHANNELS, **{"kind": "generic", "name": "Chat do site", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def secrets_of(client, channel):
    answer = await client.get(f"{CHANNELS}/{channel['id']}/secrets")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_list_tells_where_a_provider_posts_to_and_no_key(service, ana):
    made = await add(ana, outboundUrl="https://site.example/recado")
    listed = await ana.get(CHANNELS)
    assert [each["name"] for each in listed.json()] == ["Chat do site", "Site"]
    assert (
        listed.json()[0]
        == made
        == {
            "id": made["id"],
            "kind": "generic",
            "name": "Chat do site",
            "active": True,
            "address": f"{service.settings.base_url}/api/v1/channels/{made['id']}/inbound",
            "hasSecret": True,
            "hasAccessToken": False,
            "outboundUrl": "https://site.example/recado",
        }
    )
    secret = (await secrets_of(ana, made))["secret"]
    assert secret.startswith("whsec_")
    assert secret not in listed.text


async def test_a_whatsapp_channel_is_set_up_step_by_step(service, ana):
    made = await add(ana, kind="whatsapp", name="WhatsApp")
    assert made["address"].endswith(f"/api/v1/channels/{made['id']}/whatsapp")
    assert (made["hasSecret"], made["hasAccessToken"]) == (False, False)
    told = await secrets_of(ana, made)
    assert (told["secret"], len(told["verifyToken"])) == ("", 32)
    path = f"{CHANNELS}/{made['id']}"
    whole = await ask(ana, "PATCH", path, phoneNumberId="106", accessToken=TOKEN, secret=APP_SECRET)
    assert whole.json() == made | {"hasSecret": True, "hasAccessToken": True, "phoneNumberId": "106"}
    assert (await secrets_of(ana, made)) == {"secret": APP_SECRET, "verifyToken": told["verifyToken"]}
    less = (await ask(ana, "PATCH", path, phoneNumberId=None, accessToken=None)).json()
    assert "phoneNumberId" not in less
    assert less["hasAccessToken"] is False


async def test_a_rotated_secret_is_another_one_and_stays_the_same_for_the_same_key(service, ana):
    made = await add(ana)
    before, path = (await secrets_of(ana, made))["secret"], f"{CHANNELS}/{made['id']}/secret"
    assert (await ask(ana, "POST", path, clientKey="r")).json() == made
    after = (await secrets_of(ana, made))["secret"]
    assert after != before
    await ask(ana, "POST", path, clientKey="r")
    assert (await secrets_of(ana, made))["secret"] == after


async def test_the_same_order_adds_one_channel(ana):
    first = await add(ana, clientKey="k")
    assert await add(ana, clientKey="k", name="Outro") == first
    assert len((await ana.get(CHANNELS)).json()) == 2
    reused = await ask(ana, "PATCH", f"{CHANNELS}/{first['id']}", clientKey="k", name="x")
    assert problem(reused) == (409, "client_key_reused")


async def test_the_list_tells_when_something_last_came_in_and_went_out(service, ana):
    message = await service.receive()
    [channel] = (await ana.get(CHANNELS)).json()
    assert channel["lastInboundAt"] == message.created_at
    assert "lastOutboundAt" not in channel
    identity = await service.sessions.verify(await service.token())
    order = SendOrder(conversation_id=message.conversation_id, client_key="k", body="Olá")
    reply = (await service.inbox.send_message(identity, order)).the_message
    await service.inbox.record_delivery(
        RecordDelivery(
            clinic_id=IPE,
            conversation_id=reply.conversation_id,
            message_id=reply.id,
            channel_id=channel["id"],
            outcome="sent",
        )
    )
    [channel] = (await ana.get(CHANNELS)).json()
    assert channel["lastOutboundAt"] >= channel["lastInboundAt"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"kind": "fax"}, [("kind", "unknown_value")]),
        ({"name": ""}, [("name", "empty")]),
        ({"secret": "o secreto"}, [("secret", "wrong_format")]),
        ({"outboundUrl": "http://secreto.example"}, [("outboundUrl", "wrong_format")]),
        ({"phoneNumberId": "1"}, [("phoneNumberId", "of_another_kind")]),
    ],
)
async def test_what_will_not_do_is_told_by_path_and_code_and_never_quoted(ana, body, expected):
    answer = await ask(ana, "POST", CHANNELS, **{"kind": "generic", "name": "x", **body})
    conflict = expected[0][1] == "of_another_kind"
    assert problem(answer) == ((409, "conflict") if conflict else (400, "invalid"))
    assert fields(answer) == expected
    assert "secreto" not in answer.text
    assert len((await ana.get(CHANNELS)).json()) == 1


async def test_only_admins_see_and_change_channels(service, ana):
    made = await add(ana)
    bruno, carla = await service.member(BRUNO), await service.member(CARLA)
    path = f"{CHANNELS}/{made['id']}"
    asked = [
        ("GET", CHANNELS, {}),
        ("GET", f"{path}/secrets", {}),
        ("POST", CHANNELS, {"kind": "generic", "name": "x"}),
        ("PATCH", path, {"active": False}),
        ("POST", f"{path}/secret", {}),
    ]
    for method, where, body in asked:
        assert problem(await ask(bruno, method, where, **body)) == (403, "forbidden")
        assert problem(await ask(carla, method, where, **body)) == (404, "not_found")


async def test_a_channel_of_another_clinic_and_none_look_alike(service, ana):
    carla = await service.member(CARLA)
    hers = "/api/v1/clinics/2/channels"
    [channel] = (await carla.get(hers)).json()
    for id_ in (channel["id"], NOBODYS, "x"):
        for answer in (
            await ana.get(f"{CHANNELS}/{id_}/secrets"),
            await ask(ana, "PATCH", f"{CHANNELS}/{id_}", active=False),
            await ask(ana, "POST", f"{CHANNELS}/{id_}/secret"),
        ):
            assert problem(answer) == (404, "not_found")
    assert (await carla.get(hers)).json() == [channel]


async def test_keys_are_in_no_log_line_no_record_and_no_packet(service, ana, capture):
    made = await add(ana, kind="whatsapp", accessToken=TOKEN, secret=APP_SECRET)
    await ask(ana, "PATCH", f"{CHANNELS}/{made['id']}", accessToken=f"{TOKEN}-2", secret="curto demais")
    told = await secrets_of(ana, made)
    for table in ("events", "command_keys"):
        rows = service.database.read_now(lambda c, t=table: c.exec_driver_sql(f"SELECT * FROM {t}").all())
        assert rows
        for key in (TOKEN, APP_SECRET, told["verifyToken"]):
            assert key not in str(rows)
    cursor = (await ana.get(f"/api/v1/clinics/{IPE}/changes")).json()["cursor"]
    since = f"{cursor.rpartition(':')[0]}:0"
    delta = await ana.get(f"/api/v1/clinics/{IPE}/changes", params={"after": since})
    for key in (TOKEN, APP_SECRET, told["verifyToken"]):
        assert key not in json.dumps(capture.lines, default=str)
        assert key not in delta.text
