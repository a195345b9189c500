"""The parser alone, on the provider's own shapes and on what no provider should send."""

import copy
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.stack import APP_SECRET, NUMBER
from recado.app.outbox import LEASE_S
from recado.channels.providers import UNDELIVERED, UNREACHABLE, WINDOW_CLOSED
from recado.channels.whatsapp import MAX_ID_CHARS, challenge, parse
from recado.domain.accounts import Channel
from recado.domain.commands import ReportStatus
from recado.errors import ForbiddenError

FIXTURES = Path(__file__).parents[1] / "fixtures/whatsapp"
NOW_S = 1_763_802_600.0
NOW = "2025-11-22T09:10:00.000Z"
CHANNEL = Channel(
    id="01a20627-5fab-7782-8b6a-55059d3927d7",
    clinic_id=7,
    kind="whatsapp",
    name="WhatsApp",
    secret=APP_SECRET,
    verify_token="the verify token",
    phone_number_id=NUMBER,
)


def body(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def read(value):
    ids = itertools.count(1)
    return parse(value, CHANNEL, now_s=NOW_S, new_id=lambda: f"attachment-{next(ids)}")


def message_of(name="text", **changes):
    """The fixture's body with its first message changed; None takes a field away."""
    value = body(name)
    message = value["entry"][0]["changes"][0]["value"]["messages"][0]
    for field, change in changes.items():
        message[field] = change
        if change is None:
            del message[field]
    return value


def test_text_becomes_a_message():
    [(kind, command)] = read(body("text")).items
    assert kind == "text"
    assert command.clinic_id == 7
    assert command.channel == CHANNEL.ref
    assert command.external_id == "wamid.HBgMNTUxMTk5OTk500000001"
    assert command.contact_address == "5511999990001"
    assert command.contact_name == "Maria das Dores"
    assert command.body == "Bom dia! Gostaria de remarcar minha consulta de amanhã. 🙏"
    assert command.sent_at == "2025-11-22T09:00:00.000Z"
    assert command.attachments == ()
    assert command.reply_to_external_id is None


def test_a_reply_names_what_it_answers():
    [(_, command)] = read(body("reply_to")).items
    assert command.reply_to_external_id == "wamid.HBgMNTUxMTk5OTk500000900"
    assert command.body == "Pode ser quinta às 10h"


def test_an_image_is_an_attachment_and_its_caption_the_body():
    [(kind, command)] = read(body("image_with_caption")).items
    assert kind == "image"
    assert command.body == "Segue o pedido do exame"
    [known] = command.attachments
    assert known.external_id == "2754859441498128"
    assert known.attachment.id == "attachment-1"
    assert known.attachment.kind == "image"
    assert known.attachment.mime_type == "image/jpeg"
    assert known.attachment.status == "pending"
    assert known.attachment.name is None


@pytest.mark.parametrize("kind", ["video", "document", "audio", "sticker"])
def test_every_kind_of_file_becomes_an_attachment(kind):
    media = {"id": "42", "mime_type": "application/pdf", "filename": "exame\n.pdf"}
    [(read_kind, command)] = read(message_of(type=kind, text=None, **{kind: media})).items
    assert read_kind == kind
    assert command.body == ""
    assert command.attachments[0].attachment.kind == kind
    assert command.attachments[0].attachment.name == "exame .pdf"


def test_a_batch_gives_each_patient_their_name():
    commands = [command for _, command in read(body("batch_two_patients")).items]
    assert [(command.contact_name, command.contact_address) for command in commands] == [
        ("Ana Lúcia", "5511999990003"),
        ("Pedro Álvares", "5511999990004"),
    ]


@pytest.mark.parametrize(
    ("name", "ignored"),
    [("reaction", {"reaction": 1}), ("unsupported", {"unsupported": 1})],
)
def test_what_is_neither_message_nor_status_is_counted_by_kind(name, ignored):
    inbound = read(body(name))
    assert inbound.items == ()
    assert inbound.ignored == ignored


@pytest.mark.parametrize("kind", ["location", "interactive", "order", "a type of next year", ""])
def test_an_unknown_type_is_counted(kind):
    assert read(message_of(type=kind)).ignored == {"unknown": 1}


def test_a_body_for_another_number_is_ignored():
    value = body("batch_two_patients")
    value["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "1"
    inbound = read(value)
    assert inbound.items == ()
    assert inbound.ignored == {"other_number": 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": ""},
        {"id": 5},
        {"id": "x" * (MAX_ID_CHARS + 1)},
        {"id": "a\x00b"},
        {"from": None},
        {"type": None},
        {"text": None},
        {"text": {"body": ""}},
        {"text": {"body": " \n "}},
        {"text": {"body": ["oi"]}},
        {"text": "oi"},
        {"type": "image"},
        {"type": "image", "image": {"id": ""}},
        {"type": "image", "image": {"mime_type": "image/png"}},
    ],
)
def test_an_item_without_what_its_type_promises_is_counted_and_harms_no_neighbour(changes):
    value = message_of("batch_two_patients", **changes)
    inbound = read(value)
    assert [command.body for _, command in inbound.items] == ["Cheguei na recepção"]
    assert inbound.ignored == {"malformed": 1}


@pytest.mark.parametrize(
    "timestamp", [None, "", "soon", "-5", "99999999999999", 1763802000, 1763802000.5, 10**30, []]
)
def test_a_strange_time_never_costs_a_message(timestamp):
    [(_, command)] = read(message_of(timestamp=timestamp)).items
    assert command.sent_at in {NOW, "2025-11-22T09:00:00.000Z"}


@pytest.mark.parametrize("context", [{}, {"id": None}, {"id": 5}, {"forwarded": True}, "wamid.1", []])
def test_a_strange_context_never_costs_a_message(context):
    [(_, command)] = read(message_of(context=context)).items
    assert command.reply_to_external_id is None


def test_a_patient_without_a_name_is_called_by_the_number():
    value = body("text")
    for contacts in (
        None,
        "x",
        [],
        [{}],
        [{"wa_id": 1, "profile": {"name": "M"}}],
        [{"profile": {"name": ""}}],
    ):
        value["entry"][0]["changes"][0]["value"]["contacts"] = contacts
        [(_, command)] = read(value).items
        assert command.contact_name == "5511999990001"


def test_text_is_cleaned_and_a_long_name_is_cut():
    value = message_of(text={"body": "oi\x00\ud83d"})
    value["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["name"] = "M" * 1000
    [(_, command)] = read(value).items
    assert command.body == "oi\ufffd\ufffd"
    assert command.contact_name == "M" * 200


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "x",
        [],
        {},
        {"entry": None},
        {"entry": [None]},
        {"entry": [{"changes": [5]}]},
        {"entry": [{"changes": [{"value": []}]}]},
        {"entry": {"changes": []}},
    ],
)
def test_a_body_of_another_form_is_counted_as_malformed(value):
    assert read(value).ignored == {"malformed": 1}


