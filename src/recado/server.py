"""The composition root: builds every part, starts, drains, stops. The only file that knows them all.

Order of the end: refuse new work, let clients go, answer what waits, then senders, writer, database
(docs/operations.md, "Stopping").
"""

import asyncio
import contextlib
import os
import random
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping
from functools import partial

import uuid_utils
import uvloop
from prometheus_client import REGISTRY
from sqlalchemy import Connection

from recado import __version__, observe
from recado.app.access import Access
from recado.app.cache_report import CacheReport
from recado.app.channels import Channels
from recado.app.clinics import Clinics
from recado.app.inbox import Inbox
from recado.app.invalidation import Invalidation
from recado.app.known_channels import KnownChannels
from recado.app.origins import own_origins
from recado.app.outbox import Outbox
from recado.app.pages import Pages
from recado.app.paging import DEFAULT_PAGE
from recado.app.passwords import Passwords
from recado.app.queries import Queries
from recado.app.sessions import Sessions, SessionSettings
from recado.app.snoozed import Alarm
from recado.app.statistics import RealtimeStatistics
from recado.cache.audit import Audit
from recado.cache.cache import Cache
from recado.cache.memory import Memory
from recado.cache.redis_level import RedisLevel
from recado.channels.inbound import Webhooks, channel_posts, channel_routes
from recado.channels.sender import Sender, SenderSettings, http_client
from recado.config import Config
from recado.domain.events import Record
from recado.domain.instants import from_epoch_ms, shift
from recado.domain.packets import Told
from recado.domain.values import ClinicId, Instant
from recado.errors import ConfigError, RecadoError
from recado.feed.broker import Broker, InProcessBroker
from recado.feed.feed import Feed
from recado.feed.postgres_broker import PostgresBroker
from recado.realtime.engine import Engine
from recado.realtime.gateway import Gateway
from recado.realtime.hub import Settings
from recado.realtime.serving import BACKLOG, make_server, spare_the_collector
from recado.rest.application import create_application
from recado.rest.caching import cache_routes
from recado.rest.realtime import realtime_routes
from recado.store import accounts, inbox, lists
from recado.store.batch import Committed, Sources
from recado.store.database import Database
from recado.store.migrate import upgrade
from recado.store.postgres import arguments
from recado.store.retention import trim
from recado.store.writer import Writer

SWITCH_INTERVAL_S = 0.0005
"""A store thread that computes holds the interpreter this long at most; the default of 5 ms shows in the loop's p99."""

HISTORY = 200
"""Records of a clinic's past that are read if Redis has something older than our following: so much may have happened
while we were stopped, and what is there is still known to be true or not. 2 ms."""

SOCKET_PATH = "/socket.io/"
SWEEP_S = 0.5
"""An expiry, or a logout on another node, ends its sockets within this time."""
SPARE_FILES = 500
TRIM_EVERY_S = 3600.0

log = observe.get_logger("server")


