"""Two servers on one PostgreSQL and one Redis, while all of it breaks: nobody is told what was true once.

docs/cache.md, "Chaos". `CHAOS_SEED` repeats the choices of a run, not its timing.
"""

import asyncio
import contextlib
import json
import os
import random
import secrets
import sys
from functools import partial

import httpx
import pytest

from cache.chaos import Chaos
from cache.evidence import logs_of, models_of, number_what_was_acknowledged
from cache.verdict import content, judge
from cache.visitors import LIMIT, SECRET, THREAD, Clinics, Visitor, patient
from channels.polling import eventually
from e2e.processes import Program
from recado.app.passwords import Passwords
from recado.clock import clock
from recado.domain.accounts import Channel
from recado.domain.commands import ReceiveMessage
from recado.feed.feed import LEASE_S
from recado.server import SOURCES
from recado.store import accounts
from recado.store.batch import carry_out
from recado.store.database import Database

CLINICS, PATIENTS, VISITORS = 6, 10, 24
ANA = {"email": "ana@clinica.example", "password": "uma senha comprida"}
NODES = ("one", "two")


@pytest.fixture
def database(postgres, migrated_template):
    url = postgres.create_database(template=migrated_template)
    database = Database(url)
    yield database
    database.close()
    postgres.drop_database(url)


@pytest.fixture
def clinics(database):
    """Some, in which one member works everywhere, and a few patients have written."""
    member_id, names, channels = SOURCES.new_id(), {}, {}

    def fill(connection) -> None:
        now, password_hash = SOURCES.now(), Passwords().hash(ANA["password"])
        accounts.add_member(connection, member_id, ANA["email"], "Ana", password_hash, now)
        for name in (f"Clínica {number}" for number in range(CLINICS)):
            id_ = accounts.add_clinic(connection, name, now)
            accounts.add_membership(connection, member_id, id_, "admin")
            channel = Channel(id=SOURCES.new_id(), clinic_id=id_, kind="generic", name="Site", secret=SECRET)
            accounts.put_channel(connection, channel)
            names[id_], channels[id_] = name, channel

    database.write_now(fill)
    ids = {id_: channel.id for id_, channel in channels.items()}
    made = Clinics(names, ids, member_id, "Ana")
    for id_, channel in channels.items():
        commands = [first_words(made, channel, number) for number in range(PATIENTS)]
        outcomes = database.write_now(partial(carry_out, commands=commands, sources=SOURCES)).outcomes
        made.conversations[id_] = [outcome.message.conversation_id for outcome in outcomes]
    return made


def first_words(clinics, channel, number):
    (address, name), external_id = patient(number), f"first-{channel.clinic_id}-{number}"
    clinics.said[external_id] = address, name, "Olá"
    return ReceiveMessage(
        clinic_id=channel.clinic_id,
        channel=channel.ref,
        external_id=external_id,
        contact_address=address,
        contact_name=name,
        body="Olá",
        sent_at=SOURCES.now(),
    )


@pytest.fixture
def nodes(tmp_path, database, own_redis, clinics):
    """Two that serve; whoever has a session on one has it on both."""
    address = database.url.render_as_string(hide_password=False)
    settings = {
        "SECRET": "only-for-this-test-and-long-enough-to-be-one",
        "REDIS_URL": own_redis.url,
        "CACHE_AUDIT": "10",
        "LOG_LEVEL": "warning",
        "LOG_FORMAT": "json",
    }
    with contextlib.ExitStack() as running:
        made = {}
        for name in NODES:
            url = f"{address}?application_name={name}"
            made[name] = Program(tmp_path, name, "serve", PORT="{port}", DATABASE_URL=url, **settings)
            made[name].start("/readyz")
            running.callback(made[name].kill)
        login = httpx.post(f"{made['one'].url}/api/v1/auth/login", json=ANA)
        clinics.token = login.raise_for_status().json()["token"]
        yield made


async def live_through(chaos, visitors, seconds) -> None:
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for visitor in visitors:
            tasks.create_task(visitor.visit(over))
        await chaos.reign(seconds)
        over.set()


