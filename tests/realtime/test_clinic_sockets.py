"""What a clinic keeps, over real sockets: told to every screen, and a lost access ends the sockets that stood on it."""

import asyncio
import uuid
from contextlib import AsyncExitStack

import httpx
import pytest
import socketio
from socketio.exceptions import ConnectionError as Refused

from realtime.test_gateway import is_from, phone, write

SOON_S = 1.0
"""How long a socket may outlive what it stood on."""
BESIDE_S = 3.0
"""The same where another process wrote, on SQLite: its records are looked for once a second."""


@pytest.fixture
async def stack():
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def ana(server, stack):
    """The first clinic's admin."""
    [member] = [each for each in server.members(server.clinic_ids()[0]) if each["role"] == "admin"]
    return await stack.enter_async_context(phone(server, login(server, member)))


def login(server, member):
    body = {"email": member["email"], "password": member["password"]}
    answer = httpx.post(f"{server.url}/api/v1/auth/login", json=body)
    return answer.json()["token"] if answer.is_success else None


async def order(client, event, **payload):
    answer = await client.call(event, {"clientKey": uuid.uuid4().hex, **payload})
    assert answer["ok"], answer
    return answer


async def newcomer(server, ana, role="agent"):
    """A new member of the first clinic."""
    email = f"{uuid.uuid4().hex[:8]}@ipe.example"
    made = await order(ana, "member:invite", clinicId=server.clinic_ids()[0], email=email, role=role)
    return {"id": made["memberId"], "email": email, "password": made["temporaryPassword"]}


async def ended(client, within_s=SOON_S):
    """The socket closes by itself."""
    async with asyncio.timeout(within_s):
        while client.client.connected:  # noqa: ASYNC110 - the library's own `wait` takes a second longer
            await asyncio.sleep(0.01)


async def refusal(server, token, **auth):
    """The code with which a connection is refused."""
    client, reasons = socketio.AsyncClient(reconnection=False), []
    client.on("connect_error", reasons.append)
    with pytest.raises(Refused):
        await client.connect(server.url, auth={"token": token} | auth, transports=["websocket"])
    return reasons[0]["data"]["code"]


async def test_an_update_is_acknowledged_told_to_all_and_in_the_delta(server, ana, stack):
    clinic_id = server.clinic_ids()[0]
    caio = await newcomer(server, ana)
    screen = await stack.enter_async_context(phone(server, login(server, caio)))
    cursor = (await screen.call("clinic:join", {"clinicId": clinic_id}))["cursor"]
    answer = await order(ana, "clinic:update", clinicId=clinic_id, waitingLimitMinutes=20, clientKey="w")
    told = await screen.until(
        lambda event, payload: event == "clinic:updated" and payload.get("clientKey") == "w"
    )
    assert told == {"clinic": answer["clinic"], "seq": answer["clinic"]["version"], "clientKey": "w"}
    delta = await screen.call("clinic:join", {"clinicId": clinic_id, "after": cursor})
    assert delta["clinic"] == answer["clinic"]
    assert "clinic" not in await screen.call("clinic:join", {"clinicId": clinic_id, "after": delta["cursor"]})


async def test_a_channel_is_settled_over_a_socket_and_no_key_comes_back(server, ana, stack):
    clinic_id = server.clinic_ids()[0]
    caio = await newcomer(server, ana)
    screen = await stack.enter_async_context(phone(server, login(server, caio)))
    made = await order(
        ana, "channel:add", clinicId=clinic_id, kind="whatsapp", name="Outro", secret="chave-secreta"
    )
    about = {"clinicId": clinic_id, "channelId": made["channel"]["id"]}
    await order(ana, "channel:update", **about, accessToken="chave-secreta", phoneNumberId="7")
    await order(ana, "channel:rotate-secret", **about)
    off = await order(ana, "channel:update", **about, active=False)
    assert off["channel"] == made["channel"] | {"active": False, "hasAccessToken": True, "phoneNumberId": "7"}
    for event in ("channel:add", "channel:update", "channel:rotate-secret"):
        refused = await screen.call(event, {**about, "clientKey": "k", "kind": "generic", "name": "x"})
        assert (refused["ok"], refused["error"]["code"]) == (False, "forbidden"), event
    for client in (ana, screen):
        ticks = [await client.until(lambda event, payload: event == "clinic:tick") for _ in range(4)]
        assert all(set(payload) == {"seq"} for payload in ticks)
    assert "chave-secreta" not in str([made, off])


async def test_refusals_have_the_codes_of_http(server, ana, stack):
    clinic_id = server.clinic_ids()[0]
    caio = await newcomer(server, ana)
    screen = await stack.enter_async_context(phone(server, login(server, caio)))
    order = {"clinicId": clinic_id, "clientKey": "k", "memberId": caio["id"], "email": "x@y.example"}
    for event in ("clinic:update", "member:invite", "member:update", "member:reset-password"):
        refused = await screen.call(event, order)
        assert (refused["ok"], refused["error"]["code"]) == (False, "forbidden"), event
        elsewhere = await screen.call(event, order | {"clinicId": server.clinic_ids()[1]})
        assert elsewhere["error"]["code"] == "not_found"
    outdated = await ana.call("clinic:update", order | {"name": "x", "expectedVersion": 0})
    assert outdated["error"]["code"] == "clinic_changed"
    assert outdated["error"]["clinic"]["id"] == clinic_id


