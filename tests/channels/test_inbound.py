"""Webhooks against the real inbox and database; a small fake inbox where ours must fail on demand."""

import asyncio
import json
import socket
import time

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.conftest import application
from channels.serving import serving
from channels.stack import GENERIC_SECRET
from channels.webhooks import FIXTURES, assert_problem, batch, counted, fixture, post_generic, post_whatsapp
from recado.channels.bodies import MAX_BODY_BYTES
from recado.channels.delivery import MAX_AT_ONCE
from recado.channels.signatures import sign
from recado.errors import InvalidError, OverloadedError, RecadoError, UnavailableError
from rest.service import listening
from stock import new_id

MESSAGE = {
    "externalId": "site-1",
    "from": {"id": "patient-1", "name": "Maria das Dores"},
    "body": "Bom dia! 🙏",
    "sentAt": "2026-11-22T10:42:07Z",
}


def encoded(**changes):
    return json.dumps({**MESSAGE, **changes}).encode()


async def test_a_generic_message_is_committed_when_the_answer_comes(stack, client):
    before = counted("generic", "text")
    response = await post_generic(client, stack.generic, encoded())
    assert (response.status_code, response.json()) == (200, {"accepted": 1, "repeated": 0, "ignored": 0})
    assert stack.bodies() == ["Bom dia! 🙏"]
    [told] = stack.told
    assert told.message.author.name == "Maria das Dores"
    assert told.conversation.contact.address == "patient-1"
    assert counted("generic", "text") == before + 1


async def test_a_channel_that_is_switched_off_takes_nothing_and_loses_nothing(stack, client):
    stack.put(replace(stack.generic, active=False))
    assert_problem(await post_generic(client, stack.generic, encoded()), 404, "not_found")
    stack.put(replace(stack.whatsapp, active=False))
    assert_problem(await post_whatsapp(client, stack.whatsapp, fixture("text")), 404, "not_found")
    asked = {"hub.mode": "subscribe", "hub.verify_token": stack.whatsapp.verify_token, "hub.challenge": "1"}
    answer = await client.get(f"/{stack.whatsapp.id}/whatsapp", params=asked)
    assert_problem(answer, 404, "not_found")
    assert stack.bodies() == []
    stack.put(stack.generic)
    assert (await post_generic(client, stack.generic, encoded())).status_code == 200, (
        "the provider repeats it"
    )


async def test_the_same_external_id_never_makes_a_second_message(stack, client):
    await post_generic(client, stack.generic, encoded())
    response = await post_generic(client, stack.generic, encoded(body="another text"))
    assert response.json() == {"accepted": 0, "repeated": 1, "ignored": 0}
    assert stack.bodies() == ["Bom dia! 🙏"]


async def test_a_message_with_the_id_that_the_provider_gave_to_a_reply_of_ours_is_none_of_ours(stack, client):
    await post_generic(client, stack.generic, encoded())
    [told] = stack.told
    await stack.reply(told.conversation.id, "Pois não")
    [departure] = await stack.outbox.lease(1)
    await stack.outbox.sent(departure, "2")  # it numbers what it takes as it numbers what it brings
    for accepted, repeated in ((1, 0), (0, 1)):
        response = await post_generic(client, stack.generic, encoded(externalId="2", body="Obrigada"))
        assert response.json() == {"accepted": accepted, "repeated": repeated, "ignored": 0}
    assert stack.bodies() == ["Bom dia! 🙏", "Pois não", "Obrigada"]


async def test_the_same_message_posted_at_once_many_times_is_stored_once(stack, client):
    answers = await asyncio.gather(*(post_generic(client, stack.generic, encoded()) for _ in range(20)))
    assert sum(answer.json()["accepted"] for answer in answers) == 1
    assert stack.bodies() == ["Bom dia! 🙏"]


@pytest.mark.parametrize("damage", ["body", "signature", "none"])
async def test_a_wrong_signature_is_refused_before_anything_is_parsed(stack, client, damage):
    body = b"not even JSON"
    headers = sign(GENERIC_SECRET, "msg_1", int(time.time()), encoded() if damage == "body" else body)
    if damage == "signature":
        headers["webhook-signature"] = "v1,rubbish"
    if damage == "none":
        headers = {}
    response = await client.post(f"/{stack.generic.id}/inbound", content=body, headers=headers)
    assert_problem(response, 401, "signature_invalid")
    response = await client.post(f"/{stack.whatsapp.id}/whatsapp", content=body, headers=headers)
    assert_problem(response, 401, "signature_invalid")


async def test_a_signature_of_another_channel_is_refused(stack, client):
    body = encoded()
    headers = sign("whsec_YW5vdGhlciBrZXk=", "msg_1", int(time.time()), body)
    assert_problem(
        await client.post(f"/{stack.generic.id}/inbound", content=body, headers=headers),
        401,
        "signature_invalid",
    )
    assert stack.bodies() == []


async def test_an_old_delivery_cannot_be_replayed(stack, client):
    body = encoded()
    headers = sign(GENERIC_SECRET, "msg_1", int(time.time()) - 301, body)
    response = await client.post(f"/{stack.generic.id}/inbound", content=body, headers=headers)
    assert_problem(response, 401, "signature_invalid")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN", b"9" * 5000 + b"\\ud"])
