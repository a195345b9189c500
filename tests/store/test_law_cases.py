"""The law as JSON, for the web client's cache to replay: tests/fixtures/law/ (its README says how to read them).

The cases are made by the real store and compared with the files; `RECADO_WRITE_FIXTURES=1` writes them anew.
"""

import json
import os
import random
import re
from pathlib import Path

import msgspec
import pytest

from recado.domain.packets import packets
from recado.store import deltas, inbox
from store.test_law import live_a_while, snapshot

FOLDER = Path(__file__).parents[1] / "fixtures/law"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def rows(screen) -> dict:
    return {
        "clinic": screen.clinic,
        "conversations": sorted(screen.conversations.values(), key=lambda row: row.version),
        "messages": sorted(screen.messages.values(), key=lambda row: row.version),
        "reads": sorted(screen.reads.values(), key=lambda row: row.version),
    }


def with_tame_ids(text: str, history: str) -> str:
    """The same case with ids that count from 1, in order of appearance, so that it is made the same every time."""
    known: dict[str, str] = {}

    def tame(match: re.Match) -> str:
        return known.setdefault(match[0], f"00000000-0000-7000-8000-{len(known) + 1:012}")

    return UUID.sub(tame, text).replace(history, "history")


@pytest.mark.parametrize("seed", range(5))
async def test_the_cases_for_the_web_client_are_what_the_store_does(writing, seed):
    rng = random.Random(seed)
    await live_a_while(writing, rng, 4)
    before, told_before = snapshot(writing), len(writing.told)
    head = writing.database.read_now(lambda c: inbox.heads(c, [writing.clinic_id]))[writing.clinic_id].cursor
    await live_a_while(writing, rng, 6)
    held = [*before.conversations]
    delta = writing.database.read_now(
        lambda c: deltas.clinic_delta(c, writing.clinic_id, writing.member_id, head, held)
    )
    case = {
        "clinicId": writing.clinic_id,
        "memberId": writing.member_id,
        "cursor": str(head),
        "before": rows(before),
        "packets": [
            {"room": packet.room, "event": packet.event, "payload": packet.payload}
            for told in writing.told[told_before:]
            for packet in packets(told)
        ],
        "delta": delta,
        "after": rows(snapshot(writing)),
    }
    epoch = head.epoch.partition(".")[2]
    made = with_tame_ids(msgspec.json.encode(case).decode(), epoch)
    made = json.dumps(json.loads(made), ensure_ascii=False, indent=1) + "\n"
    file = FOLDER / f"case-{seed}.json"
    if os.environ.get("RECADO_WRITE_FIXTURES"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(made, "utf-8")
    assert file.read_text("utf-8") == made
