"""A copy holds everything, and whoever goes back to it is told so."""

import pytest

from recado.errors import ConfigError
from recado.store import deltas, inbox
from recado.store.backup import backup, restore
from store.test_law import snapshot


def head_of(stock):
    return stock.database.read_now(lambda c: inbox.heads(c, [stock.clinic_id]))[stock.clinic_id].cursor


async def test_a_restored_database_shows_what_the_copy_held_and_resets_cursors(writing, tmp_path):
    first = await writing.writer.execute(writing.inbound(body="um"))
    await writing.writer.execute(writing.reply(first.conversation.id))
    held = snapshot(writing).shown()
    backup(writing.database, tmp_path / "copy")
    lost = await writing.writer.execute(writing.inbound(body="dois"))
    ahead = head_of(writing)
    restore(writing.database, tmp_path / "copy", "another-history")
    assert snapshot(writing).shown() == held
    delta = writing.database.read_now(
        lambda c: deltas.clinic_delta(c, writing.clinic_id, writing.member_id, ahead, [])
    )
    assert delta.reset
    again = await writing.writer.execute(writing.inbound(body="dois"))
    assert again.seq == lost.seq  # the same number, of another history
    assert head_of(writing) != ahead


async def test_a_copy_is_taken_beside_a_writer_and_is_whole(writing, tmp_path):
    for number in range(30):
        await writing.writer.execute(writing.inbound(f"55{number}"))
        if number == 15:
            backup(writing.database, tmp_path / "copy")
    restore(writing.database, tmp_path / "copy", "another-history")
    assert head_of(writing).seq == len(inbox_log(writing)) == 16


def inbox_log(stock):
    return stock.database.read_now(lambda c: inbox.log_after(c, stock.clinic_id, 0, 1000))


def test_nothing_is_overwritten_and_no_half_copy_is_left(stock, tmp_path):
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(ConfigError):
        backup(stock.database, tmp_path / "copy")
    with pytest.raises(ConfigError):
        backup(stock.database, tmp_path / "no-such-folder/copy")
    assert (tmp_path / "copy").read_text() == "mine"
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("content", [None, b"", b"no database", b"SQLite format 3\x00" + b"x" * 5000])
async def test_what_is_no_copy_of_ours_changes_nothing(writing, tmp_path, content):
    await writing.writer.execute(writing.inbound())
    held = snapshot(writing).shown()
    if content is not None:
        (tmp_path / "copy").write_bytes(content)
    with pytest.raises(ConfigError):
        restore(writing.database, tmp_path / "copy", "another-history")
    assert snapshot(writing).shown() == held
