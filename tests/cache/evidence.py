"""What the database has to say of a run afterwards: every clinic's whole log, and a model at its beginning."""

from sqlalchemy import text

from cache.replayed import Replayed


def logs_of(clinics, database, trimmed):
    """All records by clinic, with those that were trimmed; each names the one before it, and none is missing."""
    kept = database.read_now(lambda connection: connection.execute(text("SELECT * FROM events")).all())
    logs = {id_: [] for id_ in clinics.ids}
    for record in (*trimmed, *kept):
        logs[record.clinic_id].append(record)
    for log in logs.values():
        log.sort(key=lambda record: record.seq)
        assert [record.seq for record in log] == list(range(1, len(log) + 1))
        assert [record.prev for record in log] == [0, *(record.id for record in log[:-1])]
    return logs


def models_of(clinics, database):
    """Every clinic at seq 0. What its log only names the rows tell: whose a conversation is, a provider's id."""

    def read(connection):
        contacts = connection.execute(text("SELECT id, contact_id FROM conversations")).all()
        ids = connection.execute(text("SELECT id, external_id FROM messages")).all()
        return dict(map(tuple, contacts)), dict(map(tuple, ids))

    contacts, ids = database.read_now(read)
    staff = [{"id": clinics.member_id, "name": clinics.member_name, "role": "admin", "active": True}]
    settings = {"members": staff, "labels": [], "cannedReplies": [], "version": 0}
    return {
        id_: Replayed(
            clinic={"id": id_, "name": name, **settings},
            channel={"id": clinics.channels[id_], "kind": "generic"},
            said=clinics.said,
            contacts=contacts,
            ids=ids,
            authors={clinics.member_id: clinics.member_name},
        )
        for id_, name in clinics.names.items()
    }


def number_what_was_acknowledged(clinics, logs, models) -> None:
    """A webhook is acknowledged without a number: the log has it, under the provider's id; all that was is there."""
    seqs = {
        models[id_].external_id(record): record.seq
        for id_, log in logs.items()
        for record in log
        if record.type == "MessageReceived"
    }
    clinics.acked[:] = [
        each if isinstance(each.seq, int) else each._replace(seq=seqs[each.seq]) for each in clinics.acked
    ]
