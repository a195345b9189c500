"""Requests and answers, purely."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.stack import APP_SECRET, GENERIC_SECRET, NUMBER
from recado.channels.providers import (
    ACCESS_REFUSED,
    INCOMPLETE,
    MOVED,
    REFUSED,
    TOO_LONG,
    UNREACHABLE,
    WINDOW_CLOSED,
    Again,
    Post,
    Sent,
    compose,
    read_answer,
)
from recado.channels.signatures import verify
from recado.domain.accounts import Channel
from recado.domain.values import Failure
from recado.store.outbox import Departure

NOW = "2026-11-23T10:42:07.123Z"
NOW_S = 1_795_430_527
GENERIC = Channel(
    id="01a20627-5fab-7782-8b6a-55059d3927d7",
    clinic_id=7,
    kind="generic",
    name="Site",
    secret=GENERIC_SECRET,
    outbound_url="https://provider.example/in",
)
WHATSAPP = replace(
    GENERIC,
    kind="whatsapp",
    secret=APP_SECRET,
    phone_number_id=NUMBER,
    access_token="the access token",
    outbound_url=None,
)
DEPARTURE = Departure(
    clinic_id=7,
    channel=GENERIC,
    conversation_id="a conversation",
    message_id="a message",
    to_address="5511999990001",
    to_name="Maria das Dores",
    body="Pode ser às 10h 🙏",
    reply_to_external_id=None,
    attempts=1,
    queued_at="2026-11-23T10:42:00.000Z",
)


def composed(channel, **changes):
    departure = replace(DEPARTURE, channel=channel, **changes)
    return compose(departure, whatsapp_url="https://graph.example/v23.0/", now=NOW)


def answered(status, body=b"", kind="generic", **headers):
    return read_answer(kind, status, headers, body, now=NOW)


def whatsapp_error(code):
    return json.dumps({"error": {"code": code, "message": "segredo da paciente"}}).encode()


def test_a_generic_post_is_signed_and_has_one_key():
    post = composed(GENERIC, reply_to_external_id="site-1")
    assert post.url == "https://provider.example/in"
    assert post.headers["Idempotency-Key"] == post.headers["webhook-id"] == "a message"
    verify(GENERIC_SECRET, post.headers, post.content, now_s=NOW_S)
    assert json.loads(post.content) == {
        "type": "message.outbound",
        "timestamp": "2026-11-23T10:42:00.000Z",
        "data": {
            "messageId": "a message",
            "conversationId": "a conversation",
            "to": {"id": "5511999990001", "name": "Maria das Dores"},
            "body": "Pode ser às 10h 🙏",
            "replyToExternalId": "site-1",
        },
    }
    assert "replyToExternalId" not in json.loads(composed(GENERIC).content)["data"]


def test_a_whatsapp_post_is_what_the_cloud_api_takes():
    post = composed(WHATSAPP, reply_to_external_id="wamid.1")
    assert post.url == f"https://graph.example/v23.0/{NUMBER}/messages"
    assert post.headers["Authorization"] == "Bearer the access token"
    assert post.headers["Idempotency-Key"] == "a message"
    assert json.loads(post.content) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "5511999990001",
        "type": "text",
        "text": {"preview_url": False, "body": "Pode ser às 10h 🙏"},
        "context": {"message_id": "wamid.1"},
        "biz_opaque_callback_data": "a message",
    }
    assert "context" not in json.loads(composed(WHATSAPP).content)


def test_a_channels_own_address_replaces_the_cloud_apis():
    post = composed(replace(WHATSAPP, outbound_url="http://127.0.0.1:9/whatsapp/"))
    assert post.url == f"http://127.0.0.1:9/whatsapp/{NUMBER}/messages"


def test_every_attempt_sends_the_same_bytes():
    later = compose(
        replace(DEPARTURE, attempts=9), whatsapp_url="https://graph.example", now="2026-11-23T11:00:00.000Z"
    )
    assert later.content == composed(GENERIC).content


@pytest.mark.parametrize(
    "channel",
    [
        replace(GENERIC, outbound_url=None),
        replace(GENERIC, secret=""),
        replace(WHATSAPP, phone_number_id=None),
        replace(WHATSAPP, access_token=None),
    ],
)
def test_a_channel_without_what_sending_needs_fails_at_once(channel):
    assert composed(channel) == INCOMPLETE


def test_a_text_that_whatsapp_would_refuse_fails_at_once():
    assert composed(WHATSAPP, body="x" * 4097) == TOO_LONG
    assert isinstance(composed(WHATSAPP, body="x" * 4096), Post)
    assert isinstance(composed(GENERIC, body="x" * 16_384), Post)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_sent(status):
    assert answered(status) == Sent(None)


@pytest.mark.parametrize(
    ("kind", "body", "external_id"),
    [
        ("generic", b'{"externalId": "site-2"}', "site-2"),
        ("generic", b'{"externalId": 5}', None),
        ("generic", b'{"externalId": ""}', None),
        ("generic", b'{"externalId": "a\\u0000"}', None),
        ("generic", b'{"externalId": "' + b"x" * 257 + b'"}', None),
        ("generic", b"OK", None),
        ("whatsapp", b'{"messages": [{"id": "wamid.2"}]}', "wamid.2"),
        ("whatsapp", b'{"messages": []}', None),
        ("whatsapp", b'{"messages": ["x"]}', None),
    ],
)
def test_the_providers_id_is_taken_where_there_is_a_usable_one(kind, body, external_id):
    assert answered(200, body, kind) == Sent(external_id)


@pytest.mark.parametrize("status", [302, 307, 408, 425, 429, 500, 502, 503, 504])
def test_a_passing_state_of_the_provider_is_tried_again(status):
    assert answered(status) == Again()


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, REFUSED),
        (401, ACCESS_REFUSED),
        (403, ACCESS_REFUSED),
        (404, REFUSED),
        (410, REFUSED),
        (413, REFUSED),
        (422, REFUSED),
        (301, MOVED),
        (308, MOVED),
    ],
)
def test_a_refusal_is_final(status, failure):
    assert answered(status) == failure


@pytest.mark.parametrize("code", [4, 80007, 130429, 131048, 131056])
def test_whatsapps_throttling_is_no_refusal_though_it_comes_as_400(code):
    assert answered(400, whatsapp_error(code), "whatsapp") == Again()


@pytest.mark.parametrize(
    ("code", "failure"),
    [(131047, WINDOW_CLOSED), (131026, UNREACHABLE), (190, ACCESS_REFUSED), (100, REFUSED)],
)
def test_whatsapps_refusals_are_told_apart_in_our_own_words(code, failure):
    assert answered(400, whatsapp_error(code), "whatsapp") == failure


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Mon, 23 Nov 2026 10:43:07 GMT", 59.877),
        ("Mon, 23 Nov 2026 10:00:00 GMT", 0.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("٣", 0.0),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert answered(503, **{"retry-after": text}) == Again(seconds)


@given(st.sampled_from(["generic", "whatsapp"]), st.integers(100, 999), st.binary(max_size=60), st.text())
def test_any_answer_is_read_without_a_fault(kind, status, body, retry_after):
    assert isinstance(answered(status, body, kind, **{"retry-after": retry_after}), Sent | Again | Failure)


def test_no_failure_text_quotes_the_provider():
    for code in (131047, 100, 190):
        assert "segredo" not in answered(400, whatsapp_error(code), "whatsapp").message
