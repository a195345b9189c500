"""The epoch: another one whenever numbers may have been given out twice."""

import pytest
from sqlalchemy import text

from recado.store import inbox


def epoch(stock):
    return stock.database.read_now(lambda c: inbox.heads(c, [stock.clinic_id]))[stock.clinic_id].cursor.epoch


async def test_the_epoch_stays_while_the_clinic_goes_on(writing):
    before = epoch(writing)
    await writing.writer.execute(writing.inbound())
    assert epoch(writing) == before


def test_a_restore_is_another_epoch(stock):
    before = epoch(stock)
    stock.database.write_now(lambda c: c.execute(text("UPDATE history SET id = 'restored'")))
    assert epoch(stock) not in {before, ""}


@pytest.mark.only("postgresql")
def test_the_epoch_names_the_cluster_and_its_timeline(stock, postgres):
    with postgres.connect() as connection:
        [(system, timeline)] = connection.execute(
            "SELECT system_identifier::text, timeline_id FROM pg_control_system(), pg_control_checkpoint()"
        ).fetchall()
    clinic_and_history, *server = epoch(stock).rsplit(".", 2)
    assert server == [system, f"{timeline:08X}"]
    assert clinic_and_history.startswith("1.")


@pytest.mark.only("postgresql")
def test_where_the_server_does_not_tell_the_history_of_its_own_is_left(stock, postgres):
    before = epoch(stock)
    with postgres.connect(stock.database.url.database) as connection:
        connection.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    assert epoch(stock) == before.rsplit(".", 2)[0]