async def test_what_is_no_json_is_refused(stack, client, body):
    assert_problem(await post_generic(client, stack.generic, body), 400, "invalid", ("", "not_json"))
    assert_problem(await post_whatsapp(client, stack.whatsapp, body), 400, "invalid", ("", "not_json"))


async def test_a_wrong_field_is_named_without_its_value(stack, client):
    response = await post_generic(client, stack.generic, encoded(body=["segredo da paciente"]))
    assert_problem(response, 400, "invalid", ("body", "wrong_type"))
    assert "segredo" not in response.text
    assert stack.bodies() == []


async def test_half_an_emoji_and_nul_are_stored_as_replacement_characters(stack, client):
    body = rb'{"externalId":"1","from":{"id":"p"},"body":"oi \ud83d \u0000","sentAt":"2026-11-22T10:42:07Z"}'
    assert (await post_generic(client, stack.generic, body)).status_code == 200
    assert stack.bodies() == ["oi \ufffd \ufffd"]


async def test_unknown_and_mismatched_channels_look_the_same(stack, client):
    body = encoded()
    for address in (
        f"/{new_id()}/inbound",
        "/not-an-id/inbound",
        "/%00/inbound",
        f"/{stack.whatsapp.id}/inbound",
        f"/{stack.generic.id}/whatsapp",
    ):
        response = await client.post(
            address, content=body, headers=sign(GENERIC_SECRET, "m", int(time.time()), body)
        )
        assert_problem(response, 404, "not_found")
    for address in (f"/{new_id()}/whatsapp", f"/{stack.generic.id}/whatsapp"):
        assert_problem(await client.get(address), 404, "not_found")


async def test_whatsapp_text_is_stored_once_however_often_it_comes(stack, client):
    first = await post_whatsapp(client, stack.whatsapp, fixture("text"))
    again = await post_whatsapp(client, stack.whatsapp, fixture("text"))
    assert first.json() == {"accepted": 1, "repeated": 0, "ignored": 0}
    assert again.json() == {"accepted": 0, "repeated": 1, "ignored": 0}
    assert stack.bodies() == ["Bom dia! Gostaria de remarcar minha consulta de amanhã. 🙏"]


async def test_a_whatsapp_reply_points_at_the_message_it_answers(stack, client):
    original = batch(("5511999990001", "wamid.HBgMNTUxMTk5OTk500000900", "Posso remarcar?"))
    await post_whatsapp(client, stack.whatsapp, original)
    await post_whatsapp(client, stack.whatsapp, fixture("reply_to"))
    asked, answered = (told.message for told in stack.told)
    assert answered.reply_to == asked.id


async def test_a_whatsapp_image_is_stored_with_what_is_known_of_it(stack, client):
    await post_whatsapp(client, stack.whatsapp, fixture("image_with_caption"))
    [told] = stack.told
    assert told.message.body == "Segue o pedido do exame"
    [attachment] = told.message.attachments
    assert (attachment.kind, attachment.mime_type, attachment.status) == ("image", "image/jpeg", "pending")


@pytest.mark.parametrize(
    ("name", "item"),
    [("reaction", "reaction"), ("unsupported", "unsupported"), ("status_failed", "status_unknown")],
)
async def test_what_is_not_for_us_is_answered_200_and_counted(stack, client, name, item):
    before = counted("whatsapp", item)
    response = await post_whatsapp(client, stack.whatsapp, fixture(name))
    assert (response.status_code, response.json()) == (200, {"accepted": 0, "repeated": 0, "ignored": 1})
    assert counted("whatsapp", item) == before + 1
    assert stack.bodies() == []


async def test_a_batch_of_many_patients_is_committed_whole_and_in_each_ones_order(stack, client):
    patients = 3 * MAX_AT_ONCE
    messages = [(f"55{p}", f"wamid.{p}.{n}", f"{p}:{n}") for n in range(4) for p in range(patients)]
    response = await post_whatsapp(client, stack.whatsapp, batch(*messages))
    assert response.json() == {"accepted": 4 * patients, "repeated": 0, "ignored": 0}
    said = {}
    for body in stack.bodies():
        patient, number = body.split(":")
        said.setdefault(patient, []).append(number)
    assert len(said) == patients
    assert set(map(tuple, said.values())) == {("0", "1", "2", "3")}


async def test_the_subscription_is_confirmed_in_plain_text(stack, client):
    query = {"hub.mode": "subscribe", "hub.verify_token": "the verify token", "hub.challenge": "1158201444"}
    response = await client.get(f"/{stack.whatsapp.id}/whatsapp", params=query)
    assert (response.status_code, response.text) == (200, "1158201444")
    assert response.headers["content-type"].startswith("text/plain")
    response = await client.get(f"/{stack.whatsapp.id}/whatsapp", params={**query, "hub.verify_token": "x"})
    assert_problem(response, 403, "forbidden")


