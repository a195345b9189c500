"""A line per request: enough to follow it, and nothing of what it said."""

from litestar import get

from recado import observe
from rest.service import ANA, CARLA, IPE, PASSWORD
from stock import new_id

WORD = "paciente-com-febre"


async def test_a_request_leaves_one_line_with_ids_only(service, capture):
    message = await service.receive()
    ana = await service.member()
    request_id = new_id()
    answer = await ana.post(
        f"/api/v1/conversations/{message.conversation_id}/messages?x={WORD}",
        json={"clientKey": "k", "body": WORD},
        headers={"X-Request-Id": request_id},
    )
    line = await capture.line("request")
    assert line.keys() == {
        "event",
        "log_level",
        "part",
        "request_id",
        "method",
        "route",
        "status",
        "duration_ms",
        "member_id",
    }
    assert line["route"] == "/api/v1/conversations/{conversationId}/messages"
    assert (line["method"], line["status"], line["log_level"]) == ("POST", 201, "info")
    assert line["request_id"] == request_id
    assert line["member_id"] == answer.json()["author"]["id"]
    assert line["duration_ms"] > 0


async def test_a_read_that_went_well_is_for_debugging_only(service, capture):
    ana = await service.member()
    await ana.get("/api/v1/me")
    assert (await capture.line("request"))["log_level"] == "debug"
    capture.clear()
    await ana.get("/api/v1/conversations/x/messages")
    line = await capture.line("request")
    assert (line["log_level"], line["code"], line["status"]) == ("info", "not_found", 404)


async def test_a_hit_is_told_as_any_read_is(serve, capture):
    service = await serve(past_the_parser=True)
    ana = await service.member()
    lines = []
    for _ in range(2):
        capture.clear()
        answer = await ana.get(f"/api/v1/clinics/{IPE}/conversations")
        line = await capture.line("request")
        assert line["request_id"] == answer.headers["x-request-id"]
        lines.append({name: line[name] for name in ("method", "route", "status", "member_id", "log_level")})
    assert lines[0] == lines[1]


async def test_an_unexpected_failure_is_told_by_type_and_place(serve, capture):
    @get("/api/v1/elsewhere", include_in_schema=False)
    async def elsewhere() -> None:
        raise ValueError(WORD)

    service = await serve(extra_routes=[elsewhere])
    request_id = (await service.client.get("/api/v1/elsewhere")).headers["x-request-id"]
    line = await capture.line("request_failed")
    assert line["request_id"] == request_id
    assert line["route"] == "/api/v1/elsewhere"
    told = observe._without_text(None, "error", dict(line))
    assert told["error"] == "ValueError"
    assert ":elsewhere:" in told["trace"][-1]
    assert WORD not in repr(told)


async def test_no_line_quotes_what_anybody_wrote(service, capture):
    received = await service.receive(WORD, address=WORD)
    ana, carla = await service.member(), await service.member(CARLA)
    thread = f"/api/v1/conversations/{received.conversation_id}/messages"
    for body in (
        {"clientKey": "k", "body": WORD},
        {"body": WORD},
        {"clientKey": "k2", "body": "x", "kind": WORD},
        [WORD],
    ):
        for member in (ana, carla):
            await member.post(thread, json=body)
    await ana.post(thread, content=WORD, headers={"Content-Type": WORD})
    await ana.post(thread, content=WORD, headers={"Content-Type": "application/json"})
    for path in (
        f"/{WORD}",
        f"/api/v1/{WORD}",
        f"{thread}?before={WORD}",
        f"/api/v1/conversations/{WORD}/messages",
    ):
        await ana.get(path, headers={"X-Request-Id": f"{WORD} {WORD}", "User-Agent": WORD, "Accept": WORD})
    await ana.request(WORD, "/api/v1/me")
    await service.client.post("/api/v1/auth/login", json={"email": WORD, "password": WORD})
    await service.client.post("/api/v1/auth/login", json={"email": ANA, "password": PASSWORD, WORD: WORD})
    assert len(capture.lines) > 15
    assert WORD not in repr(capture.lines).lower()
