"""One connection's rules, each named by its test: no loop, no socket, no clock."""

import itertools

import pytest

from recado.protocol.connection import ACTIONS, Action, EngineConnection, SocketConnection, Stage
from recado.protocol.engineio import Timing
from recado.protocol.outcomes import (
    AckReceived,
    AttachmentsAwaited,
    Closed,
    ConnectRequested,
    EventReceived,
    Left,
    MessageReceived,
    SendPacket,
)
from recado.protocol.socketio import PacketType

TIMING = Timing(ping_interval_s=25.0, ping_timeout_s=20.0, connect_timeout_s=45.0, max_payload_bytes=100)
VIOLATED = [Closed("protocol error")]


def connection(*, now=0.0):
    return SocketConnection(TIMING, now, {"/", "/custom"})


def joined(*, now=0.0):
    opened = connection(now=now)
    opened.receive_text("40", now)
    opened.accept("/", "sid")
    return opened


def dropped():
    left = joined()
    left.drop("/", 0.0)
    return left


def connecting():
    asking = connection()
    asking.receive_text("40", 0.0)
    return asking


# Opening


def test_the_first_packet_is_the_handshake_without_upgrades():
    assert connection().open("abc") == (
        b'0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}'
    )


def test_bare_engineio_hands_every_message_on():
    bare = EngineConnection(TIMING, 0.0)
    assert bare.receive_text("4hello", 0.0) == [MessageReceived("hello")]
    assert bare.receive_binary(b"\x01", 0.0) == [MessageReceived(b"\x01")]
    assert bare.receive_text("bAQ==", 0.0) == [MessageReceived(b"\x01")]


# Heartbeat


def test_a_ping_leaves_every_ping_interval():
    alive = joined()
    pings = []
    for second in range(100):
        pings += [second for outcome in alive.tick(float(second)) if outcome == SendPacket(b"2")]
        alive.receive_text("3", float(second))
    assert pings == [25, 50, 75]


def test_due_names_the_next_moment_that_matters():
    alive = joined()
    assert alive.due() == 25.0
    assert alive.tick(24.999) == []
    assert alive.tick(25.0) == [SendPacket(b"2")]
    assert alive.due() == 45.0
    alive.receive_text("3", 26.0)
    assert alive.due() == 50.0


def test_silence_of_interval_plus_timeout_closes_with_ping_timeout():
    silent = joined()
    silent.tick(25.0)
    assert silent.tick(44.999) == []
    assert silent.tick(45.0) == [Closed("ping timeout")]


def test_a_late_pong_in_time_keeps_the_session():
    late = joined()
    late.tick(25.0)
    late.receive_text("3", 44.9)
    assert late.tick(45.0) == []


@pytest.mark.parametrize("proof", ["3", "6", '42["ev"]'])
def test_any_packet_proves_life(proof):
    alive = joined()
    alive.receive_text(proof, 40.0)
    assert all(not isinstance(outcome, Closed) for outcome in alive.tick(84.9))
    assert alive.tick(85.0) == [Closed("ping timeout")]


def test_a_sign_of_life_below_packets_counts_too():
    alive = joined()
    alive.touch(40.0)
    assert Closed("ping timeout") not in alive.tick(84.9)


def test_a_pong_nobody_asked_for_is_accepted():
    assert joined().receive_text("3", 0.0) == []


def test_a_ping_from_the_client_closes():
    assert joined().receive_text("2", 0.0) == VIOLATED


@pytest.mark.parametrize("packet", ["0", "5", "2probe"])
def test_packets_that_only_servers_or_probes_send_close(packet):
    assert joined().receive_text(packet, 0.0) == VIOLATED


def test_a_noop_is_ignored():
    assert joined().receive_text("6", 0.0) == []


# Closing


def test_the_clients_close_packet_is_honoured_at_once():
    assert joined().receive_text("1", 0.0) == [Closed("closed")]


