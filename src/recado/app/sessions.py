"""Who is asking: login, verification and logout. docs/rest.md, "Who asks".

A token is 256 random bits and opens its session; the database keeps only its HMAC. A verified session is remembered
in memory for seconds. When a session ends, the listeners hear it at once and close its sockets.
"""

import asyncio
import base64
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from functools import partial
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from recado import observe
from recado.app.addresses import neighbourhood
from recado.app.attempts import Attempts
from recado.app.passwords import Passwords
from recado.domain.accounts import Identity
from recado.domain.clinic_events import access_change
from recado.domain.events import Record
from recado.domain.instants import seconds_between, shift
from recado.domain.values import ClinicId, Instant
from recado.errors import InvalidCredentialsError, RecadoError, UnauthenticatedError
from recado.store import accounts
from recado.store.accounts import SessionRow
from recado.store.database import Database

REMEMBER_S = 5.0
"""While this node follows all clinics of the member: their logs say when to forget earlier."""
REMEMBER_UNFOLLOWED_S = 1.0
MAX_REMEMBERED = 20_000
MAX_TOKEN_CHARS = 128
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


class _Remembered(Struct, eq=False):
    """A session as it was read at `read_at`, to be believed until `until` as long as `follow_changes` stands.

    It ends at `ends_at` at the latest: monotonic too, for to write down what time it is costs more than the rest.
    """

    identity: Identity
    read_at: float
    ends_at: float
    until: float = 0.0
    follow_changes: int = -1


class _Find(Struct, frozen=True):
    """A session and whose it is, as a value: a screen's requests that come at once share one reading."""

    token_hash: str

    def __call__(self, connection: Connection) -> tuple[SessionRow, Identity] | None:
        row = accounts.session_of(connection, self.token_hash)
        if row is None:
            return None
        return row, accounts.identity_of(connection, row.member_id, row.id, row.ends_at)


