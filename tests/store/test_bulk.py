"""Rows go in and come out as they were given, whatever of them all rows of a call have in common."""

import pytest
from sqlalchemy import select

from recado.store.bulk import insert_rows, update_rows
from recado.store.tables import channels

NOTHING = dict.fromkeys(
    ("verify_token", "phone_number_id", "access_token", "outbound_url", "last_inbound_at")
)


def channel(stock, number, **given):
    row = {
        "id": f"channel-{number}",
        "clinic_id": stock.clinic_id,
        "kind": "generic",
        "name": "C",
        "secret": "s",
    }
    return {**row, **NOTHING, "active": True, **given}


def channels_of(stock, *names):
    with stock.database.engine.connect() as connection:
        rows = {row["id"]: row for row in connection.execute(select(channels)).mappings()}
    return [tuple(rows[f"channel-{number}"][name] for name in names) for number in (1, 2)]


@pytest.mark.parametrize("active", [(True, True), (False, False), (True, False)], ids=str)
@pytest.mark.parametrize("token", [(None, None), ("a", "b"), (None, "b"), ("a", None)], ids=str)
def test_nulls_and_truths_are_stored_as_given_whether_or_not_all_rows_share_them(stock, active, token):
    rows = [channel(stock, n, active=active[n - 1], verify_token=token[n - 1]) for n in (1, 2)]
    stock.database.write_now(lambda connection: insert_rows(connection, channels, rows))

    assert channels_of(stock, "active", "verify_token", "name") == [
        (active[0], token[0], "C"),
        (active[1], token[1], "C"),
    ]


@pytest.mark.parametrize("token", [(None, None), ("a", "b"), (None, "b"), ("a", None)], ids=str)
def test_an_update_sets_what_it_gives_and_nothing_else(stock, token):
    rows = [channel(stock, n, verify_token="before", access_token="kept") for n in (1, 2)]
    changes = [{"id": f"channel-{n}", "verify_token": token[n - 1]} for n in (1, 2)]
    stock.database.write_now(lambda connection: insert_rows(connection, channels, rows))
    stock.database.write_now(lambda connection: update_rows(connection, channels, changes))

    assert channels_of(stock, "verify_token", "access_token", "active") == [
        (token[0], "kept", True),
        (token[1], "kept", True),
    ]


def test_of_two_changes_of_a_row_the_later_counts_though_only_it_is_null(stock):
    changes = [{"id": "channel-1", "verify_token": token} for token in ("first", None)]
    stock.database.write_now(
        lambda connection: insert_rows(connection, channels, [channel(stock, n) for n in (1, 2)])
    )
    stock.database.write_now(lambda connection: update_rows(connection, channels, changes))

    assert channels_of(stock, "verify_token") == [(None,), (None,)]
