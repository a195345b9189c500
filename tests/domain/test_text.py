import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from recado.domain.text import MAX_NAME_CHARS, clean, is_clean, name_from

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


def test_lone_surrogates_and_nul_become_replacement_characters():
    assert clean("a\ud83d b\x00 c🙏") == "a\ufffd b\ufffd c🙏"


@given(ANY_TEXT)
def test_clean_text_always_has_a_utf8_form_and_stays_clean(text):
    cleaned = clean(text)
    assert is_clean(cleaned)
    assert "\x00" not in cleaned
    assert len(cleaned) == len(text)
    cleaned.encode("utf-8")


@given(ANY_TEXT)
def test_clean_text_comes_back_from_a_database_as_it_went_in(text):
    with sqlite3.connect(":memory:") as connection:
        assert connection.execute("SELECT ?", (clean(text),)).fetchone() == (clean(text),)
    connection.close()


def test_plain_text_is_left_as_it_is():
    assert clean("Bom dia! Às 10h?\n\t🙏🏽") == "Bom dia! Às 10h?\n\t🙏🏽"


def test_a_name_is_one_line_of_bounded_length():
    assert name_from("  Maria \n das\tDores ", otherwise="x") == "Maria das Dores"
    assert len(name_from("a" * 5000, otherwise="x")) == MAX_NAME_CHARS


def test_an_empty_name_falls_back():
    assert name_from(" \n ", otherwise="5511999990001") == "5511999990001"
