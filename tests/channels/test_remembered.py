"""A channel is read once for many webhooks, and what is known of it is never older than promised."""

import asyncio
import threading

import pytest
from msgspec.structs import replace
from sqlalchemy import event, text

from recado.app import known_channels
from recado.app.channels import UpdateChannelOrder
from recado.app.known_channels import REFRESH_S, REMEMBER_S
from recado.domain.accounts import Identity
from recado.errors import NotFoundError
from stock import new_id


@pytest.fixture
def admin(stack) -> Identity:
    stack.database.write_now(lambda c: c.execute(text("UPDATE memberships SET role = 'admin'")))
    return replace(stack.member, roles=dict.fromkeys(stack.member.roles, "admin"))


@pytest.fixture
def clock(monkeypatch):
    """`clock[0]` is the time."""
    at = [1_000.0]
    monkeypatch.setattr(known_channels, "clock", lambda: at[0])
    return at


def switched_off(stack):
    return UpdateChannelOrder(
        clinic_id=stack.clinic_id, client_key=new_id(), channel_id=stack.generic.id, active=False
    )


def held_reading(stack):
    """The next statement's answer is here, and goes no further: events that this is so, and that it may go on."""
    reading, changed = threading.Event(), threading.Event()

    def hold(*_about) -> None:
        reading.set()
        assert changed.wait(10)

    event.listen(stack.database._reading, "after_cursor_execute", hold, once=True)
    return reading, changed


async def test_many_webhooks_of_one_channel_read_it_once(stack, clock):
    statements = []
    event.listen(stack.database._reading, "before_cursor_execute", lambda *about: statements.append(about[2]))
    for _ in range(20):
        assert await stack.known_channels.get(stack.generic.id) == stack.generic
    assert len(statements) == 1


async def test_what_is_asked_for_while_others_are_read_is_read_together(stack, clock):
    reading, go_on = held_reading(stack)
    statements = []
    event.listen(stack.database._reading, "before_cursor_execute", lambda *about: statements.append(about[2]))
    first = asyncio.create_task(stack.known_channels.get(stack.generic.id))
    await asyncio.to_thread(reading.wait, 10)
    asked = [stack.whatsapp.id, new_id(), stack.whatsapp.id, stack.generic.id]
    others = [asyncio.create_task(stack.known_channels.get(each)) for each in asked]
    given_up = asyncio.create_task(stack.known_channels.get(new_id()))
    await asyncio.sleep(0)
    given_up.cancel()
    go_on.set()
    whatsapp, missing, again, generic = await asyncio.gather(*others, return_exceptions=True)
    assert (await first, generic, whatsapp, again) == (stack.generic, stack.generic, *[stack.whatsapp] * 2)
    assert isinstance(missing, NotFoundError)
    assert len(statements) == 2


async def test_what_webhooks_ask_for_again_and_again_is_read_again_in_one_statement(stack, clock):
    both = [stack.generic, stack.whatsapp]
    for each in both:
        await stack.known_channels.get(each.id)
    statements = []
    event.listen(stack.database._reading, "before_cursor_execute", lambda *about: statements.append(about[2]))
    for _ in range(4):
        clock[0] += REFRESH_S
        for each in both:
            assert await stack.known_channels.get(each.id) == each
        await stack.known_channels.refresh()
    assert len(statements) == 4, "nobody waited for a read of their own"


async def test_what_nobody_asks_for_is_not_read_again_and_forgotten(stack, clock):
    await stack.known_channels.get(stack.generic.id)
    statements = []
    event.listen(stack.database._reading, "before_cursor_execute", lambda *about: statements.append(about[2]))
    await stack.known_channels.refresh()
    assert not statements
    clock[0] += REMEMBER_S
    await stack.known_channels.refresh()
    assert not stack.known_channels._remembered


async def test_a_change_that_nobody_told_counts_within_a_second_of_the_last_reading(stack, clock):
    await stack.known_channels.get(stack.generic.id)
    await stack.known_channels.get(stack.generic.id)
    await stack.known_channels.refresh()
    stack.put(replace(stack.generic, name="Sul"))
    clock[0] += REFRESH_S
    await stack.known_channels.get(stack.generic.id)
    await stack.known_channels.refresh()
    assert (await stack.known_channels.get(stack.generic.id)).name == "Sul"
    stack.put(replace(stack.generic, active=False))
    clock[0] += REFRESH_S
    await stack.known_channels.refresh()
    clock[0] += REMEMBER_S - REFRESH_S
    with pytest.raises(NotFoundError):
        await stack.known_channels.get(stack.generic.id)


async def test_what_was_read_again_while_it_changed_is_not_remembered(stack, admin, clock):
    await stack.known_channels.get(stack.generic.id)
    await stack.known_channels.get(stack.generic.id)
    reading, changed = held_reading(stack)
    refreshing = asyncio.create_task(stack.known_channels.refresh())
    await asyncio.to_thread(reading.wait, 10)
    await stack.channels.update(admin, switched_off(stack))
    changed.set()
    await refreshing
    with pytest.raises(NotFoundError):
        await stack.known_channels.get(stack.generic.id)


async def test_a_change_of_this_node_counts_at_once(stack, admin, clock):
    await stack.known_channels.get(stack.generic.id)
    await stack.channels.update(admin, switched_off(stack))
    with pytest.raises(NotFoundError):
        await stack.known_channels.get(stack.generic.id)


async def test_what_was_read_while_it_changed_is_not_remembered(stack, admin, clock):
    reading, changed = held_reading(stack)
    asked = asyncio.create_task(stack.known_channels.get(stack.generic.id))
    await asyncio.to_thread(reading.wait, 10)
    await stack.channels.update(admin, switched_off(stack))
    changed.set()
    assert (await asked).active, "it was on when it was read"
    with pytest.raises(NotFoundError):
        await stack.known_channels.get(stack.generic.id)


async def test_a_change_that_nobody_told_counts_within_a_second(stack, clock):
    await stack.known_channels.get(stack.generic.id)
    stack.put(replace(stack.generic, active=False))
    clock[0] += 1.0
    with pytest.raises(NotFoundError):
        await stack.known_channels.get(stack.generic.id)


async def test_a_channel_that_is_off_is_not_remembered_and_is_on_as_soon_as_it_is(stack, clock):
    stack.put(replace(stack.generic, active=False))
    with pytest.raises(NotFoundError):
        await stack.known_channels.get(stack.generic.id)
    stack.put(stack.generic)
    assert (await stack.known_channels.get(stack.generic.id)).active


async def test_what_is_asked_for_is_read_again_by_itself(stack, clock, monkeypatch):
    monkeypatch.setattr(known_channels, "REFRESH_S", 0.01)
    await stack.known_channels.get(stack.generic.id)
    await stack.known_channels.get(stack.generic.id)
    read = threading.Event()
    event.listen(stack.database._reading, "after_cursor_execute", lambda *_about: read.set())
    running = asyncio.create_task(stack.known_channels.run())
    assert await asyncio.to_thread(read.wait, 10)
    running.cancel()