def test_a_change_of_another_field_is_counted_as_unknown():
    value = {"entry": [{"changes": [{"field": "account_update", "value": {"event": "VERIFIED"}}]}]}
    assert read(value).ignored == {"unknown": 1}


def status_of(name="status_delivered", **changes):
    """The fixture's body with its status changed; None takes a field away."""
    value = body(name)
    status = value["entry"][0]["changes"][0]["value"]["statuses"][0]
    for field, change in changes.items():
        status[field] = change
        if change is None:
            del status[field]
    return value


@pytest.mark.parametrize("status", ["sent", "delivered", "read"])
def test_a_status_becomes_a_report_on_the_providers_id(status):
    [(kind, report)] = read(body(f"status_{status}")).items
    assert kind == "status"
    assert report.command == ReportStatus(
        clinic_id=7, channel_id=CHANNEL.id, external_id="wamid.HBgMNTUxMTk5OTk500000900", status=status
    )
    assert not report.early


@pytest.mark.parametrize(
    ("errors", "failure"),
    [
        ([{"code": 131047, "title": "quotes the patient"}], WINDOW_CLOSED),
        ([{"code": 5}, {"code": 131026}], UNREACHABLE),
        ([{"code": 131049}], UNDELIVERED),
        ([{"code": [131047]}, {"code": "131047"}, 131047, None], UNDELIVERED),
        ([], UNDELIVERED),
        ("131047", UNDELIVERED),
        (None, UNDELIVERED),
    ],
)
def test_a_failure_is_told_in_our_own_words(errors, failure):
    [(_, report)] = read(status_of("status_failed", errors=errors)).items
    assert (report.command.status, report.command.failure) == ("failed", failure)


