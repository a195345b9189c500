"""Metrics are the operator's: on this machine, or with the token."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families


async def test_on_loopback_they_are_told_without_naming_anybody(service):
    answer = await service.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "recado_commands_total" in answer.text
    labels = [
        label
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        for label in sample.labels.items()
    ]
    names, values = ({each[part] for each in labels} for part in (0, 1))
    assert not {name for name in names if re.search("clinic|member|contact|conversation|address", name)}
    assert not {value for value in values if re.search("@|[0-9a-f]{8}-[0-9a-f]{4}", value)}


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_what_a_proxy_forwards_is_not_loopback(service, header):
    answer = await service.client.get("/metrics", headers={header: "203.0.113.9"})
    assert answer.status_code == 404


async def test_the_token_opens_them_from_anywhere(serve):
    service = await serve(metrics_token="t" * 20)
    for token, status in (("t" * 20, 200), ("wrong", 404)):
        headers = {"X-Forwarded-For": "203.0.113.9", "Authorization": f"Bearer {token}"}
        assert (await service.client.get("/metrics", headers=headers)).status_code == status