def now() -> Instant:
    return from_epoch_ms(time.time_ns() // 1_000_000)


def new_id() -> str:
    return str(uuid_utils.uuid7())


def random_62_bits() -> int:
    return int.from_bytes(os.urandom(8)) >> 2


SOURCES = Sources(now, new_id, random_62_bits)


class Server:
    """One `recado serve`: its parts, built in the order of the layers."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.draining = False
        self.database = Database(config.database_url)
        self.passwords = Passwords()
        self.redis = RedisLevel(config.redis_url, config.cache_max_age_s) if config.redis_url else None
        history = HISTORY if self.redis else 0
        self.feed = Feed(self.database, self._tell, self._reset, heed=self._heed, history=history)
        self.writer = Writer(self.database, SOURCES, self._committed, self.feed.doubt)
        self.broker = _broker(self.database)
        self.broker.subscribe(self.feed.hear, self.feed.poll_soon, self.feed.deafen)
        memory = Memory(config.cache_max_bytes, config.cache_max_age_s)
        self.cache = Cache(self.feed, memory, self.redis)
        self.audit = Audit(self.cache, self.feed, config.cache_audit, random.SystemRandom().choice)
        self.cache_report = CacheReport(self.cache, self.redis, self.feed, self.audit)
        access = Access(self.database)
        self.sessions = Sessions(
            self.database,
            self.passwords,
            _session_settings(config),
            now,
            new_id,
            secrets.token_bytes,
            self.feed.followed_since,
            follow_changes=self.feed.follow_changes,
        )
        self.inbox = Inbox(self.writer, access)
        self.clinics = Clinics(
            database=self.database,
            writer=self.writer,
            access=access,
            passwords=self.passwords,
            sessions=self.sessions,
            secret=config.secret,
        )
        self.known_channels = KnownChannels(self.database)
        self.channels = Channels(
            database=self.database,
            writer=self.writer,
            access=access,
            base_url=config.base_url,
            random_bytes=secrets.token_bytes,
        )
        self.queries = Queries(self.database, access, self.feed)
        self.pages = Pages(self.database, access, self.cache)
        self.outbox = Outbox(self.database, self.inbox, now)
        self.sender = Sender(
            self.outbox,
            http_client,
            SenderSettings(whatsapp_url=config.whatsapp_url, give_up_s=config.outbox_give_up_s),
            now=now,
            random=random.SystemRandom(),
        )
        self.alarm = Alarm(self.database, self.writer, now)
        self.engine = Engine(_engine_settings(config), log=observe.get_logger("realtime"), node=config.node)
        own = own_origins(config.base_url, config.allowed_origins)
        self.gateway = Gateway(
            rooms=self.engine.rooms(),
            sessions=self.sessions,
            access=access,
            queries=self.queries,
            inbox=self.inbox,
            clinics=self.clinics,
            channels=self.channels,
            feed=self.feed,
            origins=own,
            now=now,
            max_connections_per_member=config.max_connections_per_member,
        )
        self.engine.serve("/", self.gateway)
        webhooks = Webhooks(self.inbox, self.known_channels, now=now, new_id=new_id)
        self.application = create_application(
            sessions=self.sessions,
            queries=self.queries,
            pages=self.pages,
            inbox=self.inbox,
            clinics=self.clinics,
            channels=self.channels,
            readiness=self.readiness,
            settings=config,
            extra_routes=[
                channel_routes(webhooks),
                realtime_routes(self._realtime, access, self.sessions, own),
                cache_routes(
                    self.cache_report.statistics,
                    Invalidation(writer=self.writer, access=access),
                    access,
                    self.sessions,
                    own,
                ),
            ],
            small_posts=channel_posts(webhooks),
        )

    def _committed(self, committed: Committed) -> None:
        for each in committed.told:
            self._heed(each.record)
        self.feed.take_in(committed)
        heads = {each.record.clinic_id: each.record.seq for each in committed.told}
        for clinic_id, seq in heads.items():
            self.broker.hint(clinic_id, seq)
        if committed.queued:
            self.outbox.wake.set()

    def _realtime(self, clinic_id: ClinicId | None) -> RealtimeStatistics:
        here = None if clinic_id is None else self.gateway.connections(clinic_id)
        return self.engine.report.statistics(clinic_connections=here)

    def _tell(self, told: Told) -> None:
        self.gateway.tell(told)

    def _heed(self, record: Record) -> None:
        self.sessions.heed(record)
        self.known_channels.heed(record)

    def _reset(self, clinic_id: ClinicId) -> None:
        self.gateway.reset(clinic_id)

    async def readiness(self) -> Mapping[str, bool]:
        """Every part a request needs, and whether it answers."""
        await self.database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar_one())
        return {"database": self.database.is_in_place(), "accepting": not self.draining}

    async def serve(self, listening: socket.socket) -> None:
        """Answer on `listening` until SIGTERM or SIGINT; returns when everything has ended in order."""
        server = make_server(
            self.application,
            endpoints={SOCKET_PATH: self.engine},
            drain=self._drain,
            log=observe.get_logger("realtime"),
            websocket=self.config.websocket,
            head_timeout_s=self.config.head_timeout_s,
            allowed_origins=own_origins("", self.config.allowed_origins).listed,
            trusted_proxies=self.config.proxy_networks,
            at_once=self.application.state["at_once"],
            posts=self.application.state["posts"],
        )
        loop = asyncio.get_running_loop()
        observe.watch(loop)
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, server.handle_exit, name, None)
        await self.outbox.take_over()
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(self.writer.run())
            sender = tasks.create_task(self.sender.run())
            parts = (
                self.feed.run(),
                self.broker.run(),
                self.known_channels.run(),
                self.alarm.run(),
                self._sweep(),
                self._trim(),
            )
            helpers = [tasks.create_task(part) for part in parts]
            if self.config.cache_audit:
                helpers.append(tasks.create_task(self.audit.run()))
            if self.redis:
                helpers.append(tasks.create_task(self.redis.run()))
            self.engine.start()
            spare_the_collector()
            REGISTRY.register(self.engine.report)
            REGISTRY.register(self.cache_report)
            await self._warm()
            log.info("serving", version=__version__, url=self.config.base_url)
            await server.serve(sockets=[listening])
            self.sender.stop()
            await sender
            self.writer.close()
            await writer
            for task in helpers:
                task.cancel()
        REGISTRY.unregister(self.engine.report)
        REGISTRY.unregister(self.cache_report)
        await self.engine.stop()
        log.info("stopped")

    def close(self) -> None:
        self.passwords.close()
        self.database.close()

    async def _warm(self) -> None:
        try:
            await self.database.warm(_prepare)
        except RecadoError as error:  # whoever comes first waits for it instead
            log.warning("not_warm", code=error.code)

    async def _drain(self) -> None:
        """Refuse new work, let held requests and every client go."""
        self.draining = True
        self.database.end_soon()
        self.feed.release_waiting()
        await self.engine.drain(self.config.drain_s)

    async def _trim(self) -> None:
        """Keep the log as long as it is wanted."""
        while True:
            before = shift(now(), -self.config.log_retention * 86_400)
            try:
                trimmed = await self.database.write(partial(trim, before=before))
                log.debug("log_trimmed", records=trimmed)
            except RecadoError as error:
                log.warning("log_trim_failed", code=error.code)
            await asyncio.sleep(TRIM_EVERY_S)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.gateway.sweep()
            except RecadoError as error:
                log.warning("sweep_failed", code=error.code)


def _prepare(connection: Connection) -> None:
    """What whoever comes first asks: who they are, and their list; and what is asked when another has written."""
    accounts.prepare(connection)
    inbox.prepare(connection)
    lists.prepare(connection, DEFAULT_PAGE)


def listen(config: Config) -> socket.socket:
    """Bind before anything else is done. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"RECADO_HOST, RECADO_PORT: cannot listen there ({reason})") from None


