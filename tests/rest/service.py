"""The real parts under REST, served by a real uvicorn on a free port. What `server.py` builds, without sockets."""

import asyncio
import contextlib
import functools
import itertools
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from argon2 import PasswordHasher
from msgspec.structs import replace
from uvicorn.server import ServerState

from recado.app.access import Access
from recado.app.channels import Channels
from recado.app.clinics import Clinics
from recado.app.inbox import Inbox
from recado.app.pages import Pages
from recado.app.passwords import Passwords
from recado.app.queries import Queries
from recado.app.sessions import Sessions, SessionSettings
from recado.cache.cache import Cache
from recado.cache.memory import Memory
from recado.config import Config
from recado.domain.accounts import Channel
from recado.domain.commands import ReceiveMessage
from recado.domain.values import ChannelId, ClinicId, Message
from recado.feed.feed import Feed
from recado.realtime.http_protocol import HttpProtocol
from recado.realtime.polling import Polling
from recado.rest import create_application
from recado.rest.document import describe
from recado.store import accounts
from recado.store.batch import Committed
from recado.store.database import Database
from recado.store.migrate import upgrade
from recado.store.writer import Writer
from rest.conformance import check_answer
from stock import add_member, new_id, now, sources, writing_to

PASSWORD = "uma senha comprida"
ANA, BRUNO, CARLA = "ana@ipe.example", "bruno@ipe.example", "carla@aroeira.example"
IPE, AROEIRA = ClinicId(1), ClinicId(2)


def cheap_passwords() -> Passwords:
    """The real ones, with a hash that costs next to nothing: a test logs in often."""
    passwords = Passwords()
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._nobody = passwords.hash("nobody")
    return passwords


def filled(url: str, password_hash: str) -> Database:
    """A database with two clinics, a channel in each, and three members who share PASSWORD."""
    database = Database(url)
    upgrade(database)

    def fill(connection) -> None:
        for clinic_id, name in ((IPE, "Clínica Ipê"), (AROEIRA, "Clínica Aroeira")):
            assert accounts.add_clinic(connection, name, now()) == clinic_id
            channel = Channel(
                id=ChannelId(new_id()), clinic_id=clinic_id, kind="generic", name="Site", secret="s" * 32
            )
            accounts.put_channel(connection, channel)
        for email, clinic_id, role in ((ANA, IPE, "admin"), (BRUNO, IPE, "agent"), (CARLA, AROEIRA, "admin")):
            add_member(connection, clinic_id, email, email.partition("@")[0], role, password_hash)

    database.write_now(fill)
    return database


class Service:
    """`checks` is what `/readyz` is told, once `held_up` is set."""

    def __init__(self, database: Database, passwords: Passwords, settings: Config) -> None:
        self.database = database
        self.feed = Feed(self.database, tell=lambda told: None)
        self.cache = Cache(self.feed, Memory(settings.cache_max_bytes, settings.cache_max_age_s))
        self.writer = Writer(self.database, sources(), self._committed, self.feed.doubt)
        access = Access(self.database)
        self.inbox = Inbox(self.writer, access)
        self.queries = Queries(self.database, access, self.feed)
        self.pages = Pages(self.database, access, self.cache)
        self.sessions = Sessions(
            self.database,
            passwords,
            SessionSettings(
                secret=settings.secret,
                idle_s=settings.session_idle_s,
                lifetime_s=settings.session_lifetime_s,
                login_attempts=settings.login_attempts,
                login_window_s=settings.login_window_s,
            ),
            now,
            new_id,
            secrets.token_bytes,
        )
        self.clinics = Clinics(
            database=self.database,
            writer=self.writer,
            access=access,
            passwords=passwords,
            sessions=self.sessions,
            secret=settings.secret,
        )
        self.channels = Channels(
            database=self.database,
            writer=self.writer,
            access=access,
            base_url=settings.base_url,
            random_bytes=secrets.token_bytes,
        )
        self.settings = settings
        self.checks: Mapping[str, bool] = {"database": True}
        self.held_up = asyncio.Event()
        self.held_up.set()
        self.client: httpx.AsyncClient
        self.clients: contextlib.AsyncExitStack
        self.document: dict[str, Any]
        self._numbers = itertools.count(1)

    def _committed(self, committed: Committed) -> None:
        for told in committed.told:
            self.sessions.heed(told.record)
        self.feed.advance(committed.told)

    async def _check(self, response: httpx.Response) -> None:
        await response.aread()
        check_answer(self.document, response.request.method, response.request.url.path, response)

    async def readiness(self) -> Mapping[str, bool]:
        await self.held_up.wait()
        return self.checks

    async def receive(
        self, body: str = "Bom dia", *, clinic_id: ClinicId = IPE, address: str = "ines"
    ) -> Message:
        [channel] = self.database.read_now(lambda connection: accounts.channels_of(connection, clinic_id))
        command = ReceiveMessage(
            clinic_id=clinic_id,
            channel=channel.ref,
            external_id=f"external-{next(self._numbers)}",
            contact_address=address,
            contact_name=address.title(),
            body=body,
            sent_at=now(),
        )
        return (await self.inbox.receive(command)).message

    async def token(self, email: str = ANA) -> str:
        return (await self.sessions.login(email, PASSWORD, client_address="192.0.2.1")).token

    async def member(self, email: str = ANA) -> httpx.AsyncClient:
        """A client that sends the member's bearer token."""
        return self.new_client(headers={"Authorization": f"Bearer {await self.token(email)}"})

    def new_client(self, base_url: str = "", **options) -> httpx.AsyncClient:
        """A client whose every answer is held to the OpenAPI document."""
        client = httpx.AsyncClient(
            base_url=base_url or self.client.base_url,
            trust_env=False,
            event_hooks={"response": [self._check]},
            **options,
        )
        self.clients.push_async_callback(client.aclose)
        return client