async def test_a_body_over_the_limit_is_refused_with_and_without_content_length(stack, client):
    async def endless():
        for _ in range(64):
            yield b" " * 65_536

    exact = b" " * MAX_BODY_BYTES
    assert_problem(await post_generic(client, stack.generic, exact), 400, "invalid", ("", "not_json"))
    for content in (lambda: exact + b" ", endless):
        for address in (f"/{stack.generic.id}/inbound", f"/{stack.whatsapp.id}/whatsapp"):
            assert_problem(await client.post(address, content=content()), 413, "too_large")


async def test_an_oversized_body_is_answered_while_it_is_still_being_sent(stack):
    """On a real connection, chunked, by a peer that would never end."""
    async with serving(application(stack.inbox, stack.known_channels)) as url:
        host, port = httpx.URL(url).host, httpx.URL(url).port
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            f"POST /api/v1/channels/{stack.generic.id}/inbound HTTP/1.1\r\nHost: {host}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        for _ in range(17):
            writer.write(chunk)
            await writer.drain()
        assert b" 413 " in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        await writer.wait_closed()


class FailingInbox:
    """Takes what the real one takes; refuses or fails for the external ids it was told."""

    def __init__(self, failures):
        self.failures = failures
        self.known = set()

    async def receive(self, command):
        await asyncio.sleep(0)
        if command.external_id in self.failures:
            raise self.failures[command.external_id]
        repeated = command.external_id in self.known
        self.known.add(command.external_id)
        return msgspec.defstruct("Outcome", ["repeated"])(repeated)


async def post_failing(stack, failures, body, post):
    inbox = FailingInbox(failures)
    transport = httpx.ASGITransport(application(inbox, stack.known_channels))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://recado.test/api/v1/channels"
    ) as client:
        channel = stack.generic if post is post_generic else stack.whatsapp
        return await post(client, channel, body), inbox


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (UnavailableError(), "unavailable"),
        (OverloadedError(retry_after_s=3), "overloaded"),
        (RecadoError(), "unavailable"),
        (RuntimeError("segredo da paciente"), "unavailable"),
    ],
)
async def test_a_fault_of_ours_asks_the_provider_to_come_again(stack, failure, code):
    response, _ = await post_failing(stack, {"site-1": failure}, encoded(), post_generic)
    assert_problem(response, 503, code)
    assert response.json()["retryable"] is True
    two = batch(("551", "site-1", "oi"), ("552", "site-2", "olá"))
    response, inbox = await post_failing(stack, {"site-1": failure}, two, post_whatsapp)
    assert_problem(response, 503, code)
    assert inbox.known == {"site-2"}  # the other patient's message went through, and will be a repeat
    assert "segredo" not in response.text


async def test_after_a_failure_one_patients_later_messages_wait_for_the_repeat(stack):
    body = batch(("551", "a", "primeira"), ("551", "b", "segunda"))
    _, inbox = await post_failing(stack, {"a": UnavailableError()}, body, post_whatsapp)
    assert inbox.known == set()


async def test_an_item_that_our_rules_refuse_is_counted_and_not_repeated_for_ever(stack):
    before = counted("whatsapp", "refused")
    body = batch(("551", "a", "oi"), ("551", "b", "olá"))
    response, inbox = await post_failing(stack, {"a": InvalidError()}, body, post_whatsapp)
    assert (response.status_code, response.json()) == (200, {"accepted": 1, "repeated": 0, "ignored": 1})
    assert inbox.known == {"b"}
    assert counted("whatsapp", "refused") == before + 1


bytes_or_damage = st.binary(max_size=200) | st.sampled_from(sorted(FIXTURES.glob("*.json"))).flatmap(
    lambda path: st.tuples(st.integers(0, path.stat().st_size - 1), st.binary(max_size=3)).map(
        lambda cut: path.read_bytes()[: cut[0]] + cut[1] + path.read_bytes()[cut[0] + 1 :]
    )
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bytes_or_damage)
async def test_any_signed_bytes_are_answered_200_or_400(stack, client, body):
    assert (await post_generic(client, stack.generic, body)).status_code in {200, 400}
    assert (await post_whatsapp(client, stack.whatsapp, body)).status_code in {200, 400}


@pytest.mark.parametrize("channel", ["generic", "nobody"])
async def test_a_body_may_be_slow_but_not_stand_still(stack, channel):
    """Else who says half of a body keeps a connection for ever; some thousands of them leave none for patients."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = application(stack.inbox, stack.known_channels)
    address = f"/api/v1/channels/{stack.generic.id if channel == 'generic' else new_id()}/inbound"
    head = f"POST {address} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with listening(app, listener, body_patience_s=0.3):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(head.encode())
        begun = asyncio.get_running_loop().time()
        answer = asyncio.create_task(reader.read())
        while asyncio.get_running_loop().time() < begun + 0.6:
            await asyncio.wait([answer], timeout=0.1)
            assert not reader.at_eof()
            writer.write(b"1\r\n{\r\n")
        ended = await asyncio.wait_for(answer, 10)
        writer.close()
    assert ended.startswith(b"HTTP/1.1 408" if channel == "generic" else b"HTTP/1.1 404")
    assert ended.count(b"HTTP/1.1") == 1
