"""Is it up, and may it be given work."""

from rest.service import problem


async def test_healthz_answers_whatever_else_is_down(service):
    service.checks = {"database": False}
    answer = await service.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_readyz_tells_every_part(service):
    service.checks = {"database": True, "feed": True}
    answer = await service.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": service.checks})


async def test_readyz_is_503_while_a_part_fails_or_drains(service):
    service.checks = {"database": True, "accepting": False}
    answer = await service.client.get("/readyz")
    assert problem(answer) == (503, "unavailable")
    assert answer.json()["retryable"]
    assert answer.json()["checks"] == service.checks


async def test_readyz_does_not_wait_for_a_part_that_hangs(service, monkeypatch):
    monkeypatch.setattr("recado.rest.health.READINESS_TIMEOUT_S", 0.05)
    service.held_up.clear()
    answer = await service.client.get("/readyz")
    assert problem(answer) == (503, "unavailable")
    assert answer.json()["checks"] == {"timely": False}