@contextlib.asynccontextmanager
async def serving(
    database: Database,
    passwords: Passwords,
    *,
    webapp: Path,
    extra_routes: Sequence = (),
    past_the_parser: bool = False,
    **settings,
) -> AsyncIterator[Service]:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = replace(Config(secret="x" * 32, public_url=url), **settings)
    service = Service(database, passwords, config)
    application = create_application(
        sessions=service.sessions,
        queries=service.queries,
        pages=service.pages,
        inbox=service.inbox,
        clinics=service.clinics,
        channels=service.channels,
        readiness=service.readiness,
        settings=config,
        extra_routes=extra_routes,
        webapp=webapp,
    )
    service.document = describe(application)
    async with contextlib.AsyncExitStack() as service.clients:
        service.client = service.new_client(url)
        at_once = {"at_once": application.state["at_once"]} if past_the_parser else {}
        async with writing_to(service), listening(application, listener, **at_once):
            try:
                yield service
            finally:
                await service.clients.aclose()
        service.database.close()


@contextlib.asynccontextmanager
async def listening(
    application: Any,
    listener: socket.socket,
    *,
    head_timeout_s: float = 10.0,
    keep_alive_s: int = 5,
    **short_ways: Any,
) -> AsyncIterator[None]:
    """The product's HTTP protocol, without the pauses with which its Server starts and stops."""
    config = uvicorn.Config(
        application, log_config=None, access_log=False, proxy_headers=False, timeout_keep_alive=keep_alive_s
    )
    config.load()
    state = ServerState()
    if short_ways:
        short_ways["polling"] = Polling({}, application)
    http = type("Http", (HttpProtocol,), {"head_timeout_s": head_timeout_s, **short_ways})
    protocol = functools.partial(http, config=config, server_state=state, app_state={})
    server = await asyncio.get_running_loop().create_server(protocol, sock=listener)
    try:
        yield
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        await until(lambda: not state.tasks and not state.connections)


class Capture:
    """Log lines as they come in, from the moment the fixture is asked for."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.lines = lines

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def clear(self) -> None:
        self.lines.clear()

    async def line(self, event: str) -> dict[str, Any]:
        """The newest line of that name. A request's line is written when its answer is already on its way."""
        await until(lambda: event in self.events())
        return [line for line in self.lines if line["event"] == event][-1]


async def until(condition: Callable[[], object], deadline_s: float = 5.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - another part's condition, which signals to nobody
            await asyncio.sleep(0.005)


def problem(response: httpx.Response) -> tuple[int, str]:
    """A problem's status and code, after checking that it is one."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"/api/docs#error-{body['code']}"
    assert isinstance(body["title"], str)
    assert isinstance(body["retryable"], bool)
    return body["status"], body["code"]


def fields(response: httpx.Response) -> list[tuple[str, str]]:
    return [(error["path"], error["code"]) for error in response.json().get("errors", [])]