async def read_everything(clinics, visitor):
    """Of both nodes, twice: the second time it is at hand. (clinic, what, what was told)."""
    told = []
    for clinic_id in clinics.ids:
        pages = [("list", LIMIT, None, *fitting) for fitting in visitor.filters()] + [("clinic",)]
        for id_ in clinics.conversations[clinic_id]:
            pages += [("conversation", id_), ("thread", id_, THREAD)]
        for node in NODES:
            told += [(clinic_id, what, await visitor.look(node, clinic_id, what)) for what in pages * 2]
    visitor.leave()
    return told


def is_stale(clinic_id, what, seen, models, logs) -> bool:
    """Of what was asked when all was quiet. That it is as the log says at its cursor is judged with the rest."""
    if seen is None:
        return content(models[clinic_id], what) is not None
    return seen.cursor != len(logs[clinic_id])


def is_excused(failed, troubles) -> bool:
    return any(
        node == failed.node and since < failed.at and failed.asked_at < until
        for node, since, until in troubles
    )


def statistics_of(nodes, clinics):
    """Of each node since its last start: hits in memory and in Redis, misses, answers audited."""
    headers = {"Authorization": f"Bearer {clinics.token}"}
    for node in nodes.values():
        told = httpx.get(f"{node.url}/api/v1/admin/cache", headers=headers).raise_for_status().json()
        yield told["memory"]["hits"], told["redis"]["hits"], told["misses"], told["audit"]["audited"]


def alarms_of(nodes):
    """The audit's, of all the time."""
    lines = [line for node in nodes.values() for line in node.log.read_text().splitlines()]
    return [line for line in lines if "cache_untrue" in line or "audit_failed" in line]


@pytest.mark.parametrize(
    "seconds", [10, pytest.param(60, marks=[pytest.mark.soak, pytest.mark.timeout(300)])]
)
async def test_nobody_is_told_what_was_true_once_whatever_breaks(
    postgres, database, own_redis, clinics, nodes, seconds
):
    seed = int(os.environ.get("CHAOS_SEED", secrets.randbelow(10**6)))
    sys.stderr.write(f"\nCHAOS_SEED={seed}")
    dice = [random.Random(seed + number) for number in range(VISITORS + 2)]
    connect = partial(postgres.connect, database.url.database)
    chaos = Chaos(nodes, own_redis, connect, dice.pop())
    ports = {name: node.port for name, node in nodes.items()}
    known = [ports, {"one": ports["one"]}, ports, {"two": ports["two"]}]
    last, *visitors = [Visitor(clinics, known[number % 4], each) for number, each in enumerate(dice)]

    await live_through(chaos, visitors, seconds)
    quiet_at = clock()
    await eventually(lambda: clock() > quiet_at + LEASE_S, "every lease from before is over")
    told = await read_everything(clinics, last)

    models, logs = models_of(clinics, database), logs_of(clinics, database, chaos.trimmed)
    number_what_was_acknowledged(clinics, logs, models)
    verdict = judge(models, logs, clinics, chaos.freezes)
    stale = [each for each in told if is_stale(*each, models, logs)]
    alarms = alarms_of(nodes)
    unexcused = [each for each in clinics.failed if not is_excused(each, chaos.troubles)]
    figures = {
        "seed": seed,
        "reads": verdict.reads,
        "with a cursor": verdict.in_the_know,
        "writes": len(clinics.acked),
        "records": verdict.records,
        "faults": dict(chaos.happened),
        "failed while they might": len(clinics.failed) - len(unexcused),
        "hits, hits in Redis, misses, audited": list(statistics_of(nodes, clinics)),
        "broken": dict(verdict.broken),
        "stale": len(stale),
        "alarms": len(alarms),
    }
    sys.stderr.write(f"\n{json.dumps(figures)}\n")
    assert not verdict.broken, (figures, verdict.example)
    assert not stale, (figures, stale[0])
    assert not alarms, (figures, alarms)
    assert not clinics.unexpected, (figures, clinics.unexpected)
    assert not unexcused, (figures, unexcused[:5])
    assert min(verdict.in_the_know, len(clinics.acked)) > 100, figures
