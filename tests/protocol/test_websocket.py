"""Frames to send, fragments received. RFC 6455 sections 5.2, 5.4 and 8.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recado.protocol.violation import ViolationError
from recado.protocol.websocket import (
    MessageAssembler,
    Opcode,
    binary_frame,
    payload_of,
    text_frame,
    text_of,
)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_has_the_shortest_length_field_and_no_mask(size, head):
    assert text_frame(b"x" * size) == head + b"x" * size


def test_a_binary_frame_says_so():
    assert binary_frame(b"\x00") == b"\x82\x01\x00"


@given(st.integers(0, 70_000))
def test_a_frame_gives_its_payload_back(size):
    assert payload_of(text_frame(b"y" * size)) == b"y" * size


@given(st.lists(st.text(), min_size=1).filter(lambda parts: sum(len(p.encode()) for p in parts) <= 1_000))
def test_fragments_join_into_the_message_they_were_cut_from(parts):
    assembler = MessageAssembler(1_000)
    pieces = [part.encode() for part in parts]
    for number, piece in enumerate(pieces[:-1]):
        opcode = Opcode.CONTINUATION if number else Opcode.TEXT
        assert assembler.feed(opcode, piece, fin=False) is None
    opcode = Opcode.CONTINUATION if len(pieces) > 1 else Opcode.TEXT
    assert assembler.feed(opcode, pieces[-1], fin=True) == "".join(parts)
    assert assembler.is_idle


def test_a_character_may_be_cut_between_fragments():
    assembler = MessageAssembler(10)
    euro = "€".encode()
    assert assembler.feed(Opcode.TEXT, euro[:1], fin=False) is None
    assert assembler.feed(Opcode.CONTINUATION, euro[1:], fin=True) == "€"


def test_a_fragmented_binary_message_stays_bytes():
    assembler = MessageAssembler(10)
    assert assembler.feed(Opcode.BINARY, b"\xff", fin=False) is None
    assert assembler.feed(Opcode.CONTINUATION, b"\xfe", fin=True) == b"\xff\xfe"


def test_a_continuation_of_nothing_is_a_protocol_error():
    with pytest.raises(ViolationError) as caught:
        MessageAssembler(10).feed(Opcode.CONTINUATION, b"", fin=True)
    assert caught.value.reason == "protocol error"


def test_a_message_inside_another_is_a_protocol_error():
    assembler = MessageAssembler(10)
    assembler.feed(Opcode.TEXT, b"a", fin=False)
    with pytest.raises(ViolationError) as caught:
        assembler.feed(Opcode.TEXT, b"b", fin=True)
    assert caught.value.reason == "protocol error"


def test_fragments_together_must_fit_into_max_payload():
    assembler = MessageAssembler(10)
    assembler.feed(Opcode.TEXT, b"12345", fin=False)
    with pytest.raises(ViolationError) as caught:
        assembler.feed(Opcode.CONTINUATION, b"678901", fin=True)
    assert caught.value.reason == "message too big"


def test_a_message_of_exactly_max_payload_passes():
    assert MessageAssembler(10).feed(Opcode.TEXT, b"1234567890", fin=True) == "1234567890"


@pytest.mark.parametrize("payload", [b"\xff", b"\xc3", b"\xed\xa0\xbd", b"\xf8\x88\x80\x80\x80"])
def test_text_that_is_not_utf8_closes_with_1007(payload):
    with pytest.raises(ViolationError) as caught:
        text_of(payload)
    assert caught.value.reason == "invalid UTF-8"