def test_nothing_happens_after_closed():
    done = connecting()
    done.close("closed")
    assert done.receive_text('42["ev"]', 0.0) == []
    assert done.receive_text("garbage", 0.0) == []
    assert done.receive_binary(b"x", 0.0) == []
    assert done.tick(1e9) == []
    assert done.accept("/", "sid") == []
    assert done.refuse("/", "no") == []
    assert done.drop("/", 0.0) == []
    assert done.close("closed") == []


@pytest.mark.parametrize("text", ["", "abc", "4", "4abc", "47", '42["ev"', "42[]", "4{}", "\ud83d"])
def test_a_malformed_packet_closes(text):
    assert joined().receive_text(text, 0.0) == VIOLATED


# Namespaces


def test_connect_is_asked_of_the_application_and_answered_with_a_sid():
    asking = connection()
    assert asking.receive_text('40{"token":"t"}', 0.0) == [ConnectRequested("/", {"token": "t"})]
    assert asking.accept("/", "s1") == [SendPacket(b'40{"sid":"s1"}')]


@pytest.mark.parametrize("text", ["40", "40{}", "40/,{}", "40/,"])
def test_absent_auth_is_an_empty_object_and_the_root_may_be_named(text):
    assert connection().receive_text(text, 0.0) == [ConnectRequested("/", {})]


@pytest.mark.parametrize("text", ["40/custom", "40/custom,", "40/custom?a=b,{}"])
def test_a_namespace_may_come_without_comma_and_with_a_query(text):
    asking = connection()
    assert asking.receive_text(text, 0.0) == [ConnectRequested("/custom", {})]
    assert asking.accept("/custom", "s2") == [SendPacket(b'40/custom,{"sid":"s2"}')]


def test_an_unknown_namespace_is_refused_and_the_connection_lives_on():
    asking = connection()
    assert asking.receive_text("40/random", 0.0) == [SendPacket(b'44/random,{"message":"Invalid namespace"}')]
    assert asking.receive_text("40", 0.0) == [ConnectRequested("/", {})]


def test_a_refusal_is_an_object_and_the_client_may_ask_again():
    asking = connecting()
    assert asking.refuse("/", "no", {"code": "x"}) == [SendPacket(b'44{"message":"no","data":{"code":"x"}}')]
    assert asking.receive_text("40", 0.0) == [ConnectRequested("/", {})]


def test_nothing_is_joined_before_it_was_asked_for():
    assert connection().receive_text('42["ev"]', 0.0) == VIOLATED


def test_an_event_while_connecting_closes():
    assert connecting().receive_text('42["ev"]', 0.0) == VIOLATED


def test_a_second_connect_while_connecting_closes():
    assert connecting().receive_text("40", 0.0) == VIOLATED


def test_a_second_connect_to_a_joined_namespace_closes():
    assert joined().receive_text("40", 0.0) == VIOLATED


def test_an_event_for_a_namespace_that_is_not_joined_closes():
    assert joined().receive_text('42/custom,["ev"]', 0.0) == VIOLATED


def test_a_connect_error_from_a_client_closes():
    assert joined().receive_text('44{"message":"no"}', 0.0) == VIOLATED


def test_two_namespaces_live_side_by_side():
    both = joined()
    both.receive_text("40/custom", 0.0)
    both.accept("/custom", "s2")
    assert both.receive_text('42/custom,["ev"]', 0.0) == [EventReceived("/custom", "ev", [], None)]
    assert both.receive_text("41/custom,", 0.0) == [Left("/custom")]
    assert both.receive_text('42["ev"]', 0.0) == [EventReceived("/", "ev", [], None)]


def test_a_client_that_left_may_come_back_but_not_speak():
    left = joined()
    assert left.receive_text("41", 0.0) == [Left("/")]
    assert left.receive_text("40", 0.0) == [ConnectRequested("/", {})]
    gone = joined()
    gone.receive_text("41", 0.0)
    assert gone.receive_text('42["ev"]', 0.0) == VIOLATED


def test_the_servers_disconnect_is_told_to_the_client():
    assert joined().drop("/", 0.0) == [SendPacket(b"41")]


