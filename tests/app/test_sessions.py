"""Sessions: who may in, for how long, and how it ends."""

import asyncio
import contextlib
import hmac
import secrets
import threading

import pytest
from sqlalchemy import event, text

from recado.app import attempts
from recado.app import sessions as sessions_module
from recado.app.passwords import Passwords
from recado.app.sessions import Sessions, SessionSettings
from recado.domain.instants import from_epoch_ms, shift
from recado.errors import InvalidCredentialsError, RateLimitedError, UnauthenticatedError
from recado.store import accounts
from stock import MONDAY_8_AM_MS, new_id
from store.test_readers import every_thread_held

PASSWORD = "uma senha comprida"


@pytest.fixture(scope="module")
def passwords():
    made = Passwords()
    yield made
    made.close()


class Clock:
    def __init__(self) -> None:
        self.at = from_epoch_ms(MONDAY_8_AM_MS)

    def __call__(self):
        return self.at

    def advance(self, seconds) -> None:
        self.at = shift(self.at, seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(stock, passwords, clock, monkeypatch):
    monkeypatch.setattr(sessions_module, "REMEMBER_S", 0)
    password_hash = passwords.hash(PASSWORD)
    stock.database.write_now(lambda c: accounts.set_password_hash(c, stock.member_id, password_hash))
    settings = SessionSettings(
        secret="s" * 40, idle_s=3600, lifetime_s=36_000, login_attempts=3, login_window_s=300
    )
    return Sessions(stock.database, passwords, settings, clock, new_id, secrets.token_bytes)


async def login(sessions, password=PASSWORD, email="ana@clinica.example", address="192.0.2.1"):
    return await sessions.login(email, password, client_address=address)


async def test_a_login_opens_a_session_with_the_members_clinics(sessions, stock):
    made = await login(sessions)
    identity = await sessions.verify(made.token)
    assert identity == made.identity
    assert (identity.member_id, identity.roles) == (stock.member_id, {stock.clinic_id: "admin"})


def test_a_token_is_kept_under_its_hmac_so_that_sessions_survive_an_update(sessions):
    assert sessions.hash_of("t") == hmac.digest(b"s" * 40, b"t", "sha256").hex()
    assert sessions.hash_of("u") != sessions.hash_of("t") == sessions.hash_of("t")


async def test_the_email_may_be_written_in_any_case(sessions):
    assert (await login(sessions, email=" Ana@Clinica.Example ")).token


async def test_a_wrong_password_and_an_unknown_member_look_the_same(sessions):
    for email in ("ana@clinica.example", "ninguem@clinica.example"):
        with pytest.raises(InvalidCredentialsError):
            await login(sessions, "errada", email)


async def test_the_token_is_not_in_the_database(sessions, stock):
    made = await login(sessions)
    rows = stock.database.read_now(lambda c: c.execute(text("SELECT * FROM sessions")).all())
    assert len(rows) == 1
    assert made.token not in str(rows)


@pytest.mark.parametrize("token", [None, "", "wrong", "x" * 5000])
async def test_no_other_token_opens_anything(sessions, token):
    await login(sessions)
    with pytest.raises(UnauthenticatedError):
        await sessions.verify(token)


async def test_after_three_wrong_passwords_even_the_right_one_must_wait(sessions):
    for _ in range(3):
        with pytest.raises(InvalidCredentialsError):
            await login(sessions, "errada")
    with pytest.raises(RateLimitedError) as refused:
        await login(sessions)
    assert 0 < refused.value.retry_after_s <= 300


async def test_a_guesser_elsewhere_does_not_lock_the_member_out(sessions):
    for _ in range(3):
        with pytest.raises(InvalidCredentialsError):
            await login(sessions, "errada", address="203.0.113.9")
    assert (await login(sessions)).token


async def test_the_addresses_of_one_ipv6_network_count_as_one(sessions):
    for last in range(3):
        with pytest.raises(InvalidCredentialsError):
            await login(sessions, "errada", address=f"2001:db8:0:7::{last}")
    with pytest.raises(RateLimitedError):
        await login(sessions, address="2001:db8:0:7:ffff::1")
    assert (await login(sessions, address="2001:db8:0:8::1")).token


async def test_many_who_log_in_from_one_address_keep_nobody_elsewhere_waiting(sessions):
    ended = []

    async def enter(who, *args, **where):
        with contextlib.suppress(InvalidCredentialsError):
            await login(sessions, *args, **where)
        ended.append(who)

    crowd = [enter("crowd", "errada", email=f"{number}@clinica.example") for number in range(12)]
    await asyncio.gather(*crowd, enter("ana", address="203.0.113.9"))
    assert ended.index("ana") < 4


async def test_one_address_that_tries_many_members_is_stopped(sessions):
    for number in range(30):
        with pytest.raises(InvalidCredentialsError):
            await login(sessions, "errada", f"m{number}@clinica.example")
    with pytest.raises(RateLimitedError):
        await login(sessions, "errada", "one-more@clinica.example")


async def test_successful_logins_are_not_counted(sessions):
    for _ in range(40):
        await login(sessions)


def test_attempts_come_back_with_time():
    now = 0.0
    limiter = attempts.Attempts(1, 10, lambda: now)
    limiter.begin("k")
    with pytest.raises(RateLimitedError):
        limiter.begin("k")
    now = 10.0
    limiter.begin("k")


async def test_a_session_ends_when_idle_for_too_long_and_lives_on_when_used(sessions, clock):
    token = (await login(sessions)).token
    for _ in range(3):
        clock.advance(3000)
        await sessions.verify(token)
    clock.advance(3601)
    with pytest.raises(UnauthenticatedError):
        await sessions.verify(token)


async def test_every_session_ends_after_its_lifetime_however_much_it_is_used(sessions, clock):
    token = (await login(sessions)).token
    for _ in range(11):
        clock.advance(3000)
        await sessions.verify(token)
    clock.advance(3000)
    with pytest.raises(UnauthenticatedError):
        await sessions.verify(token)


async def test_requests_that_come_at_once_share_the_reading_of_their_session(sessions, stock):
    made, asked, gate = await login(sessions), [], threading.Event()

    def note(_connection, _cursor, statement, *_):
        asked.append(statement)

    with every_thread_held(stock.database, gate) as (held, arrived):
        await asyncio.to_thread(arrived.wait, 10)
        event.listen(stock.database._reading, "before_cursor_execute", note)
        waiting = [asyncio.ensure_future(sessions.verify(made.token)) for _ in range(20)]
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(*waiting) == [made.identity] * 20
        await asyncio.gather(*held)
    assert sum("FROM sessions" in statement for statement in asked) == 1


async def test_logout_ends_the_session_at_once_and_tells_the_listeners(sessions, monkeypatch):
    monkeypatch.setattr(sessions_module, "REMEMBER_S", 60)
    made, other = await login(sessions), await login(sessions)
    ended = []
    sessions.on_end(ended.append)
    await sessions.verify(made.token)
    await sessions.logout(made.token)
    with pytest.raises(UnauthenticatedError):
        await sessions.verify(made.token)
    assert ended == [made.identity.session_id]
    assert await sessions.verify(other.token)


async def test_logging_out_twice_is_harmless(sessions):
    token = (await login(sessions)).token
    await sessions.logout(token)
    await sessions.logout(token)
    await sessions.logout(None)


async def test_old_sessions_are_forgotten_at_the_next_login(sessions, stock, clock):
    await login(sessions)
    clock.advance(40_000)
    await login(sessions)
    count = stock.database.read_now(lambda c: c.execute(text("SELECT count(*) FROM sessions")).scalar_one())
    assert count == 1
