"""The sender against the real outbox and a real provider on loopback: the stand-in, or one made for the story."""

import asyncio
import contextlib
import random

import httpx
import pytest
from litestar import Litestar, Request, Response, post
from msgspec.structs import replace
from standardwebhooks import Webhook

from channels.polling import eventually
from channels.serving import serving
from channels.stack import GENERIC_SECRET, NUMBER, Stack, running
from recado.app.inbox import EraseOrder
from recado.app.outbox import LEASE_S, Outbox
from recado.channels import sender as sender_module
from recado.channels.sender import MAX_AT_ONCE, MAX_OF_CHANNEL, Sender, SenderSettings, http_client
from recado.channels.standin import create_standin
from recado.domain.commands import ReceiveMessage
from recado.domain.instants import seconds_between, shift
from recado.domain.values import ChannelId
from recado.errors import MessageLeftError, UnavailableError
from recado.observe import OUTBOX_POSTS
from recado.store.sqlite import BUSY_TIMEOUT_S
from stock import new_id, now


class AtOnce(random.Random):
    """No jitter: every backoff is as short as it may be."""

    def uniform(self, a, b):
        return a


class Clock:
    """Wall-clock time that a test can move ahead."""

    def __init__(self):
        self.ahead_s = 0.0

    def __call__(self):
        return shift(now(), self.ahead_s)


@contextlib.asynccontextmanager
async def sending(stack, outbox=None, *, clock=now, give_up_s=86_400.0, stop_within_s=5.0):
    settings = SenderSettings(
        whatsapp_url="http://127.0.0.1:1", give_up_s=give_up_s, stop_within_s=stop_within_s
    )
    sender = Sender(outbox or stack.outbox, http_client, settings, now=clock, random=AtOnce())
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        sender.stop()
        await task


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def provider():
    """The stand-in's address."""
    async with serving(create_standin()) as url:
        yield url


@pytest.fixture
async def stack(database_url, provider, clock):
    async with running(Stack(database_url, provider, clock)) as stack:
        yield stack


async def conversation(stack, channel, patient="5511999990001", external_id=None):
    """A patient writes; the conversation's id."""
    command = ReceiveMessage(
        clinic_id=stack.clinic_id,
        channel=channel.ref,
        external_id=external_id or new_id(),
        contact_address=patient,
        contact_name="Maria",
        body="oi",
        sent_at=now(),
    )
    return (await stack.inbox.receive(command)).message.conversation_id


async def taken(provider):
    async with http_client() as client:
        return (await client.get(f"{provider}/messages")).json()["items"]


async def fail(provider, **failing):
    async with http_client() as client:
        (await client.post(f"{provider}/fail", json=failing)).raise_for_status()


def statuses(stack):
    """Of every outbound message, in the clinic's order."""
    query = "SELECT status FROM messages WHERE direction = 'outbound' ORDER BY seq"
    return [status for (status,) in stack.rows(query)]


def failure_of(stack):
    return stack.told[-1].message.failure


def waiting(stack):
    """(attempts, seconds until due) of every message in the outbox."""
    rows = stack.rows("SELECT attempts, due_at FROM outbox ORDER BY seq")
    return [(attempts, seconds_between(now(), due_at)) for attempts, due_at in rows]


@pytest.mark.parametrize("kind", ["generic", "whatsapp"])
async def test_a_reply_leaves_and_every_screen_is_told(stack, provider, kind):
    channel = getattr(stack, kind)
    conversation_id = await conversation(stack, channel)
    async with sending(stack):
        key = await stack.reply(conversation_id, "Pode ser às 10h 🙏")
        await eventually(lambda: statuses(stack) == ["sent"], "sent")
    [message] = await taken(provider)
    assert message["key"] == key
    assert message["channel"] == ("1" if kind == "generic" else NUMBER)
    assert message["to"] == "5511999990001"
    assert message["body"] == "Pode ser às 10h 🙏"
    assert message["repeats"] == 0
    assert stack.told[-1].record.type == "MessageStatusChanged"
    assert stack.rows("SELECT external_id FROM messages WHERE id = :id", id=key) == [(message["externalId"],)]
    assert waiting(stack) == []