class Sessions:
    """`now` is wall-clock time, `random_bytes(n)` a source fit for secrets.

    `followed_since(clinic_id)` says since when (monotonic) this node hears every record of the clinic, None if not;
    as long as `follow_changes()` is the same, it says the same.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        settings: SessionSettings,
        now: Callable[[], Instant],
        new_id: Callable[[], str],
        random_bytes: Callable[[int], bytes],
        followed_since: Callable[[ClinicId], float | None] = lambda _clinic_id: 0.0,
        *,
        follow_changes: Callable[[], int] = lambda: 0,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._settings = settings
        self._keyed = hmac.new(settings.secret.encode(), digestmod="sha256")
        self._now = now
        self._new_id = new_id
        self._random_bytes = random_bytes
        self._followed_since = followed_since
        self._follow_changes = follow_changes
        limit, window = settings.login_attempts, settings.login_window_s
        self._by_member = Attempts(limit, window, time.monotonic)
        self._by_address = Attempts(limit * ADDRESS_FACTOR, window, time.monotonic)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One password of an address at a time, lest a crowd there, or who guesses, keep all others waiting."""
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
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
        asker = neighbourhood(client_address)
        member_key = f"{asker} {email}"
        self._by_address.begin(asker)
        self._by_member.begin(member_key)
        async with self._turns.setdefault(asker, asyncio.Lock()):
            found = await self._database.read(lambda connection: accounts.credentials_of(connection, email))
            valid = await self._passwords.verify(found.password_hash if found else None, password)
        if not found or not valid:
            raise InvalidCredentialsError
        self._by_member.take_back(member_key)
        self._by_address.take_back(asker)
        token = base64.urlsafe_b64encode(self._random_bytes(32)).rstrip(b"=").decode()
        now = self._now()
        row = SessionRow(self._new_id(), found.member_id, now, shift(now, self._settings.lifetime_s))

        def begin(connection: Connection) -> Identity:
            if accounts.credentials_of(connection, email, locked=True) != found:  # changed while we verified
                raise InvalidCredentialsError
            accounts.forget_sessions(connection, shift(now, -self._settings.idle_s), now)
            accounts.add_session(connection, self.hash_of(token), row)
            identity = accounts.identity_of(connection, row.member_id, row.id, self._expiry(row))
            if not identity.roles:  # whose access was taken away everywhere
                raise InvalidCredentialsError
            return identity

        return Login(token=token, identity=await self._database.write(begin))

    async def verify(self, token: str | None) -> Identity:
        """The token's session, if it has not ended. Raises UnauthenticatedError."""
        return await self.verify_hash(self.hash_of(token))

    async def verify_hash(self, token_hash: str) -> Identity:
        """The same for who keeps the token's hash: what a connection asks at every event."""
        if (known := self.recall(token_hash)) is not None:
            return known
        ended, read_at, now = self._ended, time.monotonic(), self._now()
        identity = await self._read(token_hash, now)
        kept = _Remembered(identity, read_at, read_at + seconds_between(now, identity.expires_at))
        if ended != self._ended:  # a session ended while we read: ask again, lest it be remembered
            return await self.verify_hash(token_hash)
        self._remembered[token_hash] = kept
        self._remembered.move_to_end(token_hash)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        if identity.expires_at <= self._now():
            raise UnauthenticatedError
        return identity

    def hash_of(self, token: str | None) -> str:
        """Under what a token is kept. Raises UnauthenticatedError for what cannot be one."""
        if not token or len(token) > MAX_TOKEN_CHARS:
            raise UnauthenticatedError
        # `hmac.digest` gives the interpreter away for its microsecond, and a store thread keeps it for half a ms.
        keyed = self._keyed.copy()
        keyed.update(token.encode())
        return keyed.hexdigest()

    def recall(self, token_hash: str) -> Identity | None:
        """The session of the token that is kept under this, if it was verified a moment ago; None says nothing."""
        kept = self._remembered.get(token_hash)
        return kept.identity if kept is not None and self._is_fresh(kept) else None

    async def confirm(self, identity: Identity, password: str) -> str | None:
        """The hash that the member's password was found to fit; None for a wrong one. Raises RateLimitedError."""
        key = f"member {identity.member_id}"
        self._by_member.begin(key)
        known = await self._database.read(
            lambda connection: accounts.password_hash_of(connection, identity.member_id)
        )
        if not await self._passwords.verify(known, password):
            return None
        self._by_member.take_back(key)
        return known

    def heed(self, record: Record) -> None:
        """A log record, our own or another node's: what it makes untrue of a member is forgotten at once."""
        change = access_change(record)
        if change is None:
            return
        self._ended += 1
        self._remembered = OrderedDict(
            (key, kept)
            for key, kept in self._remembered.items()
            if kept.identity.member_id != change.member_id
        )

    async def logout(self, token: str | None) -> None:
        """End the token's session, if there is one."""
        try:
            identity = await self.verify(token)
        except UnauthenticatedError:
            return
        await self._database.write(partial(accounts.end_session, session_id=identity.session_id))
        log.info("logged_out", session_id=identity.session_id, member_id=identity.member_id)
        self._end({identity.session_id})

    async def notice(self, session_ids: Collection[str]) -> None:
        """Which of them another node has ended? A logout stands in no clinic's log."""
        if self._database.shared and session_ids:
            left = await self._database.read(partial(accounts.sessions_left, session_ids=tuple(session_ids)))
            self._end(set(session_ids) - left)

    def _end(self, session_ids: Collection[str]) -> None:
        if not session_ids:
            return
        self._ended += 1
        self._remembered = OrderedDict(
            (key, kept)
            for key, kept in self._remembered.items()
            if kept.identity.session_id not in session_ids
        )
        for session_id in session_ids:
            for listener in self._on_end:
                listener(session_id)

    async def _read(self, token_hash: str, now: Instant) -> Identity:
        found = await self._database.read(_Find(token_hash))
        if found is None:
            raise UnauthenticatedError
        row, identity = found
        if self._expiry(row) <= now or not identity.roles:
            raise UnauthenticatedError
        if seconds_between(row.seen_at, now) > TOUCH_AFTER_S:
            await self._database.write(partial(accounts.touch_session, session_id=row.id, now=now))
        return replace(identity, expires_at=self._expiry(row._replace(seen_at=now)))

    def _is_fresh(self, kept: _Remembered) -> bool:
        """Looks at the member's clinics only when some clinic's following has changed: a member may have many."""
        changes = self._follow_changes()
        if kept.follow_changes != changes:
            kept.until, kept.follow_changes = self._believed_until(kept), changes
        return time.monotonic() < kept.until

    def _believed_until(self, kept: _Remembered) -> float:
        """What was told before a clinic was followed, we did not hear, as of one that is not followed."""
        since = (self._followed_since(clinic_id) for clinic_id in kept.identity.roles)
        heard = all(at is not None and at <= kept.read_at for at in since)
        believed_s = REMEMBER_S if heard else min(REMEMBER_S, REMEMBER_UNFOLLOWED_S)
        return min(kept.read_at + believed_s, kept.ends_at)

    def _expiry(self, row: SessionRow) -> Instant:
        return min(shift(row.seen_at, self._settings.idle_s), row.ends_at)
