"""Judges what visitors were told by a model replayed from the log. docs/cache.md, "Chaos"."""

import bisect
import itertools
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from recado.feed.feed import LEASE_S

SLACK_S = 0.05
"""The node's clock and ours are read one after the other."""


@dataclass
class Verdict:
    """`broken`: how often each promise was; `example`: the first time."""

    reads: int = 0
    records: int = 0
    in_the_know: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    example: dict[str, object] = field(default_factory=dict)

    def note(self, promise, about) -> None:
        self.broken[promise] += 1
        self.example.setdefault(promise, about)


class Newest:
    """The newest seq that had been acknowledged before a moment."""

    def __init__(self, acked) -> None:
        told = sorted((each.at, each.seq) for each in acked)
        self._times = [at for at, _ in told]
        self._seqs = list(itertools.accumulate((seq for _, seq in told), max))

    def before(self, moment) -> int:
        place = bisect.bisect_left(self._times, moment)
        return self._seqs[place - 1] if place else 0


def judge(models, logs, clinics, freezes) -> Verdict:
    """`models` are `Replayed` at seq 0, `logs` all records, both by clinic; `freezes` are (node, from, until)."""
    verdict = Verdict(reads=len(clinics.seen))
    by_clinic = defaultdict(list)
    for seen in clinics.seen:
        by_clinic[seen.clinic_id].append(seen)
    for clinic_id, log in logs.items():
        seen = by_clinic[clinic_id]
        acked = [each for each in clinics.acked if each.clinic_id == clinic_id]
        _judge_order(verdict, seen, acked, freezes)
        _judge_versions(verdict, seen)
        _judge_content(verdict, models[clinic_id], log, seen, clinics.member_id)
    return verdict


def _judge_order(verdict, seen, acked, freezes) -> None:
    """Nothing older than what its reader had seen, than what its node acknowledged, than the lease allows."""
    anywhere, nodes = Newest(acked), {each.node for each in acked}
    there = {node: Newest([each for each in acked if each.node == node]) for node in nodes}
    for each in seen:
        verdict.in_the_know += each.after is not None
        if each.after is not None and each.cursor < each.after:
            verdict.note("a reader is not served older than what it has seen", each)
        if each.node in there and each.cursor < there[each.node].before(each.asked_at):
            verdict.note("a node serves what it has acknowledged", each)
        if each.cursor < anywhere.before(_served_since(each, freezes) - LEASE_S - SLACK_S):
            verdict.note("nothing is served that is older than the lease", each)


def _served_since(seen, freezes):
    """Not before it was asked for; and what was asked of a frozen node, not before that went on."""
    ends = [until for node, since, until in freezes if node == seen.node and since < seen.asked_at < until]
    return max([seen.asked_at, *ends])


def _judge_versions(verdict, seen) -> None:
    """One version of a page is one body."""
    bodies = {}
    for each in seen:
        if bodies.setdefault((each.what, each.version), each.body) != each.body:
            verdict.note("an ETag names one body", each)


def _judge_content(verdict, model, log, seen, member_id) -> None:
    """What was told is what the log says, at the label's seq and at the cursor's."""
    at = defaultdict(list)
    for each in seen:
        for seq in {label_of(each), each.cursor}:
            at[seq].append(each)
    for record in log:
        verdict.records += 1
        model.apply(record)
        pages = {}
        for each in at.pop(record.seq, ()):
            if each.what not in pages:
                pages[each.what] = content(model, each.what)
            if not _is(each, pages[each.what]):
                verdict.note("label and cursor are true", (each, json.dumps(pages[each.what])))
    for each in itertools.chain(*at.values()):
        verdict.note("no cursor is ahead of the log", each)
    for each in seen:
        if each.what[0] == "list" and not _marks_are_true(each, model.marks, member_id):
            verdict.note("read marks are true", each)


def content(model, what):
    """None for what is not there."""
    kind, *which = what
    match kind:
        case "list":
            return model.page(*which)
        case "thread":
            return model.thread(*which)
        case "conversation":
            conversation = model.conversation(*which)
            return None if conversation is None else dict(conversation)
        case _:
            return model.clinic


def _is(seen, expected) -> bool:
    told = json.loads(seen.body)
    if seen.what[0] in {"list", "thread"}:
        if told.pop("seq") != label_of(seen):
            return False
        told.pop("reads", None)
    return told == expected


def _marks_are_true(seen, marks, member_id) -> bool:
    """Each mark was one once, and was not replaced by a later one up to the cursor. It may be newer than the cursor."""
    told = json.loads(seen.body)
    given = {mark["conversationId"]: mark for mark in told["reads"]}
    for row in told["items"]:
        were = marks.get((member_id, row["id"]), [])
        mark = given.pop(row["id"], None)
        last = max((seq for seq, _ in were if seq <= seen.cursor), default=0)
        if mark is None:
            if last:
                return False
        elif mark["version"] < last or (mark["version"], mark) not in were:
            return False
    return not given


def label_of(seen) -> int:
    """The seq in its ETag; a list's goes on with a sum of the marks."""
    parts = seen.version.strip('"').split(":")
    return int(parts[-2] if seen.what[0] == "list" else parts[-1])