@pytest.mark.parametrize("status", ["deleted", "played", "warning", "queued", "a status of next year", ""])
def test_an_unknown_status_is_counted(status):
    inbound = read(status_of(status=status))
    assert inbound.items == ()
    assert inbound.ignored == {"unknown": 1}


@pytest.mark.parametrize(
    "changes", [{"id": None}, {"id": ""}, {"id": "a\x00b"}, {"status": None}, {"status": 1}]
)
def test_a_status_without_what_it_promises_is_counted_and_harms_no_neighbour(changes):
    value = status_of(**changes)
    value["entry"].append(body("text")["entry"][0])
    inbound = read(value)
    assert [kind for kind, _ in inbound.items] == ["text"]
    assert inbound.ignored == {"malformed": 1}


@pytest.mark.parametrize(
    ("early", "changes"),
    [
        (True, {}),
        (True, {"status": "read"}),
        (True, {"status": "failed"}),
        (True, {"timestamp": int(NOW_S - LEASE_S)}),
        (True, {"timestamp": str(int(NOW_S + 5))}),
        (False, {"status": "sent"}),  # which the provider's answer to our post says too
        (False, {"timestamp": str(int(NOW_S - LEASE_S - 1))}),
        (False, {"timestamp": str(int(NOW_S + LEASE_S + 1))}),
        (False, {"timestamp": "soon"}),
        (False, {"timestamp": None}),
        (False, {"timestamp": 1.5}),
        (False, {"biz_opaque_callback_data": None}),
        (False, {"biz_opaque_callback_data": "campaign 7"}),
        (False, {"biz_opaque_callback_data": {"id": 7}}),
    ],
)
def test_a_status_is_early_if_it_is_new_and_of_a_message_of_ours(early, changes):
    ours = {"biz_opaque_callback_data": CHANNEL.id, "timestamp": str(int(NOW_S))}
    [(_, report)] = read(status_of(**{**ours, **changes})).items
    assert report.early is early


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_without_a_fault(value):
    read(value)


@st.composite
def damaged(draw):
    """A provider's body with one place of it replaced by anything."""
    value = copy.deepcopy(body(draw(st.sampled_from(sorted(path.stem for path in FIXTURES.glob("*.json"))))))
    node = value
    while True:
        key = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or not node[key] or draw(st.integers(0, 5)) == 0:
            node[key] = draw(JSON)
            return value
        node = node[key]


@given(damaged())
def test_a_damaged_body_is_read_without_a_fault_and_every_item_counted(value):
    inbound = read(value)
    assert len(inbound.items) + sum(inbound.ignored.values()) >= 1


def test_the_challenge_is_answered_to_who_knows_the_verify_token():
    query = {"hub.mode": "subscribe", "hub.verify_token": "the verify token", "hub.challenge": "1158201444"}
    assert challenge(query, CHANNEL) == "1158201444"
    for change in ({"hub.verify_token": "another"}, {"hub.mode": "unsubscribe"}, {"hub.verify_token": ""}):
        with pytest.raises(ForbiddenError):
            challenge({**query, **change}, CHANNEL)
    with pytest.raises(ForbiddenError):
        challenge({}, CHANNEL)
