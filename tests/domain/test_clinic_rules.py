"""The rules of what a clinic keeps: who may, what is refused, and with which code."""

import itertools

import pytest
from msgspec.structs import replace

from recado.domain.clinic import BusinessHours, CannedReply, Clinic, ClinicMember, Label, OpenHours
from recado.domain.clinic_commands import (
    ChangePassword,
    InvalidateCache,
    InviteMember,
    ResetPassword,
    UpdateClinic,
    UpdateMember,
)
from recado.domain.clinic_events import clinic_facts_of
from recado.domain.clinic_rules import Office, Person, decide_clinic, evolve_clinic
from recado.errors import (
    AlreadyMemberError,
    ClinicChangedError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    LastAdminError,
    MemberSharedError,
    NotFoundError,
    PasswordTemporaryError,
)

ANA = ClinicMember(id="ana", name="Ana", role="admin", active=True)
BRUNO = ClinicMember(id="bruno", name="Bruno", role="agent", active=True)
EVA = ClinicMember(id="eva", name="Eva", role="admin", active=False)
CLINIC = Clinic(id=1, name="Ipê", members=(ANA, BRUNO, EVA), labels=(), canned_replies=(), version=7)
HOURS = BusinessHours(
    time_zone="America/Sao_Paulo",
    weekly=(OpenHours(day=2, opens="13:00", closes="24:00"), OpenHours(day=2, opens="08:00", closes="13:00")),
)


def decide(command, person=None, clinic=CLINIC):
    return decide_clinic(Office(clinic=clinic, person=person), command, itertools.count(1).__next__)


def after(command, person=None, clinic=CLINIC):
    """The clinic as it is then."""
    for event in decide(command, person, clinic):
        clinic = evolve_clinic(clinic, event, 8)
    return clinic


def update(by="ana", **fields):
    return UpdateClinic(clinic_id=1, member_id=by, client_key="k", **fields)


def member(whom, by="ana", **fields):
    return UpdateMember(clinic_id=1, member_id=by, client_key="k", whom=whom, **fields)


def invite(by="ana", **fields):
    fields = {"email": "caio@ipe.example", "name": "Caio", "role": "agent", "password_hash": "h", **fields}
    return InviteMember(clinic_id=1, member_id=by, client_key="k", **fields)


def person(whom, *clinic_ids, password_hash="h"):
    return Person(id=whom, name="Nome", password_hash=password_hash, clinic_ids=frozenset(clinic_ids))


def reset(whom, by="ana"):
    return ResetPassword(
        clinic_id=1, member_id=by, client_key="k", whom=whom, clinic_ids=frozenset({1}), password_hash="new"
    )


def change(verified_hash):
    return ChangePassword(
        clinic_id=1,
        member_id="bruno",
        client_key="k",
        whom="bruno",
        clinic_ids=frozenset({1}),
        password_hash="new",
        verified_hash=verified_hash,
        kept_session_id="s",
    )


def test_an_update_changes_what_it_names_and_nothing_else():
    settled = after(
        update(labels=(Label(name=" Exame  pronto ", colour="#aabbcc"),), waiting_limit_minutes=15)
    )
    assert settled.labels == (Label(name="Exame pronto", colour="#aabbcc"),)
    assert (settled.waiting_limit_minutes, settled.name, settled.version) == (15, "Ipê", 8)
    assert after(update(waiting_limit_minutes=None), clinic=settled).waiting_limit_minutes is None


def test_an_update_that_changes_nothing_makes_no_record():
    assert decide(update(name="Ipê ", labels=(), hours=None)) == ()


def test_the_record_of_an_update_names_what_changed_and_holds_no_text():
    [event] = decide(update(name="Outra", canned_replies=(CannedReply(shortcut="oi", title="T", body="B"),)))
    assert clinic_facts_of(event) == {"changed": ["canned_replies", "name"]}


def test_hours_are_kept_by_day_and_hour():
    assert [each.opens for each in after(update(hours=HOURS)).hours.weekly] == ["08:00", "13:00"]


def reply(**fields):
    return {"canned_replies": (CannedReply(**{"shortcut": "a", "title": "T", "body": "B"} | fields),)}


def replies(count):
    return {"canned_replies": (CannedReply(shortcut="a", title="T", body="B"),) * count}


def open_hours(**fields):
    return {
        "hours": replace(
            HOURS, weekly=(OpenHours(**{"day": 1, "opens": "08:00", "closes": "09:00"} | fields),)
        )
    }


