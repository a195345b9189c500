"""Trimming the log. What clients ask with `after` is answered from the rows, so no answer changes; docs/store.md."""

from sqlalchemy import Connection, delete, select

from recado.domain.values import Instant
from recado.store.tables import clinics, events

KEPT = 1_000
"""Records of each clinic that stay however old they are: for feeds that are a little behind."""


def trim(connection: Connection, before: Instant) -> int:
    """Delete the records from before `before`, but each clinic's newest KEPT; how many there were."""
    floor = select(clinics.c.seq - KEPT).where(clinics.c.id == events.c.clinic_id).scalar_subquery()
    return connection.execute(delete(events).where(events.c.at < before, events.c.seq <= floor)).rowcount
