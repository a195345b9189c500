"""Socket.IO's grammar: every form that is accepted, every form that is refused."""

import msgspec
import pytest

from recado.protocol import socketio
from recado.protocol.socketio import Packet, PacketType
from recado.protocol.violation import ViolationError


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", Packet(PacketType.CONNECT)),
        ("0{}", Packet(PacketType.CONNECT, data={})),
        ('0{"token":"123"}', Packet(PacketType.CONNECT, data={"token": "123"})),
        ("0/custom,", Packet(PacketType.CONNECT, "/custom")),
        ("0/custom", Packet(PacketType.CONNECT, "/custom")),
        ('0/custom,{"a":1}', Packet(PacketType.CONNECT, "/custom", data={"a": 1})),
        ("0/,{}", Packet(PacketType.CONNECT, "/", data={})),
        ("0/,", Packet(PacketType.CONNECT, "/")),
        ('0/custom?token=1,{"a":1}', Packet(PacketType.CONNECT, "/custom", data={"a": 1})),
        ("1", Packet(PacketType.DISCONNECT)),
        ("1/custom,", Packet(PacketType.DISCONNECT, "/custom")),
        ('2["ev"]', Packet(PacketType.EVENT, data=["ev"])),
        ('2["ev",1,{"a":[]}]', Packet(PacketType.EVENT, data=["ev", 1, {"a": []}])),
        ('213["ev"]', Packet(PacketType.EVENT, ack_id=13, data=["ev"])),
        ('20["ev"]', Packet(PacketType.EVENT, ack_id=0, data=["ev"])),
        ('2/custom,7["ev"]', Packet(PacketType.EVENT, "/custom", 7, ["ev"])),
        ("2[5,1]", Packet(PacketType.EVENT, data=[5, 1])),
        ('2999999999999999["ev"]', Packet(PacketType.EVENT, ack_id=999_999_999_999_999, data=["ev"])),
        ("313[]", Packet(PacketType.ACK, ack_id=13, data=[])),
        ('3/custom,1["ok"]', Packet(PacketType.ACK, "/custom", 1, ["ok"])),
        ('4{"message":"no"}', Packet(PacketType.CONNECT_ERROR, data={"message": "no"})),
        ('4"no"', Packet(PacketType.CONNECT_ERROR, data="no")),
        (
            '51-["ev",{"_placeholder":true,"num":0}]',
            Packet(PacketType.BINARY_EVENT, data=["ev", {"_placeholder": True, "num": 0}], attachments=1),
        ),
        ('510-/custom,12["ev"]', Packet(PacketType.BINARY_EVENT, "/custom", 12, ["ev"], 10)),
        ("62-3[]", Packet(PacketType.BINARY_ACK, ack_id=3, data=[], attachments=2)),
    ],
)
def test_the_grammar_accepts(text, packet):
    assert socketio.decode(text) == packet


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("7", id="type beyond 6"),
        pytest.param("abc", id="no type"),
        pytest.param("\u0662[]", id="digit that is not ASCII"),
        pytest.param("0[]", id="CONNECT with an array"),
        pytest.param('0"x"', id="CONNECT with a string"),
        pytest.param("0null", id="CONNECT with null"),
        pytest.param("0{", id="CONNECT with broken JSON"),
        pytest.param("1{}", id="DISCONNECT with a payload"),
        pytest.param("2", id="EVENT without payload"),
        pytest.param("2[]", id="EVENT without a name"),
        pytest.param("2{}", id="EVENT with an object"),
        pytest.param("2null", id="EVENT with null"),
        pytest.param("2[null]", id="EVENT named null"),
        pytest.param("2[true]", id="EVENT named true"),
        pytest.param("2[{}]", id="EVENT named by an object"),
        pytest.param('2["connect"]', id="EVENT named connect"),
        pytest.param('2["connect_error"]', id="EVENT named connect_error"),
        pytest.param('2["disconnect"]', id="EVENT named disconnect"),
        pytest.param('2["disconnecting"]', id="EVENT named disconnecting"),
        pytest.param('2["newListener"]', id="EVENT named newListener"),
        pytest.param('2["removeListener"]', id="EVENT named removeListener"),
        pytest.param('2["ev"', id="EVENT with broken JSON"),
        pytest.param('2["ev"]x', id="something after the JSON"),
        pytest.param('21000000000000000["ev"]', id="ack id of 16 digits"),
        pytest.param('2-1["ev"]', id="negative ack id"),
        pytest.param('21-["ev"]', id="attachments on EVENT"),
        pytest.param("3", id="ACK without payload"),
        pytest.param("31{}", id="ACK with an object"),
        pytest.param("4", id="CONNECT_ERROR without payload"),
        pytest.param('5["ev"]', id="binary without attachments"),
        pytest.param('50-["ev"]', id="0 attachments (CVE-2026-33151)"),
        pytest.param('511-["ev"]', id="11 attachments"),
        pytest.param('51["ev"]', id="attachments without dash"),
        pytest.param('5a-["ev"]', id="attachments that are no number"),
        pytest.param('599999999999999999-["ev"]', id="attachments without end"),
    ],
)
def test_the_grammar_refuses(text):
    with pytest.raises(ViolationError) as caught:
        socketio.decode(text)
    assert caught.value.reason == "protocol error"


def test_a_violation_quotes_nothing_of_the_packet():
    with pytest.raises(ViolationError) as caught:
        socketio.decode('2["segredo",')
    assert "segredo" not in str(caught.value)


def test_a_cut_emoji_is_no_reason_to_close():
    assert socketio.decode(r'2["ev","oi \ud83d"]').data == ["ev", "oi \ufffd"]


def test_placeholders_become_the_attachments_they_name():
    data = ["ev", {"_placeholder": True, "num": 1}, {"a": [{"_placeholder": True, "num": 0}]}]
    assert socketio.insert_attachments(data, [b"zero", b"one"]) == ["ev", b"one", {"a": [b"zero"]}]


@pytest.mark.parametrize("number", [-1, 1, "0", None, True, 0.0])
def test_a_placeholder_that_names_no_attachment_is_a_violation(number):
    with pytest.raises(ViolationError):
        socketio.insert_attachments(["ev", {"_placeholder": True, "num": number}], [b"zero"])


def test_an_object_that_only_looks_like_a_placeholder_is_kept():
    data = ["ev", {"_placeholder": 1, "num": 9}]
    assert socketio.insert_attachments(data, [b"zero"]) == data


def test_packets_leave_in_the_form_that_clients_read():
    assert socketio.encode_connect("/", "s") == b'0{"sid":"s"}'
    assert socketio.encode_connect("/custom", "s") == b'0/custom,{"sid":"s"}'
    assert socketio.encode_connect_error("/x", "Invalid namespace") == b'4/x,{"message":"Invalid namespace"}'
    assert socketio.encode_connect_error("/", "no", {"code": 1}) == b'4{"message":"no","data":{"code":1}}'
    assert socketio.encode_disconnect("/") == b"1"
    assert socketio.encode_disconnect("/custom") == b"1/custom,"
    assert socketio.encode_event("/", "ev", (1, "é")) == ('2["ev",1,"é"]'.encode(), ())
    assert socketio.encode_event("/custom", "ev", (), 7) == (b'2/custom,7["ev"]', ())
    assert socketio.encode_event("/", "ev", (msgspec.Raw(b"{}"),)) == (b'2["ev",{}]', ())
    assert socketio.encode_ack("/", 13, ()) == (b"313[]", ())
    assert socketio.encode_ack("/custom", 0, ({"ok": True},)) == (b'3/custom,0[{"ok":true}]', ())
