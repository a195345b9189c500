"""Polling's rules without any HTTP: payloads, and every request in every phase."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recado.protocol import polling
from recado.protocol.polling import ACTIONS, OVERLAPPING, Phase, PollingSession, Reply, Request
from recado.protocol.violation import ViolationError
from recado.protocol.websocket import binary_frame, text_frame

HELLO = text_frame(b"4hello")


def split(body):
    return [packet for packet, _ in polling.split_payload(body)]


def held():
    session = PollingSession()
    assert session.get() is None
    return session


def test_a_body_is_packets_joined_by_the_record_separator():
    assert split("4olá\x1e2\x1ebAQI=".encode()) == ["4olá", "2", "bAQI="]
    assert polling.payload([b"4hello", b"bAQI="]) == b"4hello\x1ebAQI="


def test_an_empty_body_is_one_empty_packet():
    assert split(b"") == [""]


def test_sizes_are_bytes_not_characters():
    assert list(polling.split_payload("4é".encode())) == [("4é", 3)]


def test_packets_before_one_that_is_not_utf8_have_come():
    packets = polling.split_payload(b"4a\x1e4\xff\x1e4b")
    assert next(packets) == ("4a", 2)
    with pytest.raises(ViolationError) as violation:
        next(packets)
    assert violation.value.reason == "invalid UTF-8"


@given(st.lists(st.one_of(st.text(st.characters(exclude_characters="\x1e", codec="utf-8")), st.binary())))
def test_whatever_is_framed_has_its_polling_form(messages):
    frames = [
        binary_frame(each) if isinstance(each, bytes) else text_frame(b"4" + each.encode())
        for each in messages
    ]
    session = PollingSession()
    session.send(frames)
    forms = [
        "b" + base64.b64encode(each).decode() if isinstance(each, bytes) else "4" + each for each in messages
    ]
    for start in range(0, len(forms), polling.MAX_PACKETS):
        some = forms[start : start + polling.MAX_PACKETS]
        assert session.get() == Reply(200, "\x1e".join(some).encode())
    assert session.get() is None


def test_every_phase_knows_every_request():
    assert set(ACTIONS) == set(Phase)
    assert all(set(actions) == set(Request) for actions in ACTIONS.values())


def test_a_get_takes_everything_that_waits_at_once():
    session = PollingSession()
    session.send([HELLO, binary_frame(b"\x01\x02")])
    assert session.get() == Reply(200, b"4hello\x1ebAQI=")
    assert (session.size, session.held) == (0, False)


def test_a_held_get_is_answered_by_the_next_packets():
    session = held()
    assert session.send([HELLO]) == Reply(200, b"4hello")
    assert not session.held
    assert session.send([HELLO]) is None


def test_a_second_get_or_post_overlaps():
    assert held().get() is OVERLAPPING
    session = PollingSession()
    assert session.post() is None
    assert session.post() is OVERLAPPING
    session.posted()
    assert session.post() is None


def test_the_servers_close_answers_the_held_get_or_waits_for_the_next():
    assert held().leave(at_once=False) == Reply(200, b"1")
    session = PollingSession()
    session.send([HELLO])
    assert session.leave(at_once=False) is None
    assert session.post() is None
    session.posted()
    assert session.get() == Reply(200, b"4hello")
    assert session.get() == Reply(200, b"1")
    assert session.phase is Phase.GONE


def test_an_answer_has_sixteen_packets_at_most():
    """More of them python-engineio's client drops."""
    session = held()
    frames = [text_frame(b"4%d" % number) for number in range(40)]
    answers = [session.send(frames), session.get(), session.get()]
    assert [len(split(answer.body)) for answer in answers] == [16, 16, 8]
    assert [packet for answer in answers for packet in split(answer.body)] == [f"4{n}" for n in range(40)]
    assert session.size == 0
    assert session.get() is None


