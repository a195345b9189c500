"""A payload that does not fit is told by path and code, never by value."""

from typing import Annotated, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from recado.app.payloads import CODES, payload_of
from recado.errors import InvalidError

WORD = "paciente-com-febre"


class Part(Struct, rename="camel"):
    two_words: Annotated[str, Meta(min_length=2, max_length=30)]
    number: Annotated[int, Meta(ge=1, le=5)] = 1
    ratio: Annotated[float, Meta(gt=0, lt=2)] = 1.0
    choice: Literal["a", "b"] = "a"
    id: UUID | None = None
    list: Annotated[tuple[int, ...], Meta(max_length=2)] = ()
    map: dict[str, int] = {}
    pattern: Annotated[str, Meta(pattern="^x")] = "x"


class Whole(Struct):
    part: Part


GOOD = {"twoWords": "ok"}


@pytest.mark.parametrize(
    ("value", "path", "code"),
    [
        (None, "", "wrong_type"),
        ([WORD], "", "wrong_type"),
        ({}, "part", "missing"),
        ({"part": {}}, "part.twoWords", "missing"),
        ({"part": {"twoWords": None}}, "part.twoWords", "wrong_type"),
        ({"part": {"twoWords": "x"}}, "part.twoWords", "too_short"),
        ({"part": {"twoWords": WORD * 9}}, "part.twoWords", "too_long"),
        ({"part": {**GOOD, "number": 0}}, "part.number", "too_small"),
        ({"part": {**GOOD, "number": 6}}, "part.number", "too_large"),
        ({"part": {**GOOD, "number": 10**40}}, "part.number", "too_large"),
        ({"part": {**GOOD, "number": "1"}}, "part.number", "wrong_type"),
        ({"part": {**GOOD, "number": True}}, "part.number", "wrong_type"),
        ({"part": {**GOOD, "ratio": 0}}, "part.ratio", "too_small"),
        ({"part": {**GOOD, "ratio": 2.0}}, "part.ratio", "too_large"),
        ({"part": {**GOOD, "choice": WORD}}, "part.choice", "unknown_value"),
        ({"part": {**GOOD, "choice": f"{WORD}` - at `$.{WORD}"}}, "part.choice", "unknown_value"),
        ({"part": {**GOOD, "id": WORD}}, "part.id", "wrong_format"),
        ({"part": {**GOOD, "list": [1, WORD]}}, "part.list[1]", "wrong_type"),
        ({"part": {**GOOD, "list": [1, 2, 3]}}, "part.list", "too_long"),
        ({"part": {**GOOD, "map": {WORD: WORD}}}, "part.map[...]", "wrong_type"),
        ({"part": {**GOOD, "pattern": WORD}}, "part.pattern", "wrong_format"),
    ],
)
def test_refusal_names_path_and_code(value, path, code):
    with pytest.raises(InvalidError) as refused:
        payload_of(value, Whole)
    assert [tuple(error) for error in refused.value.errors] == [(path, code)]
    assert WORD not in f"{refused.value!r} {refused.value.errors}"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_unknown_fields_are_ignored():
    assert payload_of({"part": {**GOOD, "tomorrow": 1}, "later": 2}, Whole) == Whole(Part("ok"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["part", "twoWords", "number", "x"]), inner)
    ),
)


def codes_of(value):
    try:
        return {payload_of(value, Whole) and "taken"}
    except InvalidError as refused:
        return {error.code for error in refused.errors}


@given(JSON)
def test_any_json_is_either_taken_or_refused_by_a_known_code(value):
    assert codes_of(value) <= {"taken", *(code for _, code in CODES)}
