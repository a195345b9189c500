"""Patients' providers, as they reach Recado: posts signed by what their own documents say.

Written from those documents, and not with the code under test: Standard Webhooks 1.0, "Signature scheme"; Meta's
Cloud API, "Validating payloads".
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from pathlib import Path

import httpx

from e2e.processes import Server

PROVIDERS = httpx.Client(timeout=20)
"""One for all: a client of its own for each post costs 20 ms of certificates."""
WHATSAPP_BODIES = Path(__file__).resolve().parent.parent / "fixtures/whatsapp"


def deliver_whatsapp(server: Server, clinic_id: int, name: str) -> httpx.Response:
    """Post the file `name` as the WhatsApp Cloud API would."""
    channel = server.channel(clinic_id, "whatsapp")
    body = (WHATSAPP_BODIES / f"{name}.json").read_bytes()
    signature = hmac.new(channel["secret"].encode(), body, hashlib.sha256).hexdigest()
    return PROVIDERS.post(
        f"{server.url}/api/v1/channels/{channel['id']}/whatsapp",
        content=body,
        headers={"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"},
    )


def deliver(server: Server, clinic_id: int, name: str, text: str) -> httpx.Response:
    """A patient called `name` writes `text` through the clinic's generic channel."""
    channel = server.channel(clinic_id, "generic")
    headers, body = sign_generic(channel["secret"], name, text)
    return PROVIDERS.post(
        f"{server.url}/api/v1/channels/{channel['id']}/inbound", content=body, headers=headers
    )


def sign_generic(secret: str, name: str, text: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a generic channel's webhook: `name` writes `text`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message = {
        "externalId": str(uuid.uuid4()),
        "from": {"id": f"patient-{name.lower().replace(' ', '-')}", "name": name},
        "body": text,
        "sentAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    body = json.dumps(message).encode()
    head = {"webhook-id": f"msg_{message['externalId']}", "webhook-timestamp": str(int(time.time()))}
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"Content-Type": "application/json", **head, "webhook-signature": f"v1,{signature}"}, body