def run(config: Config, listening: socket.socket) -> None:
    """Serve until a signal ends it. Raises ConfigError when something is not as a server needs it."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _raise_open_files_limit()
    server = Server(config)
    try:
        with server.database.served():
            upgrade(server.database)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(server.serve(listening))
    except ConfigError:
        raise
    except Exception as error:  # the process's top
        log.exception("crashed", exc_info=error)
        raise SystemExit(1) from None
    finally:
        server.close()


def _broker(database: Database) -> Broker:
    return PostgresBroker(arguments(database.url)) if database.shared else InProcessBroker()


def _session_settings(config: Config) -> SessionSettings:
    return SessionSettings(
        secret=config.secret,
        idle_s=config.session_idle_s,
        lifetime_s=config.session_lifetime_s,
        login_attempts=config.login_attempts,
        login_window_s=config.login_window_s,
    )


def _engine_settings(config: Config) -> Settings:
    """Fewer connections than open files: databases, HTTP and refusals need some too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounds = [config.max_connections] if config.max_connections else []
    if files != resource.RLIM_INFINITY:
        bounds.append(max(files - SPARE_FILES, files // 2))
    return Settings(
        ping_interval_s=config.ping_interval_s,
        ping_timeout_s=config.ping_timeout_s,
        connect_timeout_s=config.connect_timeout_s,
        max_payload_bytes=config.max_message_bytes,
        max_outbound_bytes=config.max_outbound_bytes,
        max_in_flight=config.max_in_flight,
        max_events_per_s=config.max_events_per_s,
        max_connections=min(bounds, default=0),
        max_connections_per_address=config.max_connections_per_address,
        io_uring=config.io_uring,
    )


def _raise_open_files_limit() -> None:
    """A connection is an open file; the soft limit is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
