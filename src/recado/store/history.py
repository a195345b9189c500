"""Which history of the database this is: the part of a cursor's epoch that all clinics share. docs/store.md, "Epoch".

A number means nothing across histories: after a restore, or when a standby that lacked the last commits was promoted,
the same seq may have been given out twice.
"""

from typing import Any

from sqlalchemy import ScalarSelect, Text, cast, func, literal_column, select

from recado.store.tables import history


def history_of(dialect: str) -> ScalarSelect[Any]:
    """To be selected with what it labels, in one statement: the restore's id and, on PostgreSQL, the server's own.

    There also the table's number, which is another one as soon as `pg_restore` has made it anew: also by hand, and if
    who had begun the restore was killed before it could say so.
    """
    if dialect == "postgresql":
        table = cast(literal_column("history.tableoid"), Text)
        return select(
            history.c.id.concat("-").concat(table).concat(func.recado_server_history())
        ).scalar_subquery()
    return select(history.c.id).scalar_subquery()
