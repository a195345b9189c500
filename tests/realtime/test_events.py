"""Connecting, events and acknowledgements, and what a handler's refusal or bug does to whom."""

import asyncio
import json

import pytest

from realtime.peer import connected, frame, upgraded


async def test_the_connect_reply_is_exactly_the_sid_and_precedes_what_the_handler_emits(echo):
    async with upgraded(echo.port) as peer:
        peer.send_text('40{"token":"t"}')
        reply = json.loads((await peer.text())[2:])
        assert list(reply) == ["sid"]
        assert reply["sid"] == echo.root.sessions[0].id
        assert await peer.event() == ["auth", {"token": "t"}]


async def test_the_connect_reply_waits_for_no_more_than_the_reads_of_its_tick(echo):
    class Handlers:
        def connect(self, session, _auth):
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self.look, session.link)

        def look(self, link):
            self.waiting = list(link.out)

        def disconnected(self, session, reason): ...

    handlers = Handlers()
    echo.engine.serve("/plain", handlers)
    async with upgraded(echo.port) as peer:
        peer.send_text("40/plain,")
        assert (await peer.text()).startswith("40/plain,{")
        assert handlers.waiting == []


async def test_what_the_handler_emits_leaves_in_one_write_with_the_connect_reply(echo):
    async with upgraded(echo.port) as peer:
        before = echo.engine.report.statistics().writes
        await peer.join()
        assert echo.engine.report.statistics().writes - before == 1


async def test_the_sids_of_engine_and_namespaces_differ(echo):
    async with upgraded(echo.port) as peer:
        root = await peer.join()
        peer.send_text("40/custom")
        custom = json.loads((await peer.text())[len("40/custom,") :])["sid"]
    assert len({root, custom}) == 2


async def test_room_packets_of_a_connecting_session_wait_for_the_connect_reply(echo):
    async with upgraded(echo.port) as peer, connected(echo.port) as other:
        peer.send_text('40{"room":"r","wait":1}')
        await echo.root.until(lambda: echo.root.started == [1])
        other.emit("pub", "early")
        other.emit("message-with-ack", ack_id=1)
        await other.ack(1)
        echo.root.gate.set()
        assert (await peer.text()).startswith("40{")
        assert await peer.event() == ["msg", "early"]
        assert await peer.event() == ["auth", {"room": "r", "wait": 1}]


async def test_a_refused_connect_says_code_and_message_and_may_try_again(echo):
    async with upgraded(echo.port) as peer:
        peer.send_text('40{"refuse":""}')
        assert json.loads((await peer.text())[2:]) == {
            "message": "No valid session came with the request.",
            "data": {"code": "unauthenticated", "retryable": False},
        }
        await peer.join()
    assert echo.log.of("session_refused") == [
        {"connection": echo.log.of("session_refused")[0]["connection"], "code": "unauthenticated"}
    ]


async def test_a_bug_while_connecting_is_code_internal_without_its_text(echo):
    async with upgraded(echo.port) as peer:
        peer.send_text('40{"bug":"segredo"}')
        answer = await peer.text()
        assert json.loads(answer[2:])["data"]["code"] == "internal"
        assert "segredo" not in answer
        await peer.join()
    assert echo.log.exceptions == ["connect_failed"]
    assert "segredo" not in str(echo.log.lines)


async def test_an_unknown_namespace_is_refused_and_others_live_on(echo):
    async with upgraded(echo.port) as peer:
        peer.send_text("40/random")
        assert await peer.text() == '44/random,{"message":"Invalid namespace"}'
        await peer.join()


async def test_namespaces_have_their_own_handlers_and_rooms(echo):
    async with connected(echo.port) as peer:
        peer.send_text('40/custom,{"a":1}')
        assert (await peer.text()).startswith('40/custom,{"sid":')
        assert await peer.text() == '42/custom,["auth",{"a":1}]'
        peer.send_text('42/custom,1["join","r"]')
        assert await peer.text() == '43/custom,1[{"ok":true}]'
        assert (echo.rooms.count("r"), echo.engine.rooms("/custom").count("r")) == (0, 1)
        peer.send_text("41/custom,")
        await echo.custom.until(lambda: [reason for _, reason in echo.custom.gone] == ["client left"])
        assert echo.engine.rooms("/custom").count("r") == 0
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