@pytest.mark.parametrize(("waiting", "sizes"), [(15, [15, 1]), (16, [16, 1]), (17, [16, 1, 1])])
def test_a_close_comes_alone_and_behind_everything_that_waits(waiting, sizes):
    """socket.io-client hears it before packets it came with."""
    session = PollingSession()
    session.send([HELLO] * waiting)
    session.leave(at_once=False)
    packets = []
    for size in sizes:
        assert session.phase is Phase.LEAVING
        answer = split(session.get().body)
        assert len(answer) == size
        packets += answer
    assert packets == ["4hello"] * waiting + ["1"]
    assert session.phase is Phase.GONE


@pytest.mark.parametrize(("last", "sizes"), [(1, [2]), (15, [16]), (16, [16, 1]), (40, [16, 16, 9])])
def test_who_may_return_hears_last_words_and_goodbye_in_as_few_answers_as_they_fit_in(last, sizes):
    session = held()
    answers = [session.leave([HELLO] * last, at_once=False, may_return=True)]
    while session.phase is Phase.LEAVING:
        answers.append(session.get())
    assert [len(split(answer.body)) for answer in answers] == sizes
    assert split(answers[-1].body)[-1] == "6"
    assert (session.phase, session.size) == (Phase.GONE, 0)


def test_last_words_of_a_close_at_once_reach_only_who_waits():
    session = held()
    assert session.leave([HELLO], at_once=True) == Reply(200, b"4hello")
    assert session.phase is Phase.GONE
    session = PollingSession()
    assert session.leave([HELLO], at_once=True) is None
    assert (session.phase, session.size) == (Phase.GONE, 0)


def test_who_may_return_is_not_told_to_close():
    assert held().leave(at_once=False, may_return=True) == Reply(200, b"6")
    assert held().leave(at_once=True, may_return=True) == Reply(200, b"6")
    session = PollingSession()
    session.send([HELLO])
    session.leave(at_once=False, may_return=True)
    assert session.get() == Reply(200, b"4hello\x1e6")


def test_a_close_at_once_keeps_nothing():
    session = PollingSession()
    session.send([HELLO])
    assert session.leave(at_once=True) is None
    assert (session.phase, session.size) == (Phase.GONE, 0)
    assert held().leave(at_once=True) == Reply(200, b"1")


def test_the_clients_goodbye_brings_its_get_home_even_if_that_comes_later():
    assert held().end() == Reply(200, b"6")
    session = PollingSession()
    session.send([HELLO])
    assert session.end() is None
    assert session.get() == Reply(200, b"6")
    assert session.phase is Phase.GONE


def test_a_probe_releases_the_held_get_and_the_next_ones():
    session = held()
    assert session.call()
    assert session.probe() == Reply(200, b"6")
    assert session.get() == Reply(200, b"6")
    assert session.get() is None
    assert session.release() == Reply(200, b"6")
    session.send([HELLO])
    assert session.get() == Reply(200, b"4hello")


def test_packets_wait_through_a_probe_and_leave_on_the_websocket_in_order():
    session = PollingSession()
    session.call()
    session.probe()
    session.send([HELLO])
    session.send([text_frame(b"4b"), binary_frame(b"c")])
    assert session.upgrade() == ([HELLO, text_frame(b"4b"), binary_frame(b"c")], None)
    assert session.phase is Phase.UPGRADED
    assert session.get().status == session.post().status == 400
    assert session.send([HELLO]) is None


def test_a_get_that_is_held_at_the_upgrade_comes_home():
    session = PollingSession()
    session.call()
    session.probe()
    for _ in range(polling.RELEASES_AT_ONCE):
        assert session.get() == Reply(200, b"6")
    assert session.get() is None
    assert session.upgrade() == ([], Reply(200, b"6"))


def test_a_probe_that_fails_has_changed_nothing():
    session = held()
    session.call()
    session.desist()
    assert session.phase is Phase.POLLING
    assert session.send([HELLO]) == Reply(200, b"4hello")
    assert session.call()


def test_only_one_websocket_may_probe():
    session = PollingSession()
    assert session.call()
    assert not session.call()
    session.probe()
    assert not session.call()
    session.upgrade()
    assert not session.call()
    session.desist()
    assert session.phase is Phase.UPGRADED
