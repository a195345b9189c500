"""A marked text goes every way through the channels; no log line, metric or answer to anybody holds it."""

import asyncio
import io
import json
import logging
import random
import time

import httpx
import pytest
import structlog
from prometheus_client import generate_latest

from channels.conftest import application
from channels.polling import eventually
from channels.serving import serving
from channels.stack import APP_SECRET, GENERIC_SECRET, Stack, running
from recado import observe
from recado.channels.sender import Sender, SenderSettings, http_client
from recado.channels.signatures import sign, sign_whatsapp
from recado.channels.standin import create_standin
from stock import now

MARK = "assunto-muito-particular"


def generic_bodies():
    right = {
        "externalId": "1",
        "from": {"id": "p", "name": MARK},
        "body": MARK,
        "sentAt": "2026-11-22T10:00:00Z",
    }
    yield json.dumps(right)
    for wrong in ({"externalId": [MARK]}, {"from": MARK}, {"body": {MARK: 1}}, {"sentAt": MARK}):
        yield json.dumps({**right, **wrong})
    yield json.dumps(right)[:-5]
    yield json.dumps(right) + MARK
    yield f'"{MARK} \\ud83d'


def whatsapp_bodies():
    def body(**message):
        whole = {"from": "551", "id": "w1", "timestamp": "1763802000", "type": "text", "text": {"body": MARK}}
        value = {"metadata": {"phone_number_id": "106540352242922"}, "messages": [{**whole, **message}]}
        return json.dumps({"entry": [{"changes": [{"value": value, "field": "messages"}]}]})

    yield body()
    for message in ({"type": MARK}, {"text": MARK}, {"id": [MARK]}, {"timestamp": MARK, "id": "w2"}):
        yield body(**message)
    yield body()[:-3]
    told = {"id": "w9", "status": "failed", "timestamp": "1763802000", "errors": [{"code": 5, "title": MARK}]}
    for status in (told, {**told, "status": MARK}, {**told, "errors": [{"code": MARK}]}, {"id": [MARK]}):
        value = {"metadata": {"phone_number_id": "106540352242922"}, "statuses": [status]}
        yield json.dumps({"entry": [{"changes": [{"value": value, "field": "messages"}]}]})


class FaultyInbox:
    async def receive(self, command):
        raise RuntimeError(command.body)

    async def report_status(self, command):
        raise RuntimeError(MARK)


async def post_everything(client, stack):
    posts = []
    for body in map(str.encode, generic_bodies()):
        headers = sign(GENERIC_SECRET, "m", int(time.time()), body)
        posts.append((f"/{stack.generic.id}/inbound", body, headers))
        posts.append((f"/{stack.generic.id}/inbound", body, {**headers, "webhook-signature": f"v1,{MARK}"}))
    for body in map(str.encode, whatsapp_bodies()):
        headers = {"X-Hub-Signature-256": sign_whatsapp(APP_SECRET, body)}
        posts.append((f"/{stack.whatsapp.id}/whatsapp", body, headers))
    posts.append((f"/{stack.generic.id}/whatsapp", *posts[0][1:]))
    return [await client.post(url, content=body, headers=headers) for url, body, headers in posts]


async def send_everything(stack, provider):
    """Replies that leave, that are refused with a quotation, and that are put off."""
    conversation_ids = [row[0] for row in stack.rows("SELECT id FROM conversations")]
    assert len(conversation_ids) == 2
    settings = SenderSettings(whatsapp_url="http://127.0.0.1:1", give_up_s=60)
    sender = Sender(stack.outbox, http_client, settings, now=now, random=random.Random(1))
    sending = asyncio.create_task(sender.run())
    async with http_client() as client:
        for failing in ({"times": 0}, {"times": 2, "status": 400}, {"times": 2, "status": 503}):
            (await client.post(f"{provider}/fail", json=failing)).raise_for_status()
            for conversation_id in conversation_ids:
                await stack.reply(conversation_id, MARK)
            await eventually(lambda: not stack.rows("SELECT 1 FROM outbox"), "every reply has its end")
    sender.stop()
    await sending


@pytest.fixture
def logged():
    """All that may be logged: our lines after the step that takes texts out, and the libraries' at debug level."""
    libraries = io.StringIO()
    handler = logging.StreamHandler(libraries)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with structlog.testing.capture_logs([observe._without_text]) as lines:
        yield lambda: f"{lines} {libraries.getvalue()}"
    root.removeHandler(handler)
    root.setLevel(level)


async def test_a_marked_text_is_in_no_log_line_metric_or_answer(database_url, logged):
    async with serving(create_standin()) as provider, running(Stack(database_url, provider)) as stack:
        answers = []
        for inbox in (FaultyInbox(), stack.inbox):
            transport = httpx.ASGITransport(application(inbox, stack.known_channels))
            base = "http://recado.test/api/v1/channels"
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                answers += await post_everything(client, stack)
        await send_everything(stack, provider)
    assert {answer.status_code for answer in answers} == {200, 400, 401, 404, 503}
    assert not [answer.status_code for answer in answers if MARK in answer.text]
    for event in ("webhook_received", "webhook_failed", "outbox_refused", "outbox_answered"):
        assert event in logged()
    assert MARK not in logged()
    assert MARK.encode() not in generate_latest()