async def test_what_was_queued_before_the_start_leaves_too(stack, provider):
    await stack.reply(await conversation(stack, stack.generic), "esperou")
    async with sending(stack):
        await eventually(lambda: statuses(stack) == ["sent"], "sent")
    assert len(await taken(provider)) == 1


async def test_a_patients_reply_to_a_sent_message_finds_it(stack, provider):
    conversation_id = await conversation(stack, stack.whatsapp)
    async with sending(stack):
        key = await stack.reply(conversation_id, "Quinta às 10h?")
        await eventually(lambda: statuses(stack) == ["sent"], "sent")
    [message] = await taken(provider)
    command = ReceiveMessage(
        clinic_id=stack.clinic_id,
        channel=stack.whatsapp.ref,
        external_id="wamid.answer",
        contact_address="5511999990001",
        contact_name="Maria",
        body="Pode ser",
        sent_at=now(),
        reply_to_external_id=message["externalId"],
    )
    assert (await stack.inbox.receive(command)).message.reply_to == key


async def test_our_reply_names_the_patients_message_by_the_providers_id(stack):
    posts = []

    @post("/in", status_code=200)
    async def record(request: Request) -> None:
        posts.append(await request.json())

    async with serving(Litestar([record])) as url:
        stack.put(replace(stack.generic, outbound_url=f"{url}/in"))
        conversation_id = await conversation(stack, stack.generic, external_id="site-7")
        [(asked,)] = stack.rows("SELECT id FROM messages")
        async with sending(stack):
            await stack.reply(conversation_id, "Pode", reply_to=asked)
            await eventually(lambda: statuses(stack) == ["sent"], "sent")
    assert posts[0]["data"]["replyToExternalId"] == "site-7"


async def test_every_attempt_has_the_same_key_and_body_and_a_signature_that_the_reference_accepts(stack):
    attempts = []

    @post("/in", status_code=200)
    async def refuse_twice(request: Request) -> Response:
        body = await request.body()
        Webhook(GENERIC_SECRET).verify(body, dict(request.headers))
        attempts.append((body, request.headers["idempotency-key"], request.headers["webhook-id"]))
        return Response(None, status_code=200 if len(attempts) == 3 else 503)

    async with serving(Litestar([refuse_twice])) as url:
        stack.put(replace(stack.generic, outbound_url=f"{url}/in"))
        async with sending(stack):
            key = await stack.reply(await conversation(stack, stack.generic), "Até amanhã")
            await eventually(lambda: statuses(stack) == ["sent"], "sent")
    assert len(attempts) == 3
    assert len(set(attempts)) == 1
    assert attempts[0][1:] == (key, key)


async def test_a_lost_answer_makes_no_second_message(stack, provider):
    await fail(provider, times=2, keep=True)
    async with sending(stack):
        await stack.reply(await conversation(stack, stack.generic), "uma vez")
        await eventually(lambda: statuses(stack) == ["sent"], "sent")
    [message] = await taken(provider)
    assert message["repeats"] == 2


@pytest.mark.parametrize(
    ("failing", "code"),
    [
        ({"status": 400}, "refused"),
        ({"status": 401}, "access_refused"),
        ({"status": 400, "code": 131047}, "window_closed"),
        ({"status": 308}, "address_moved"),
    ],
)
async def test_a_refusal_fails_the_message_in_our_own_words(stack, provider, failing, code):
    await fail(provider, **failing)
    async with sending(stack):
        await stack.reply(await conversation(stack, stack.whatsapp), "segredo da paciente")
        await eventually(lambda: statuses(stack) == ["failed"], "failed")
    assert failure_of(stack).code == code
    assert "segredo" not in failure_of(stack).message
    assert waiting(stack) == []