def test_pings_keep_their_beat_when_ticks_are_late():
    member = joined()
    assert member.tick(26.0) == [SendPacket(b"2")]
    member.touch(26.0)
    assert member.due() == 50.0
    member.touch(80.0)
    assert member.tick(80.0) == [SendPacket(b"2")]
    assert member.due() == 105.0


@pytest.mark.parametrize("late", ['42["ev"]', "41", "430[]"])
def test_late_packets_after_the_servers_disconnect_are_dropped_silently(late):
    assert dropped().receive_text(late, 0.0) == []


def test_attachments_of_a_late_binary_event_are_dropped_with_it():
    late = dropped()
    assert late.receive_text('451-["ev",{"_placeholder":true,"num":0}]', 0.0) == [AttachmentsAwaited()]
    assert late.receive_binary(b"x", 0.0) == []
    assert late.receive_text("40", 0.0) == [ConnectRequested("/", {})]


def test_every_stage_and_packet_that_the_table_does_not_allow_closes():
    stages = {
        Stage.ABSENT: connection,
        Stage.CONNECTING: connecting,
        Stage.JOINED: joined,
        Stage.DROPPED: dropped,
    }
    packets = {
        PacketType.CONNECT: ["40"],
        PacketType.DISCONNECT: ["41"],
        PacketType.EVENT: ['42["ev"]'],
        PacketType.ACK: ["430[]"],
        PacketType.CONNECT_ERROR: ['44{"message":"x"}'],
        PacketType.BINARY_EVENT: ['451-["ev"]', b""],
        PacketType.BINARY_ACK: ["461-0[]", b""],
    }
    for (stage, make), (kind, frames) in itertools.product(stages.items(), packets.items()):
        target = make()
        assert target.stage("/") is stage
        outcomes = []
        for frame in frames:
            receive = target.receive_text if isinstance(frame, str) else target.receive_binary
            outcomes += receive(frame, 0.0)
        allowed = ACTIONS[stage].get(kind, Action.VIOLATE) is not Action.VIOLATE
        assert (outcomes[-1:] != VIOLATED) is allowed, (stage, kind)


# Connect timeout


def test_a_client_that_joins_nothing_is_closed_after_the_connect_timeout():
    idle = connection()
    idle.receive_text("3", 44.0)
    assert idle.due() == 25.0
    idle.tick(25.0)
    assert idle.tick(45.0) == [Closed("connect timeout")]


def test_waiting_for_the_application_does_not_stop_the_connect_timeout():
    asking = connecting()
    asking.receive_text("3", 44.0)
    assert asking.tick(45.0) == [Closed("connect timeout")]


def test_joining_ends_the_connect_timeout():
    member = joined()
    member.receive_text("3", 44.0)
    assert Closed("connect timeout") not in member.tick(45.0)


def test_leaving_the_last_namespace_starts_the_connect_timeout_again():
    left = joined()
    left.receive_text("41", 100.0)
    assert Closed("connect timeout") not in left.tick(144.9)
    assert left.tick(145.0) == [Closed("connect timeout")]
    again = joined()
    again.drop("/", 100.0)
    again.receive_text("6", 144.0)
    assert again.tick(145.0) == [Closed("connect timeout")]


def test_leaving_one_of_two_namespaces_does_not_start_the_connect_timeout():
    both = joined()
    both.receive_text("40/custom", 0.0)
    both.accept("/custom", "s2")
    both.receive_text("41", 10.0)
    both.receive_text("3", 54.0)
    assert Closed("connect timeout") not in both.tick(55.0)


# Events and acknowledgements


def test_an_event_brings_name_arguments_and_ack_id():
    assert joined().receive_text('4213["ev",1,{"a":null}]', 0.0) == [
        EventReceived("/", "ev", [1, {"a": None}], 13)
    ]


def test_a_number_as_name_is_its_text():
    assert joined().receive_text("42[5]", 0.0) == [EventReceived("/", "5", [], None)]


