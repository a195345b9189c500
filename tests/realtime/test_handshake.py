"""From an HTTP head to a session, on uvicorn's port: what is answered with 101, and what with a refusal before it."""

import json
from ipaddress import ip_network

import pytest

from realtime.peer import CLOSE, PATH, PING, PONG, TEXT, dialled, frame, head, upgraded
from recado.realtime.head import Refusal


async def refused(port, request):
    async with dialled(port) as peer:
        peer.send(request)
        answer = await peer.answer()
        assert await peer.ended()
        return answer


async def test_one_port_serves_http_and_websockets(echo):
    async with dialled(echo.port) as browser, upgraded(echo.port):
        browser.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await browser.answer()).body == "ok"


async def test_the_open_packet_is_the_first_frame(echo):
    async with dialled(echo.port) as peer:
        peer.send(head())
        assert (await peer.answer()).headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        handshake = json.loads((await peer.text())[1:])
    assert handshake.pop("sid")
    assert handshake == {
        "upgrades": [],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 1_000_000,
    }


@pytest.mark.only_picows("the server under ASGI writes its 101 by itself")
async def test_101_and_the_open_packet_leave_in_one_write(echo):
    async with dialled(echo.port) as peer:
        peer.send(head())
        first, _, rest = (await peer.reader.read(65_536)).partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 101 ")
    assert rest[2:].startswith(b"0{")


@pytest.mark.parametrize(
    "connection", ["keep-alive, Upgrade", "upgrade", "Upgrade, keep-alive", "keep-alive,upgrade"]
)
async def test_firefoxs_connection_header_is_accepted(echo, connection):
    async with dialled(echo.port) as peer:
        peer.send(head(connection=connection))
        assert (await peer.answer()).status == 101


@pytest.mark.parametrize(
    "path",
    [
        "/socket.io?EIO=4&transport=websocket",
        "/socket.io/?transport=websocket&t=x&EIO=4",
        "/socket.io/?EIO=4&transport=websocket&clinic=%C3%A7",
    ],
)
async def test_our_path_is_answered_with_and_without_slash(echo, path):
    async with dialled(echo.port) as peer:
        peer.send(head(path))
        assert (await peer.answer()).status == 101


async def test_a_head_may_come_byte_by_byte(echo):
    async with dialled(echo.port) as peer:
        for byte in head():
            peer.send(bytes([byte]))
            await peer.writer.drain()
        assert (await peer.answer()).status == 101
        assert (await peer.text()).startswith("0{")


@pytest.mark.only_picows("the server under ASGI has its own bound of a header line")
async def test_a_head_with_long_cookies_is_accepted(echo):
    async with dialled(echo.port) as peer:
        peer.send(head(cookie="a=" + "x" * 12_000))
        assert (await peer.answer()).status == 101


async def test_frames_behind_the_head_belong_to_the_session(echo):
    async with dialled(echo.port) as peer:
        auth = json.dumps({"x": "x" * 5_000})
        peer.send(head() + frame(TEXT, "3") + frame(TEXT, f"40{auth}"))
        await peer.answer()
        await peer.text()
        assert (await peer.text()).startswith("40{")
        assert await peer.event() == ["auth", json.loads(auth)]


@pytest.mark.only_picows("the server under ASGI may answer such frames before its 101")
@pytest.mark.parametrize(
    ("opcode", "payload", "code"), [(3, "", 1002), (TEXT, "2", 1002), (TEXT, "42[]", 1002), (CLOSE, "", 1000)]
)
async def test_a_goodbye_to_what_stands_behind_the_head_follows_101(echo, opcode, payload, code):
    async with dialled(echo.port) as peer:
        peer.send(head() + frame(opcode, payload))
        assert (await peer.answer()).status == 101
        assert await peer.close_code() == code