async def test_after_a_refused_message_the_conversations_next_one_leaves(stack, provider):
    await fail(provider, status=422)
    conversation_id = await conversation(stack, stack.generic)
    await stack.reply(conversation_id, "recusada")
    await stack.reply(conversation_id, "aceita")
    async with sending(stack):
        await eventually(lambda: statuses(stack) == ["failed", "sent"], "failed, sent")


@pytest.mark.parametrize(
    "broken",
    [
        {"outbound_url": None},
        {"outbound_url": "not an address"},
        {"outbound_url": "ftp://x/"},
        {"outbound_url": "http://[::1"},
        {"secret": ""},
    ],
)
async def test_a_channel_that_cannot_be_used_fails_its_messages(stack, broken):
    stack.put(replace(stack.generic, **broken))
    async with sending(stack):
        await stack.reply(await conversation(stack, stack.generic), "oi")
        await eventually(lambda: statuses(stack) == ["failed"], "failed")
    assert failure_of(stack).code == "channel_incomplete"


async def test_a_channel_that_is_switched_off_sends_nothing(stack, provider):
    stack.put(replace(stack.generic, active=False))
    async with sending(stack):
        await stack.reply(await conversation(stack, stack.generic), "oi")
        await eventually(lambda: statuses(stack) == ["failed"], "failed")
    assert failure_of(stack).code == "channel_off"
    assert await taken(provider) == []


async def test_a_redirect_is_not_followed(stack, provider):
    @post("/moved", status_code=200)
    async def moved() -> Response:
        return Response(None, status_code=302, headers={"Location": f"{provider}/generic/1"})

    async with serving(Litestar([moved])) as url:
        stack.put(replace(stack.generic, outbound_url=f"{url}/moved"))
        async with sending(stack):
            await stack.reply(await conversation(stack, stack.generic), "oi")
            await eventually(lambda: [row for row in waiting(stack) if row[0] >= 2], "tried again")
    assert await taken(provider) == []


async def test_retry_after_is_respected(stack, provider):
    await fail(provider, status=429, retryAfter=120)
    async with sending(stack):
        await stack.reply(await conversation(stack, stack.generic), "devagar")
        [(attempts, due_in_s)] = await eventually(
            lambda: [row for row in waiting(stack) if row[1] > LEASE_S], "postponed beyond the lease"
        )
    assert attempts == 1
    assert 110 < due_in_s <= 120
    assert statuses(stack) == ["queued"]


async def test_backoff_doubles_with_full_jitter_up_to_five_minutes():
    sender = Sender(None, http_client, None, now=now, random=random.Random(7))
    for attempts, most in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (5000, 300)]:
        delays = [sender._backoff_s(attempts) for _ in range(500)]
        assert 0 <= min(delays) < most * 0.1
        assert most * 0.9 < max(delays) <= most


async def test_it_gives_up_after_the_time_allowed(stack, provider, clock):
    await fail(provider, times=1000)
    async with sending(stack, clock=clock, give_up_s=3600):
        await stack.reply(await conversation(stack, stack.generic), "nunca")
        await eventually(lambda: waiting(stack) and waiting(stack)[0][0] >= 2, "tried twice")
        assert statuses(stack) == ["queued"]
        clock.ahead_s = 3601
        await eventually(lambda: statuses(stack) == ["failed"], "failed")
    assert failure_of(stack).code == "gave_up"
    assert await taken(provider) == []


async def test_the_last_attempt_falls_on_the_time_allowed(stack, provider, clock):
    await fail(provider, times=1000, retryAfter=7200)
    async with sending(stack, clock=clock, give_up_s=3600):
        await stack.reply(await conversation(stack, stack.generic), "ainda")
        [(_, due_in_s)] = await eventually(
            lambda: [row for row in waiting(stack) if row[1] > LEASE_S], "postponed"
        )
    assert 3590 < due_in_s <= 3600


