"""The command line: every command does its work once, and every refusal is one line."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from recado import observe
from recado.cli import main
from recado.store.database import Database
from recado.store.migrate import upgrade


@pytest.fixture
def recado(tmp_path, monkeypatch):
    """Runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECADO_SECRET", "s" * 40)
    monkeypatch.setattr(observe, "configure", lambda *_: None)  # this process's log lines stay the tests'

    def run(*arguments, **options):
        return CliRunner().invoke(main, arguments, **options)

    return run


def test_a_clinic_and_its_first_member_can_log_in(recado):
    clinic_id = recado("clinic", "add", "Clínica Nova").output.strip()
    added = recado(
        *("member", "add", "--clinic", clinic_id, "--email", "Eva@Nova.Example", "--name", "Eva"),
        input="uma senha boa\numa senha boa\n",
    )
    assert added.exit_code == 0, added.output
    database = Database("sqlite:///var/recado.db")
    rows = database.read_now(
        lambda c: c.execute(
            text("SELECT email, role, password_hash FROM members JOIN memberships ON member_id = id")
        ).all()
    )
    database.close()
    assert [(row.email, row.role) for row in rows] == [("eva@nova.example", "agent")]
    assert "uma senha boa" not in rows[0].password_hash


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--clinic", "99", "--email", "a@b.example"], "clinic"),
        (["--clinic", "1", "--email", "nobody"], "email"),
        (["--clinic", "1", "--email", "ana@clinica.example", "--password", "short"], "password"),
    ],
)
def test_a_member_that_cannot_be_added_is_one_line(recado, options, word):
    recado("clinic", "add", "Clínica")
    password = [] if "--password" in options else ["--password", "uma senha boa"]
    refused = recado("member", "add", "--name", "A", *options, *password)
    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: {word}")
    assert refused.output.count("\n") == 1


def test_a_member_is_added_to_a_clinic_once_and_may_serve_two(recado):
    first = recado("clinic", "add", "Um").output.strip()
    second = recado("clinic", "add", "Dois").output.strip()
    member = ["--email", "a@b.example", "--name", "A", "--password", "uma senha boa"]
    ids = [recado("member", "add", "--clinic", clinic, *member).output for clinic in (first, second)]
    assert ids[0] == ids[1]
    again = recado("member", "add", "--clinic", first, *member)
    assert (again.exit_code, again.output) == (1, "Error: email: is a member of this clinic already\n")


def test_a_channel_is_added_listed_and_pointed_into_the_own_network(recado):
    clinic_id = recado("clinic", "add", "Clínica").output.strip()
    where = ["--clinic", clinic_id]
    added = recado("channel", "add", *where, "--kind", "generic", "--name", "Site")
    id_, address, secret = added.output.split()
    assert address == f"http://127.0.0.1:8000/api/v1/channels/{id_}/inbound"
    assert secret.startswith("whsec_")
    about = [*where, "--channel", id_]
    changed = recado("channel", "update", *about, "--outbound-url", "http://10.0.0.1/", "--inactive")
    assert (changed.exit_code, changed.output) == (0, "")
    listed = recado("channel", "list", *where).output
    assert f"{id_}  generic   off  in -  out -  Site" in listed
    assert address in listed
    assert secret not in listed


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--clinic", "99", "--kind", "generic"], "clinic: there is none with this id"),
        (["--clinic", "1", "--kind", "generic", "--outbound-url", "ftp://x"], "outboundUrl: wrong_format"),
        (["--clinic", "1", "--kind", "generic", "--phone-number-id", "1"], "phoneNumberId: of_another_kind"),
    ],
)
def test_a_channel_that_cannot_be_added_is_one_line(recado, options, told):
    recado("clinic", "add", "Clínica")
    refused = recado("channel", "add", "--name", "A", *options)
    assert (refused.exit_code, refused.output) == (1, f"Error: {told}\n")
    nobodys = recado("channel", "update", "--clinic", "1", "--channel", "x", "--active")
    assert nobodys.output == "Error: channel: the clinic has none with this id\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["clinic", "add", "x" * 5000], "name: too_long"),
        (["clinic", "add", " "], "name: must not be empty"),
        (["channel", "list", "--clinic", "99"], "clinic: there is none with this id"),
        (
            ["member", "add", "--clinic=1", "--email=a@b.example", "--name=A", "--password=uma senha \udcff"],
            "password: must be text in UTF-8",
        ),
    ],
)
def test_a_word_that_will_not_do_is_one_line_that_names_it(recado, arguments, told):
    recado("clinic", "add", "Clínica")
    refused = recado(*arguments)
    assert (refused.exit_code, refused.output) == (1, f"Error: {told}\n")


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "um"])
def test_what_can_be_no_clinics_id_is_told_as_such(recado, number):
    for command in (["list"], ["add", "--kind", "generic", "--name", "A"], ["update", "--channel", "x"]):
        refused = recado("channel", *command, "--clinic", number)
        assert (refused.exit_code, refused.exception.__class__) == (2, SystemExit)
        assert "--clinic" in refused.output.splitlines()[-1]


def test_the_cache_is_invalidated_by_a_record_and_no_pattern_is_one_line(recado):
    clinic_id = recado("clinic", "add", "Clínica").output.strip()
    done = recado("cache", "invalidate", f"clinic:{clinic_id}:*")
    assert (done.exit_code, done.output) == (0, "")
    database = Database("sqlite:///var/recado.db")
    types = database.read_now(lambda c: c.execute(text("SELECT type FROM events")).scalars().all())
    database.close()
    assert types == ["CacheInvalidated"]
    for pattern, told in (
        ("clinic:*", "pattern: malformed"),
        ("clinic:99:*", "clinic: there is none with this id"),
    ):
        refused = recado("cache", "invalidate", pattern)
        assert (refused.exit_code, refused.output) == (1, f"Error: {told}\n")


