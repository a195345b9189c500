"""Words as search knows them: the fast way and the way with places find the same."""

from hypothesis import example, given
from hypothesis import strategies as st

from recado.domain.words import MAX_WORD_CHARS, folded_words, words_of

ACCENTED = st.text(alphabet="aZ9_ -áÁçÇñﬁßİ²\u0301\u0308½漢\n")


@given(st.text() | ACCENTED | st.text(alphabet="aB_ 0.,\n"))
@example("Não há 2_atrasos: co\u0301digo İSTANBUL ﬁm")
@example("a" * (MAX_WORD_CHARS + 1))
@example("ß" * MAX_WORD_CHARS)
def test_folded_words_are_those_of_words_of(text):
    assert folded_words(text) == [word.folded for word in words_of(text)]
