"""What a clinic keeps, over HTTP: read, changed, its members and their passwords."""

import pytest

from recado.app import sessions as sessions_module
from recado.store import accounts
from rest.service import ANA, AROEIRA, BRUNO, CARLA, IPE, PASSWORD, fields, problem
from stock import new_id

CLINIC = f"/api/v1/clinics/{IPE}"
MEMBERS = f"{CLINIC}/members"
MY_PASSWORD = "/api/v1/me/password"
NOBODYS = "01900000-0000-7000-8000-000000000000"
WORD = "paciente-com-febre"
HOURS = {"timeZone": "America/Sao_Paulo", "weekly": [{"day": 1, "opens": "08:00", "closes": "18:00"}]}


@pytest.fixture
async def ana(service):
    return await service.member()


@pytest.fixture
async def bruno(service):
    return await service.member(BRUNO)


async def ask(client, method, path, **body):
    return await client.request(method, path, json={"clientKey": new_id(), **body})


async def id_of(client, email):
    [member] = [each for each in (await client.get(MEMBERS)).json() if each["email"] == email]
    return member["id"]


async def invite(client, email="caio@ipe.example", **body):
    answer = await ask(client, "POST", MEMBERS, email=email, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def logs_in(service, email, password):
    login = {"email": email, "password": password}
    return (await service.client.post("/api/v1/auth/login", json=login)).status_code == 200


async def test_every_member_reads_the_clinic_without_addresses(ana, bruno):
    answer = await bruno.get(CLINIC)
    clinic = answer.json()
    assert (clinic["name"], clinic["version"], clinic["labels"]) == ("Clínica Ipê", 0, [])
    assert {(each["name"], each["role"], each["active"]) for each in clinic["members"]} == {
        ("ana", "admin", True),
        ("bruno", "agent", True),
    }
    assert "@" not in answer.text
    assert (await ana.get(CLINIC)).json() == clinic


async def test_an_update_answers_and_keeps_what_it_said(ana, bruno):
    said = {
        "name": "Ipê Centro",
        "labels": [{"name": "Exame", "colour": "#AABBCC"}],
        "cannedReplies": [{"shortcut": "oi", "title": "Olá", "body": "Olá! Tudo bem?"}],
        "waitingLimitMinutes": 15,
        "hours": HOURS,
    }
    answer = await ask(ana, "PATCH", CLINIC, **said)
    assert answer.status_code == 200, answer.text
    clinic = answer.json()
    assert {name: clinic[name] for name in said} == said | {
        "labels": [{"name": "Exame", "colour": "#aabbcc"}]
    }
    assert clinic["version"] == 1
    assert (await bruno.get(CLINIC)).json() == clinic
    assert (await bruno.get("/api/v1/me")).json()["clinics"][0]["name"] == "Ipê Centro"
    taken = (await ask(ana, "PATCH", CLINIC, waitingLimitMinutes=None, hours=None)).json()
    assert "waitingLimitMinutes" not in taken
    assert "hours" not in taken


async def test_who_sends_an_outdated_version_is_told_the_present_clinic(ana):
    await ask(ana, "PATCH", CLINIC, name="Ipê Centro")
    answer = await ask(ana, "PATCH", CLINIC, name="Ipê Sul", expectedVersion=0)
    assert problem(answer) == (409, "clinic_changed")
    assert answer.json()["clinic"]["name"] == "Ipê Centro"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"labels": [{"name": WORD}]}, [("labels[0].colour", "missing")]),
        ({"labels": [{"name": WORD, "colour": WORD}]}, [("labels[0].colour", "wrong_format")]),
        ({"labels": None}, [("labels", "wrong_type")]),
        ({"name": None}, [("name", "wrong_type")]),
        ({"waitingLimitMinutes": 0}, [("waitingLimitMinutes", "too_small")]),
        ({"hours": HOURS | {"timeZone": "America/Nowhere"}}, [("hours.timeZone", "unknown")]),
        ({"hours": HOURS | {"timeZone": "/etc/passwd"}}, [("hours.timeZone", "unknown")]),
        ({"hours": HOURS | {"timeZone": "../../etc/passwd"}}, [("hours.timeZone", "wrong_format")]),
        ({"hours": HOURS | {"timeZone": ""}}, [("hours.timeZone", "wrong_format")]),
        ({"hours": HOURS | {"timeZone": "São Paulo"}}, [("hours.timeZone", "wrong_format")]),
        ({"hours": {"timeZone": "UTC", "weekly": [{"day": 9, "opens": "08:00", "closes": "09:00"}]}}, None),
    ],
)
async def test_what_will_not_do_is_told_by_path_and_code_and_never_quoted(ana, body, expected):
    answer = await ask(ana, "PATCH", CLINIC, **body)
    fits_its_form = expected == [("hours.timeZone", "unknown")]
    assert problem(answer) == ((409, "conflict") if fits_its_form else (400, "invalid"))
    assert expected is None or fields(answer) == expected
    assert WORD not in answer.text
    assert (await ana.get(CLINIC)).json()["version"] == 0


