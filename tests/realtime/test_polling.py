"""HTTP long-polling on real sockets: notes of the protocol, request by request."""

import asyncio
import base64
import json
import time

import pytest

from realtime.peer import connected, dialled, head, joined, polling, request, send_request, until
from recado.app.origins import parse_origin
from recado.realtime.head import Refusal

QUICK = {"ping_interval_s": 0.3, "ping_timeout_s": 0.2, "connect_timeout_s": 30}
UNKNOWN = {"code": 1, "message": "Session ID unknown"}


async def ask(port, target, method="GET", body="", **headers):
    async with dialled(port) as peer:
        return await request(peer, method, target, body, **headers)


async def is_over(poller):
    answer = await ask(poller.port, poller.target())
    return (answer.status, json.loads(answer.body)) == (400, UNKNOWN)


async def test_a_handshake_is_an_open_packet_of_five_keys(echo):
    answer = await ask(echo.port, "/socket.io/?EIO=4&transport=polling&t=abc")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert answer.headers["cache-control"] == "no-store"
    handshake = json.loads(answer.body.removeprefix("0"))
    assert len(handshake.pop("sid")) == 20
    assert handshake == {
        "upgrades": ["websocket"],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 1_000_000,
    }


async def test_the_path_is_answered_without_its_slash_too(echo):
    assert (await ask(echo.port, "/socket.io?EIO=4&transport=polling")).status == 200
    assert (await ask(echo.port, "/socket.io/other?EIO=4&transport=polling")).body == "ok"


