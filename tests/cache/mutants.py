"""Wrong caches: each is the product with a few words exchanged, and the name of the test that must fail on it.

Most are what somebody might well do to it in good faith. `tests/cache/test_mutants.py` tries them.
"""

from typing import NamedTuple

CACHE, ENTRY, TAGS = "cache/cache.py", "cache/entry.py", "domain/tags.py"
AUDIT, PAGES_PY = "cache/audit.py", "app/pages.py"
FEED, FOLLOWED, WRITER = "feed/feed.py", "feed/followed.py", "store/writer.py"
BROKER = "feed/postgres_broker.py"

RACES = "tests/cache/test_races.py::"
WHO, HEARD, HISTORY, REDIS = (
    f"{RACES}{name}::" for name in ("TestWhoReads", "TestWhatIsHeard", "TestHistory", "TestRedis")
)
AUDIT_TESTS = "tests/cache/test_audit.py::"
BROKERS = "tests/feed/test_broker.py::"
PAGES = "tests/cache/test_tags.py::test_every_page_that_is_served_is_as_the_database_has_it_after_any_change"


class Patch(NamedTuple):
    """In this file of the product, `old`, which is there once, becomes `new`."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    name: str
    killed_by: str
    patches: list[Patch]
    quick: bool = False
    """Tried by `make test` too."""
    database: str = "sqlite"


MUTANTS = [
    Mutant(
        "the label is read after the rows",
        WHO + "test_what_is_stored_after_the_change_is_dead_on_arrival",
        [
            Patch(
                CACHE,
                "entry = Entry(await load(), load)\n",
                "early = await load()\n        late = await load()\n"
                "        entry = Entry(Loaded(late.label, early.tags, early.body, early.shown), load)\n",
            )
        ],
        quick=True,
    ),
    Mutant(
        "what is stored counts as checked",
        WHO + "test_what_is_stored_after_the_change_is_dead_on_arrival",
        [
            Patch(
                CACHE,
                "self.memory.put(key, entry)  # it may",
                "entry.ok = max(entry.ok, self._followed[clinic_id].seq)\n"
                "        self.memory.put(key, entry)  # it may",
            )
        ],
    ),
    Mutant(
        "memory is not judged",
        WHO + "test_what_is_stored_after_the_change_is_dead_on_arrival",
        [
            Patch(
                CACHE,
                "if entry is not None and entry.holds(known):\n            self.counts.memory",
                "if entry is not None and entry.epoch == known.epoch:\n            self.counts.memory",
            )
        ],
    ),
    Mutant(
        "Redis is not judged",
        REDIS + "test_a_late_store_of_an_old_value_is_seen_by_its_label",
        [
            Patch(
                CACHE,
                "if entry is not None and await self._believes(entry, clinic_id):\n"
                "                self.counts.second",
                "if entry is not None:\n                known = await self._logs.follow_reads(clinic_id)\n"
                "                entry.epoch, entry.ok = known.epoch, known.seq\n"
                "                self.counts.second",
            )
        ],
    ),
    Mutant(
        "what is not known of the log does not count",
        REDIS + "test_a_value_older_than_what_is_known_of_the_log_is_not_believed",
        [Patch(ENTRY, "if ok < log.base:", "if ok < 0:")],
    ),
    Mutant(
        "the lease does not end",
        HEARD + "test_a_lease_that_is_over_makes_the_reader_ask",
        [
            Patch(CACHE, "known.seq < known.need or now >= known.lease", "known.seq < known.need"),
            Patch(CACHE, "known.lease <= now or known.need > known.seq", "known.need > known.seq"),
        ],
    ),
    Mutant(
        "who knows of more serves what is there",
        HEARD + "test_who_knows_that_there_is_more_waits_for_it",
        [
            Patch(CACHE, "known.seq < known.need or now >= known.lease", "now >= known.lease"),
            Patch(CACHE, "known.lease <= now or known.need > known.seq", "known.lease <= now"),
        ],
    ),
    Mutant(
        "what is at hand is served after the lease",
        HEARD + "test_a_lease_that_is_over_makes_the_reader_ask",
        [Patch(CACHE, "known.lease <= now or known.need > known.seq", "known.need > known.seq")],
    ),
    Mutant(
        "what is at hand is served to who knows of more",
        HEARD + "test_who_knows_that_there_is_more_waits_for_it",
        [Patch(CACHE, "known.lease <= now or known.need > known.seq", "known.lease <= now")],
    ),
    Mutant(
        "what is at hand is served to who has seen more",
        HEARD + "test_a_hint_that_never_came_is_made_good_by_the_cursor",
        [Patch(CACHE, "if after is not None and not _reaches", "if after is None and not _reaches")],
    ),
    Mutant(
        "what is at hand is served of another history",
        HISTORY + "test_a_new_epoch_by_the_operators_hand_makes_everything_older_stale",
        [Patch(CACHE, "(entry.ok != known.seq or entry.epoch != known.epoch)", "entry.ok != known.seq")],
    ),
    Mutant(
        "a false hint takes a true one with it",
        HEARD + "test_a_true_hint_is_not_dropped_with_a_false_one",
        [Patch(FEED, "clinic.need = clinic.hinted", "clinic.need = UNKNOWN")],
    ),
    Mutant(
        "the poll does not look",
        HEARD + "test_a_hint_that_never_came_is_made_good_by_the_poll",
        [
            Patch(
                FEED, "if (epoch, seq, head.id) == place or", "if (epoch, seq, head.id) == place or place or"
            )
        ],
    ),
    Mutant(
        "own commits are not taken in",
        WHO + "test_an_own_commit_is_taken_in_without_asking_the_log",
        [
            Patch(
                FEED,
                "if clinic is None:\n                continue",
                "if clinic is None or told:\n                continue",
            )
        ],
    ),
    Mutant(
        "the reader's cursor is ignored",
        HEARD + "test_a_hint_that_never_came_is_made_good_by_the_cursor",
        [Patch(CACHE, "return after.epoch == known.epoch and after.seq <= known.seq", "return bool(known)")],
        quick=True,
    ),
    Mutant(
        "what a joined flight brings is not judged",
        WHO + "test_who_comes_after_the_change_does_not_get_what_an_older_flight_brings",
        [
            Patch(
                CACHE,
                "if own or (entry.epoch == epoch and entry.ok >= need) or entry.holds(known):",
                "if own or entry.epoch == epoch or need:",
            )
        ],
    ),
    Mutant(
        "a flight that has landed is joined",
        WHO + "test_a_flight_that_has_landed_is_not_waited_for_again",
        [Patch(CACHE, "own = flight is None or flight.done()", "own = flight is None")],
    ),
    Mutant(
        "another history's answers are believed",
        HISTORY + "test_a_new_epoch_by_the_operators_hand_makes_everything_older_stale",
        [Patch(ENTRY, "if self.epoch != log.epoch:", "if self.epoch == '':")],
    ),
    Mutant(
        "records do not have to name the one before",
        HISTORY + "test_what_was_read_of_a_lost_commit_is_gone_with_it",
        [
            Patch(
                FOLLOWED,
                "        if head.cursor.epoch != epoch:\n            return False\n",
                "        return False\n",
            ),
            Patch(
                FEED,
                "record.seq == clinic.seq + 1 and record.prev == clinic.head",
                "record.seq == clinic.seq + 1",
            ),
            Patch(FEED, "(epoch, seq, head.id) == place", "(epoch, seq) == place[:2]"),
            Patch(
                FOLLOWED,
                "record.seq != self.seq + 1 or record.prev != self.head",
                "record.seq != self.seq + 1",
            ),
        ],
    ),
    Mutant(
        "a gap in the log is jumped",
        HISTORY + "test_a_log_that_was_trimmed_past_our_place_makes_everything_older_stale",
        [
            Patch(
                FOLLOWED,
                "if tags is None or record.seq != self.seq + 1 or record.prev != self.head:",
                "if tags is None:",
            )
        ],
    ),
    Mutant(
        "a hint is taken for the log",
        HEARD + "test_a_hint_of_what_is_not_there_is_dropped_after_one_question",
        [
            Patch(
                FEED,
                "if clinic is not None and seq > clinic.seq:\n            self._want(clinic, seq)",
                "if clinic is not None and seq > clinic.seq:\n            clinic.seq = clinic.need = seq",
            )
        ],
    ),
    Mutant(
        "a record of an unknown type touches nothing",
        HEARD + "test_a_record_of_a_newer_version_makes_everything_older_stale",
        [Patch(TAGS, "case _:\n            return None", "case _:\n            return NOTHING")],
    ),
    Mutant(
        "a message does not touch the head of its lists",
        PAGES,
        [Patch(TAGS, 'thread_tag(id_), *_heads(*_place(facts["lists"]))]', "thread_tag(id_)]")],
    ),
    Mutant(
        "what comes into a list does not touch it",
        PAGES,
        [Patch(TAGS, "return [conversation_tag(id_), *_entered(facts)]", "return [conversation_tag(id_)]")],
    ),
    Mutant(
        "a page does not depend on its rows",
        PAGES,
        [Patch(TAGS, "tags = [conversation_tag(id_) for id_ in ids]", "tags = [f'-{id_}' for id_ in ids]")],
    ),
    Mutant(
        "a page does not depend on the row behind it",
        "tests/cache/test_tags.py::test_whether_a_page_is_the_last_depends_on_the_row_behind_it",
        [Patch(PAGES_PY, "[row.id for row in rows], first", "[row.id for row in page.items], first")],
    ),
    Mutant(
        "marks do not depend on their member",
        "tests/cache/test_tags.py::test_how_far_a_member_has_read_is_on_their_next_page_and_on_nobody_elses",
        [Patch(TAGS, "return (marks_tag(record.member_id),)", "return NOTHING")],
    ),
    Mutant(
        "a message enters its lists elsewhere than at their head",
        PAGES,
        [
            Patch(
                "domain/evolve.py",
                "or stamp.at,\n        last_message=preview_of(message),\n        last_seq=stamp.seq,",
                "or stamp.at,\n        last_message=preview_of(message),\n        "
                "last_seq=Seq(max(1, stamp.seq - 15 * (stamp.seq % 3 == 0))),",
            )
        ],
    ),
    Mutant(
        "a commit of unknown outcome raises no doubt",
        HEARD + "test_a_commit_of_unknown_outcome_makes_the_reader_ask",
        [Patch(WRITER, "            self._on_doubt({command.clinic_id for command, _ in batch})\n", "")],
    ),
    Mutant(
        "who comes trusts its hearing at once",
        BROKERS + "test_who_can_hear_is_told_at_once_by_a_node_that_talked_to_itself_till_now",
        [Patch(BROKER, "TRUST_S = 0.3\n", "TRUST_S = 0.0\n")],
        database="postgresql",
    ),
    Mutant(
        "who was alone believes it for long",
        BROKERS + "test_who_can_hear_is_told_at_once_by_a_node_that_talked_to_itself_till_now",
        [Patch(BROKER, "ALONE_S = 0.25\n", "ALONE_S = 25.0\n")],
        database="postgresql",
    ),
    Mutant(
        "a load from an old snapshot is served",
        WHO + "test_a_load_from_an_old_snapshot_is_neither_served_nor_kept",
        [Patch(CACHE, "if entry.epoch == epoch and entry.label < floor:", "if entry.label < 0:")],
        quick=True,
    ),
    Mutant(
        "a hint that comes while the first reader reads is forgotten",
        WHO + "test_a_hint_that_comes_while_the_first_reader_reads_stands",
        [
            Patch(
                FEED,
                "self._renew(clinic, asked_at)\n        return found",
                "self._settle(clinic, asked_at)\n        return found",
            )
        ],
    ),
    Mutant(
        "the log's answer takes a clinic back to where it was asked",
        WHO + "test_what_is_told_after_the_first_reader_has_read_is_not_forgotten",
        [
            Patch(
                FEED,
                "if clinic.known:\n            return  # a reader",
                "if not clinic:\n            return  # a",
            )
        ],
    ),
    Mutant(
        "who reads first is served whatever was heard meanwhile",
        WHO + "test_a_hint_that_comes_while_the_first_reader_reads_stands",
        [Patch(CACHE, "if _is_current(known, after, clock()) and entry.holds(known):", "if known:")],
    ),
    Mutant(
        "a lease counts from the answer",
        HEARD + "test_a_lease_counts_from_the_question",
        [
            Patch(
                FEED,
                "clinic.lease = max(clinic.lease, asked_at + (",
                "clinic.lease = max(clinic.lease, clock() + (",
            )
        ],
    ),
    Mutant(
        "what was asked before a doubt ends it",
        HEARD + "test_what_was_asked_before_a_doubt_does_not_end_it",
        [Patch(FEED, "if asked_at >= clinic.doubted_at:", "if asked_at:")],
    ),
    Mutant(
        "who hears no hints goes on as if they did",
        HEARD + "test_who_hears_no_hints_asks_at_once_and_then_before_long",
        [
            Patch(
                FEED,
                "        self._deaf = True\n        self.doubt(self._clinics)",
                "        self._deaf = False",
            ),
        ],
    ),
    Mutant(
        "marks may be older than the page beside them",
        "tests/cache/test_tags.py::test_a_page_read_ahead_of_what_the_node_knows_has_no_marks_from_before_it",
        [Patch(PAGES_PY, "key, load, page.cursor, shared=False", "key, load, None, shared=False")],
    ),
    Mutant(
        "the audit believes what the log said before",
        AUDIT_TESTS + "test_an_answer_of_the_log_that_was_under_way_before_does_not_count",
        [
            Patch(
                AUDIT,
                "refresh(clinic_id, entry.label if now is None else now.label)",
                "refresh(clinic_id)",
            )
        ],
    ),
    Mutant(
        "the audit alarms about what has changed meanwhile",
        AUDIT_TESTS + "test_what_changes_while_it_is_read_again_is_no_alarm",
        [
            Patch(
                AUDIT,
                "return current and known is not None and entry.holds(known)",
                "return current and known is not None",
            )
        ],
    ),
]
