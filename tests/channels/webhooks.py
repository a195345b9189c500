"""Signed webhooks as providers post them, and what is said of their answers."""

import json
import time
from pathlib import Path

from channels.stack import APP_SECRET, GENERIC_SECRET
from recado.channels.signatures import sign, sign_whatsapp
from recado.observe import CHANNEL_ITEMS

FIXTURES = Path(__file__).parents[1] / "fixtures/whatsapp"


async def post_generic(client, channel, body, **headers):
    signed = sign(GENERIC_SECRET, "msg_1", int(time.time()), body)
    return await client.post(f"/{channel.id}/inbound", content=body, headers={**signed, **headers})


async def post_whatsapp(client, channel, body, **headers):
    signed = {"X-Hub-Signature-256": sign_whatsapp(APP_SECRET, body)}
    return await client.post(f"/{channel.id}/whatsapp", content=body, headers={**signed, **headers})


def fixture(name):
    return (FIXTURES / f"{name}.json").read_bytes()


def batch(*messages, statuses=()):
    """A WhatsApp body of (patient, wamid, text), and of statuses as they are."""
    value = json.loads(fixture("text"))
    value["entry"][0]["changes"][0]["value"] |= {
        "messages": [
            {"from": patient, "id": wamid, "timestamp": "1763802000", "type": "text", "text": {"body": text}}
            for patient, wamid, text in messages
        ],
        "statuses": list(statuses),
    }
    return json.dumps(value).encode()


def assert_problem(response, status, code, *errors):
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/problem+json")
    problem = response.json()
    assert problem["code"] == code
    assert [(error["path"], error["code"]) for error in problem.get("errors", [])] == list(errors)


def counted(channel, item):
    return CHANNEL_ITEMS.labels(channel, item)._value.get()