async def test_only_admins_change_the_clinic_and_see_addresses(ana, bruno):
    whom = await id_of(ana, ANA)
    asked = [
        ("PATCH", CLINIC, {"name": "x"}),
        ("GET", MEMBERS, {}),
        ("POST", MEMBERS, {"email": "x@y.example"}),
        ("PATCH", f"{MEMBERS}/{whom}", {"role": "agent"}),
        ("POST", f"{MEMBERS}/{whom}/password", {}),
    ]
    for method, path, body in asked:
        assert problem(await ask(bruno, method, path, **body)) == (403, "forbidden")
    assert (await ana.get(CLINIC)).json()["version"] == 0


async def test_another_clinics_and_no_clinic_look_alike(service, ana):
    carla = await service.member(CARLA)
    hers = await id_of_another(carla)
    for path in (CLINIC, MEMBERS):
        missing = [path.replace(str(IPE), each) for each in ("99", "0", "-1", "x", "9" * 30)]
        answers = [await carla.get(each) for each in (path, *missing)]
        answers += [await ask(carla, "PATCH", each, name="x") for each in missing if path == CLINIC]
        answers += [
            await ask(carla, "POST", each, email="x@y.example") for each in missing if path == MEMBERS
        ]
        assert {problem(each) for each in answers} == {(404, "not_found")}
    for whom in (hers, NOBODYS, "x"):
        answer = await ask(ana, "PATCH", f"{MEMBERS}/{whom}", role="agent")
        assert problem(answer) == (404, "not_found")
        assert problem(await ask(ana, "POST", f"{MEMBERS}/{whom}/password")) == (404, "not_found")


async def id_of_another(carla):
    [member] = (await carla.get(f"/api/v1/clinics/{AROEIRA}/members")).json()
    return member["id"]


async def test_a_new_member_gets_in_with_the_password_that_the_answer_tells(service, ana):
    made = await invite(ana, " Caio@Ipe.Example", name="Caio Prado")
    assert made["clinic"]["version"] == 1
    [member] = [each for each in made["clinic"]["members"] if each["id"] == made["memberId"]]
    assert (member["name"], member["role"], member["active"]) == ("Caio Prado", "agent", True)
    login = {"email": "caio@ipe.example", "password": made["temporaryPassword"]}
    caio = (await service.client.post("/api/v1/auth/login", json=login)).json()
    assert caio["passwordTemporary"] is True
    assert [each["id"] for each in caio["clinics"]] == [IPE]


async def test_a_repeated_invitation_tells_the_same_password_as_long_as_it_opens(service, ana):
    first = await invite(ana, clientKey="k")
    assert await invite(ana, clientKey="k") == first
    caio = await service.client.post(
        "/api/v1/auth/login", json={"email": "caio@ipe.example", "password": first["temporaryPassword"]}
    )
    mine = service.new_client(headers={"Authorization": f"Bearer {caio.json()['token']}"})
    change = {"currentPassword": first["temporaryPassword"], "newPassword": "outra senha boa"}
    assert (await ask(mine, "POST", MY_PASSWORD, **change)).status_code == 204
    again = await invite(ana, clientKey="k")
    assert again["memberId"] == first["memberId"]
    assert "temporaryPassword" not in again
    assert "passwordTemporary" not in (await mine.get("/api/v1/me")).json()


