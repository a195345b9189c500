"""Engine.IO packets in their WebSocket form."""

import json

import pytest

from recado.protocol import engineio
from recado.protocol.engineio import PacketType, Timing
from recado.protocol.violation import ViolationError


def test_the_open_packet_has_exactly_five_keys_and_whole_milliseconds():
    packet = engineio.encode_open("abc", Timing(0.3, 0.2, 1.0, 1_000_000), upgrades=[])
    assert packet == (
        b'0{"sid":"abc","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}'
    )
    assert all(type(json.loads(packet[1:])[key]) is int for key in ("pingInterval", "pingTimeout"))


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("4hello", (PacketType.MESSAGE, "hello")),
        ("4", (PacketType.MESSAGE, "")),
        ("3", (PacketType.PONG, "")),
        ("2probe", (PacketType.PING, "probe")),
        ("1", (PacketType.CLOSE, "")),
        ("0{}", (PacketType.OPEN, "{}")),
        ("5", (PacketType.UPGRADE, "")),
        ("6", (PacketType.NOOP, "")),
        ("bAQIDBA==", (PacketType.MESSAGE, b"\x01\x02\x03\x04")),
        ("b", (PacketType.MESSAGE, b"")),
    ],
)
def test_a_text_message_is_a_type_digit_and_data(text, packet):
    assert engineio.decode(text) == packet


@pytest.mark.parametrize("text", ["", "abc", "7", "\u0664", "b!", "bAQ", "bé"])
def test_what_begins_with_no_type_or_holds_broken_base64_is_a_violation(text):
    with pytest.raises(ViolationError) as caught:
        engineio.decode(text)
    assert caught.value.reason == "protocol error"


def test_a_message_is_the_digit_four_and_its_text():
    assert engineio.encode_message(b"2[]") == b"42[]"
