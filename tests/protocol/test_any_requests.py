"""Whatever requests come in whatever order: a polling session loses no packet, doubles none, answers each GET once."""

import base64

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from recado.protocol.polling import MAX_PACKETS, OVERLAPPING, Phase, PollingSession, split_payload
from recado.protocol.websocket import binary_frame, is_text, payload_of, text_frame

OPEN = {Phase.POLLING, Phase.CALLED, Phase.PROBING}
CONTROL = {"1", "6"}


def frame_of(number):
    data = b"%d" % number
    return binary_frame(data) if number % 3 == 0 else text_frame(b"4" + data)


def number_in(packet):
    """What `frame_of` was made of, whichever form it took."""
    return int(base64.b64decode(packet[1:]) if packet[0] == "b" else packet[1:])


class AnyRequests(RuleBasedStateMachine):
    """A client that asks as it likes, a WebSocket that comes and goes, and an application that sends meanwhile."""

    def __init__(self):
        super().__init__()
        self.session = PollingSession()
        self.sent = 0
        self.heard = []
        self.get_waits = False
        self.taking = False
        self.forgiven = False
        """Somebody ended it in a way that may cost what still waited."""

    def answered(self, reply):
        """A GET came home."""
        assert reply.status == 200
        packets = [packet for packet, _ in split_payload(reply.body)]
        assert packets != [""], "a GET is never answered empty"
        assert len(packets) <= MAX_PACKETS
        for packet in packets:
            if packet in CONTROL:
                assert packet is packets[-1], "what closes or releases comes last"
            else:
                self.heard.append(number_in(packet))
        if "1" in packets:
            assert self.session.phase is Phase.GONE

    def released(self, reply):
        """Something else than a GET may have answered the one that waits."""
        if reply is not None:
            assert self.get_waits, "only a GET that waits can be answered"
            self.get_waits = False
            self.answered(reply)

    def over(self):
        self.forgiven = True
        self.released(self.session.leave(at_once=True))
        self.session.lose()
        self.get_waits = False

    @rule()
    def the_client_asks(self):
        before = self.session.phase
        reply = self.session.get()
        if reply is None:
            assert not self.get_waits
            self.get_waits = True
        elif reply is OVERLAPPING:
            assert self.get_waits
            self.over()
        elif before is Phase.UPGRADED or before is Phase.GONE:
            assert reply.status == 400
        else:
            self.answered(reply)

    @rule()
    def the_client_begins_to_post(self):
        before = self.session.phase
        reply = self.session.post()
        if reply is None:
            assert not self.taking
            self.taking = True
        elif reply is OVERLAPPING:
            assert self.taking
            self.over()
        else:
            assert before in {Phase.UPGRADED, Phase.GONE}
            assert reply.status == 400

    @precondition(lambda self: self.taking)
    @rule()
    def its_post_has_come(self):
        self.session.posted()
        self.taking = False

    @rule(count=st.integers(1, 40))
    def the_application_sends(self, count):
        frames = [frame_of(self.sent + index) for index in range(count)]
        if self.session.phase in OPEN:
            self.sent += count
        self.released(self.session.send(frames))

    @rule()
    def a_websocket_comes(self):
        before = self.session.phase
        assert self.session.call() is (before is Phase.POLLING)

    @precondition(lambda self: self.session.phase is Phase.CALLED)
    @rule()
    def it_probes(self):
        self.released(self.session.probe())

    @precondition(lambda self: self.session.phase is Phase.PROBING)
    @rule()
    def time_releases_the_get(self):
        self.released(self.session.release())

    @rule()
    def it_goes_again(self):
        self.session.desist()

    @precondition(lambda self: self.session.phase is Phase.PROBING)
    @rule()
    def it_takes_over(self):
        frames, reply = self.session.upgrade()
        self.released(reply)
        assert not self.get_waits, "no GET waits beside a WebSocket"
        for frame in frames:
            data = payload_of(frame)
            self.heard.append(int(data[1:] if is_text(frame) else data))

    @rule()
    def the_client_says_goodbye(self):
        self.forgiven = self.forgiven or self.session.phase is not Phase.UPGRADED
        self.released(self.session.end())

    @rule(count=st.integers(0, 40), may_return=st.booleans())
    def the_server_ends_it(self, count, may_return):
        last = [frame_of(self.sent + index) for index in range(count)]
        if self.session.phase in OPEN:
            self.sent += count
        self.released(self.session.leave(last, at_once=False, may_return=may_return))

    @rule()
    def the_client_breaks_off(self):
        self.forgiven = True
        self.session.lose()
        self.get_waits = False

    @invariant()
    def a_waiting_get_is_known_to_both(self):
        assert self.session.held is self.get_waits
        assert not self.get_waits or self.session.phase in OPEN

    @invariant()
    def nothing_is_lost_doubled_or_reordered(self):
        assert self.heard == list(range(len(self.heard)))
        if self.session.phase is Phase.UPGRADED and not self.forgiven:
            assert len(self.heard) == self.sent

    @invariant()
    def what_waits_is_counted(self):
        waiting = sum(len(frame_of(number)) for number in range(len(self.heard), self.sent))
        if not self.forgiven:
            assert self.session.size == waiting

    def teardown(self):
        """Whoever asks on hears everything."""
        for _ in range(100):
            if self.forgiven or self.get_waits or self.session.phase not in OPEN | {Phase.LEAVING}:
                break
            self.the_client_asks()
        if not self.forgiven:
            assert len(self.heard) == self.sent


TestAnyRequests = AnyRequests.TestCase
TestAnyRequests.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