async def test_a_conversations_replies_leave_in_the_order_they_were_written(stack, provider):
    conversation_id = await conversation(stack, stack.generic)
    await fail(provider, times=3)
    async with sending(stack):
        for number in range(6):
            await stack.reply(conversation_id, f"{number}")
        await eventually(lambda: statuses(stack) == ["sent"] * 6, "all sent")
    assert [message["body"] for message in await taken(provider)] == list("012345")


async def test_a_reply_edited_while_it_waits_leaves_with_its_new_text(stack, provider):
    key = await stack.reply(await conversation(stack, stack.generic), "Quinta às 10h")
    await stack.edit(key, "Sexta às 10h")
    async with sending(stack):
        await eventually(lambda: statuses(stack) == ["sent"], "sent")
    [message] = await taken(provider)
    assert (message["key"], message["body"]) == (key, "Sexta às 10h")


async def test_a_reply_deleted_while_it_waits_never_leaves_and_holds_nothing_back(stack, provider):
    conversation_id = await conversation(stack, stack.generic)
    deleted = await stack.reply(conversation_id, "para a pessoa errada")
    await stack.reply(conversation_id, "Até amanhã")
    await stack.delete(deleted)
    async with sending(stack):
        await eventually(lambda: statuses(stack)[1] == "sent", "the next one was sent")
    assert [message["body"] for message in await taken(provider)] == ["Até amanhã"]
    assert waiting(stack) == []


async def test_a_provider_that_is_down_for_a_while_costs_nothing(stack):
    async with serving(create_standin()) as url:
        pass
    port = httpx.URL(url).port
    stack.put(replace(stack.generic, outbound_url=f"{url}/generic/1"))
    async with sending(stack):
        await stack.reply(await conversation(stack, stack.generic), "paciência")
        await eventually(lambda: waiting(stack) and waiting(stack)[0][0] >= 2, "tried twice")
        async with serving(create_standin(), port=port):
            await eventually(lambda: statuses(stack) == ["sent"], "sent")
            assert len(await taken(url)) == 1


class SlowProvider:
    """Holds every post until it is told to answer."""

    def __init__(self):
        self.arrived = []
        self.bodies = []
        self.most_at_once = self.at_once = 0
        self.answer = asyncio.Event()
        self.url = ""

    def app(self):
        @post("/in", status_code=200)
        async def take(request: Request) -> dict[str, str]:
            self.arrived.append(request.headers["idempotency-key"])
            self.bodies.append((await request.json())["data"]["body"])
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await self.answer.wait()
            self.at_once -= 1
            return {"externalId": f"x-{request.headers['idempotency-key']}"}

        return Litestar([take])


@pytest.fixture
async def slow(stack):
    provider = SlowProvider()
    async with serving(provider.app()) as url:
        provider.url = f"{url}/in"
        stack.put(replace(stack.generic, outbound_url=provider.url))
        yield provider
        provider.answer.set()


async def replies(stack, channel, count):
    """To as many patients."""
    for patient in range(count):
        await stack.reply(await conversation(stack, channel, f"patient-{patient}"), "oi")


async def test_no_more_than_so_many_posts_of_a_channel_are_under_way_at_once(stack, slow):
    await replies(stack, stack.generic, 3 * MAX_OF_CHANNEL)
    async with sending(stack):
        await eventually(lambda: len(slow.arrived) == MAX_OF_CHANNEL, "as many as may")
        slow.answer.set()
        await eventually(lambda: statuses(stack) == ["sent"] * 3 * MAX_OF_CHANNEL, "all sent")
    assert slow.most_at_once == MAX_OF_CHANNEL
    assert len(set(slow.arrived)) == len(slow.arrived) == 3 * MAX_OF_CHANNEL


def channels_like(stack, channel, count):
    """`channel`, so many times over."""
    copies = [replace(channel, id=ChannelId(new_id())) for _ in range(count)]
    for copy in copies:
        stack.put(copy)
    return copies


