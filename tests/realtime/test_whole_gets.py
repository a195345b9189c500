"""A GET that is all of one read goes past parser and task. At the borders of that way nothing changes for a client."""

import asyncio
import json

import pytest

from realtime.peer import PATH, dialled, head, joined, request, send_request, until

HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


async def until_held(echo):
    await until(lambda: echo.root.sessions[0].link.writable)


async def until_read(echo):
    """The loop reads in the order in which things came."""
    async with dialled(echo.port) as other:
        await request(other, "GET", "/")


async def test_what_is_pipelined_behind_a_held_get_is_answered_after_it(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        for _ in range(2):
            send_request(poller.fetching, "GET", HANDSHAKE)
            send_request(poller.fetching, "POST", poller.target(), '42["message",1]')
        await poller.send("6")
        echo.root.sessions[0].emit("one")
        assert (await poller.fetching.answer()).body == '42["one"]'
        for _ in range(2):
            assert (await poller.fetching.answer()).body.startswith('0{"sid"')
            assert (await poller.fetching.answer()).body == "ok"


async def test_a_connection_whose_pipelined_get_was_answered_reads_on(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        send_request(poller.fetching, "GET", HANDSHAKE)
        await until_read(echo)
        echo.root.sessions[0].emit("one")
        assert (await poller.fetching.answer()).body == '42["one"]'
        assert (await poller.fetching.answer()).body.startswith('0{"sid"')
        assert (await request(poller.fetching, "GET", HANDSHAKE)).body.startswith('0{"sid"')


async def test_a_get_behind_a_post_that_waits_is_answered_after_it(serve):
    echo = await serve(max_in_flight=1)
    async with joined(echo.port) as poller:
        await poller.send('42["wait",1]', '42["wait",2]')
        send_request(poller.sending, "POST", poller.target(), '42["message",1]')
        await until_read(echo)
        send_request(poller.sending, "GET", HANDSHAKE)
        await until_read(echo)
        echo.root.gate.set()
        assert (await poller.sending.answer()).body == "ok"
        assert (await poller.sending.answer()).body.startswith('0{"sid"')


async def test_a_held_get_outlives_the_time_that_an_idle_connection_and_a_head_have(serve):
    echo = await serve(keep_alive_s=0.1, head_timeout_s=0.1)
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        async with dialled(echo.port) as idle:
            await request(idle, "GET", HANDSHAKE)
            assert await idle.ended(), "it was there for less long"
        echo.root.sessions[0].emit("one")
        assert (await poller.fetching.answer()).body == '42["one"]'
        assert await poller.fetching.ended()


async def test_every_poll_gives_its_connection_the_whole_time_again(serve):
    echo = await serve(keep_alive_s=0.4)
    async with joined(echo.port) as poller:
        for _ in range(3):
            await asyncio.sleep(0.2)  # in all, longer than an idle connection has
            echo.root.sessions[0].emit("one")
            assert (await poller.get()).body == '42["one"]'


@pytest.mark.only_picows("under any ASGI server a request is a task")
async def test_a_held_get_has_no_task_either(echo):
    async with joined(echo.port) as poller:
        before = len(asyncio.all_tasks())
        poller.send_get()
        await until_held(echo)
        assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize(
    "fields",
    [
        b"host:x",
        b"host: x\r\nconnection: Keep-Alive",
        b"host: x\r\ncontent-length: 0",
        b"host: x\r\nconnection: close",
        b"HOST: x\r\nTRANSFER-ENCODING: chunked\r\n\r\n0",
        "host: x\r\nx-name: \u00e9".encode("latin-1"),
    ],
)
async def test_a_get_is_answered_however_its_head_is_written(echo, fields):
    async with joined(echo.port) as poller:
        poller.fetching.send(b"GET %b HTTP/1.1\r\n%b\r\n\r\n" % (poller.target().encode(), fields))
        await until_held(echo)
        echo.root.sessions[0].emit("now")
        assert (await poller.fetching.answer()).body == '42["now"]'


async def test_a_get_that_comes_byte_by_byte_is_held_and_answered(echo):
    async with joined(echo.port) as poller:
        for _ in range(2):
            for byte in f"GET {poller.target()} HTTP/1.1\r\nhost: x\r\n\r\n".encode():
                poller.fetching.send(bytes([byte]))
                await poller.fetching.writer.drain()
            await until_held(echo)
            echo.root.sessions[0].emit("now")
            assert (await poller.fetching.answer()).body == '42["now"]'


async def test_the_body_of_a_get_is_no_request(echo):
    async with dialled(echo.port) as peer:
        inner = f"GET {HANDSHAKE} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        peer.send(f"GET {HANDSHAKE} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(inner)}\r\n\r\n".encode())
        assert (await peer.answer()).status == 200
        peer.send(inner)
        await until_read(echo)
        assert (await request(peer, "GET", "/")).body == "ok"
    assert echo.engine.report.statistics().opened == 1


async def test_the_rest_of_a_body_that_was_refused_is_no_request(serve):
    echo = await serve(max_payload_bytes=100)
    async with joined(echo.port) as poller:
        inner = f"GET {HANDSHAKE} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        head_ = f"POST {poller.target()} HTTP/1.1\r\nhost: x\r\ncontent-length: {200 + len(inner)}\r\n\r\n"
        poller.sending.send(head_.encode() + b"4" * 200)
        assert (await poller.sending.answer()).status == 413
        poller.sending.send(inner)
        await until_read(echo)
        assert (await request(poller.sending, "GET", "/")).body == "ok"
    assert echo.engine.report.statistics().opened == 1


async def test_a_head_behind_polls_that_does_not_come_is_408(serve):
    echo = await serve(head_timeout_s=0.2)
    async with dialled(echo.port) as peer:
        for _ in range(2):
            assert (await request(peer, "GET", HANDSHAKE)).status == 200
        peer.send(b"GET /socket.io/")
        assert (await peer.answer()).status == 408


async def test_a_connection_that_has_polled_may_upgrade(echo):
    async with dialled(echo.port) as peer:
        assert (await request(peer, "GET", HANDSHAKE)).status == 200
        peer.send(head(PATH))
        assert (await peer.answer()).status == 101
        assert (await peer.text()).startswith("0{")
        await peer.join()


async def test_gets_and_posts_take_turns_on_one_connection(echo):
    async with dialled(echo.port) as peer:
        sid = json.loads((await request(peer, "GET", HANDSHAKE)).body[1:])["sid"]
        target = f"{HANDSHAKE}&sid={sid}"
        assert (await request(peer, "POST", target, "40")).body == "ok"
        assert (await request(peer, "GET", target)).body.startswith("40{")
        for number in range(3):
            assert (await request(peer, "POST", target, f'42["message",{number}]')).body == "ok"
            answer = (await request(peer, "GET", target)).body
            while f'42["message-back",{number}]' not in answer:
                answer = (await request(peer, "GET", target)).body


async def test_a_client_that_goes_while_its_second_get_is_held_is_gone(echo):
    async with joined(echo.port) as poller:
        for number in range(2):
            poller.send_get()
            await until_held(echo)
            if number == 0:
                echo.root.sessions[0].emit("now")
                await poller.fetching.answer()
        poller.fetching.writer.transport.abort()
        await echo.root.until(lambda: echo.root.gone)
    assert [reason for _, reason in echo.root.gone] == ["transport lost"]


async def test_a_connection_that_goes_after_its_answer_ends_nobody(echo):
    async with joined(echo.port) as poller:
        async with dialled(echo.port) as other:
            send_request(other, "GET", poller.target())
            await until_held(echo)
            echo.root.sessions[0].emit("now")
            assert (await other.answer()).body == '42["now"]'
        await poller.send('42["message",1]')
        assert await poller.until("42") == ['42["message-back",1]']


async def test_every_answer_has_its_date_and_length(echo):
    async with joined(echo.port) as poller:
        poller.send_get()
        await until_held(echo)
        echo.root.sessions[0].emit("é")
        answer = await poller.fetching.answer()
    assert answer.headers.keys() == {
        "date",
        "cache-control",
        "content-type",
        "content-length",
        "x-content-type-options",
    }
    assert answer.headers["content-length"] == "8"


async def test_who_asks_without_reading_is_a_slow_consumer(echo):
    """Else its answers would pile up here, as many as it likes."""
    async with joined(echo.port) as poller, dialled(echo.port, receive_buffer=2_048) as hasty:
        [session] = echo.root.sessions
        for _ in range(200):
            if session.closed:
                return
            session.emit("m" * 100_000)
            hasty.send(f"GET {poller.target()} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            await until_read(echo)
        pytest.fail("20 MB were written to who reads nothing")
