"""Whatever a peer sends, a connection answers with outcomes and never with an exception."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from recado.errors import CLOSES
from recado.protocol import engineio, json_text, socketio
from recado.protocol.connection import SocketConnection, Stage
from recado.protocol.engineio import Timing
from recado.protocol.outcomes import Closed, ConnectRequested, EventReceived, Outcome, SendPacket
from recado.protocol.violation import ViolationError
from recado.protocol.websocket import MessageAssembler

NAMESPACES = {"/", "/custom"}
TIMING = Timing(1.0, 0.5, 2.0, 1_000)

digits = st.sampled_from(["", "0", "1", "7", "10", "11", "999999999999999", "1000000000000000"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
placeholders = st.builds(lambda number: {"_placeholder": True, "num": number}, st.integers(-1, 3))
payloads = st.one_of(
    st.just(""),
    st.text(max_size=10),
    json_values.map(json.dumps),
    st.lists(json_values | placeholders, max_size=3).map(lambda rest: json.dumps(["ev", *rest])),
    st.sampled_from(['["connect"]', r'["\ud83d"]', "[" * 5_000, "1e999", "NaN", "[" * 900 + "]" * 900]),
)
almost_packets = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["4", "4", "4", "4", "", "0", "1", "2", "3", "5", "6", "b", "7", "\x1e"]),
        st.sampled_from(["0", "1", "2", "3", "4", "5", "6", "7", ""]),
        st.sampled_from(["", "", "1-", "2-", "0-", "11-", "-"]),
        st.sampled_from(["", "", "/,", "/custom,", "/custom", "/other,", "/custom?x=1,", "/" * 50]),
        digits,
        payloads,
    ),
)
texts = st.one_of(almost_packets, st.text(), st.binary().map(lambda raw: raw.decode("utf-8", "replace")))


class AnyPeer(RuleBasedStateMachine):
    """A peer without manners against an application that accepts, refuses and drops as it likes."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.connection = SocketConnection(TIMING, self.now, NAMESPACES)
        self.waiting = []
        self.ended = False

    def check(self, outcomes):
        for outcome in outcomes:
            assert isinstance(outcome, Outcome)
            assert not self.ended, "nothing comes after Closed"
            match outcome:
                case Closed(reason):
                    assert reason in CLOSES
                    self.ended = True
                case SendPacket(packet):
                    assert engineio.decode(packet.decode())
                case ConnectRequested(namespace, auth):
                    assert namespace in NAMESPACES
                    assert isinstance(auth, dict)
                    self.waiting.append(namespace)
                case EventReceived(namespace, name, args, _):
                    assert self.connection.stage(namespace) is Stage.JOINED
                    assert name not in socketio.RESERVED_EVENTS
                    assert isinstance(args, list)
                case _:
                    pass

    @rule(text=texts)
    def text_arrives(self, text):
        self.check(self.connection.receive_text(text, self.now))

    @rule(data=st.binary(max_size=600))
    def bytes_arrive(self, data):
        self.check(self.connection.receive_binary(data, self.now))

    @rule(seconds=st.floats(0, 3))
    def time_passes(self, seconds):
        self.now += seconds
        self.check(self.connection.tick(self.now))

    @rule()
    def connect_properly(self):
        if self.connection.stage("/") in {Stage.ABSENT, Stage.DROPPED}:
            self.check(self.connection.receive_text("40", self.now))

    @rule(accepted=st.booleans())
    def the_application_answers(self, accepted):
        if self.waiting:
            namespace = self.waiting.pop()
            if accepted:
                self.check(self.connection.accept(namespace, "sid"))
            else:
                self.check(self.connection.refuse(namespace, "no"))

    @rule(namespace=st.sampled_from(sorted(NAMESPACES)))
    def the_application_drops(self, namespace):
        self.check(self.connection.drop(namespace, self.now))

    @rule(namespace=st.sampled_from(sorted(NAMESPACES)))
    def the_application_asks(self, namespace):
        self.connection.expect_ack(namespace)

    @invariant()
    def what_ended_stays_ended(self):
        assert self.connection.closed is self.ended

    @invariant()
    def time_always_has_a_next_moment(self):
        assert self.connection.due() <= self.now + 3.0


TestAnyPeer = AnyPeer.TestCase
TestAnyPeer.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@settings(max_examples=1_500, deadline=None)
@given(texts)
def test_any_text_is_a_packet_or_a_violation(text):
    for decode in (engineio.decode, socketio.decode):
        try:
            decode(text)
        except ViolationError as violation:
            assert violation.reason in CLOSES  # noqa: PT017 - the other outcome is fine as well


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.binary(max_size=40), st.booleans()), max_size=20))
def test_any_fragments_are_messages_or_a_violation(frames):
    assembler = MessageAssembler(100)
    try:
        for opcode, payload, fin in frames:
            message = assembler.feed(opcode, payload, fin=fin)
            assert message is None or len(message) <= 100
    except ViolationError as violation:
        assert violation.reason in CLOSES  # noqa: PT017 - the other outcome is fine as well


@settings(deadline=None)
@given(json_values)
def test_json_survives_the_wire(value):
    assert json_text.decode(json_text.encode(value).decode()) == msgspec.to_builtins(value)
