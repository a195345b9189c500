"""Who is asking: login, verification and logout. docs/rest.md, "Who asks".

A token is 256 random bits and opens its session; the database keeps only its HMAC. A verified session is remembered
in memory for seconds. When a session ends, the listeners hear it at once and close its sockets.
"""

import base64
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from msgspec import Struct
from sqlalchemy import Connection

from recado import observe
from recado.app.attempts import Attempts
from recado.app.passwords import Passwords
from recado.domain.accounts import Identity
from recado.domain.instants import seconds_between, shift
from recado.domain.values import Instant
from recado.errors import InvalidCredentialsError, RecadoError, UnauthenticatedError
from recado.store import accounts
from recado.store.accounts import SessionRow
from recado.store.database import Database

REMEMBER_S = 5.0
MAX_REMEMBERED = 20_000
TOUCH_AFTER_S = 60.0
ADDRESS_FACTOR = 10
"""Attempts allowed from one address, whoever it says it is, as a multiple of those allowed per member."""

log = observe.get_logger("sessions")


class SessionSettings(Struct, frozen=True, kw_only=True):
    """`idle_s`: a session nobody uses ends after this; `lifetime_s`: every session ends after this."""

    secret: str
    idle_s: float
    lifetime_s: float
    login_attempts: int
    login_window_s: float


class Login(Struct, frozen=True, kw_only=True):
    """`token` is shown this once."""

    token: str
    identity: Identity

    def __repr__(self) -> str:
        return f"<Login {self.identity.session_id}>"


class Sessions:
    """`now` is wall-clock time, `random_bytes(n)` a source fit for secrets."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        settings: SessionSettings,
        now: Callable[[], Instant],
        new_id: Callable[[], str],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._settings = settings
        self._now = now
        self._new_id = new_id
        self._random_bytes = random_bytes
        limit, window = settings.login_attempts, settings.login_window_s
        self._by_member = Attempts(limit, window, time.monotonic)
        self._by_address = Attempts(limit * ADDRESS_FACTOR, window, time.monotonic)
        self._remembered: OrderedDict[str, tuple[Identity, float]] = OrderedDict()
        self._ended = 0
        self._on_end: list[Callable[[str], None]] = []

    def on_end(self, listener: Callable[[str], None]) -> None:
        """`listener(session_id)` is called when a session ends."""
        self._on_end.append(listener)

    async def login(self, email: str, password: str, *, client_address: str) -> Login:
        """Raises InvalidCredentialsError, RateLimitedError. Costs one password hash either way."""
        try:
            login = await self._login(email.strip().lower(), password, client_address)
        except RecadoError as error:
            observe.LOGINS.labels(error.code).inc()
            raise
        observe.LOGINS.labels("ok").inc()
        log.info("logged_in", session_id=login.identity.session_id, member_id=login.identity.member_id)
        return login

    async def _login(self, email: str, password: str, client_address: str) -> Login:
        member_key = f"{client_address} {email}"
        self._by_address.begin(client_address)
        self._by_member.begin(member_key)
        found = await self._database.read(lambda connection: accounts.credentials_of(connection, email))
        valid = await self._passwords.verify(found.password_hash if found else None, password)
        if not found or not valid:
            raise InvalidCredentialsError
        self._by_member.take_back(member_key)
        self._by_address.take_back(client_address)
        token = base64.urlsafe_b64encode(self._random_bytes(32)).rstrip(b"=").decode()
        now = self._now()
        row = SessionRow(self._new_id(), found.member_id, now, shift(now, self._settings.lifetime_s))

        def begin(connection: Connection) -> Identity:
            accounts.forget_sessions(connection, shift(now, -self._settings.idle_s), now)
            accounts.add_session(connection, self._hash(token), row)
            return accounts.identity_of(connection, row.member_id, row.id, self._expiry(row))

        return Login(token=token, identity=await self._database.write(begin))

    async def verify(self, token: str | None) -> Identity:
        """The token's session, if it has not ended. Raises UnauthenticatedError."""
        if not token or len(token) > 128:
            raise UnauthenticatedError
        token_hash = self._hash(token)
        identity, until = self._remembered.get(token_hash, (None, 0.0))
        if identity is None or until < time.monotonic():
            ended = self._ended
            identity = await self._read(token_hash)
            if ended != self._ended:  # a session ended while we read: ask again, lest it be remembered
                return await self.verify(token)
            self._remembered[token_hash] = (identity, time.monotonic() + REMEMBER_S)
            self._remembered.move_to_end(token_hash)
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        if identity.expires_at <= self._now():
            raise UnauthenticatedError
        return identity

    async def logout(self, token: str | None) -> None:
        """End the token's session, if there is one."""
        try:
            identity = await self.verify(token)
        except UnauthenticatedError:
            return
        await self._database.write(partial(accounts.end_session, session_id=identity.session_id))
        self._ended += 1
        self._remembered = OrderedDict(
            (key, kept) for key, kept in self._remembered.items() if kept[0].session_id != identity.session_id
        )
        log.info("logged_out", session_id=identity.session_id, member_id=identity.member_id)
        for listener in self._on_end:
            listener(identity.session_id)

    async def _read(self, token_hash: str) -> Identity:
        now = self._now()

        def find(connection: Connection) -> tuple[SessionRow, Identity] | None:
            row = accounts.session_of(connection, token_hash)
            if row is None or self._expiry(row) <= now:
                return None
            seen = row._replace(seen_at=now)
            return row, accounts.identity_of(connection, row.member_id, row.id, self._expiry(seen))

        found = await self._database.read(find)
        if found is None:
            raise UnauthenticatedError
        row, identity = found
        if seconds_between(row.seen_at, now) > TOUCH_AFTER_S:
            await self._database.write(partial(accounts.touch_session, session_id=row.id, now=now))
        return identity

    def _expiry(self, row: SessionRow) -> Instant:
        return min(shift(row.seen_at, self._settings.idle_s), row.ends_at)

    def _hash(self, token: str) -> str:
        return hmac.digest(self._settings.secret.encode(), token.encode(), "sha256").hex()
