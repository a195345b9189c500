"""What a provider says of a message after it took it, from the webhook to every screen."""

import time

import httpx
import pytest

from channels.conftest import application
from channels.webhooks import assert_problem, batch, counted, fixture, post_whatsapp
from recado.app.outbox import LEASE_S
from recado.channels.delivery import MAX_AT_ONCE
from recado.channels.providers import WINDOW_CLOSED
from recado.domain.commands import ReceiveMessage
from recado.errors import UnavailableError
from stock import new_id, now

TAKEN = {"accepted": 1, "repeated": 0, "ignored": 0}
IGNORED = {"accepted": 0, "repeated": 0, "ignored": 1}
WAMID = "wamid.HBgMNTUxMTk5OTk500000900"
"""Of the message that the fixtures are about; of the failed one's, the last figure is 1."""


async def leaving(stack, channel=None, patient="5511999990001"):
    """A reply that is just being posted."""
    channel = channel or stack.whatsapp
    command = ReceiveMessage(
        clinic_id=stack.clinic_id,
        channel=channel.ref,
        external_id=new_id(),
        contact_address=patient,
        contact_name="Maria",
        body="oi",
        sent_at=now(),
    )
    conversation_id = (await stack.inbox.receive(command)).message.conversation_id
    await stack.reply(conversation_id, "Até amanhã")
    [departure] = await stack.outbox.lease(1)
    return departure


async def left(stack, wamid=WAMID, **where):
    """A reply that the provider took under this id; ours."""
    departure = await leaving(stack, **where)
    await stack.outbox.sent(departure, wamid)
    return departure.message_id


def status_of(stack, message_id):
    [(status,)] = stack.rows("SELECT status FROM messages WHERE id = :id", id=message_id)
    return status


def told(status, wamid=WAMID, *, age_s=0.0, of=None):
    """A status as the Cloud API says it; `of` is what it echoes."""
    echoed = {} if of is None else {"biz_opaque_callback_data": of}
    return {"id": wamid, "status": status, "timestamp": str(int(time.time() - age_s)), **echoed}


@pytest.mark.parametrize("status", ["delivered", "read"])
async def test_a_status_moves_the_message_and_every_screen_is_told(stack, client, status):
    before = counted("whatsapp", "status")
    message_id = await left(stack)
    response = await post_whatsapp(client, stack.whatsapp, fixture(f"status_{status}"))
    assert (response.status_code, response.json()) == (200, TAKEN)
    assert status_of(stack, message_id) == status
    assert (stack.told[-1].record.type, stack.told[-1].message.id) == ("MessageStatusChanged", message_id)
    assert stack.told[-1].message.status == status
    assert counted("whatsapp", "status") == before + 1


async def test_a_reply_outside_the_window_fails_in_our_own_words_and_is_no_answer(stack, client):
    message_id = await left(stack, f"{WAMID[:-1]}1")
    assert stack.told[-1].conversation.waiting_since is None
    response = await post_whatsapp(client, stack.whatsapp, fixture("status_failed"))
    assert response.json() == TAKEN
    assert status_of(stack, message_id) == "failed"
    assert stack.told[-1].message.failure == WINDOW_CLOSED
    assert stack.told[-1].conversation.waiting_since is not None
    assert b"more than 24 hours have passed" in fixture("status_failed")
    assert "have passed" not in str(stack.rows("SELECT * FROM messages"))


async def test_late_and_repeated_statuses_are_taken_and_change_nothing(stack, client):
    message_id = await left(stack)
    await post_whatsapp(client, stack.whatsapp, fixture("status_read"))
    records = len(stack.told)
    for name in ("status_read", "status_delivered", "status_sent"):
        assert (await post_whatsapp(client, stack.whatsapp, fixture(name))).json() == TAKEN
    assert status_of(stack, message_id) == "read"
    assert len(stack.told) == records


async def test_a_body_of_messages_and_statuses_is_committed_whole(stack, client):
    count = 2 * MAX_AT_ONCE
    ours = [await left(stack, f"wamid.out.{n}", patient=f"55{n}") for n in range(count)]
    statuses = [told(status, f"wamid.out.{n}") for status in ("delivered", "read") for n in range(count)]
    answers = [(f"55{n}", f"wamid.in.{n}", "obrigada") for n in range(count)]
    response = await post_whatsapp(client, stack.whatsapp, batch(*answers, statuses=statuses))
    assert response.json() == {"accepted": 3 * count, "repeated": 0, "ignored": 0}
    assert {status_of(stack, message_id) for message_id in ours} == {"read"}
    assert stack.bodies().count("obrigada") == count
    delivered = [one for one in stack.told if one.message.status == "delivered"]
    assert len(delivered) == count  # each before its `read`, since a status never goes back


async def test_a_status_of_a_message_that_never_left_from_here_is_counted(stack, client):
    before = counted("whatsapp", "status_unknown")
    await left(stack, channel=stack.generic)  # the same id, but another channel's
    response = await post_whatsapp(client, stack.whatsapp, fixture("status_delivered"))
    assert (response.status_code, response.json()) == (200, IGNORED)
    assert counted("whatsapp", "status_unknown") == before + 1


async def test_a_status_on_a_patients_own_message_changes_nothing(stack, client):
    await post_whatsapp(client, stack.whatsapp, batch(("5511999990001", WAMID, "oi")))
    assert (await post_whatsapp(client, stack.whatsapp, fixture("status_read"))).json() == TAKEN
    assert len(stack.told) == 1


@pytest.mark.parametrize("status", ["delivered", "read", "failed"])
async def test_a_status_that_overtakes_the_answer_to_our_post_is_asked_for_again(stack, client, status):
    departure = await leaving(stack)
    body = batch(("552", "wamid.in", "olá"), statuses=[told(status, of=departure.message_id)])
    response = await post_whatsapp(client, stack.whatsapp, body)
    assert_problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "1"
    assert "olá" in stack.bodies()  # what came with it is not held back
    assert status_of(stack, departure.message_id) == "queued"

    await stack.outbox.sent(departure, WAMID)
    response = await post_whatsapp(client, stack.whatsapp, body)
    assert response.json() == {"accepted": 1, "repeated": 1, "ignored": 0}
    assert status_of(stack, departure.message_id) == status


async def test_an_unknown_status_is_not_asked_for_again_for_ever(stack, client):
    departure = await leaving(stack)
    for status in (
        told("delivered", of=departure.message_id, age_s=LEASE_S + 2),
        told("delivered", of="another system's"),
        told("delivered"),
        told("sent", of=departure.message_id),
    ):
        response = await post_whatsapp(client, stack.whatsapp, batch(statuses=[status]))
        assert (response.status_code, response.json()) == (200, IGNORED)


class FaultyInbox:
    def __init__(self, fault):
        self.fault = fault

    async def report_status(self, command):
        raise self.fault


@pytest.mark.parametrize("fault", [UnavailableError(), RuntimeError("segredo da paciente")])
async def test_a_status_that_we_could_not_take_is_asked_for_again(stack, fault):
    transport = httpx.ASGITransport(application(FaultyInbox(fault), stack.known_channels))
    base = "http://recado.test/api/v1/channels"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        response = await post_whatsapp(client, stack.whatsapp, fixture("status_read"))
    assert_problem(response, 503, "unavailable")
    assert "segredo" not in response.text