def test_without_a_secret_nothing_starts_but_the_demo_makes_its_own_once(recado, monkeypatch, tmp_path):
    monkeypatch.delenv("RECADO_SECRET")
    refused = recado("migrate")
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
    assert "RECADO_SECRET" in refused.output
    first = json.loads(recado("demo", "--json").output)
    secret = tmp_path / "var/secret"
    assert (secret.stat().st_mode & 0o777, len(secret.read_text().strip()) >= 32) == (0o600, True)
    assert json.loads(recado("demo", "--json").output) == first
    assert recado("migrate").exit_code == 0


def test_migrate_check_says_what_is_missing_and_changes_nothing(recado, tmp_path):
    for _ in range(2):
        checked = recado("migrate", "--check")
        assert (checked.exit_code, checked.output.count("\n")) == (1, 1)
        assert list(tmp_path.iterdir()) == []
    assert recado("migrate").exit_code == 0
    assert recado("migrate", "--check").exit_code == 0


@pytest.mark.parametrize("command", ["serve", "migrate", "demo"])
def test_a_bad_setting_stops_every_command_with_one_line(recado, command):
    refused = recado(command, env={"RECADO_PORT": "no"})
    assert (refused.exit_code, refused.output) == (
        1,
        "Error: RECADO_PORT: must be a port number from 1 to 65535\n",
    )


@pytest.mark.parametrize("command", ["serve", "migrate", "migrate --check", "clinic add X", "demo"])
def test_a_file_that_is_no_database_stops_every_command_with_one_line(recado, command, tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var/recado.db").write_text("A letter, and no database at all. " * 200)
    refused = recado(*command.split(), env={"RECADO_PORT": "1"})
    line = "Error: RECADO_DATABASE_URL: the database refuses (DatabaseError SQLITE_NOTADB)\n"
    assert (refused.exit_code, refused.output) == (1, line)


@pytest.mark.only("postgresql")
def test_what_the_database_refuses_a_command_is_one_line(recado, database_url, postgres):
    with postgres.connect(database_url.rpartition("/")[2]) as admin:
        admin.execute("REVOKE INSERT ON clinics FROM recado")
    refused = recado("clinic", "add", "X", env={"RECADO_DATABASE_URL": database_url})
    line = "Error: the database refuses (InsufficientPrivilege 42501)\n"
    assert (refused.exit_code, refused.output) == (1, line)


def test_serve_refuses_a_database_that_another_serve_has_open(recado, tmp_path):
    database = Database("sqlite:///var/recado.db")
    upgrade(database)
    with database.served():
        refused = recado("serve", env={"RECADO_PORT": "1"})
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
    database.close()


def members_of(url="sqlite:///var/recado.db"):
    database = Database(url)
    rows = database.read_now(
        lambda c: c.execute(
            text("SELECT email, role, active, password_hash FROM members JOIN memberships ON member_id = id")
        ).all()
    )
    database.close()
    return {row.email: row for row in rows}


def test_a_members_role_access_and_password_are_changed_and_each_is_a_record(recado):
    clinic = recado("clinic", "add", "Clínica").output.strip()
    for email, role in (("a@b.example", "admin"), ("c@d.example", "agent")):
        new = ["--email", email, "--name", "X", "--role", role, "--password", "uma senha boa"]
        assert recado("member", "add", "--clinic", clinic, *new).exit_code == 0
    before = members_of()["c@d.example"].password_hash
    caio = ["--clinic", clinic, "--email", "C@d.example"]
    for options in (["--role", "admin"], ["--inactive"], ["--active"], ["--inactive"]):
        assert recado("member", "update", *caio, *options).output == ""
    assert (members_of()["c@d.example"].role, bool(members_of()["c@d.example"].active)) == ("admin", False)
    reset = recado("member", "reset-password", "--email", "c@d.example", "--password", "outra senha boa")
    assert (reset.exit_code, reset.output) == (0, "")
    assert members_of()["c@d.example"].password_hash != before
    database = Database("sqlite:///var/recado.db")
    types = database.read_now(
        lambda c: c.execute(text("SELECT type FROM events ORDER BY seq")).scalars().all()
    )
    database.close()
    assert types == [*["MemberInvited"] * 2, *["MemberUpdated"] * 4, "PasswordReset"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["update", "--clinic", "1", "--email", "x@y.example", "--inactive"],
            "email: nobody has this address",
        ),
        (
            ["update", "--clinic", "2", "--email", "a@b.example", "--inactive"],
            "email: is no member of this clinic",
        ),
        (
            ["update", "--clinic", "1", "--email", "a@b.example", "--inactive"],
            "email: is the clinic's last active admin",
        ),
        (
            ["reset-password", "--email", "x@y.example", "--password", "uma senha boa"],
            "email: nobody has this address",
        ),
        (
            ["reset-password", "--email", "a@b.example", "--password", "curta"],
            "password: must have at least 10 characters",
        ),
    ],
)
def test_a_change_of_a_member_that_cannot_be_is_one_line(recado, arguments, line):
    for name in ("Um", "Dois"):
        recado("clinic", "add", name)
    new = ["--email", "a@b.example", "--name", "A", "--role", "admin", "--password", "uma senha boa"]
    recado("member", "add", "--clinic", "1", *new)
    refused = recado("member", *arguments)
    assert (refused.exit_code, refused.output) == (1, f"Error: {line}\n")