async def test_no_more_than_so_many_posts_are_under_way_at_once(stack, slow):
    slow_generic = replace(stack.generic, outbound_url=slow.url)
    for channel in channels_like(stack, slow_generic, 5):
        await replies(stack, channel, MAX_OF_CHANNEL)
    async with sending(stack):
        await eventually(lambda: len(slow.arrived) == MAX_AT_ONCE, "as many as may")
        slow.answer.set()
        await eventually(lambda: statuses(stack) == ["sent"] * 5 * MAX_OF_CHANNEL, "all sent")
    assert slow.most_at_once == MAX_AT_ONCE


async def test_a_provider_that_hangs_does_not_hold_up_anothers_replies(stack, slow, provider):
    await replies(stack, stack.generic, 3 * MAX_OF_CHANNEL)
    async with sending(stack):
        await eventually(lambda: len(slow.arrived) == MAX_OF_CHANNEL, "the first wait for their provider")
        await stack.reply(await conversation(stack, stack.whatsapp), "Pode ser às 10h")
        await eventually(lambda: "sent" in statuses(stack), "the other channel's was sent")
        assert [message["body"] for message in await taken(provider)] == ["Pode ser às 10h"]
        slow.answer.set()
        await eventually(lambda: set(statuses(stack)) == {"sent"}, "all sent")


