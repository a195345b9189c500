"""`kill -9` under load, again and again: what was acknowledged is there once and in order; every client is whole."""

import asyncio
import itertools
import random
from collections import Counter

import httpx
import pytest
from sqlalchemy import select

from e2e.patients import deliver
from e2e.processes import Server, StandIn
from recado.store.database import Database
from recado.store.tables import events, messages
from soak.inbox_client import InboxClient, Snapshot

PATIENTS = ("Marina Duarte", "Otávio Reis", "Célia Ramos", "Davi Antunes")
SCREENS = 4
SENDERS_PER_SCREEN = 3
WEBHOOKS = 3


@pytest.fixture
def standin(tmp_path):
    standin = StandIn(tmp_path)
    standin.start()
    yield standin
    standin.stop()


@pytest.fixture
def server(tmp_path, standin, database_url):
    server = Server(tmp_path, standin, database_url)
    server.start()
    yield server
    server.stop()


class Load:
    """Members and patients writing all at once; it keeps what was acknowledged, and what nobody answered."""

    def __init__(self, server: Server, clinic_id: int, conversation_ids: list[str]) -> None:
        self._server = server
        self._clinic_id = clinic_id
        self._conversation_ids = conversation_ids
        self._numbers = itertools.count(1)
        self._acknowledged = asyncio.Semaphore(0)
        self.sent: dict[str, dict] = {}
        self.unanswered: list[tuple[InboxClient, str, str, str]] = []
        self.received: list[str] = []

    async def until_cut(self, screens: list[InboxClient], acknowledgements: int, patient: str) -> None:
        """Kill the server after so many acknowledgements; return when everybody has noticed."""
        async with asyncio.TaskGroup() as tasks:
            for screen in screens * SENDERS_PER_SCREEN:
                tasks.create_task(self._write(screen))
            for name in [*PATIENTS[: WEBHOOKS - 1], patient]:
                tasks.create_task(self._post(name))
            for _ in range(acknowledgements):
                await self._acknowledged.acquire()
            await asyncio.to_thread(self._server.kill)

    async def repeat(self) -> None:
        """Send again what nobody answered, as clients do: the same member, with the same key."""
        while self.unanswered:
            screen, *order = self.unanswered.pop()
            _, key, _ = order
            self.sent[key] = await screen.send(*order)

    async def _write(self, screen: InboxClient) -> None:
        while True:
            number = next(self._numbers)
            order = (random.choice(self._conversation_ids), f"key-{number}", f"Nota {number}")
            message = await screen.send(*order)
            if message is None:
                self.unanswered.append((screen, *order))
                return
            self.sent[order[1]] = message
            self._acknowledged.release()

    async def _post(self, patient: str) -> None:
        while True:
            body = f"Mensagem {next(self._numbers)}"
            try:
                answer = await asyncio.to_thread(deliver, self._server, self._clinic_id, patient, body)
            except httpx.TransportError:
                return
            assert answer.status_code == 200, answer.text
            self.received.append(body)
            self._acknowledged.release()


def check_rows(database: Database, clinic_id: int, load: Load) -> None:
    """Acknowledged = there, once; no number is missing, every record names the one before."""

    def read(connection):
        said = connection.execute(
            select(messages.c.id, messages.c.client_key, messages.c.body, messages.c.seq).where(
                messages.c.clinic_id == clinic_id
            )
        ).all()
        log = connection.execute(
            select(events.c.seq, events.c.id, events.c.prev)
            .where(events.c.clinic_id == clinic_id)
            .order_by(events.c.seq)
        ).all()
        return said, log

    said, log = database.read_now(read)
    assert [record.seq for record in log] == list(range(1, len(log) + 1))
    assert all(later.prev == earlier.id for earlier, later in itertools.pairwise(log))
    by_key = {row.client_key: (row.id, row.seq) for row in said if row.client_key}
    assert {key: by_key.get(key) for key in load.sent} == {
        key: (message["id"], message["seq"]) for key, message in load.sent.items()
    }
    times = Counter(row.body for row in said)
    assert {body: times[body] for body in load.received} == dict.fromkeys(load.received, 1)
    assert max(times[f"Nota {key.removeprefix('key-')}"] for key in load.sent) == 1


async def check_screens(screens: list[InboxClient], url: str, tokens: list[str], clinic_id: int) -> None:
    for screen, token in zip(screens, tokens, strict=True):
        await screen.catch_up()
        fresh = await Snapshot.read(url, token, clinic_id)
        theirs = {id_: row for id_, row in fresh.messages.items() if row["conversationId"] in screen.joined}
        assert screen.conversations == fresh.conversations
        assert screen.messages == theirs
        assert screen.reads == fresh.reads


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(2, id="2-rounds"),
        pytest.param(50, id="50-rounds", marks=[pytest.mark.soak, pytest.mark.timeout(550)]),
    ],
)
async def test_kill_9_under_load_loses_nothing_and_every_client_catches_up(server, database_url, rounds):
    clinic_id = server.clinic_ids()[0]
    for patient in PATIENTS:
        assert deliver(server, clinic_id, patient, "Bom dia").status_code == 200
    members = server.members(clinic_id)
    apis = [server.api(members[number % len(members)]) for number in range(SCREENS)]
    tokens = [api.headers["Authorization"].removeprefix("Bearer ") for api in apis]
    ids = [api.get("/me").json()["member"]["id"] for api in apis]
    begun = await Snapshot.read(server.url, tokens[0], clinic_id)
    known = list(begun.conversations)
    screens = [
        InboxClient(server.url, token, clinic_id, member_id, known)
        for token, member_id in zip(tokens, ids, strict=True)
    ]
    load = Load(server, clinic_id, known)
    database = Database(database_url)
    for number in range(rounds):
        await asyncio.gather(*(screen.connect() for screen in screens))
        await load.until_cut(screens, random.randrange(20, 150), f"Paciente {number}")
        await asyncio.to_thread(server.start)
        await asyncio.gather(*(screen.connect() for screen in screens))
        await load.repeat()
        check_rows(database, clinic_id, load)
        await check_screens(screens, server.url, tokens, clinic_id)
        await asyncio.gather(*(screen.disconnect() for screen in screens))
    database.close()
    for api in apis:
        api.close()
