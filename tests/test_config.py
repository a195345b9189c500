"""Settings: read once, checked at start, refused in one line that never shows a value, and all documented."""

import re
from pathlib import Path

import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields

from recado.config import Config, load, variable
from recado.errors import ConfigError

SECRET = "s" * 40
PAGE = (Path(__file__).parents[1] / "docs/configuration.md").read_text("utf-8")


def documented() -> dict[str, str]:
    return dict(re.findall(r"^\| `(RECADO_\w+)` \| (.*?) \|", PAGE, re.MULTILINE))


def default_text(default) -> str:
    if default in (NODEFAULT, None, "", ()):
        return "–"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{int(default)}`" if isinstance(default, float) else f"`{default}`"


def test_every_setting_is_documented_with_its_default():
    assert documented() == {variable(each.name): default_text(each.default) for each in fields(Config)}


def test_without_variables_but_the_secret_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load({"RECADO_SECRET": SECRET}) == Config(secret=SECRET)


def test_the_secret_may_stand_in_a_file(tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    assert load({"RECADO_SECRET_FILE": str(tmp_path / "secret")}).secret == SECRET


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET", ""),
        ("SECRET", "too-short-to-be-one"),
        ("PORT", "0"),
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("LOG_LEVEL", "shout"),
        ("LOG_FORMAT", "xml"),
        ("DATABASE_URL", "oracle://host/db"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///recado.db?mode=ro"),
        ("DATABASE_URL", "postgresql://recado@host"),
        ("DATABASE_URL", "postgresql://recado@host:port/recado"),
        ("REDIS_URL", "http://redis"),
        ("PUBLIC_URL", "inbox.example"),
        ("ALLOWED_ORIGINS", "https://inbox.example/path"),
        ("NODE", "a.b"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("SESSION_IDLE_S", "-1"),
        ("LOGIN_ATTEMPTS", "0"),
        ("LOGIN_ATTEMPTS", "2.5"),
        ("DRAIN_S", "nan"),
        ("OUTBOX_GIVE_UP_S", "inf"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable_and_not_the_value(
    name, value, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        load({"RECADO_SECRET": SECRET, f"RECADO_{name}": value})
    assert f"RECADO_{name}: " in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not value or value not in str(refused.value).partition(": ")[2] or value == "0"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///var/recado.db",
        "sqlite:////srv/recado.db",
        "postgresql://recado:secret@db.example:5433/recado?sslmode=require",
        "postgres://recado@db.example/recado",
    ],
)
def test_both_databases_can_be_named(url):
    assert load({"RECADO_SECRET": SECRET, "RECADO_DATABASE_URL": url}).database_url == url


def test_lists_are_comma_separated_and_spaces_do_not_matter():
    config = load({"RECADO_SECRET": SECRET, "RECADO_TRUSTED_PROXIES": " 10.0.0.1 ,192.168.0.0/16, "})
    assert config.trusted_proxies == ("10.0.0.1", "192.168.0.0/16")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"HOST": "::1", "PORT": "9"}, "http://[::1]:9"),
        ({"PUBLIC_URL": "https://inbox.example/"}, "https://inbox.example"),
    ],
)
def test_the_base_url_is_where_people_open_the_app(settings, url):
    environ = {"RECADO_SECRET": SECRET} | {f"RECADO_{name}": value for name, value in settings.items()}
    assert load(environ).base_url == url


def test_settings_do_not_print_their_secrets():
    assert SECRET not in repr(Config(secret=SECRET))
