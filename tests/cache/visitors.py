"""Members and patients of many clinics, who write to and read from any node, and remember all they were told."""

import asyncio
import base64
import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from cache.line import Line
from recado.channels.signatures import sign

LIMIT = 5
THREAD = 10
LABELS = ("exame", "retorno")
SECRET = "whsec_" + base64.b64encode(b"only for these clinics' webhooks").decode()
WRITES = 0.15
"""Of all that a visitor does."""
IN_THE_KNOW = 0.5
"""Of all reads: those that say what their reader has seen."""
FIRST_PAGE = ("list", LIMIT, None, None, None, None)
"""Where whoever writes looks at once, on the other node, whether it shows."""
REVALIDATING = 0.3

CHANGES = {
    "inbound": 30,
    "note": 20,
    "status": 15,
    "assignee": 10,
    "labels": 10,
    "read": 8,
    "edit": 4,
    "rename": 3,
    "delete": 3,
    "name": 2,
    "erase": 1,
    "invalidate": 1,
}
"""What visitors write, each so often beside the others."""

DONE = {200, 201, 204}
REFUSED = {404, 409}
"""A conversation that was erased, a status that cannot follow."""


class Seen(NamedTuple):
    """An answer to a read. `what` names the page as `Replayed` does; `after` is the seq its reader had seen."""

    node: str
    clinic_id: int
    what: tuple[Any, ...]
    asked_at: float
    told_at: float
    after: int | None
    epoch: str
    cursor: int
    version: str
    body: bytes


class Acked(NamedTuple):
    """A write that was acknowledged: its record's seq, or the provider's id of the message."""

    node: str
    clinic_id: int
    at: float
    seq: int | str


class Failed(NamedTuple):
    node: str
    asked_at: float
    at: float
    what: str


