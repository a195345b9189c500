"""What a clinic keeps, in the database: once, in one log, and true for the next command of the same batch."""

import asyncio

import pytest
from sqlalchemy import event, text

from recado.domain.clinic import Label
from recado.domain.clinic_commands import (
    ChangePassword,
    InviteMember,
    ResetPassword,
    UpdateClinic,
    UpdateMember,
)
from recado.domain.commands import UpdateConversation
from recado.errors import ClientKeyReusedError, ConflictError, ForbiddenError, InvalidError, NotFoundError
from recado.store import accounts, deltas, inbox
from recado.store.accounts import SessionRow
from recado.store.clinic import clinics_by_id, member_details


def kept(stock, clinic_id=None):
    clinic_id = clinic_id or stock.clinic_id
    return stock.database.read_now(lambda c: clinics_by_id(c, [clinic_id]))[clinic_id]


def rows(stock, table):
    return stock.database.read_now(lambda c: c.execute(text(f"SELECT * FROM {table}")).mappings().all())


def labels(*names):
    return tuple(Label(name=name, colour="#3867b0") for name in names)


@pytest.fixture
def other_clinic(stock):
    return stock.database.write_now(lambda c: accounts.add_clinic(c, "Outra", stock.sources.now()))


async def do(writing, command):
    return await writing.writer.execute(command)


async def test_a_clinic_that_was_never_changed_has_version_0(writing):
    clinic = kept(writing)
    assert (clinic.name, clinic.version, clinic.labels, clinic.hours) == ("Clínica", 0, (), None)
    assert [(each.name, each.role, each.active) for each in clinic.members] == [("Ana", "admin", True)]


async def test_each_change_is_one_record_and_the_version_is_its_number(writing):
    await do(writing, writing.inbound())
    outcome = await do(writing, writing.settle(UpdateClinic, name="Ipê", labels=labels("exame")))
    assert (outcome.clinic, outcome.seq) == (kept(writing), 2)
    assert (outcome.clinic.version, outcome.clinic.name) == (2, "Ipê")
    again = await do(writing, writing.settle(UpdateClinic, waiting_limit_minutes=15))
    assert (again.clinic.version, again.clinic.labels) == (3, labels("exame"))
    nothing = await do(writing, writing.settle(UpdateClinic, waiting_limit_minutes=15))
    assert (nothing.clinic.version, nothing.seq) == (3, 3)


async def test_neither_log_nor_keys_hold_addresses_or_passwords(writing):
    await do(writing, writing.invitation("caio@secreto.example", password_hash="hash-secreto"))
    for table in ("events", "command_keys"):
        assert rows(writing, table)
        assert "secreto" not in str([dict(row) for row in rows(writing, table)])


async def test_a_repeated_command_answers_with_the_first_result_for_ever(writing):
    update = writing.settle(UpdateClinic, name="Ipê", client_key="u")
    invite = writing.invitation(client_key="i")
    first, invited = await do(writing, update), await do(writing, invite)
    again, invited_again = await do(writing, update), await do(writing, invite)
    together = await asyncio.gather(
        *(do(writing, writing.invitation("z@z.example", client_key="z")) for _ in range(3))
    )
    assert (first.repeated, again.repeated, again.clinic.name) == (False, True, "Ipê")
    assert (invited_again.member_id, invited_again.repeated) == (invited.member_id, True)
    assert [each.repeated for each in together] == [False, True, True]
    assert len({each.member_id for each in together}) == 1
    assert len(writing.told) == 3


async def test_a_key_serves_one_purpose_among_all_commands(writing):
    conversation_id = (await do(writing, writing.inbound())).conversation.id
    await do(writing, writing.reply(conversation_id, client_key="k"))
    await do(writing, writing.invitation(client_key="i"))
    for command in (
        writing.settle(UpdateClinic, name="x", client_key="k"),
        writing.reply(conversation_id, client_key="i"),
        writing.invitation("outra@pessoa.example", client_key="i"),
    ):
        with pytest.raises(ClientKeyReusedError):
            await do(writing, command)


async def test_a_refused_command_takes_no_number(writing):
    with pytest.raises(InvalidError):
        await do(writing, writing.settle(UpdateClinic, name="", client_key="k"))
    assert (await do(writing, writing.settle(UpdateClinic, name="Ipê", client_key="k"))).seq == 1


