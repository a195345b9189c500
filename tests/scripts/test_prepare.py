import os

import check
import prepare
import pytest


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    monkeypatch.setattr(prepare, "STAMPS", tmp_path / "stamps")
    (tmp_path / "stamps").mkdir()
    (tmp_path / "source").write_text("one")
    return tmp_path


@pytest.fixture
def builds(place):
    """Makes `product` of `source`; the list says what was built."""
    done = []

    def build():
        done.append((place / "source").read_text())
        (place / "product").write_text("made")

    def make(*more):
        prepare.make("part", "a part", [place / "source", *more], place / "product", build)
        return done

    return make


def test_nothing_is_built_twice_from_the_same_contents(builds):
    builds()
    assert builds() == ["one"]


def test_a_checkout_that_only_changes_times_builds_nothing(builds, place):
    builds()
    os.utime(place / "source", (0, 0))
    assert builds() == ["one"]


def test_changed_contents_build_again(builds, place):
    builds()
    (place / "source").write_text("two")
    assert builds() == ["one", "two"]


def test_changed_word_builds_again(builds):
    builds("3.11")
    assert builds("3.12") == ["one", "one"]


def test_missing_product_is_built_again(builds, place):
    builds()
    (place / "product").unlink()
    assert builds() == ["one", "one"]


def test_failed_build_is_tried_again(builds, place):
    def fail():
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        prepare.make("part", "a part", [place / "source"], place, fail)
    assert builds() == ["one"]


def test_failing_command_shows_what_it_said(capfd):
    with pytest.raises(SystemExit, match=r"no such luck(.|\n)*ended with 3"):
        prepare.run(["sh", "-c", "echo no such luck; exit 3"])


@pytest.mark.parametrize(
    ("version", "usable"),
    [
        *[(old, False) for old in ("v18.20.1", "v20.18.3", "v21.7.3", "v22.11.0")],
        *[(new, True) for new in ("v20.19.0", "v22.12.0", "v24.0.0")],
        *[(strange, False) for strange in ("", "nonsense")],
    ],
)
def test_node_is_used_if_vite_runs_on_it(version, usable, tmp_path, monkeypatch):
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert prepare.system_node() is usable


def test_node_without_npm_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "node").write_text("#!/bin/sh\necho v24.0.0\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert prepare.system_node() is False


@pytest.fixture
def no_postgres(tmp_path, monkeypatch):
    """A machine without PostgreSQL."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(prepare, "POSTGRES_HOMES", (f"{tmp_path}/postgresql/*/bin",))
    return tmp_path


def put_postgres(folder, version):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("version", "usable"), [("14.13", False), ("15.18 (Debian 15.18-0+deb12u1)", True), ("17.2", True)]
)
def test_postgres_is_used_from_version_15_on(version, usable, no_postgres):
    put_postgres(no_postgres, version)
    assert (prepare.postgres_programs() is not None) is usable


def test_the_newest_postgres_in_its_usual_place_is_used(no_postgres):
    for version in ("9.6", "15", "17", "16"):
        put_postgres(no_postgres / "postgresql" / version / "bin", version)
    assert prepare.postgres_programs() == no_postgres / "postgresql/17/bin"


def test_postgres_is_found_where_pg_config_points(no_postgres):
    put_postgres(no_postgres / "elsewhere", "16.1")
    (no_postgres / "pg_config").write_text(f"#!/bin/sh\necho {no_postgres}/elsewhere\n")
    (no_postgres / "pg_config").chmod(0o755)
    assert prepare.postgres_programs() == no_postgres / "elsewhere"


def test_without_postgres_the_stage_that_needs_it_fails_and_says_why(no_postgres, capsys):
    outcome = check.perform(check.PYTHON)
    assert not outcome.ok
    assert "apt-get install postgresql" in capsys.readouterr().out


def test_a_missing_package_is_installed_once(no_postgres, monkeypatch):
    for name in ("postgresql", "chromium"):
        (no_postgres / name).unlink(missing_ok=True)
    asked = no_postgres / "asked"
    put_postgres(no_postgres / "archive", "15.18")
    (no_postgres / "apt-get").write_text(
        f'#!/bin/sh\necho "$@" >> {asked}\n'
        f'case "$*" in *" postgresql") /bin/cp {no_postgres}/archive/* {no_postgres};; esac\n'
    )
    (no_postgres / "apt-get").chmod(0o755)
    monkeypatch.setattr(prepare, "install", lambda name: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("CHROMIUM", "/usr/bin/env")
    prepare.need_postgres()
    prepare.need_postgres()
    lines = asked.read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["-q", "postgresql"]
