"""docs/channels.md says what the code does: codes, items, outcomes, events, and an example that works."""

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from channels.conftest import application
from channels.serving import serving
from channels.stack import Stack, running
from recado.channels import delivery, inbound, providers, sender, whatsapp
from recado.domain.values import Failure

PAGE = (Path(__file__).parents[2] / "docs/channels.md").read_text("utf-8")


def rows_under(head):
    """First cells of the table whose head begins so."""
    table = PAGE.split(f"\n| {head}", 1)[1].split("\n\n", 1)[0]
    return [row.split("|")[1].strip() for row in table.splitlines()[2:]]


def test_every_failure_code_has_its_row():
    known = {each.code for each in vars(providers).values() if isinstance(each, Failure)}
    assert {cell.strip("`") for cell in rows_under("`failure.code`")} == known


def test_every_kind_of_item_is_told():
    table = PAGE.split("\n| item | becomes", 1)[1].split("\n\n", 1)[0]
    told = {code for row in table.splitlines()[2:] for code in re.findall(r"`(\w+)`", row.split("|")[3])}
    kinds = {"text", "status", *get_args(whatsapp.MediaKind), *get_args(whatsapp.IgnoredItem)}
    assert told == kinds


def test_every_log_event_has_its_row():
    logged = set()
    for module in (delivery, inbound, sender):
        logged |= set(re.findall(r'log\.\w+\(\s*"([\w.]+)"', Path(module.__file__).read_text("utf-8")))
    told = {event for cell in rows_under("log event") for event in re.findall(r"`([\w.]+)`", cell)}
    assert told == logged


def test_every_whatsapp_error_that_is_tried_again_is_told():
    row = next(line for line in PAGE.splitlines() if "throttling errors" in line)
    told = {int(code) for code in re.findall(r"\d+", row.split("throttling errors")[1].split("|")[0])}
    assert told == providers.WHATSAPP_AGAIN


@pytest.mark.skipif(
    not all(map(shutil.which, ("curl", "openssl", "od", "base64"))),
    reason="needs curl, openssl, od and base64",
)
async def test_the_example_makes_a_patient_write(database_url):
    [example] = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    async with (
        running(Stack(database_url)) as stack,
        serving(application(stack.inbox, stack.known_channels)) as url,
    ):
        environment = {"CHANNEL_ID": stack.generic.id, "SECRET": stack.generic.secret, "URL": url}
        done = await run(example, environment)
        assert done == '{"accepted":1,"repeated":0,"ignored":0}'
        assert stack.bodies() == ["Bom dia!"]


async def run(script, environment):
    """What a shell prints for `script`, while this loop goes on serving."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", script, env={**os.environ, **environment}, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