def test_an_expected_ack_comes_once():
    asking = joined()
    ack_id = asking.expect_ack("/")
    assert asking.receive_text(f'43{ack_id}["yes"]', 0.0) == [AckReceived("/", ack_id, ["yes"])]
    assert asking.receive_text(f'43{ack_id}["yes"]', 0.0) == []


def test_acks_nobody_waits_for_are_ignored():
    asking = joined()
    first, second = asking.expect_ack("/"), asking.expect_ack("/")
    assert first != second
    asking.forget_ack("/", first)
    assert asking.receive_text(f"43{first}[]", 0.0) == []
    assert asking.receive_text("43999[]", 0.0) == []
    assert asking.receive_text("43[]", 0.0) == []
    assert joined().receive_text("430[]", 0.0) == []


def test_an_ack_for_another_namespace_answers_nothing():
    both = joined()
    both.receive_text("40/custom", 0.0)
    both.accept("/custom", "s2")
    ack_id = both.expect_ack("/")
    assert both.receive_text(f"43/custom,{ack_id}[]", 0.0) == []
    assert both.receive_text(f"43{ack_id}[]", 0.0) == [AckReceived("/", ack_id, [])]


def test_acks_expected_from_a_namespace_end_with_it():
    left = joined()
    ack_id = left.expect_ack("/")
    left.receive_text("41", 0.0)
    left.receive_text("40", 0.0)
    left.accept("/", "again")
    assert left.receive_text(f"43{ack_id}[]", 0.0) == []


# Binary


def test_a_binary_event_is_assembled_from_its_attachments():
    member = joined()
    header = '452-3["ev",{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}]'
    assert member.receive_text(header, 0.0) == [AttachmentsAwaited()]
    assert member.receive_binary(b"one", 0.0) == []
    assert member.receive_binary(b"two", 0.0) == [EventReceived("/", "ev", [b"one", {"x": b"two"}], 3)]


def test_a_binary_ack_is_assembled():
    member = joined()
    ack_id = member.expect_ack("/")
    member.receive_text(f'461-{ack_id}[{{"_placeholder":true,"num":0}}]', 0.0)
    assert member.receive_binary(b"z", 0.0) == [AckReceived("/", ack_id, [b"z"])]


def test_pings_between_attachments_are_harmless():
    member = joined()
    member.receive_text('451-["ev",{"_placeholder":true,"num":0}]', 0.0)
    assert member.receive_text("3", 0.0) == []
    assert member.receive_binary(b"x", 0.0) == [EventReceived("/", "ev", [b"x"], None)]


def test_a_packet_instead_of_an_attachment_closes():
    member = joined()
    member.receive_text('451-["ev"]', 0.0)
    assert member.receive_text('42["ev"]', 0.0) == VIOLATED


def test_a_binary_message_without_a_packet_closes():
    assert joined().receive_binary(b"x", 0.0) == VIOLATED


def test_a_placeholder_without_attachment_closes():
    member = joined()
    member.receive_text('451-["ev",{"_placeholder":true,"num":1}]', 0.0)
    assert member.receive_binary(b"x", 0.0) == VIOLATED


def test_attachments_together_must_fit_into_max_payload():
    member = joined()
    member.receive_text('452-["ev"]', 0.0)
    assert member.receive_binary(b"x" * 60, 0.0) == []
    assert member.receive_binary(b"x" * 41, 0.0) == [Closed("message too big")]


def test_attachments_that_do_not_come_within_the_ping_timeout_close():
    member = joined()
    member.receive_text('451-["ev"]', 10.0)
    assert member.due() == 25.0
    member.tick(25.0)
    assert member.due() == 30.0
    assert member.tick(30.0) == VIOLATED


def test_a_payload_nested_too_deeply_for_its_attachments_closes():
    member = joined()
    member.receive_text('451-["ev",' + "[" * 900 + "]" * 900 + "]", 0.0)
    outcomes = member.receive_binary(b"", 0.0)
    assert len(outcomes) == 1
    assert isinstance(outcomes[0], EventReceived | Closed)
