"""Played patients against the real routes, inbox and database."""

import json
import random
import time

import pytest

from channels.conftest import application
from channels.serving import serving
from channels.stack import GENERIC_SECRET, NUMBER
from recado.channels.patient_words import LINES, Patient, PatientChannel
from recado.channels.patients import MAX_PATIENTS, play
from stock import new_id


@pytest.fixture
async def url(stack):
    async with serving(application(stack.inbox, stack.known_channels)) as url:
        yield url


@pytest.fixture
def channels(stack):
    """As their providers know them."""
    return [
        PatientChannel(id=each.id, kind=each.kind, secret=each.secret, phone_number_id=each.phone_number_id)
        for each in (stack.generic, stack.whatsapp)
    ]


async def run(channels, url, *, patients=6, rate=200.0, seconds=1.0, heard=None):
    heard = [] if heard is None else heard
    return await play(
        channels,
        url,
        patients=patients,
        rate=rate,
        seconds=seconds,
        random=random.Random(7),
        clock=time.time,
        on_progress=heard.append,
    )


async def test_patients_write_on_every_channel_and_every_message_is_stored(stack, url, channels):
    report = await run(channels, url, seconds=2.0)
    assert report.accepted == len(stack.bodies()) > 50
    assert report.repeated > 0
    assert report.posted == report.accepted + report.repeated
    assert (report.ignored, report.refused, report.unanswered) == (0, {}, 0)
    assert stack.rows("SELECT COUNT(DISTINCT channel_id), COUNT(*) FROM conversations") == [(2, 6)]
    latency = report.latency_ms
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"]


async def test_a_second_run_goes_on_with_the_same_patients(stack, url, channels):
    await run(channels, url)
    first = stack.rows("SELECT COUNT(*) FROM conversations")
    await play(
        channels,
        url,
        patients=6,
        rate=200,
        seconds=0.3,
        random=random.Random(8),
        clock=time.time,
        on_progress=lambda _: None,
    )
    assert stack.rows("SELECT COUNT(*) FROM conversations") == first == [(6,)]


async def test_progress_is_told_and_the_last_word_is_the_report(stack, url, channels):
    heard = []
    report = await run(channels, url, rate=20, seconds=1.2, heard=heard)
    assert len(heard) >= 2
    assert heard[-1] == report
    assert heard[0].posted <= report.posted


async def test_refusals_are_counted_by_status(stack, url, channels):
    strangers = [PatientChannel(id=new_id(), kind="generic", secret=GENERIC_SECRET)]
    forgers = [PatientChannel(id=channels[1].id, kind="whatsapp", secret="another", phone_number_id=NUMBER)]
    assert set((await run(strangers, url, seconds=0.1)).refused) == {404}
    assert set((await run(forgers, url, seconds=0.1)).refused) == {401}
    assert stack.bodies() == []


async def test_a_server_that_is_not_there_is_counted_too(stack, url, channels):
    report = await run(channels, "http://127.0.0.1:1", seconds=0.1)
    assert report.unanswered == report.posted > 0
    assert report.latency_ms == {}


@pytest.mark.parametrize(
    "wrong", [{"patients": 0}, {"patients": MAX_PATIENTS + 1}, {"rate": 0}, {"seconds": 0}, {"channels": []}]
)
async def test_a_run_without_end_or_people_is_refused(wrong):
    settings = {"channels": [PatientChannel(id="c", kind="generic", secret=GENERIC_SECRET)], **wrong}
    with pytest.raises(ValueError, match="play needs"):
        await run(settings.pop("channels"), "http://127.0.0.1:1", **settings)


def test_a_patient_is_the_same_person_in_every_run():
    channel = PatientChannel(id="c", kind="generic", secret=GENERIC_SECRET)
    people = [Patient(number, channel) for number in range(400)]
    again = [Patient(number, channel) for number in range(400)]
    assert [(each.name, each.address) for each in people] == [(each.name, each.address) for each in again]
    assert len({each.name for each in people}) == len({each.address for each in people}) == 400


def test_patients_say_plausible_things():
    patient = Patient(3, PatientChannel(id="c", kind="generic", secret=GENERIC_SECRET))
    told = json.loads(patient.write(random.Random(1), 1_795_430_527.5).body)
    assert told["body"] in LINES
    assert told["sentAt"] == "2026-11-23T10:42:07.500Z"