async def test_providers_that_are_known_to_hang_leave_half_of_the_room(stack, slow, monkeypatch):
    monkeypatch.setattr(sender_module, "SLOW_S", 0.0)
    hanging = channels_like(stack, replace(stack.generic, outbound_url=slow.url), MAX_AT_ONCE)
    slow.answer.set()
    async with sending(stack):
        for channel in hanging:  # each answers slowly once, and is known from there on
            await replies(stack, channel, 1)
        await eventually(lambda: statuses(stack) == ["sent"] * MAX_AT_ONCE, "all are known")
        slow.answer.clear()
        slow.arrived.clear()
        await asyncio.gather(*(replies(stack, channel, 2) for channel in hanging))
        await eventually(lambda: len(slow.arrived) == MAX_AT_ONCE // 2, "half of the room is theirs")
        await stack.reply(await conversation(stack, stack.whatsapp), "Pode ser às 10h")
        await eventually(lambda: statuses(stack)[-1] == "sent", "the other channel's was sent")
        assert len(slow.arrived) == MAX_AT_ONCE // 2
        slow.answer.set()
        await eventually(lambda: set(statuses(stack)) == {"sent"}, "all sent")


async def test_a_channel_that_answered_slowly_has_one_post_at_a_time_until_it_answers_in_time(
    stack, slow, monkeypatch
):
    monkeypatch.setattr(sender_module, "SLOW_S", 0.0)
    slow.answer.set()
    async with sending(stack):
        await replies(stack, stack.generic, 1)
        await eventually(lambda: statuses(stack) == ["sent"], "known to be slow")
        slow.most_at_once = 0
        await replies(stack, stack.generic, MAX_OF_CHANNEL)
        await eventually(lambda: statuses(stack) == ["sent"] * (1 + MAX_OF_CHANNEL), "sent one by one")
        assert slow.most_at_once == 1
        monkeypatch.setattr(sender_module, "SLOW_S", 60.0)
        slow.answer.clear()
        await replies(stack, stack.generic, MAX_OF_CHANNEL)
        await eventually(lambda: slow.at_once, "the next one")
        slow.answer.set()
        await eventually(lambda: slow.most_at_once == 1 and set(statuses(stack)) == {"sent"}, "sent")
        slow.answer.clear()
        await replies(stack, stack.generic, MAX_OF_CHANNEL)
        await eventually(lambda: slow.at_once == MAX_OF_CHANNEL, "as many as may again")
        slow.answer.set()
        await eventually(lambda: set(statuses(stack)) == {"sent"}, "sent")


async def test_what_waits_behind_a_post_under_way_may_still_change(stack, slow):
    conversation_id = await conversation(stack, stack.generic)
    async with sending(stack):
        first, edited, deleted = [await stack.reply(conversation_id, body) for body in ("um", "dois", "três")]
        await eventually(lambda: slow.arrived, "the first is under way")
        await stack.edit(edited, "2")
        await stack.delete(deleted)
        for change in (stack.edit(first, "1"), stack.delete(first)):
            with pytest.raises(MessageLeftError):
                await change
        slow.answer.set()
        await eventually(lambda: waiting(stack) == [], "all sent")
    assert slow.arrived == [first, edited]
    assert slow.bodies == ["um", "2"]


async def test_a_conversation_that_is_deleted_under_a_post_leaves_nothing_to_be_posted_again(stack, slow):
    conversation_id = await conversation(stack, stack.generic)
    async with sending(stack):
        first, _ = [await stack.reply(conversation_id, body) for body in ("um", "dois")]
        await eventually(lambda: slow.arrived, "the first is under way")
        order = EraseOrder(conversation_id=conversation_id, client_key=new_id())
        await stack.inbox.delete_conversation(replace(stack.member, roles={stack.clinic_id: "admin"}), order)
        unrecorded = OUTBOX_POSTS.labels("generic", "unrecorded")._value.get()
        sent = OUTBOX_POSTS.labels("generic", "sent")._value.get()
        slow.answer.set()
        await eventually(lambda: OUTBOX_POSTS.labels("generic", "sent")._value.get() > sent, "sent")
    assert slow.arrived == [first]
    assert waiting(stack) == []
    assert OUTBOX_POSTS.labels("generic", "unrecorded")._value.get() == unrecorded


async def test_a_reply_that_was_tried_once_is_not_changed_any_more(stack, provider):
    await fail(provider, times=1, status=429, retryAfter=120)
    async with sending(stack):
        key = await stack.reply(await conversation(stack, stack.generic), "talvez já esteja lá")
        await eventually(lambda: [row for row in waiting(stack) if row[1] > LEASE_S], "postponed")
    for change in (stack.edit(key, "outra coisa"), stack.delete(key)):
        with pytest.raises(MessageLeftError):
            await change


async def test_a_stop_finishes_what_is_under_way(stack, slow):
    async with sending(stack) as sender:
        await stack.reply(await conversation(stack, stack.generic, "1"), "sai")
        await eventually(lambda: slow.arrived, "under way")
        sender.stop()
        await stack.reply(await conversation(stack, stack.generic, "2"), "fica")
        slow.answer.set()
    assert statuses(stack) == ["sent", "queued"]


async def test_a_stop_does_not_wait_for_ever_and_the_message_leaves_after_the_lease(stack, slow, clock):
    key = await stack.reply(await conversation(stack, stack.generic), "preso")
    async with sending(stack, clock=clock, stop_within_s=0.05):
        await eventually(lambda: slow.arrived, "under way")
    assert statuses(stack) == ["queued"]
    slow.answer.set()
    async with sending(stack, clock=clock):
        assert await stack.outbox.lease(10) == []  # still leased: nobody posts it twice at once
        clock.ahead_s = LEASE_S + 1
        stack.outbox.wake.set()
        await eventually(lambda: statuses(stack) == ["sent"], "sent")
    assert slow.arrived == [key, key]


async def test_a_cancelled_sender_leaves_no_post_behind(stack, slow):
    await stack.reply(await conversation(stack, stack.generic), "oi")
    settings = SenderSettings(whatsapp_url="http://127.0.0.1:1", give_up_s=60, stop_within_s=0.05)
    sender = Sender(stack.outbox, http_client, settings, now=now, random=AtOnce())
    task = asyncio.create_task(sender.run())
    await eventually(lambda: slow.arrived, "under way")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not sender._posting


class ForgetfulOutbox(Outbox):
    """The database stays away the first time each thing is asked of it."""

    def __init__(self, stack):
        super().__init__(stack.database, stack.inbox, now)
        self.wake = stack.outbox.wake
        self.refused = set()

    def _refuse_once(self, name):
        if name not in self.refused:
            self.refused.add(name)
            raise UnavailableError

    async def lease(self, limit, **shares):
        self._refuse_once("lease")
        return await super().lease(limit, **shares)

    async def sent(self, departure, external_id):
        self._refuse_once("sent")
        await super().sent(departure, external_id)


async def test_a_database_that_stays_away_for_a_moment_causes_no_second_post(stack, provider):
    outbox = ForgetfulOutbox(stack)
    async with sending(stack, outbox):
        await stack.reply(await conversation(stack, stack.generic), "oi")
        await eventually(lambda: statuses(stack) == ["sent"], "sent")
    assert outbox.refused == {"lease", "sent"}
    [message] = await taken(provider)
    assert message["repeats"] == 0


async def raw_provider(answer: bytes):
    """A provider that writes these bytes to every post and then says nothing more."""

    async def speak(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    return await asyncio.start_server(speak, "127.0.0.1", 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n" + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\ncontent-encoding: gzip\r\n\r\nthis is not gzip. :)",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
async def test_a_200_counts_whatever_its_body_is(stack, answer):
    async with await raw_provider(answer) as server:
        stack.put(
            replace(stack.generic, outbound_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        )
        async with sending(stack):
            await stack.reply(await conversation(stack, stack.generic), "oi")
            await eventually(lambda: statuses(stack) == ["sent"], "sent")


@pytest.mark.parametrize("answer", [b"", b"rubbish\r\n\r\n", b"HTTP/1.1 999999 ?\r\n\r\n"])
async def test_an_answer_that_is_no_http_is_tried_again(stack, answer):
    async def speak(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        stack.put(
            replace(stack.generic, outbound_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        )
        async with sending(stack):
            await stack.reply(await conversation(stack, stack.generic), "oi")
            await eventually(lambda: waiting(stack) and waiting(stack)[0][0] >= 2, "tried again")
    assert statuses(stack) == ["queued"]


async def test_a_provider_that_never_answers_is_asked_again(stack, slow, monkeypatch):
    monkeypatch.setattr(sender_module, "HEAD_S", 0.05)
    async with sending(stack):
        await stack.reply(await conversation(stack, stack.generic), "oi")
        await eventually(lambda: waiting(stack) and waiting(stack)[0][0] >= 2, "tried again")
    assert statuses(stack) == ["queued"]


async def test_a_200_whose_body_never_ends_is_not_posted_again(stack, monkeypatch):
    monkeypatch.setattr(sender_module, "BODY_S", 0.05)
    async with await raw_provider(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx") as server:
        stack.put(
            replace(stack.generic, outbound_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        )
        async with sending(stack):
            await stack.reply(await conversation(stack, stack.generic), "oi")
            await eventually(lambda: statuses(stack) == ["sent"], "sent")


def test_one_attempt_and_its_record_fit_into_the_lease():
    tries = len(sender_module.RECORD_DELAYS_S) + 1
    recording_s = sum(sender_module.RECORD_DELAYS_S) + tries * BUSY_TIMEOUT_S
    assert sender_module.HEAD_S + sender_module.BODY_S + recording_s < LEASE_S


async def test_posts_are_counted_by_outcome(stack, provider):
    def counts():
        return {
            outcome: OUTBOX_POSTS.labels("generic", outcome)._value.get()
            for outcome in ("sent", "refused", "again")
        }

    before = counts()
    await fail(provider, times=2)
    async with sending(stack):
        await stack.reply(await conversation(stack, stack.generic), "oi")
        await eventually(lambda: statuses(stack) == ["sent"], "sent")
    assert {outcome: count - before[outcome] for outcome, count in counts().items()} == {
        "sent": 1,
        "refused": 0,
        "again": 2,
    }