@pytest.mark.only_picows("the server under ASGI may answer such frames before its 101")
async def test_a_ping_behind_the_head_is_answered_behind_101(echo):
    async with dialled(echo.port) as peer:
        peer.send(head() + frame(PING, "x"))
        assert (await peer.answer()).status == 101
        assert {(await peer.receive()).opcode for _ in range(2)} == {PONG, TEXT}


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 404, "Not found"),
        ("/socket.io/other?EIO=4&transport=websocket", 404, "Not found"),
        ("/other/socket.io/?EIO=4&transport=websocket", 404, "Not found"),
        ("/socket.io/", 400, "Transport unknown"),
        ("/socket.io/?EIO=4", 400, "Transport unknown"),
        ("/socket.io/?EIO=4&transport=polling", 400, "Transport unknown"),
        ("/socket.io/?EIO=4&transport=websocket&sid=abc", 400, "Session ID unknown"),
        ("/socket.io/?transport=websocket", 400, "Unsupported protocol version"),
        ("/socket.io/?EIO=3&transport=websocket", 400, "Unsupported protocol version"),
        ("/socket.io/?EIO=04&transport=websocket", 400, "Unsupported protocol version"),
    ],
)
async def test_what_is_not_our_path_and_protocol_is_refused_before_101(echo, path, status, text):
    answer = await refused(echo.port, head(path))
    assert (answer.status, answer.body) == (status, text)
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.only_picows("the server under ASGI refuses in its own words")
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(head(method="POST"), 400, id="POST"),
        pytest.param(head(drop=["sec-websocket-key"]), 400, id="no key"),
        pytest.param(head(sec_websocket_key="short"), 400, id="short key"),
        pytest.param(head(sec_websocket_key="\u00e9" * 24), 400, id="key that is not ASCII"),
        pytest.param(head(drop=["sec-websocket-version"]), 426, id="no version"),
        pytest.param(head(sec_websocket_version="12"), 426, id="old version"),
        pytest.param(head(content_length="3") + b"abc", 400, id="body"),
    ],
)
async def test_a_malformed_upgrade_is_refused_before_101(echo, request_, status):
    answer = await refused(echo.port, request_)
    assert answer.status == status
    assert (answer.headers.get("sec-websocket-version") == "13") is (status == 426)


@pytest.mark.only_picows("the server under ASGI has its own bounds of heads")
async def test_a_head_over_16_kib_in_one_read_is_refused(echo):
    assert (await refused(echo.port, head(cookie="a=" + "x" * 17_000))).status == 431


async def test_a_head_without_end_is_refused_while_it_comes(echo):
    async with dialled(echo.port) as peer:
        peer.send(head()[:-2])
        for number in range(40):
            peer.send(b"x-%d: " % number + b"y" * 1_000 + b"\r\n")
            await peer.writer.drain()
        assert (await peer.answer()).status == 431


async def test_a_large_body_behind_a_split_head_is_no_large_head(echo):
    async with dialled(echo.port) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: x\r\n")
        await peer.writer.drain()
        peer.send(b"Content-Length: 50000\r\n\r\n" + b"x" * 50_000)
        assert (await peer.answer()).status == 200


async def test_a_head_that_begins_behind_a_large_body_is_no_large_head(echo):
    async with dialled(echo.port) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + b"x" * 100)
        await peer.writer.drain()
        peer.send(b"x" * 49_900 + b"GET / HTTP/1.1\r\nHo")
        assert (await peer.answer()).status == 200
        peer.send(b"st: x\r\n\r\n")
        assert (await peer.answer()).status == 200


async def test_garbage_instead_of_http_is_answered_400(echo):
    assert (await refused(echo.port, b"\x16\x03\x01 not http\r\n\r\n")).status == 400


async def test_an_upgrade_to_something_else_is_plain_http(echo):
    async with dialled(echo.port) as peer:
        peer.send(head("/", upgrade="h2c"))
        assert (await peer.answer()).body == "ok"


async def test_a_refused_upgrade_leaves_nothing_open(echo):
    await refused(echo.port, head("/nowhere"))
    assert echo.engine.link_count == 0


async def test_a_refused_upgrade_is_no_error_in_the_log(echo, caplog):
    await refused(echo.port, head("/nowhere"))
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_accept_hook_refuses_before_101(serve):
    seen = []

    def accept(asked):
        seen.append(asked)
        return Refusal(403, "No")

    echo = await serve(accept=accept)
    answer = await refused(echo.port, head(cookie="recado_session=abc", x_a="1", origin="https://evil"))
    assert (answer.status, answer.body) == (403, "No")
    (asked,) = seen
    assert asked.header("origin") == "https://evil"
    assert asked.cookie("recado_session") == "abc"
    assert asked.header("x-a") == "1"
    assert asked.client == "127.0.0.1"


@pytest.mark.parametrize(("trusted", "client"), [("127.0.0.0/8", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1")])
async def test_forwarded_addresses_are_believed_from_trusted_proxies_only(serve, trusted, client):
    echo = await serve(trusted_proxies=[ip_network(trusted)])
    async with dialled(echo.port) as peer:
        peer.send(head(x_forwarded_for="198.51.100.1, 203.0.113.9"))
        await peer.answer()
        await peer.text()
        await peer.join()
    (session,) = echo.root.sessions
    assert session.head.client == client


async def test_the_session_keeps_the_head_that_opened_it(echo):
    async with dialled(echo.port) as peer:
        peer.send(head(f"{PATH}&lang=pt", cookie="a=1; recado_session=t0ken"))
        await peer.answer()
        await peer.text()
        await peer.join()
    (session,) = echo.root.sessions
    assert session.head.cookie("recado_session") == "t0ken"
    assert session.head.parameter("lang") == "pt"


async def test_an_upgrade_pipelined_behind_a_running_request_is_refused(echo):
    async with dialled(echo.port) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + head())
        assert b" 101 " not in await peer.reader.read()
