"""JSON in packets: compact, no NaN, and forgiving about cut emojis only."""

import json

import msgspec
import pytest

from recado.protocol import json_text


def test_json_is_compact_utf8():
    assert json_text.encode({"a": [1, "ção"], "b": None}) == '{"a":[1,"ção"],"b":null}'.encode()


def test_nan_and_infinities_become_null():
    assert json_text.encode([float("nan"), float("inf"), -float("inf"), 1.5]) == b"[null,null,null,1.5]"


def test_integers_beyond_64_bits_are_kept():
    assert json_text.encode([10**30]) == b"[1" + b"0" * 30 + b"]"
    assert json_text.decode("[1" + "0" * 30 + "]") == [10**30]


def test_the_record_separator_is_never_bare_in_json():
    assert b"\x1e" not in json_text.encode(["\x1e"])


def test_json_made_before_is_not_encoded_again():
    assert json_text.encode(("ev", msgspec.Raw(b'{"a":1}'))) == b'["ev",{"a":1}]'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud83d"', "\ufffd"),
        (r'"\uD83D"', "\ufffd"),
        (r'"oi \ude00!"', "oi \ufffd!"),
        (r'"\ud83dA\ud83d\ude00"', "\ufffdA😀"),
        (r'[{"\ud83d":["\ud83d"]}]', [{"\ufffd": ["\ufffd"]}]),
    ],
)
def test_a_lone_surrogate_becomes_the_replacement_character(text, value):
    assert json_text.decode(text) == value
    json_text.encode(json_text.decode(text)).decode()


def test_a_lone_surrogate_leaves_as_an_escape_that_every_parser_reads():
    class Body(msgspec.Struct):
        text: str

    encoded = json_text.encode(["\ud83d", Body("\ude00"), float("nan"), msgspec.Raw(b'{"a":1}')])
    assert encoded == rb'["\ud83d",{"text":"\ude00"},null,{"a":1}]'
    assert json.loads(encoded)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "nope",
        "[1,]",
        "NaN",
        "[Infinity]",
        '"\x01"',
        "\ufeff[]",
        "1e999",
        "[" * 100_000,
        "1" * 5_000,
        # The same faults behind a lone surrogate, where the standard library's decoder looks.
        r'["\ud83d",NaN]',
        r'["\ud83d",1e999]',
        r'["\ud83d"',
        r'["\ud83d",' + "[" * 100_000,
        r'["\ud83d",' + "1" * 5_000 + "]",
    ],
)
def test_whatever_is_not_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract, the text is not
        json_text.decode(text)


@pytest.mark.parametrize("value", [object(), {object(): 1}])
def test_what_has_no_json_form_is_a_type_error(value):
    with pytest.raises(TypeError):
        json_text.encode(value)


def test_endless_nesting_is_refused_and_not_a_crash():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested"):
        json_text.encode(endless)