@pytest.mark.parametrize(
    ("method", "query", "code", "message"),
    [
        ("GET", "", 0, "Transport unknown"),
        ("GET", "EIO=4", 0, "Transport unknown"),
        ("GET", "EIO=4&transport=abc", 0, "Transport unknown"),
        ("GET", "EIO=4&transport=polling&sid=abc", 1, "Session ID unknown"),
        ("POST", "EIO=4&transport=polling&sid=abc", 1, "Session ID unknown"),
        ("POST", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("PUT", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("OPTIONS", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("GET", "EIO=4&transport=websocket", 3, "Bad request"),
        ("GET", "transport=polling", 5, "Unsupported protocol version"),
        ("GET", "EIO=3&transport=polling", 5, "Unsupported protocol version"),
    ],
)
async def test_what_is_refused_says_so_by_code(echo, method, query, code, message):
    answer = await ask(echo.port, f"/socket.io/?{query}", method)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(answer.body) == {"code": code, "message": message}
    assert echo.engine.report.statistics().refusals == {message: 1}
    assert echo.engine.link_count == 0


async def test_an_origin_of_impossible_characters_is_refused_on_both_transports(echo):
    for answer in (
        await ask(echo.port, "/socket.io/?EIO=4&transport=polling", origin="http://a\x7f"),
        await ask(
            echo.port,
            "/socket.io/?EIO=4&transport=websocket",
            origin="http://a\x7f",
            upgrade="websocket",
            connection="Upgrade",
            sec_websocket_version="13",
            sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==",
        ),
    ):
        assert answer.status == 400


async def test_a_session_refuses_another_transport_and_another_revision(echo):
    async with polling(echo.port) as poller:
        for target in (poller.target(transport="websocket"), poller.target(EIO="3"), poller.target(EIO="")):
            answer = await ask(echo.port, target)
            assert json.loads(answer.body) == {"code": 3, "message": "Bad request"}
        await poller.send("40")


async def test_a_session_that_began_with_a_websocket_refuses_polling_until_it_is_over(echo):
    async with dialled(echo.port) as peer:
        peer.send(head())
        assert (await peer.answer()).status == 101
        target = f"/socket.io/?EIO=4&transport=polling&sid={json.loads((await peer.text())[1:])['sid']}"
        for method in ("GET", "POST"):
            answer = await ask(echo.port, target, method)
            assert (answer.status, json.loads(answer.body)) == (400, {"code": 3, "message": "Bad request"})
        async with dialled(echo.port) as second:
            second.send(head(target.replace("polling", "websocket")))
            assert (await second.answer()).status == 101
            assert await second.close_code() == 1000
        await peer.join()
    await echo.until_empty()
    assert echo.engine._hub.polls == {}
    assert json.loads((await ask(echo.port, target)).body) == UNKNOWN


async def test_another_method_is_refused_and_harmless(echo):
    async with polling(echo.port) as poller:
        for method in ("PUT", "DELETE", "OPTIONS"):
            answer = await ask(echo.port, poller.target(), method)
            assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
        await poller.send("40")


async def test_the_accept_hook_refuses_in_its_own_words_with_code_4(serve):
    echo = await serve(accept=lambda head: Refusal(403, f"Not {head.parameter('who')}"))
    answer = await ask(echo.port, "/socket.io/?EIO=4&transport=polling&who=you")
    assert (answer.status, json.loads(answer.body)) == (403, {"code": 4, "message": "Not you"})


async def test_bounds_on_connections_count_polling_sessions(serve):
    echo = await serve(max_connections=2)
    async with polling(echo.port), connected(echo.port):
        answer = await ask(echo.port, "/socket.io/?EIO=4&transport=polling")
        assert (answer.status, json.loads(answer.body)) == (
            503,
            {"code": 4, "message": "Too many connections"},
        )


async def test_statistics_know_polling(echo, websocket):
    async with joined(echo.port), connected(echo.port):
        statistics = echo.engine.report.statistics()
        assert statistics.connections.by_transport == {"polling": 1, websocket: 1}
        assert statistics.connections.live == 2


async def test_events_and_acknowledgements_go_both_ways(echo):
    async with joined(echo.port, token="t") as poller:
        await poller.send('42["message",1,"é"]', '427["message-with-ack",2]')
        assert await poller.until("437") == ['42["message-back",1,"é"]', "437[2]"]
        await poller.send('428["ask"]')
        (question,) = await poller.until("42")
        assert question == '420["question",1]'
        await poller.send("430[42]")
        assert await poller.until("438") == ['438[{"answer":[42]}]']


async def test_a_payload_has_as_many_packets_as_fit(echo):
    async with joined(echo.port) as poller:
        events = [f'42["message",{number}]' for number in range(5_000)]
        await poller.send(*events)
        seen = []
        while len(seen) < 5_000:
            seen += await poller.packets()
        assert seen == [f'42["message-back",{number}]' for number in range(5_000)]


async def test_a_get_is_held_until_there_is_something(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        answer = asyncio.ensure_future(poller.fetching.answer())
        await poller.send("6")
        assert not answer.done()
        echo.root.sessions[0].emit("now")
        assert (await answer).body == '42["now"]'


async def test_a_room_hears_the_same_by_polling_and_by_websocket(echo):
    async with joined(echo.port, room="r") as poller, connected(echo.port, room="r") as peer:
        echo.rooms.emit("r", "msg", {"a": [1]})
        assert await poller.packets() == ['42["msg",{"a":[1]}]']
        assert await peer.event() == ["msg", {"a": [1]}]


async def test_signals_are_dropped_while_no_get_waits(echo):
    async with joined(echo.port) as poller:
        (session,) = echo.root.sessions
        session.emit_volatile("signal", 1)
        poller.send_get()
        await until(lambda: session.link.writable)
        session.emit_volatile("signal", 2)
        assert (await poller.fetching.answer()).body == '42["signal",2]'


async def test_overlapping_gets_close_the_session(echo):
    async with polling(echo.port) as poller, dialled(echo.port) as second:
        poller.send_get()
        await until_held(echo)
        answer = await request(second, "GET", poller.target())
        assert (answer.status, answer.body) == (400, "")
        assert (await poller.fetching.answer()).body == "1"
        assert await is_over(poller)
    await echo.until_empty()


async def test_overlapping_posts_close_the_session(echo):
    async with polling(echo.port) as poller, dialled(echo.port) as second:
        begin_post(poller)
        await until(lambda: any(poll._session._taking for poll in echo.engine._hub.polls.values()))
        answer = await request(second, "POST", poller.target(), "3")
        assert (answer.status, answer.body) == (400, "")
        assert await is_over(poller)
        poller.sending.send(b"6")
        assert (await poller.sending.answer()).status == 400


async def test_a_client_that_breaks_its_get_off_has_gone(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        poller.fetching.writer.transport.abort()
        await echo.root.until(lambda: echo.root.gone)
        assert await is_over(poller)
    assert [reason for _, reason in echo.root.gone] == ["transport lost"]


async def test_a_client_that_breaks_its_post_off_has_gone(echo):
    async with joined(echo.port) as poller:
        begin_post(poller)
        await until(lambda: any(poll._session._taking for poll in echo.engine._hub.polls.values()))
        poller.sending.writer.transport.abort()
        await echo.root.until(lambda: echo.root.gone)
        assert await is_over(poller)


async def test_the_clients_goodbye_releases_its_get_with_a_noop(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        await poller.send("1")
        assert (await poller.fetching.answer()).body == "6"
        assert await is_over(poller)
    assert [reason for _, reason in echo.root.gone] == ["peer closed"]


async def test_a_get_that_its_goodbye_has_overtaken_comes_home_too(echo):
    async with joined(echo.port) as poller:
        await poller.send("1")
        assert await poller.packets() == ["6"]
        assert await is_over(poller)


async def test_what_stands_behind_the_goodbye_is_not_heard(echo):
    async with joined(echo.port) as poller:
        await poller.send('42["pub",1]', "1", '42["bug","x"]')
    assert echo.log.exceptions == []


@pytest.mark.parametrize("packet", ["", "abc", "2", "2probe", "5", "0{}", "4", "4abc", "b!", '42["connect"]'])
async def test_a_packet_that_breaks_a_rule_closes_the_session_at_once(echo, packet):
    async with joined(echo.port) as poller:
        answer = await poller.post('42["join","r"]', packet, '42["bug","x"]')
        assert (answer.status, json.loads(answer.body)["code"]) == (400, 3)
        assert await is_over(poller)
    await echo.until_empty()
    assert "join" not in echo.log.exceptions
    assert echo.engine.report.statistics().events_in == 1
    assert [reason for _, reason in echo.root.gone] == ["protocol error"]


async def test_a_body_that_is_not_utf8_closes_the_session(echo):
    async with polling(echo.port) as poller:
        answer = await request(poller.sending, "POST", poller.target(), b"40\x1e4\xff")
        assert answer.status == 400
        assert await is_over(poller)


async def test_a_body_over_max_payload_is_413_and_the_session_goes_on(serve):
    echo = await serve(max_payload_bytes=50_000)
    async with joined(echo.port) as poller:
        answer = await poller.post("4" + "x" * 50_000)
        assert (answer.status, answer.body) == (413, "")
        async with dialled(echo.port) as chunked:
            chunked.send(
                f"POST {poller.target()} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
                + b"c351\r\n4"
                + b"x" * 50_000
                + b"\r\n0\r\n\r\n"
            )
            assert (await chunked.answer()).status == 413
        await poller.send("4" + "2" + json.dumps(["message", "x" * 49_000]))
        assert len((await poller.until("42"))[0]) > 49_000


async def test_an_octet_stream_is_refused_and_closes_the_session(echo):
    async with polling(echo.port) as poller:
        answer = await poller.post("40", content_type="application/octet-stream")
        assert answer.status == 400
        assert await is_over(poller)


async def test_pings_come_by_get_and_pongs_by_post(serve):
    echo = await serve(**QUICK)
    async with polling(echo.port) as poller:
        started = time.monotonic()
        for number in range(1, 4):
            assert await poller.packets() == ["2"]
            assert 0.3 * number - 0.01 <= time.monotonic() - started
            await poller.send("3")


async def test_a_silent_client_is_over_on_time_even_before_the_wheel_turns(serve):
    echo = await serve(**QUICK)
    async with joined(echo.port) as poller:
        async with dialled(echo.port) as late:
            (link,) = echo.engine._hub.links
            await until(lambda: link._connection._deadline <= echo.engine._hub.clock())
            answer = await request(late, "GET", poller.target())
        assert (answer.status, json.loads(answer.body)) == (400, UNKNOWN)
        await echo.root.until(lambda: echo.root.gone)
    assert [reason for _, reason in echo.root.gone] == ["ping timeout"]


async def test_whoever_fetches_is_alive(serve):
    echo = await serve(**QUICK)
    async with polling(echo.port) as poller:
        for _ in range(4):
            assert await poller.packets() == ["2"]


async def test_a_body_that_arrives_slowly_keeps_its_session(serve):
    echo = await serve(**QUICK)
    async with joined(echo.port) as poller:
        event = '42["message","slow"]'
        begin_post(poller, len(event))
        for byte in event.encode():
            poller.sending.send(bytes([byte]))
            await asyncio.sleep(0.04)  # longer than the interval and the timeout together, in all
        assert (await poller.sending.answer()).body == "ok"
        assert '42["message-back","slow"]' in await poller.packets()


async def test_a_body_that_stands_still_is_408_and_leaves_nothing(serve):
    echo = await serve(**QUICK)
    async with polling(echo.port) as poller:
        begin_post(poller)
        assert (await poller.sending.answer()).status == 408
    await echo.until_empty()


async def test_the_servers_close_waits_for_the_next_get(echo):
    async with joined(echo.port) as poller:
        (session,) = echo.root.sessions
        session.emit("last")
        session.close("session ended")
        assert await poller.packets() == ['42["last"]', "41"]
        assert await poller.packets() == ["1"]
        assert await is_over(poller)
    await echo.until_empty()


async def test_who_may_come_back_hears_last_words_and_goodbye_in_the_held_gets_answer(echo):
    """And nothing waits for another GET: a drain would, for whoever does not come."""
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        (session,) = echo.root.sessions
        session.emit("last")
        session.close("access changed")
        assert (await poller.fetching.answer()).body == '42["last"]\x1e6'
        await echo.until_empty()


async def test_who_may_come_back_is_not_told_to_close(echo):
    """python-engineio's client would stay away."""
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        echo.root.sessions[0].close("access changed")
        assert (await poller.fetching.answer()).body == "6"
        assert await is_over(poller)


async def test_a_client_that_said_goodbye_between_two_gets_is_forgotten_soon(echo):
    async with joined(echo.port) as poller:
        await poller.send("1")
        await echo.until_empty()
    assert echo.engine._hub.polls == {}


async def test_after_both_goodbyes_nothing_is_kept_for_a_get(echo):
    """socket.io-client says its own when it is told to leave all its namespaces, and polls no more."""
    async with joined(echo.port) as poller:
        echo.root.sessions[0].close("session ended")
        await poller.send("3", "1")
        await echo.until_empty()


async def test_a_goodbye_that_nobody_fetches_is_forgotten(serve):
    echo = await serve(farewell_timeout_s=0.2)
    async with joined(echo.port) as poller:
        echo.root.sessions[0].close("session ended")
        await echo.until_empty()
        assert await is_over(poller)


async def test_a_client_that_does_not_fetch_is_a_slow_consumer(serve):
    echo = await serve(max_outbound_bytes=100_000)
    async with joined(echo.port, room="r") as poller:
        for _ in range(4):
            echo.rooms.emit("r", "msg", "x" * 60_000)
            await asyncio.sleep(0.01)
        await echo.root.until(lambda: echo.root.gone)
        assert await is_over(poller)
    assert [reason for _, reason in echo.root.gone] == ["slow consumer"]


async def test_a_client_that_joins_again_and_again_without_fetching_is_a_slow_consumer(serve):
    class Handlers:
        def connect(self, session, auth): ...

        def disconnected(self, session, reason): ...

    echo = await serve(max_outbound_bytes=1_000)
    echo.engine.serve("/plain", Handlers())
    async with polling(echo.port) as poller:
        for _ in range(5):
            await poller.post(*["40/plain,", "41/plain,"] * 16)
        assert await is_over(poller)
    assert echo.engine.report.statistics().closes == {"slow consumer": 1}


async def test_a_post_waits_while_too_many_events_are_in_flight(serve):
    echo = await serve(max_in_flight=2)
    async with joined(echo.port) as poller:
        await poller.send(*[f'42["wait",{number}]' for number in range(3)])
        sending = asyncio.ensure_future(poller.post('42["message","behind"]'))
        await echo.root.until(lambda: len(echo.root.started) == 2)
        assert not sending.done()
        echo.root.gate.set()
        assert (await sending).body == "ok"
        assert await poller.until("42") == ['42["message-back","behind"]']
    assert echo.root.most_running == 2


async def test_draining_answers_held_polls(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        draining = asyncio.ensure_future(echo.engine.drain(0.1))
        assert (await poller.fetching.answer()).body == '42["server:draining",{"reconnectInMs":100}]\x1e6'
        assert await is_over(poller)
        await draining
        answer = await ask(echo.port, "/socket.io/?EIO=4&transport=polling")
        assert (answer.status, json.loads(answer.body)["message"]) == (503, "Draining")


async def test_a_server_that_ends_lets_held_polls_go_first(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        echo.stop()
        assert (await poller.fetching.answer()).body.startswith('42["server:draining"')
        await echo.stopped()


async def test_what_is_sent_while_draining_is_not_begun(echo):
    async with joined(echo.port) as poller:
        await poller.send('42["wait",1]')
        await echo.root.until(lambda: echo.root.started == [1])
        draining = asyncio.ensure_future(echo.engine.drain(5))
        await until(lambda: echo.engine._hub.draining)
        sending = asyncio.ensure_future(poller.post('42["wait",2]'))
        assert '42["server:draining",{"reconnectInMs":5000}]' in await poller.packets()
        echo.root.gate.set()
        assert (await poller.get()).body == "6"
        await sending
        await draining
    assert echo.root.started == [1]


async def test_a_question_that_is_not_answered_in_time_ends_and_its_late_answer_is_ignored(echo):
    async with joined(echo.port) as poller:
        await poller.send('421["ask",0.05]')
        assert await poller.until("431") == ['420["question",1]', '431[{"answer":"timeout"}]']
        await poller.send("430[42]", '42["message",1]')
        assert await poller.until("42") == ['42["message-back",1]']


async def test_a_client_in_no_namespace_is_let_go(serve):
    echo = await serve(connect_timeout_s=0.2)
    async with polling(echo.port) as poller:
        assert await poller.packets() == ["6"]
        assert await is_over(poller)


async def test_late_packets_after_the_servers_disconnect_are_dropped(echo):
    async with joined(echo.port) as poller:
        await poller.send('42["disconnect-me"]')
        assert await poller.packets() == ["41"]
        await poller.send('42["bug","x"]', "40/custom,")
        assert (await poller.until("40/custom"))[0].startswith("40/custom")
    assert echo.log.exceptions == []


async def test_requests_without_keep_alive_are_answered_and_closed(echo):
    async with dialled(echo.port) as peer:
        target = "/socket.io/?EIO=4&transport=polling"
        answer = await request(peer, "GET", target, connection="close")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await peer.ended()


async def test_pipelined_requests_are_answered_in_their_order(echo):
    async with joined(echo.port) as poller:
        echo.root.sessions[0].emit("one")
        first, second = poller.target(), "/socket.io/?EIO=4&transport=polling"
        send_request(poller.fetching, "GET", first)
        send_request(poller.fetching, "GET", second)
        assert (await poller.fetching.answer()).body == '42["one"]'
        assert (await poller.fetching.answer()).body.startswith('0{"sid"')


async def test_stopping_answers_held_polls_and_leaves_no_task(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        await echo.engine.stop()
        assert (await poller.fetching.answer()).body == "1"
    assert echo.engine._hub.polls == {}


async def test_between_two_requests_a_session_has_no_task(echo):
    before = len(asyncio.all_tasks())
    async with joined(echo.port):
        assert len(asyncio.all_tasks()) == before


async def test_a_closed_session_is_in_nobodys_list(echo):
    async with joined(echo.port, room="r") as poller:
        await poller.send("1")
        await poller.packets()
    await echo.until_empty()
    hub = echo.engine._hub
    assert (hub.polls, len(echo.rooms), hub.doors.open) == ({}, 0, 0)
    assert not any(hub.wheel._slots)


async def test_a_nodes_name_stands_in_front_of_the_id(serve):
    echo = await serve(node="a")
    async with joined(echo.port) as poller:
        assert poller.sid.startswith("a.")
        assert len(poller.sid) == 22


async def test_without_listed_origins_there_is_no_cors(echo):
    answer = await ask(echo.port, "/socket.io/?EIO=4&transport=polling", origin="http://other")
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.fixture
async def open_echo(serve):
    return await serve(allowed_origins=[parse_origin("https://app.example")])


@pytest.mark.parametrize("query", ["EIO=4&transport=polling", "EIO=3&transport=polling", "transport=x"])
async def test_pages_of_listed_origins_may_read_answers_and_refusals(open_echo, query):
    answer = await ask(open_echo.port, f"/socket.io/?{query}", origin="https://app.example")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"


async def test_pages_of_other_origins_may_not(open_echo):
    for method in ("GET", "OPTIONS"):
        answer = await ask(
            open_echo.port, "/socket.io/?EIO=4&transport=polling", method, origin="https://evil.example"
        )
        assert answer.headers["vary"] == "Origin"
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_preflight_is_answered_204(open_echo):
    answer = await ask(
        open_echo.port,
        "/socket.io/?EIO=4&transport=polling",
        "OPTIONS",
        origin="https://app.example",
        access_control_request_method="POST",
        access_control_request_headers="x-a, content-type",
    )
    assert (answer.status, answer.body) == (204, "")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-methods"] == "GET,HEAD,PUT,PATCH,POST,DELETE"
    assert answer.headers["access-control-allow-headers"] == "x-a, content-type"


async def test_large_messages_come_back_whole(echo):
    async with joined(echo.port) as poller:
        text = "é" * 450_000
        await poller.send(f'42["message","{text}"]')
        assert (await poller.until("42"))[-1] == f'42["message-back","{text}"]'


async def test_binary_goes_both_ways_as_base64(echo):
    async with joined(echo.port) as poller:
        data = base64.b64encode(bytes(range(256))).decode()
        await poller.send('451-["message",{"_placeholder":true,"num":0}]', f"b{data}")
        assert await poller.packets() == ['451-["message-back",{"_placeholder":true,"num":0}]', f"b{data}"]


def begin_post(poller, size=1):
    head = f"POST {poller.target()} HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n"
    poller.sending.send(head.encode())


async def until_held(echo):
    await until(lambda: any(poll.writable for poll in echo.engine._hub.polls.values()))
