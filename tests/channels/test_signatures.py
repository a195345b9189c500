"""The `standardwebhooks` package is the oracle, both ways."""

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from recado.channels.signatures import (
    TOLERANCE_S,
    SecretError,
    sign,
    sign_whatsapp,
    verify,
    verify_whatsapp,
)
from recado.errors import SignatureError

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four bytes").decode()
NOW = 1_763_802_000
BODY = '{"body":"Às 10h? 🙏"}'.encode()

keys = st.binary(min_size=1, max_size=64)
bodies = st.text().map(str.encode)
webhook_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)


@given(keys, webhook_ids, bodies)
def test_the_reference_accepts_what_we_sign(key, webhook_id, body):
    secret = "whsec_" + base64.b64encode(key).decode()
    Webhook(secret).verify(body, sign(secret, webhook_id, int(time.time()), body), json_parse=False)


@given(keys, webhook_ids, bodies, st.integers(0, 4_000_000_000))
def test_we_accept_what_the_reference_signs(key, webhook_id, body, timestamp):
    secret = "whsec_" + base64.b64encode(key).decode().rstrip("=")
    signature = Webhook(secret).sign(webhook_id, datetime.fromtimestamp(timestamp, UTC), body.decode())
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }
    verify(secret, headers, body, now_s=timestamp)


def test_both_refuse_a_changed_body():
    headers = sign(SECRET, "msg_1", int(time.time()), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", headers)
    with pytest.raises(SignatureError):
        verify(SECRET, headers, BODY + b" ", now_s=time.time())


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_needed_and_signed(name):
    headers = sign(SECRET, "msg_1", NOW, BODY)
    verify(SECRET, headers, BODY, now_s=NOW)
    for changed in (
        {key: value for key, value in headers.items() if key != name},
        {**headers, name: ""},
        {**headers, name: "1763802001"},
    ):
        with pytest.raises(SignatureError):
            verify(SECRET, changed, BODY, now_s=NOW)


@pytest.mark.parametrize(("skew", "accepted"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_timestamps_are_tolerated_for_five_minutes_both_ways(skew, accepted):
    assert TOLERANCE_S == 300
    headers = sign(SECRET, "msg_1", NOW, BODY)
    if accepted:
        verify(SECRET, headers, BODY, now_s=NOW + skew)
    else:
        with pytest.raises(SignatureError):
            verify(SECRET, headers, BODY, now_s=NOW + skew)


def test_any_one_of_several_signatures_is_enough():
    headers = sign(SECRET, "msg_1", NOW, BODY)
    ours = headers["webhook-signature"]
    old = sign("whsec_b2xkIGtleQ==", "msg_1", NOW, BODY)["webhook-signature"]
    for text in (f"{old} {ours}", f"v1a,AAAA {ours} {old}", f"rubbish {ours}"):
        verify(SECRET, {**headers, "webhook-signature": text}, BODY, now_s=NOW)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=60))
def test_any_other_signature_text_is_refused_and_nothing_else_happens(text):
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(NOW), "webhook-signature": text}
    with pytest.raises(SignatureError):
        verify(SECRET, headers, BODY, now_s=NOW)
    with pytest.raises(SignatureError):
        verify_whatsapp("app secret", text, BODY)


@pytest.mark.parametrize("timestamp", ["-1", "1e9", "1763802000.0", "nan", "٣", "9" * 5000, " 1763802000"])
def test_a_timestamp_that_is_no_plain_number_is_refused(timestamp):
    headers = sign(SECRET, "msg_1", NOW, BODY) | {"webhook-timestamp": timestamp}
    with pytest.raises(SignatureError):
        verify(SECRET, headers, BODY, now_s=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_====", "whsec_not base64!", "whsec_é"])
def test_a_channel_without_a_usable_secret_trusts_nobody(secret):
    with pytest.raises(SecretError):
        sign(secret, "msg_1", NOW, BODY)
    empty_key = base64.b64encode(hmac.new(b"", f"m.{NOW}.".encode() + BODY, hashlib.sha256).digest()).decode()
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(NOW),
        "webhook-signature": f"v1,{empty_key}",
    }
    with pytest.raises(SignatureError):
        verify(secret, headers, BODY, now_s=NOW)


def test_whatsapp_signature_is_the_hex_hmac_of_the_raw_body():
    header = sign_whatsapp("app secret", BODY)
    assert header == "sha256=" + hmac.new(b"app secret", BODY, hashlib.sha256).hexdigest()
    verify_whatsapp("app secret", header, BODY)


@pytest.mark.parametrize("header", [None, "", "sha256=", "sha1=00", "sha256=" + "0" * 64])
def test_whatsapp_body_without_our_signature_is_refused(header):
    with pytest.raises(SignatureError):
        verify_whatsapp("app secret", header, BODY)


def test_an_empty_app_secret_trusts_nobody():
    header = "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    with pytest.raises(SignatureError):
        verify_whatsapp("", header, BODY)
    with pytest.raises(SecretError):
        sign_whatsapp("", BODY)


def test_a_refusal_tells_nothing_of_secret_body_or_header():
    with pytest.raises(SignatureError) as refused:
        verify("whsec_c2VncmVkbw==", sign(SECRET, "msg_1", NOW, BODY), BODY, now_s=NOW)
    assert str(refused.value) == SignatureError.title
    assert refused.value.__cause__ is None
