import pytest

from channels.stack import GENERIC_SECRET
from recado.channels.generic import MAX_ID_CHARS, MAX_TEXT_CHARS, parse
from recado.domain.accounts import Channel
from recado.errors import InvalidError

NOW_S = 1_795_428_000.0
CHANNEL = Channel(
    id="01a20627-5fab-7782-8b6a-55059d3927d7", clinic_id=7, kind="generic", name="Site", secret=GENERIC_SECRET
)
BODY = {
    "externalId": "site-1",
    "from": {"id": "patient-1", "name": "Maria das Dores"},
    "body": "Bom dia!",
    "sentAt": "2026-11-22T10:42:07-03:00",
}
ABSENT = object()


def changed(path, value):
    body = {**BODY, "from": dict(BODY["from"])}
    parent, _, name = path.rpartition(".")
    place = body[parent] if parent else body
    place[name] = value
    if value is ABSENT:
        del place[name]
    return body


def refusals(value):
    with pytest.raises(InvalidError) as refused:
        parse(value, CHANNEL, now_s=NOW_S)
    return refused.value.errors


def test_a_body_becomes_a_command():
    command = parse({**BODY, "field of next year": 1}, CHANNEL, now_s=NOW_S)
    assert command.clinic_id == 7
    assert command.channel == CHANNEL.ref
    assert command.external_id == "site-1"
    assert command.contact_address == "patient-1"
    assert command.contact_name == "Maria das Dores"
    assert command.body == "Bom dia!"
    assert command.sent_at == "2026-11-22T13:42:07.000Z"


@pytest.mark.parametrize("path", ["externalId", "from", "from.id", "body", "sentAt"])
def test_a_missing_field_is_named(path):
    assert refusals(changed(path, ABSENT)) == ((path, "missing"),)


@pytest.mark.parametrize("path", ["externalId", "from.id", "from.name", "body", "sentAt"])
def test_a_field_of_another_type_is_named(path):
    assert refusals(changed(path, 5)) == ((path, "wrong_type"),)


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("externalId", "", "too_short"),
        ("externalId", "x" * (MAX_ID_CHARS + 1), "too_long"),
        ("externalId", "a\x00", "wrong_format"),
        ("from.id", "", "too_short"),
        ("from.id", "x" * (MAX_ID_CHARS + 1), "too_long"),
        ("from.id", "a\ud800", "wrong_format"),
        ("body", "", "too_short"),
        ("body", " \n", "empty"),
        ("body", "x" * (MAX_TEXT_CHARS + 1), "too_long"),
        ("sentAt", "yesterday", "wrong_format"),
        ("sentAt", "2026-11-22T10:42:07." + "1" * 60 + "Z", "too_long"),
    ],
)
def test_a_value_that_cannot_be_is_named_by_path_and_code(path, value, code):
    assert refusals(changed(path, value)) == ((path, code),)


@pytest.mark.parametrize("value", [None, 5, "x", []])
def test_a_body_that_is_no_object_is_refused(value):
    assert refusals(value) == (("", "wrong_type"),)


@pytest.mark.parametrize("name", [ABSENT, None, "", " \n "])
def test_a_patient_without_a_name_is_called_by_the_id(name):
    assert parse(changed("from.name", name), CHANNEL, now_s=NOW_S).contact_name == "patient-1"


def test_a_long_name_is_cut_and_text_is_cleaned():
    assert len(parse(changed("from.name", "M" * 1000), CHANNEL, now_s=NOW_S).contact_name) == 200
    assert parse(changed("body", "oi\x00 🙏"), CHANNEL, now_s=NOW_S).body == "oi\ufffd 🙏"


def test_a_refusal_never_quotes_the_value():
    for path in ("externalId", "from.id", "body", "sentAt"):
        with pytest.raises(InvalidError) as refused:
            parse(changed(path, ["segredo da paciente"]), CHANNEL, now_s=NOW_S)
        assert "segredo" not in f"{refused.value!r} {refused.value.errors} {refused.value.__cause__!r}"
