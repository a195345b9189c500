"""docs/realtime.md names every setting with its default, every close, every refusal and every stage."""

import re
from pathlib import Path

import msgspec

from recado.errors import CLOSES
from recado.protocol import polling
from recado.protocol.connection import ACTIONS
from recado.realtime.hub import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/realtime.md").read_text()


def test_every_setting_stands_there_with_its_default():
    written = {"1 MiB": 1 << 20, "true": True}
    for field in msgspec.structs.fields(Settings):
        (default,) = re.findall(rf"^\| `{field.name}` \| ([^|]+) \|", PAGE, re.MULTILINE)
        value = written.get(default) or float(default.replace(",", ""))
        assert value == field.default, field.name


def test_every_close_stands_there_with_its_code_and_advice():
    rows = re.findall(r"^\| (\d{4}) \| ([^|]+) \| [^|]+ \| (stay|come)[^|]+\|", PAGE, re.MULTILINE)
    assert {(int(code), reason, advice == "come") for code, reason, advice in rows} == {
        (close.code, close.reason, close.reconnect) for close in CLOSES.values()
    }


def test_every_refusal_of_a_handshake_stands_there():
    code = "".join(
        (ROOT / "src/recado/realtime" / name).read_text()
        for name in ("engine.py", "limits.py", "picows_protocol.py", "http_protocol.py")
    )
    refusals = set(re.findall(r'(?:Refusal|_refuse)\((\d{3}), b?"([^"]+)"', code))
    refusals.discard(("400", "Invalid HTTP request received."))  # no upgrade: plain HTTP
    refusals |= {(str(error.status), error.message) for error in polling.ERRORS}
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \| ([0-5]?) ?\|", PAGE, re.MULTILINE)
    assert {(status, text) for status, text, _ in rows} == refusals
    numbers = {(code, text) for _, text, code in rows if code not in {"", "4"}}
    assert numbers == {(str(error.code), error.message) for error in polling.ERRORS}


def test_every_stage_of_a_namespace_and_every_phase_of_polling_stands_there():
    for place in (*ACTIONS, *polling.ACTIONS):
        assert re.search(rf"^\| {place.name.lower()}\b", PAGE, re.MULTILINE), place