async def test_a_reset_ends_every_socket_of_the_member_and_moves_the_others_cursors(server, ana, stack):
    caio = await newcomer(server, ana)
    token = login(server, caio)
    screens = [await stack.enter_async_context(phone(server, token)) for _ in range(2)]
    clinic_id = server.clinic_ids()[0]
    reset = await order(ana, "member:reset-password", clinicId=clinic_id, memberId=caio["id"])
    for screen in screens:
        await ended(screen)
        assert screen.of("clinic:tick") == []
    await ana.until(lambda event, payload: event == "clinic:tick" and set(payload) == {"seq"})
    assert await refusal(server, token) == "unauthenticated"
    assert login(server, caio) is None
    assert login(server, caio | {"password": reset["temporaryPassword"]})


async def test_a_changed_password_ends_the_other_sockets_and_not_the_one_that_asks(server, ana, stack):
    caio = await newcomer(server, ana)
    asking, other = [await stack.enter_async_context(phone(server, login(server, caio))) for _ in range(2)]
    new = "outra senha boa"
    answer = await order(asking, "password:change", currentPassword=caio["password"], newPassword=new)
    assert set(answer) == {"ok"}
    await ended(other)
    await asking.until(lambda event, _: event == "clinic:tick")
    name = await asyncio.to_thread(write, server)
    await asking.until(is_from(name))
    assert not any(is_from(name)(*each) for each in other.heard)


async def test_another_role_closes_the_socket_and_who_comes_back_may_what_it_allows(server, ana, stack):
    clinic_id = server.clinic_ids()[0]
    caio = await newcomer(server, ana)
    token = login(server, caio)
    screen = await stack.enter_async_context(phone(server, token))
    await order(ana, "member:update", clinicId=clinic_id, memberId=caio["id"], role="admin")
    await ended(screen)
    back = await stack.enter_async_context(phone(server, token))
    await order(back, "clinic:update", clinicId=clinic_id, waitingLimitMinutes=30)


async def test_who_is_deactivated_hears_no_more_and_does_not_come_back(server, ana, stack):
    clinic_id = server.clinic_ids()[0]
    caio = await newcomer(server, ana)
    token = login(server, caio)
    screen = await stack.enter_async_context(phone(server, token))
    answer = await order(ana, "member:update", clinicId=clinic_id, memberId=caio["id"], active=False)
    name = await asyncio.to_thread(write, server)
    await ended(screen)
    await ana.until(is_from(name))
    seqs = [payload["seq"] for _, payload in screen.heard if "seq" in (payload or {})]
    assert max(seqs, default=0) < answer["clinic"]["version"]
    assert await refusal(server, token) == "unauthenticated"


async def test_who_serves_two_clinics_and_loses_one_keeps_the_other(server, ana, stack):
    ours, theirs = server.clinic_ids()
    caio = await newcomer(server, ana)
    carla = await stack.enter_async_context(phone(server, login(server, server.members(theirs)[0])))
    invite = {"clinicId": theirs, "clientKey": "i", "email": caio["email"]}
    refused = await carla.call("member:invite", invite)
    assert refused["error"]["code"] == "password_temporary"
    token, new = login(server, caio), "outra senha boa"
    async with phone(server, token) as mine:
        await order(mine, "password:change", currentPassword=caio["password"], newPassword=new)
    await order(carla, "member:invite", clinicId=theirs, email=caio["email"])
    here, there = [
        await stack.enter_async_context(phone(server, token, clinicId=clinic_id))
        for clinic_id in (ours, theirs)
    ]
    await order(ana, "member:update", clinicId=ours, memberId=caio["id"], active=False)
    await ended(here)
    assert (await there.call("clinic:join", {"clinicId": theirs}))["ok"]
    assert (await there.call("clinic:join", {"clinicId": ours}))["error"]["code"] == "not_found"
    assert await refusal(server, token, clinicId=ours) == "not_found"


async def test_a_running_server_notices_what_the_command_line_does(server, ana, stack):
    clinic_id = str(server.clinic_ids()[0])
    caio = await newcomer(server, ana)
    screen = await stack.enter_async_context(phone(server, login(server, caio)))
    email, password = f"{uuid.uuid4().hex[:8]}@ipe.example", "uma senha boa"
    added = await asyncio.to_thread(
        server.run,
        "member",
        "add",
        "--clinic",
        clinic_id,
        "--email",
        email,
        "--name",
        "Eva",
        "--password",
        password,
    )
    await screen.until(
        lambda event, payload: (
            event == "clinic:updated"
            and added.strip() in {each["id"] for each in payload["clinic"]["members"]}
        )
    )
    assert login(server, {"email": email, "password": password})
    await asyncio.to_thread(
        server.run, "member", "reset-password", "--email", caio["email"], "--password", password
    )
    await ended(screen, BESIDE_S)
    eva = await stack.enter_async_context(
        phone(server, login(server, {"email": email, "password": password}))
    )
    await asyncio.to_thread(
        server.run, "member", "update", "--clinic", clinic_id, "--email", email, "--inactive"
    )
    await ended(eva, BESIDE_S)