async def test_a_person_of_another_clinic_keeps_name_and_password(writing, other_clinic):
    outcome = await do(
        writing,
        InviteMember(
            clinic_id=other_clinic, email="ana@clinica.example", name="X", role="agent", password_hash="x"
        ),
    )
    assert outcome.member_id == writing.member_id
    [ana] = rows(writing, "members")
    assert (ana["name"], ana["password_hash"]) == ("Ana", "no-hash")
    assert [each.name for each in kept(writing, other_clinic).members] == ["Ana"]
    [details] = writing.database.read_now(lambda c: member_details(c, other_clinic))
    assert (details.email, details.role) == ("ana@clinica.example", "agent")


async def test_one_address_invited_to_two_clinics_at_once_is_one_person(writing, other_clinic):
    invite = {"email": "novo@x.example", "name": "Novo", "role": "agent", "password_hash": "h"}
    outcomes = await asyncio.gather(
        *(
            do(writing, InviteMember(clinic_id=clinic_id, **invite))
            for clinic_id in (writing.clinic_id, other_clinic)
        )
    )
    assert len(writing.committed) == 1
    assert len({each.member_id for each in outcomes}) == 1
    assert len(rows(writing, "memberships")) == 3


async def test_the_next_command_of_a_batch_sees_what_the_one_before_changed(writing):
    conversation_id = (await do(writing, writing.inbound())).conversation.id
    bruno = (await do(writing, writing.invitation())).member_id
    before = len(writing.committed)

    def change(**fields):
        return do(writing, writing.order(UpdateConversation, conversation_id=conversation_id, **fields))

    done = await asyncio.gather(
        do(writing, writing.settle(UpdateMember, whom=bruno, active=False)),
        change(assignee_id=bruno),
        do(writing, writing.settle(UpdateClinic, labels=labels("exame"))),
        change(labels=("retorno",)),
        change(labels=("exame",)),
        do(writing, writing.settle(UpdateMember, whom=bruno, active=True)),
        change(assignee_id=bruno),
        return_exceptions=True,
    )
    assert len(writing.committed) == before + 1
    assert [type(each).__name__ for each in done] == [
        "Outcome", "ConflictError", "Outcome", "ConflictError", "Outcome", "Outcome", "Outcome",
    ]  # fmt: skip
    assert (done[-1].conversation.assignee_id, done[-1].conversation.labels) == (bruno, ("exame",))


async def test_who_was_demoted_a_moment_ago_may_not(writing):
    bruno = (await do(writing, writing.invitation(role="admin"))).member_id
    done = await asyncio.gather(
        do(writing, writing.settle(UpdateMember, member_id=bruno, whom=writing.member_id, role="agent")),
        do(writing, writing.settle(UpdateClinic, name="x")),
        return_exceptions=True,
    )
    assert isinstance(done[1], ForbiddenError)


async def test_who_is_deactivated_is_assigned_no_more_but_stays_where_they_are(writing):
    first, second = [(await do(writing, writing.inbound(n))).conversation.id for n in "12"]
    bruno = (await do(writing, writing.invitation())).member_id
    await do(writing, writing.order(UpdateConversation, conversation_id=first, assignee_id=bruno))
    await do(writing, writing.settle(UpdateMember, whom=bruno, active=False))
    with pytest.raises(ConflictError) as refused:
        await do(writing, writing.order(UpdateConversation, conversation_id=second, assignee_id=bruno))
    assert refused.value.errors == (("assigneeId", "not_found"),)
    kept_on = await do(
        writing, writing.order(UpdateConversation, conversation_id=first, assignee_id=bruno, status="pending")
    )
    assert kept_on.conversation.assignee_id == bruno


async def test_labels_are_on_the_clinics_list_or_on_the_conversation_already(writing):
    id_ = (await do(writing, writing.inbound())).conversation.id

    def label(*names):
        return do(writing, writing.order(UpdateConversation, conversation_id=id_, labels=names))

    await label("qualquer")
    await do(writing, writing.settle(UpdateClinic, labels=labels("exame", "retorno")))
    assert (await label("qualquer", "exame")).conversation.labels == ("qualquer", "exame")
    with pytest.raises(ConflictError) as refused:
        await label("exame", "outra")
    assert refused.value.errors == (("labels", "unknown"),)
    await label()
    with pytest.raises(ConflictError):
        await label("qualquer")


def open_session(stock, session_id, member_id):
    at = stock.sources.now()
    row = SessionRow(session_id, member_id, at, "2999-01-01T00:00:00.000Z")
    stock.database.write_now(lambda c: accounts.add_session(c, f"hash of {session_id}", row))


def password(stock, **fields):
    return {
        "whom": stock.member_id,
        "clinic_ids": frozenset({stock.clinic_id}),
        "password_hash": "new",
    } | fields