@pytest.mark.parametrize("space", ["\x1c", "\x1f", "\x85", "\ufeff", "\u2028", "\u3000"])
def test_no_shortcut_has_what_is_a_space_to_python_javascript_or_rust(space):
    with pytest.raises(InvalidError) as refused:
        decide(update(**reply(shortcut=f"a{space}")))
    assert refused.value.errors == (("cannedReplies[0].shortcut", "wrong_format"),)


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"name": "  "}, "name", "empty"),
        ({"name": "x" * 101}, "name", "too_long"),
        ({"labels": (Label(name="", colour="#000000"),)}, "labels[0].name", "empty"),
        ({"labels": (Label(name="x" * 51, colour="#000000"),)}, "labels[0].name", "too_long"),
        ({"labels": (Label(name="a", colour="red"),)}, "labels[0].colour", "wrong_format"),
        ({"labels": (Label(name="a", colour="#000000"),) * 2}, "labels[1].name", "repeated"),
        ({"labels": tuple(Label(name=str(n), colour="#000000") for n in range(51))}, "labels", "too_many"),
        (reply(shortcut="a b"), "cannedReplies[0].shortcut", "wrong_format"),
        (reply(shortcut="a/"), "cannedReplies[0].shortcut", "wrong_format"),
        (reply(shortcut="x" * 31), "cannedReplies[0].shortcut", "wrong_format"),
        (reply(title=" "), "cannedReplies[0].title", "empty"),
        (reply(body="\n"), "cannedReplies[0].body", "empty"),
        (reply(body="x" * 2001), "cannedReplies[0].body", "too_long"),
        (replies(2), "cannedReplies[1].shortcut", "repeated"),
        (replies(101), "cannedReplies", "too_many"),
        ({"waiting_limit_minutes": 0}, "waitingLimitMinutes", "too_small"),
        ({"waiting_limit_minutes": 10_081}, "waitingLimitMinutes", "too_large"),
        ({"hours": replace(HOURS, time_zone="São Paulo")}, "hours.timeZone", "wrong_format"),
        (open_hours(day=8), "hours.weekly[0].day", "unknown_value"),
        (open_hours(opens="24:00"), "hours.weekly[0].opens", "wrong_format"),
        (open_hours(closes="8:00"), "hours.weekly[0].closes", "wrong_format"),
        (open_hours(closes="08:00"), "hours.weekly[0].closes", "too_small"),
        ({"hours": replace(HOURS, weekly=HOURS.weekly * 2)}, "hours.weekly", "overlapping"),
        ({"hours": replace(HOURS, weekly=HOURS.weekly * 22)}, "hours.weekly", "too_many"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_path_and_code(fields, path, code):
    contradicts = code in {"repeated", "overlapping"} or (path.endswith("closes") and code == "too_small")
    with pytest.raises(ConflictError if contradicts else InvalidError) as refused:
        decide(update(**fields))
    assert refused.value.errors == ((path, code),)


def test_only_an_active_admin_of_the_clinic_may_and_the_operator():
    for by, error in (("bruno", ForbiddenError), ("eva", NotFoundError), ("nobody", NotFoundError)):
        for command in (
            update(by, name="x"),
            invite(by),
            member("ana", by, active=False),
            reset("bruno", by),
        ):
            with pytest.raises(error):
                decide(command, person("bruno", 1))
    assert decide(update(by=None, name="Outra"))


def test_who_decides_on_an_outdated_clinic_is_told_the_present_one():
    for command in (update(name="x", expected_version=6), member("bruno", role="admin", expected_version=6)):
        with pytest.raises(ClinicChangedError) as refused:
            decide(command)
        assert refused.value.state == {"clinic": CLINIC}
    assert decide(update(name="x", expected_version=7))


def test_a_new_member_is_let_in_with_an_id_of_their_own_and_a_known_person_keeps_name_and_id():
    [new] = decide(invite())
    [known] = decide(invite(), person("carla", 2))
    assert (new.member_id, new.name, new.known) == (1, "Caio", False)
    assert (known.member_id, known.name, known.known) == ("carla", "Nome", True)
    assert clinic_facts_of(known) == {"memberId": "carla", "role": [None, "agent"]}


def test_who_still_has_a_password_that_an_admin_was_told_is_let_into_no_other_clinic():
    carla = replace(person("carla", 2), password_temporary=True)
    with pytest.raises(PasswordTemporaryError):
        decide(invite(), carla)
    assert decide(invite(by=None), carla), "the operator may"


def test_members_stay_in_order_of_id():
    settled = after(invite(), person("carla", 2))
    assert [each.id for each in settled.members] == ["ana", "bruno", "carla", "eva"]


@pytest.mark.parametrize("whom", ["bruno", "eva"])
def test_who_is_a_member_is_not_invited_again_deactivated_or_not(whom):
    with pytest.raises(AlreadyMemberError):
        decide(invite(), person(whom, 1))


def test_a_clinic_has_a_bound_of_members():
    many = tuple(ClinicMember(id=f"{n:03}", name="x", role="agent", active=True) for n in range(499))
    with pytest.raises(InvalidError):
        decide(invite(), clinic=replace(CLINIC, members=(*many, ANA)))


def test_a_member_gets_another_role_loses_the_access_and_gets_it_back():
    promoted = after(member("bruno", role="admin"))
    gone = after(member("bruno", active=False), clinic=promoted)
    back = after(member("bruno", active=True), clinic=gone)
    states = [(c.member("bruno").role, c.member("bruno").active) for c in (promoted, gone, back)]
    assert states == [("admin", True), ("admin", False), ("admin", True)]


@pytest.mark.parametrize("fields", [{"role": "agent"}, {"active": False}])
@pytest.mark.parametrize("by", ["ana", None])
def test_the_last_active_admin_stays(fields, by):
    with pytest.raises(LastAdminError) as refused:
        decide(member("ana", by, **fields))
    assert refused.value.state == {"clinic": CLINIC}
    two = replace(CLINIC, members=(ANA, replace(BRUNO, role="admin")))
    assert decide(member("ana", by, **fields), clinic=two)


def test_a_member_who_is_none_is_not_found():
    with pytest.raises(NotFoundError):
        decide(member("nobody", role="admin"))
    with pytest.raises(NotFoundError):
        decide(reset("nobody"))


def test_an_admin_resets_the_password_of_who_serves_this_clinic_alone():
    [event] = decide(reset("bruno"), person("bruno", 1))
    assert clinic_facts_of(event) == {"memberId": "bruno"}
    with pytest.raises(MemberSharedError):
        decide(reset("bruno"), person("bruno", 1, 2))
    with pytest.raises(NotFoundError):
        decide(reset("carla"), person("carla", 2))
    with pytest.raises(ForbiddenError):
        decide(reset("ana"), person("ana", 1))
    assert decide(reset("bruno", by=None), person("bruno", 1, 2)), "the operator may"


def test_ones_own_password_is_changed_with_the_present_one_only():
    [event] = decide(change("h"), person("bruno", 1))
    assert clinic_facts_of(event) == {"memberId": "bruno", "keptSessionId": "s"}
    assert evolve_clinic(CLINIC, event, 8) == CLINIC
    for verified_hash in (None, "of a moment ago"):
        with pytest.raises(ConflictError) as refused:
            decide(change(verified_hash), person("bruno", 1))
        assert refused.value.errors == (("currentPassword", "wrong"),)


def test_no_command_prints_what_it_carries():
    for command in (invite(), reset("bruno"), change("h"), person("bruno", 1)):
        assert "new" not in repr(command)
        assert "@" not in repr(command)


def invalidate(pattern, by="ana"):
    return InvalidateCache(clinic_id=1, member_id=by, client_key="k", pattern=pattern)


@pytest.mark.parametrize("by", ["ana", None])
def test_an_invalidation_is_told_with_its_pattern_and_leaves_the_clinic_as_it_is(by):
    [event] = decide(invalidate("clinic:1:list:*", by))
    assert clinic_facts_of(event) == {"pattern": "clinic:1:list:*"}
    assert after(invalidate("clinic:1:*", by)) == CLINIC


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "",
            "*",
            "clinic:1",
            "clinic:1:",
            "clinic:*:*",
            "clinic:01:*",
            "xclinic:1:*",
        ),
        *("clinic:1:*\n", "clinic:1:a b", "clinic:1:é", "clinic:\u0661:*", f"clinic:1:{'x' * 201}"),
    ],
)
def test_an_invalidation_of_no_pattern_is_refused(pattern):
    with pytest.raises(InvalidError) as refused:
        decide(invalidate(pattern))
    assert [(error.path, error.code) for error in refused.value.errors] == [("pattern", "malformed")]


@pytest.mark.parametrize("pattern", ["clinic:2:*", "clinic:11:*"])
def test_an_invalidation_of_another_clinics_pattern_is_a_conflict(pattern):
    with pytest.raises(ConflictError) as refused:
        decide(invalidate(pattern))
    assert [(error.path, error.code) for error in refused.value.errors] == [("pattern", "of_another_clinic")]


def test_only_active_admins_invalidate():
    for by, refusal in (("bruno", ForbiddenError), ("eva", NotFoundError), ("nobody", NotFoundError)):
        with pytest.raises(refusal):
            decide(invalidate("clinic:1:*", by))