async def test_an_event_is_acknowledged_with_what_its_handler_returns(echo):
    async with connected(echo.port) as peer:
        peer.emit("message-with-ack", 1, {"a": None}, ack_id=7)
        assert await peer.ack(7) == [1, {"a": None}]
        peer.emit("join", ack_id=0)
        assert await peer.ack(0) == [{"ok": True}]
        peer.emit("nothing", ack_id=8)
        assert await peer.ack(8) == []


async def test_an_event_without_ack_id_is_not_answered(echo):
    async with connected(echo.port) as peer:
        peer.emit("join")
        peer.emit("bug", "x")
        peer.emit("conflict")
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]


async def test_a_refusal_is_acknowledged_with_code_and_current_state(echo):
    async with connected(echo.port) as peer:
        peer.emit("conflict", ack_id=1)
        assert await peer.ack(1) == [
            {
                "ok": False,
                "error": {
                    "message": "The current state does not allow this.",
                    "code": "conflict",
                    "retryable": False,
                    "lastSeq": 7,
                },
            }
        ]
    assert echo.log.exceptions == []


async def test_a_handlers_bug_is_code_internal_and_closes_nobodys_session(echo):
    async with connected(echo.port) as peer, connected(echo.port) as other:
        peer.emit("bug", "segredo", ack_id=1)
        (answer,) = await peer.ack(1)
        assert answer["ok"] is False
        assert answer["error"]["code"] == "internal"
        assert "segredo" not in str(answer)
        for survivor in (peer, other):
            survivor.emit("message", 1)
            assert await survivor.event() == ["message-back", 1]
    (line,) = echo.log.of("event_failed")
    assert line["name"] == "bug"
    assert set(line) == {"connection", "session", "name"}


async def test_an_answer_that_has_no_json_form_is_code_internal(echo):
    async with connected(echo.port) as peer:
        peer.emit("unencodable", ack_id=1)
        (answer,) = await peer.ack(1)
        assert answer["error"]["code"] == "internal"
    assert echo.log.exceptions == ["event_failed"]


@pytest.mark.parametrize("name", ["Maria da Silva está com dor", "x" * 50, "123"])
async def test_an_event_name_that_may_hold_words_is_not_logged(echo, name):
    async with connected(echo.port) as peer:
        peer.emit(name, ack_id=1)
        (answer,) = await peer.ack(1)
        assert answer["error"]["code"] == "internal"
    (line,) = echo.log.of("event_failed")
    assert line["name"] is None


async def test_a_cut_emoji_reaches_the_handler_as_a_replacement_character(echo):
    async with connected(echo.port) as peer:
        peer.send_text(r'421["message-with-ack","oi \ud83d"]')
        assert await peer.ack(1) == ["oi \ufffd"]


async def test_events_start_in_order_with_a_bound_in_flight_and_the_rest_waits(serve, websocket):
    echo = await serve(max_in_flight=4)
    async with connected(echo.port) as peer:
        for number in range(200):
            peer.emit("wait", number, ack_id=number)
        await echo.root.until(lambda: len(echo.root.started) == 4)
        (link,) = echo.engine._hub.links
        if websocket == "picows":
            assert not link._transport._socket.underlying_transport.is_reading()
        echo.root.gate.set()
        assert [await peer.ack(number) for number in range(200)] == [[number] for number in range(200)]
    assert echo.root.started == list(range(200))
    assert echo.root.most_running == 4