@dataclass
class Clinics:
    """What all visitors share."""

    names: dict[int, str]
    channels: dict[int, str]
    member_id: str
    member_name: str
    conversations: dict[int, list[str]] = field(default_factory=dict)
    token: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)
    epochs: dict[int, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    acked: list[Acked] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    unexpected: Counter[str] = field(default_factory=Counter)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def ids(self):
        return list(self.names)


def patient(number):
    """Address and name."""
    return f"55{number}", f"Maria {number}"


class Visitor:
    """`ports` by the name of the node; who knows one node only goes on while another is frozen."""

    def __init__(self, clinics: Clinics, ports, dice) -> None:
        self._clinics = clinics
        self._lines = {name: Line(port) for name, port in ports.items()}
        self._dice = dice
        self._cursors: dict[int, int] = {}
        self._kept: dict[str, tuple[str, bytes]] = {}

    async def visit(self, over: asyncio.Event) -> None:
        try:
            while not over.is_set():
                clinic_id = self._dice.choice(self._clinics.ids)
                await (self._write if self._dice.random() < WRITES else self._read)(clinic_id)
                await asyncio.sleep(self._dice.random() * 0.02)
        finally:
            self.leave()

    def leave(self) -> None:
        for line in self._lines.values():
            line.close()

    async def _read(self, clinic_id) -> None:
        node, what = self._dice.choice(list(self._lines)), self._something(clinic_id)
        seen = await self.look(node, clinic_id, what, in_the_know=self._dice.random() < IN_THE_KNOW)
        if seen is not None and what[0] == "list" and self._dice.random() < 0.3:
            before = json.loads(seen.body)["before"]
            if before is not None:
                await self.look(node, clinic_id, (*what[:2], int(before), *what[3:]))

    async def look(self, node, clinic_id, what, *, in_the_know=False) -> Seen | None:
        """Read, and note what was told; None if there was no answer, or nothing is there."""
        path, after = path_of(clinic_id, what), self._cursors.get(clinic_id) if in_the_know else None
        headers = [f"Authorization: Bearer {self._clinics.token}"]
        if after is not None:
            headers.append(f"Recado-After: {self._clinics.epochs[clinic_id]}:{after}")
        kept = self._kept.get(path) if self._dice.random() < REVALIDATING else None
        if kept:
            headers.append(f"If-None-Match: {kept[0]}")
        asked_at = time.monotonic()
        answer = await self._ask(node, "GET", path, headers)
        if answer is None:
            return None
        if answer.status not in {200, 304}:
            self._not_done(node, asked_at, f"GET {what[0]}", answer, {404})
            return None
        version = answer.headers["etag"]
        body = kept[1] if answer.status == 304 else answer.body
        body = self._clinics.bodies.setdefault(body, body)
        self._kept[path] = version, body
        epoch, _, cursor = answer.headers["recado-cursor"].rpartition(":")
        self._move(clinic_id, epoch, int(cursor))
        seen = Seen(
            node, clinic_id, what, asked_at, time.monotonic(), after, epoch, int(cursor), version, body
        )
        self._clinics.seen.append(seen)
        return seen

    async def _write(self, clinic_id) -> None:
        clinics, node = self._clinics, self._dice.choice(list(self._lines))
        method, path, headers, body, told = self._change(clinic_id)
        asked_at = time.monotonic()
        answer = await self._ask(node, method, path, headers, body)
        if answer is None:
            return
        if answer.status not in DONE:
            self._not_done(node, asked_at, method, answer, REFUSED)
            return
        row = json.loads(answer.body) if answer.body else {}
        seq = row.get("version", told)
        if seq is not None:
            clinics.acked.append(Acked(node, clinic_id, time.monotonic(), seq))
        if isinstance(seq, int) and clinic_id in clinics.epochs:
            self._move(clinic_id, clinics.epochs[clinic_id], seq)
        if row.get("kind") == "note":
            clinics.notes.setdefault(clinic_id, []).append(row["id"])
        for elsewhere in self._lines.keys() - {node}:
            await self.look(elsewhere, clinic_id, FIRST_PAGE, in_the_know=True)

    def _move(self, clinic_id, epoch, seq) -> None:
        assert self._clinics.epochs.setdefault(clinic_id, epoch) == epoch, "nothing has ended this history"
        self._cursors[clinic_id] = max(seq, self._cursors.get(clinic_id, 0))

    async def _ask(self, node, method, path, headers, body=b""):
        asked_at = time.monotonic()
        try:
            return await self._lines[node].ask(method, path, headers, body)
        except (OSError, EOFError) as error:
            what = f"{method}: {type(error).__name__}"
            self._clinics.failed.append(Failed(node, asked_at, time.monotonic(), what))
            await asyncio.sleep(0.05)  # a node that is gone is not asked a thousand times a second
            return None

    def _not_done(self, node, asked_at, what, answer, expected) -> None:
        if answer.status == 503:
            self._clinics.failed.append(Failed(node, asked_at, time.monotonic(), f"{what}: 503"))
        elif answer.status not in expected:
            self._clinics.unexpected[f"{what}: {answer.status} {answer.body[:200]!r}"] += 1

    def _something(self, clinic_id):
        kind = self._dice.choices(("list", "thread", "conversation", "clinic"), (60, 20, 12, 8))[0]
        if kind == "list":
            return "list", LIMIT, None, *self._dice.choice(self.filters())
        if kind == "clinic":
            return ("clinic",)
        id_ = self._dice.choice(self._clinics.conversations[clinic_id])
        return ("thread", id_, THREAD) if kind == "thread" else ("conversation", id_)

    def filters(self):
        """Status, assignee, label: as `Replayed.page` takes them."""
        mine = self._clinics.member_id
        return [
            (None, None, None),
            ("open", None, None),
            ("resolved", None, None),
            (None, "", None),
            (None, mine, None),
            ("open", mine, None),
            (None, None, "exame"),
            ("open", "", "retorno"),
        ]

    def _change(self, clinic_id):
        """Method, path, headers, body, and how the record is found that tells of it, if no version is answered."""
        kind = self._dice.choices(list(CHANGES), CHANGES.values())[0]
        if kind == "inbound":
            return self._inbound(clinic_id)
        key = f"k{next(self._clinics.numbers)}"
        method, path, order = self._order(kind, clinic_id, key)
        headers = [
            f"Authorization: Bearer {self._clinics.token}",
            "Content-Type: application/json",
            f"Idempotency-Key: {key}",
        ]
        return method, f"/api/v1{path}", headers, json.dumps(order).encode(), None

    def _order(self, kind, clinic_id, key):
        """Method, path, body."""
        if kind == "name":
            return "PATCH", f"/clinics/{clinic_id}", {"name": self._words(key)}
        if kind == "invalidate":
            order = {"clinicId": clinic_id, "pattern": f"clinic:{clinic_id}:*"}
            return "POST", "/admin/cache/invalidate", order
        notes = self._clinics.notes.get(clinic_id)
        if notes and kind in {"edit", "delete"}:
            place = f"/messages/{self._dice.choice(notes)}"
            return ("PATCH", place, {"body": self._words(key)}) if kind == "edit" else ("DELETE", place, {})
        return self._about_a_conversation(kind, clinic_id, key)

    def _about_a_conversation(self, kind, clinic_id, key):
        dice = self._dice
        place = f"/conversations/{dice.choice(self._clinics.conversations[clinic_id])}"
        match kind:
            case "status":
                return "PATCH", place, {"status": dice.choice(("open", "pending", "resolved"))}
            case "assignee":
                return "PATCH", place, {"assigneeId": dice.choice((None, self._clinics.member_id))}
            case "labels":
                return "PATCH", place, {"labels": dice.sample(LABELS, dice.randrange(3))}
            case "read":
                return "PUT", f"{place}/read", {"upTo": dice.randrange(500)}
            case "rename":
                return "PATCH", f"{place}/contact", {"name": self._words(key)}
            case "erase":
                return "DELETE", place, {}
            case _:
                return "POST", f"{place}/messages", {"kind": "note", "body": self._words(key)}

    def _words(self, key):
        self._clinics.said[key] = f"Bom dia {key}"
        return self._clinics.said[key]

    def _inbound(self, clinic_id):
        number = next(self._clinics.numbers)
        address, name = patient(self._dice.randrange(14))
        external_id, text = f"x{number}", f"Bom dia {number}"
        self._clinics.said[external_id] = address, name, text
        told = {
            "externalId": external_id,
            "from": {"id": address, "name": name},
            "body": text,
            "sentAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        body = json.dumps(told).encode()
        signed = sign(SECRET, f"msg_{external_id}", int(time.time()), body)
        headers = ["Content-Type: application/json", *(f"{name}: {value}" for name, value in signed.items())]
        path = f"/api/v1/channels/{self._clinics.channels[clinic_id]}/inbound"
        return "POST", path, headers, body, external_id


def path_of(clinic_id, what):
    kind, *which = what
    match kind:
        case "list":
            limit, before, status, assignee, label = which
            asked = {"limit": limit, "before": before, "status": status, "label": label}
            asked["assigneeId"] = "none" if assignee == "" else assignee
            given = {name: value for name, value in asked.items() if value is not None}
            return f"/api/v1/clinics/{clinic_id}/conversations?{urlencode(given)}"
        case "thread":
            return f"/api/v1/conversations/{which[0]}/messages?limit={which[1]}"
        case "conversation":
            return f"/api/v1/conversations/{which[0]}"
        case _:
            return f"/api/v1/clinics/{clinic_id}"