async def test_who_serves_another_clinic_keeps_their_password_and_no_admin_resets_it(service, ana):
    made = await invite(ana, CARLA, name="Outra", role="admin")
    assert "temporaryPassword" not in made
    carla = await service.member(CARLA)
    assert [each["id"] for each in (await carla.get("/api/v1/me")).json()["clinics"]] == [IPE, AROEIRA]
    reset = await ask(ana, "POST", f"{MEMBERS}/{made['memberId']}/password")
    assert problem(reset) == (409, "member_shared")
    assert await logs_in(service, CARLA, PASSWORD)


@pytest.mark.parametrize("email", ["", "nobody", "@x", "x@", "a@b@c", "a b@c", "a\0@x", "x" * 320 + "@y"])
async def test_an_address_must_look_like_one(ana, email):
    answer = await ask(ana, "POST", MEMBERS, email=email)
    assert (problem(answer), fields(answer)) == ((400, "invalid"), [("email", "malformed")])


async def test_a_member_is_not_invited_twice(ana):
    answer = await ask(ana, "POST", MEMBERS, email=BRUNO)
    assert problem(answer) == (409, "already_member")
    assert answer.json()["clinic"]["id"] == IPE


async def test_the_last_admin_stays(ana):
    me = await id_of(ana, ANA)
    for change in ({"role": "agent"}, {"active": False}):
        answer = await ask(ana, "PATCH", f"{MEMBERS}/{me}", **change)
        assert problem(answer) == (409, "last_admin")
        assert answer.json()["clinic"]["version"] == 0


async def test_another_role_counts_with_the_next_request(ana, bruno):
    assert problem(await bruno.get(MEMBERS)) == (403, "forbidden")
    await ask(ana, "PATCH", f"{MEMBERS}/{await id_of(ana, BRUNO)}", role="admin")
    assert (await bruno.get(MEMBERS)).status_code == 200
    await ask(bruno, "PATCH", f"{MEMBERS}/{await id_of(bruno, ANA)}", role="agent")
    assert problem(await ana.get(MEMBERS)) == (403, "forbidden")


async def test_who_is_deactivated_is_out_with_the_next_request_and_comes_back_when_let(service, ana, bruno):
    path = f"{MEMBERS}/{await id_of(ana, BRUNO)}"
    assert (await bruno.get(CLINIC)).status_code == 200
    gone = (await ask(ana, "PATCH", path, active=False)).json()
    assert [each["active"] for each in gone["members"] if each["name"] == "bruno"] == [False]
    assert problem(await bruno.get(CLINIC)) == (401, "unauthenticated")
    assert not await logs_in(service, BRUNO, PASSWORD)
    assert (await ask(ana, "PATCH", path, active=True)).status_code == 200
    assert problem(await bruno.get(CLINIC)) == (401, "unauthenticated"), "the old session is over for good"
    assert await logs_in(service, BRUNO, PASSWORD)


async def test_who_is_deactivated_here_goes_on_elsewhere(service, ana):
    made = await invite(ana, CARLA)
    carla = await service.member(CARLA)
    assert (await carla.get(CLINIC)).status_code == 200
    await ask(ana, "PATCH", f"{MEMBERS}/{made['memberId']}", active=False)
    assert problem(await carla.get(CLINIC)) == (404, "not_found")
    assert (await carla.get(f"/api/v1/clinics/{AROEIRA}")).status_code == 200


async def test_a_reset_ends_the_members_sessions_and_tells_the_new_password(service, ana, bruno):
    path = f"{MEMBERS}/{await id_of(ana, BRUNO)}/password"
    answer = await ask(ana, "POST", path, clientKey="k")
    password = answer.json()["temporaryPassword"]
    assert (await ask(ana, "POST", path, clientKey="k")).json() == {"temporaryPassword": password}
    assert problem(await bruno.get(CLINIC)) == (401, "unauthenticated")
    assert not await logs_in(service, BRUNO, PASSWORD)
    assert await logs_in(service, BRUNO, password)


async def test_ones_own_password_is_not_reset_but_changed(ana):
    assert problem(await ask(ana, "POST", f"{MEMBERS}/{await id_of(ana, ANA)}/password")) == (
        403,
        "forbidden",
    )