async def test_a_flood_of_events_is_held_back_by_the_wire_and_not_by_our_memory(serve):
    echo = await serve(max_in_flight=2)
    async with connected(echo.port) as peer:
        flood = frame(1, '42["wait",0,"' + "x" * 1_000 + '"]')
        peer.writer.transport.set_write_buffer_limits(high=0)

        async def pour():
            for _ in range(1_000):  # 50 MB, were it taken
                peer.send(flood * 50)
                await peer.writer.drain()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pour(), 1)
        (link,) = echo.engine._hub.links
        assert len(link._waiting) < 2_000
        assert echo.root.started == [0, 0]
        peer.writer.transport.abort()


async def test_the_client_is_asked_and_its_answer_comes_back(echo):
    async with connected(echo.port) as peer:
        peer.emit("ask", ack_id=5)
        text = await peer.text()
        assert text.startswith("42")
        ack_id, _, question = text[2:].partition("[")
        assert question == '"question",1]'
        peer.send_text(f'43{ack_id}["yes",2]')
        assert await peer.ack(5) == [{"answer": ["yes", 2]}]


async def test_a_client_that_does_not_answer_is_a_timeout_and_its_late_answer_is_ignored(serve):
    echo = await serve(ping_timeout_s=0.2)
    async with connected(echo.port) as peer:
        peer.emit("ask", 0.05, ack_id=5)
        question = await peer.text()
        assert await peer.ack(5) == [{"answer": "timeout"}]
        peer.send_text(f"43{question[2 : question.index('[')]}[1]")
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]
    (link,) = [session.link for session in echo.root.sessions]
    assert not link._calls


async def test_asking_a_client_that_goes_ends_at_once(echo):
    async with connected(echo.port) as peer:
        peer.emit("ask", ack_id=5)
        await peer.text()
        (session,) = echo.root.sessions
        asking = asyncio.ensure_future(session.call("question", timeout_s=60))
        await peer.text()
    with pytest.raises(ConnectionError):
        await asking
    with pytest.raises(ConnectionError):
        await session.call("question", timeout_s=60)


async def test_the_server_ends_a_session_without_its_connection(echo):
    async with connected(echo.port) as peer:
        peer.send(frame(1, '421["disconnect-me"]') + frame(1, '42["message","late"]'))
        assert await peer.text() == "41"
        await peer.join()
        peer.emit("message", 1)
        assert await peer.event() == ["message-back", 1]
    assert [reason for _, reason in echo.root.gone][:1] == ["server left"]


@pytest.mark.parametrize(
    ("reason", "farewell", "code"), [("session ended", "41", 4001), ("slow consumer", None, 4008)]
)
async def test_a_close_that_must_not_be_retried_says_so_in_socketio_too(echo, reason, farewell, code):
    async with connected(echo.port) as peer:
        peer.emit("close", reason)
        if farewell:
            assert await peer.text() == farewell
        assert await peer.close_code() == code
    assert [reason for _, reason in echo.root.gone] == [reason]


async def test_a_session_that_closes_while_connecting_is_told_gone_once_and_is_in_no_room(echo):
    async with upgraded(echo.port) as peer:
        peer.send_text('40{"room":"r","wait":1}')
        await echo.root.until(lambda: echo.root.started == [1])
        assert echo.rooms.count("r") == 1
    await echo.until_empty()
    assert echo.rooms.count("r") == 0
    assert echo.root.gone == []
    echo.root.gate.set()
    await echo.root.until(lambda: len(echo.root.gone) == 1)
    assert len(echo.rooms) == 0


async def test_a_handler_that_outlives_its_session_answers_nobody(echo):
    async with connected(echo.port) as peer:
        peer.emit("wait", 1, ack_id=1)
        await echo.root.until(lambda: echo.root.started == [1])
    await echo.until_empty()
    echo.root.gate.set()
    await echo.root.until(lambda: echo.root.gone)
    await asyncio.gather(*echo.engine._hub.tasks)
    echo.root.sessions[0].emit("nobody")
    echo.root.sessions[0].close()
    assert echo.log.exceptions == []
