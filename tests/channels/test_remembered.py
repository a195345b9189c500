"""A channel is read once for many webhooks, and what is known of it is never older than promised."""

import asyncio
import threading

import pytest
from msgspec.structs import replace
from sqlalchemy import event, text

from channels.stack import new_id
from recado.app import channels as channels_module
from recado.app.channels import UpdateChannelOrder
from recado.domain.accounts import Identity
from recado.errors import NotFoundError


@pytest.fixture
def admin(stack) -> Identity:
    stack.database.write_now(lambda c: c.execute(text("UPDATE memberships SET role = 'admin'")))
    return replace(stack.member, roles=dict.fromkeys(stack.member.roles, "admin"))


@pytest.fixture
def clock(monkeypatch):
    """`clock[0]` is the time."""
    at = [1_000.0]
    monkeypatch.setattr(channels_module, "clock", lambda: at[0])
    return at


def switched_off(stack):
    return UpdateChannelOrder(
        clinic_id=stack.clinic_id, client_key=new_id(), channel_id=stack.generic.id, active=False
    )


async def test_many_webhooks_of_one_channel_read_it_once(stack, clock):
    statements = []
    event.listen(stack.database._reading, "before_cursor_execute", lambda *about: statements.append(about[2]))
    for _ in range(20):
        assert await stack.channels.get(stack.generic.id) == stack.generic
    assert len(statements) == 1


async def test_a_change_of_this_node_counts_at_once(stack, admin, clock):
    await stack.channels.get(stack.generic.id)
    await stack.channels.update(admin, switched_off(stack))
    with pytest.raises(NotFoundError):
        await stack.channels.get(stack.generic.id)


async def test_what_was_read_while_it_changed_is_not_remembered(stack, admin, clock):
    reading, changed = threading.Event(), threading.Event()

    def hold(*_about) -> None:
        reading.set()
        assert changed.wait(10)

    event.listen(stack.database._reading, "after_cursor_execute", hold, once=True)
    asked = asyncio.create_task(stack.channels.get(stack.generic.id))
    await asyncio.to_thread(reading.wait, 10)
    await stack.channels.update(admin, switched_off(stack))
    changed.set()
    assert (await asked).active, "it was on when it was read"
    with pytest.raises(NotFoundError):
        await stack.channels.get(stack.generic.id)


async def test_a_change_that_nobody_told_counts_within_a_second(stack, clock):
    await stack.channels.get(stack.generic.id)
    stack.put(replace(stack.generic, active=False))
    clock[0] += 1.0
    with pytest.raises(NotFoundError):
        await stack.channels.get(stack.generic.id)


async def test_a_channel_that_is_off_is_not_remembered_and_is_on_as_soon_as_it_is(stack, clock):
    stack.put(replace(stack.generic, active=False))
    with pytest.raises(NotFoundError):
        await stack.channels.get(stack.generic.id)
    stack.put(stack.generic)
    assert (await stack.channels.get(stack.generic.id)).active