async def test_a_changed_password_ends_all_sessions_but_the_one_that_asked(writing):
    bruno = (await do(writing, writing.invitation())).member_id
    for session_id, member_id in (("kept", writing.member_id), ("other", writing.member_id), ("b", bruno)):
        open_session(writing, session_id, member_id)
    change = password(writing, verified_hash="no-hash", kept_session_id="kept")
    await do(writing, writing.settle(ChangePassword, **change, client_key="k"))
    assert {row["id"] for row in rows(writing, "sessions")} == {"kept", "b"}
    again = await do(
        writing, writing.settle(ChangePassword, **change | {"verified_hash": None}, client_key="k")
    )
    assert again.repeated, "by now the present password is another"


async def test_a_reset_ends_every_session_and_is_to_be_changed(writing):
    bruno = (await do(writing, writing.invitation())).member_id
    open_session(writing, "b", bruno)
    await do(writing, writing.settle(ResetPassword, **password(writing, whom=bruno)))
    assert rows(writing, "sessions") == []
    assert {row["id"]: row["password_hash"] for row in rows(writing, "members")}[bruno] == "new"
    changed = password(writing, whom=bruno, verified_hash="new", kept_session_id="s")
    await do(writing, writing.settle(ChangePassword, member_id=bruno, **changed))
    assert not any(row["password_temporary"] for row in rows(writing, "members"))


async def test_taking_access_away_ends_the_sessions_of_who_serves_nobody_else(writing, other_clinic):
    alone = (await do(writing, writing.invitation("a@x.example"))).member_id
    shared = (await do(writing, writing.invitation("b@x.example"))).member_id
    await do(writing, writing.invitation("b@x.example", clinic_id=other_clinic, member_id=None))
    for member_id in (alone, shared):
        open_session(writing, f"of {member_id}", member_id)
        await do(writing, writing.settle(UpdateMember, whom=member_id, active=False))
    assert [row["member_id"] for row in rows(writing, "sessions")] == [shared]
    identity = writing.database.read_now(lambda c: accounts.identity_of(c, shared, "s", "at"))
    assert identity.roles == {other_clinic: "agent"}


async def test_a_password_is_told_in_every_clinic_of_the_member(writing, other_clinic):
    await do(writing, writing.invitation("ana@clinica.example", clinic_id=other_clinic, member_id=None))
    places = frozenset({writing.clinic_id, other_clinic})
    change = password(writing, clinic_ids=places, verified_hash="no-hash", kept_session_id="s")
    await do(writing, writing.settle(ChangePassword, **change))
    told = [(each.record.clinic_id, each.record.seq, each.record.prev != 0) for each in writing.told[-2:]]
    assert told == [(writing.clinic_id, 1, False), (other_clinic, 2, True)]
    assert [each.record.client_key is None for each in writing.told[-2:]] == [False, True]
    for clinic_id, seq in ((writing.clinic_id, 1), (other_clinic, 2)):
        records = writing.database.read_now(
            lambda c, id_=clinic_id, after=seq - 1: inbox.log_after(c, id_, after, 10)
        )
        assert [each.record.type for each in records] == ["PasswordChanged"]


async def test_a_clinic_that_is_none_is_not_found(writing):
    with pytest.raises(NotFoundError):
        await do(writing, writing.settle(UpdateClinic, clinic_id=99, name="x"))


async def test_the_delta_has_the_clinic_only_when_it_changed_and_counts_it(writing, monkeypatch):
    monkeypatch.setattr(deltas, "DELTA_ROWS", 1)
    first = (await do(writing, writing.inbound())).conversation
    await do(writing, writing.settle(UpdateClinic, name="Ipê"))

    def delta(seq):
        head = writing.database.read_now(lambda c: inbox.heads(c, [writing.clinic_id]))
        after = head[writing.clinic_id].cursor._replace(seq=seq)
        return writing.database.read_now(
            lambda c: deltas.clinic_delta(c, writing.clinic_id, writing.member_id, after, [])
        )

    whole, rest, nothing = delta(0), delta(1), delta(2)
    assert (whole.more, whole.conversations, whole.clinic) == (True, [first], None)
    assert (rest.more, rest.conversations, rest.clinic) == (False, [], kept(writing))
    assert (nothing.more, nothing.clinic) == (False, None)


@pytest.mark.parametrize("size", [1, 40])
async def test_clinic_commands_cost_a_batch_without_one_nothing_and_do_not_grow_with_it(writing, size):
    statements = []
    event.listen(writing.database.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    await asyncio.gather(*(do(writing, writing.inbound(f"{size}-{n}")) for n in range(size)))
    assert not any("clinic_settings" in each or "memberships" in each for each in statements)
    statements.clear()
    await asyncio.gather(*(do(writing, writing.invitation(f"{n}@x.example")) for n in range(size)))
    assert len(statements) <= 16
