"""A clinic's channels, in the database: added, changed and rotated once, and used without a word in log or keys."""

import asyncio
import base64
from functools import partial

import pytest
from sqlalchemy import insert, text

from recado.domain.clinic_commands import AddChannel, RotateSecret, UpdateChannel
from recado.errors import ClientKeyReusedError, NotFoundError
from recado.store import accounts
from recado.store.database import Database
from recado.store.migrate import _upgrade, upgrade
from recado.store.tables import channels
from stock import new_id

SECRET = "whsec_" + base64.b64encode(b"secreto" * 5).decode()
SECONDS = len("2026-11-23T10:42:07")
FRESH = {"fresh_secret": SECRET, "fresh_verify_token": "verify-secreto"}


def added(stock, **fields):
    fields = {"channel_id": new_id(), "kind": "generic", "name": "Site", **FRESH, **fields}
    return stock.settle(AddChannel, **fields)


def channel(stock, channel_id):
    return stock.database.read_now(lambda c: accounts.channel_by_id(c, channel_id))


def used(stock):
    known = stock.database.read_now(lambda c: accounts.used_channels_of(c, stock.clinic_id))
    return {each.channel.id: each[1:] for each in known}


async def test_a_channel_is_added_changed_and_rotated_each_by_one_record(writing):
    add = added(writing)
    for order in (
        add,
        writing.settle(
            UpdateChannel, channel_id=add.channel_id, active=False, outbound_url="https://x.example"
        ),
        writing.settle(RotateSecret, channel_id=add.channel_id, **FRESH | {"fresh_secret": f"{SECRET}="}),
    ):
        await writing.writer.execute(order)
    kept = channel(writing, add.channel_id)
    assert (kept.clinic_id, kept.kind, kept.name) == (writing.clinic_id, "generic", "Site")
    assert (kept.active, kept.outbound_url, kept.secret) == (False, "https://x.example", f"{SECRET}=")
    assert [told.record.type for told in writing.told] == ["ChannelAdded", "ChannelUpdated", "ChannelUpdated"]
    assert [told.clinic.version for told in writing.told] == [0, 0, 0], "no member's screen has to change"


async def test_the_next_command_of_a_batch_sees_the_channel(writing):
    add = added(writing)
    orders = [add, writing.settle(UpdateChannel, channel_id=add.channel_id, name="Outro")]
    await asyncio.gather(*map(writing.writer.execute, orders))
    assert channel(writing, add.channel_id).name == "Outro"


async def test_neither_log_nor_keys_hold_a_secret_or_an_address(writing):
    add = added(writing, kind="whatsapp", access_token="token-secreto", secret="app-secreto")
    await writing.writer.execute(add)
    url = "https://secreto.example"
    await writing.writer.execute(writing.settle(UpdateChannel, channel_id=add.channel_id, outbound_url=url))
    for table in ("events", "command_keys"):
        rows = writing.database.read_now(lambda c, t=table: c.execute(text(f"SELECT * FROM {t}")).all())
        assert rows
        assert "secreto" not in str(rows)


async def test_a_repeated_order_changes_nothing(writing):
    add = added(writing, client_key="a")
    rotate = writing.settle(RotateSecret, channel_id=add.channel_id, client_key="r", **FRESH)
    for order in (add, rotate, add, rotate):
        await writing.writer.execute(order)
    assert len(writing.told) == 1, "the fresh secret was the one it had"
    with pytest.raises(ClientKeyReusedError):
        await writing.writer.execute(
            writing.settle(UpdateChannel, channel_id=add.channel_id, client_key="r", name="x")
        )


async def test_a_channel_of_another_clinic_is_not_found(writing):
    other = writing.database.write_now(lambda c: accounts.add_clinic(c, "Outra", writing.sources.now()))
    add = added(writing, clinic_id=other, member_id=None)
    await writing.writer.execute(add)
    with pytest.raises(NotFoundError):
        await writing.writer.execute(writing.settle(UpdateChannel, channel_id=add.channel_id, name="x"))


async def test_a_channel_knows_to_the_second_when_something_last_came_in_and_went_out(writing):
    id_ = writing.channel.id
    assert used(writing) == {id_: (None, None)}
    first = await writing.writer.execute(writing.inbound())
    assert used(writing) == {id_: (first.message.created_at, None)}
    last = await writing.writer.execute(writing.inbound("5511999990002"))
    assert used(writing)[id_][0][:SECONDS] == last.message.created_at[:SECONDS]
    reply = (await writing.writer.execute(writing.reply(first.conversation.id))).message
    assert used(writing)[id_][1] is None, "it has not left yet"
    await writing.writer.execute(writing.delivered(reply))
    assert used(writing)[id_][1] == writing.told[-1].record.at


@pytest.mark.parametrize("outcome", ["failed", None])
async def test_what_did_not_go_out_is_no_sign_of_life(writing, outcome):
    conversation_id = (await writing.writer.execute(writing.inbound())).conversation.id
    note = outcome is None
    said = await writing.writer.execute(writing.reply(conversation_id, kind="note" if note else "message"))
    if outcome:
        await writing.writer.execute(writing.delivered(said.message, outcome))
    assert used(writing)[writing.channel.id][1] is None


def test_channels_of_an_older_schema_stay_switched_on(database_url, tmp_path, request):
    """0005 is what the version before had."""
    database = Database(f"sqlite:///{tmp_path}/older.db")
    if database_url.startswith("postgresql:"):
        database = Database(request.getfixturevalue("postgres").create_database())
    database.write_now(partial(_upgrade, revision="0005"))

    def fill(connection) -> None:
        clinic_id = accounts.add_clinic(connection, "C", "x")
        old = {"id": "a", "clinic_id": clinic_id, "kind": "generic", "name": "Site", "secret": "s"}
        connection.execute(insert(channels).values(old))

    database.write_now(fill)
    upgrade(database)
    assert database.read_now(lambda c: accounts.channel_by_id(c, "a")).active
    database.close()