async def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(service, ana):
    other = await service.member()
    change = {"currentPassword": PASSWORD, "newPassword": "outra senha boa", "clientKey": "k"}
    assert (await ask(ana, "POST", MY_PASSWORD, **change)).status_code == 204
    assert (await ask(ana, "POST", MY_PASSWORD, **change)).status_code == 204, "repeated, by its key"
    assert (await ana.get(CLINIC)).status_code == 200
    assert problem(await other.get(CLINIC)) == (401, "unauthenticated")
    assert not await logs_in(service, ANA, PASSWORD)
    assert await logs_in(service, ANA, "outra senha boa")


async def test_a_password_must_be_long_enough_and_the_present_one_right(ana):
    for change, expected in (
        ({"currentPassword": PASSWORD, "newPassword": "curta"}, ("newPassword", "too_short")),
        ({"currentPassword": PASSWORD, "newPassword": "x" * 1025}, ("newPassword", "too_long")),
        ({"currentPassword": WORD, "newPassword": "outra senha boa"}, ("currentPassword", "wrong")),
    ):
        answer = await ask(ana, "POST", MY_PASSWORD, **change)
        refused = (409, "conflict") if expected[1] == "wrong" else (400, "invalid")
        assert (problem(answer), fields(answer)) == (refused, [expected])
        assert WORD not in answer.text


async def test_guessing_the_present_password_has_an_end(serve):
    service = await serve(login_attempts=2)
    ana = await service.member()
    wrong = {"currentPassword": WORD, "newPassword": "outra senha boa"}
    for _ in range(2):
        assert problem(await ask(ana, "POST", MY_PASSWORD, **wrong)) == (409, "conflict")
    answer = await ask(ana, "POST", MY_PASSWORD, **wrong | {"currentPassword": PASSWORD})
    assert problem(answer) == (429, "rate_limited")


async def test_passwords_are_in_no_log_line_and_no_row(service, ana, capture):
    made = await invite(ana)
    change = {"currentPassword": PASSWORD, "newPassword": "outra senha boa"}
    await ask(ana, "POST", MY_PASSWORD, **change)
    rows = service.database.read_now(
        lambda c: [
            c.exec_driver_sql(f"SELECT * FROM {table}").all()
            for table in ("events", "command_keys", "members", "sessions")
        ]
    )
    for secret in (made["temporaryPassword"], PASSWORD, "outra senha boa"):
        assert secret not in str(capture.lines)
        assert secret not in str(rows)


async def test_a_login_that_was_being_verified_while_the_password_changed_opens_nothing(service, monkeypatch):
    verify = service.sessions._passwords.verify

    async def slowly(password_hash, password):
        valid = await verify(password_hash, password)
        member = service.database.read_now(lambda c: accounts.credentials_of(c, ANA))
        service.database.write_now(lambda c: accounts.set_password_hash(c, member.member_id, "changed"))
        return valid

    monkeypatch.setattr(service.sessions._passwords, "verify", slowly)
    assert not await logs_in(service, ANA, PASSWORD)


async def test_what_this_server_does_not_follow_it_remembers_for_a_second_only(service, ana, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(sessions_module.time, "monotonic", lambda: now)
    monkeypatch.setattr(service.sessions, "_followed_since", lambda _clinic_id: None)
    assert (await ana.get(CLINIC)).status_code == 200
    service.database.write_now(lambda c: c.exec_driver_sql("UPDATE memberships SET active = false"))
    assert (await ana.get(CLINIC)).status_code == 200
    now += 1.1
    assert problem(await ana.get(CLINIC)) == (401, "unauthenticated")


async def test_what_was_read_before_a_clinic_was_followed_is_remembered_for_a_second_only(
    service, ana, monkeypatch
):
    now, since, changes = 1000.0, 0.0, 0
    monkeypatch.setattr(sessions_module.time, "monotonic", lambda: now)
    monkeypatch.setattr(service.sessions, "_followed_since", lambda _clinic_id: since)
    monkeypatch.setattr(service.sessions, "_follow_changes", lambda: changes)
    assert (await ana.get(CLINIC)).status_code == 200
    service.database.write_now(lambda c: c.exec_driver_sql("UPDATE memberships SET active = false"))
    now += 1.1
    assert (await ana.get(CLINIC)).status_code == 200, "it would have been told"
    since, changes = 1000.5, 1
    assert problem(await ana.get(CLINIC)) == (401, "unauthenticated")
