"""`make bench`: the pages that a screen asks for and search, with 10,000 messages and with 1,000,000.

The real queries on both databases, in turns, so that whatever else the machine does meets both. Prints a table and
writes it to docs/benchmarks.md, between its markers.
"""

import argparse
import asyncio
import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # postgres.py, and what that needs
sys.path.append(str(Path(__file__).parents[1] / "scripts"))

from corpus import HITS, MEMBER_ID, Corpus, deep_places, fill, some_conversations
from document import write
from postgres import PostgresServer
from recado.app.access import Access
from recado.app.pages import Pages
from recado.app.queries import Queries
from recado.cache.cache import Cache
from recado.cache.memory import Memory
from recado.domain.accounts import Identity
from recado.domain.values import ClinicId, ConversationId, Instant, MemberId
from recado.feed.feed import Feed
from recado.store.database import Database
from recado.store.migrate import upgrade

SMALL = 10_000
CLINIC = ClinicId(1)
PAGE = 50
REPETITIONS = 300
PAGES_MAY_TAKE, SEARCH_MAY_TAKE = 1.5, 3.0

WHO = Identity(
    session_id="s",
    member_id=MemberId(MEMBER_ID),
    name="Ana",
    email="a@b",
    roles={CLINIC: "admin"},
    clinic_names={CLINIC: "Clínica 1"},
    expires_at=Instant("2999-01-01T00:00:00.000Z"),
)

Ask = Callable[[], Awaitable[object]]


class Line(NamedTuple):
    """Medians in ms."""

    database: str
    question: str
    small: float
    large: float
    limit: float

    @property
    def ratio(self) -> float:
        return self.large / self.small


def questions(database: Database) -> dict[str, tuple[Ask, float]]:
    """What is measured, and how much longer it may take."""
    access, feed = Access(database), Feed(database, lambda _told: None)
    queries = Queries(database, access, feed)
    pages = Pages(database, access, Cache(feed, Memory(0, 1)))  # which keeps nothing: the store is measured
    deep, threads = itertools.cycle(deep_places(database)), itertools.cycle(some_conversations(database))

    def listed(before: Callable[[], str | None]) -> Ask:
        return lambda: pages.conversations(WHO, CLINIC, limit=PAGE, before=before())

    def found(word: str) -> Ask:
        return lambda: queries.search(WHO, CLINIC, word, limit=PAGE, before=None)

    def thread() -> Awaitable[object]:
        return pages.messages(WHO, ConversationId(next(threads)), limit=PAGE)

    return {
        "first list page": (listed(lambda: None), PAGES_MAY_TAKE),
        "list page at half": (listed(lambda: next(deep)), PAGES_MAY_TAKE),
        "first thread page": (thread, PAGES_MAY_TAKE),
        **{f"search, {hits:,} hits": (found(word), SEARCH_MAY_TAKE) for word, hits in HITS.items()},
    }


async def measure(name: str, small: Database, large: Database) -> list[Line]:
    lines = []
    pairs = zip(questions(small).items(), questions(large).values(), strict=True)
    for (question, (ask_small, limit)), (ask_large, _) in pairs:
        times: tuple[list[float], list[float]] = ([], [])
        for repetition in range(REPETITIONS + REPETITIONS // 3):
            for ask, taken in zip((ask_small, ask_large), times, strict=True):
                begun = time.perf_counter()
                await ask()
                if repetition >= REPETITIONS // 3:  # before that the caches warm
                    taken.append((time.perf_counter() - begun) * 1000)
        lines.append(Line(name, question, *map(statistics.median, times), limit))
    return lines


def check(database: Database) -> None:
    """Equally many hits: the same words in the same number of messages."""
    queries = Queries(database, Access(database), Feed(database, lambda _told: None))

    async def hits(word: str) -> int:
        count, before = 0, None
        while True:
            page = await queries.search(WHO, CLINIC, word, limit=100, before=before)
            count, before = count + len(page.items), page.before
            if before is None:
                return count

    for word, expected in HITS.items():
        if (found := asyncio.run(hits(word))) != expected:
            raise RuntimeError(f"{word}: {found} hits instead of {expected}")


@contextlib.contextmanager
def filled(url: str, count: int, server: PostgresServer | None) -> Iterator[Database]:
    database = Database(url)
    upgrade(database)
    corpus = Corpus(database.engine.dialect.name, count)
    if server:
        with server.connect(url.rpartition("/")[2]) as superuser:
            fill(database, corpus, superuser)
    else:
        fill(database, corpus, None)
    check(database)
    yield database
    database.close()


def on_sqlite(count: int) -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="recado-bench-") as folder:
        urls = [f"sqlite:///{folder}/{size}.db" for size in (SMALL, count)]
        with filled(urls[0], SMALL, None) as small, filled(urls[1], count, None) as large:
            return asyncio.run(measure("SQLite", small, large))


def on_postgresql(count: int) -> list[Line]:
    server = PostgresServer()
    server.start()
    try:
        urls = [server.create_database() for _ in range(2)]
        with filled(urls[0], SMALL, server) as small, filled(urls[1], count, server) as large:
            return asyncio.run(measure("PostgreSQL", small, large))
    finally:
        server.remove()


def table(lines: Sequence[Line], count: int) -> str:
    rows = [
        f"| median ms | database | {SMALL:,} messages | {count:,} messages | times | at most |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {line.question} | {line.database} | {line.small:.2f} | {line.large:.2f} "
        f"| {line.ratio:.2f} | {line.limit:g} |"
        for line in lines
    ]
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument(
        "--only", default="", choices=["", "sqlite", "postgresql"], help="then nothing is written"
    )
    options = parser.parse_args()
    systems = {"sqlite": on_sqlite, "postgresql": on_postgresql}
    lines = [
        line
        for name, lines_of in systems.items()
        if options.only in {"", name}
        for line in lines_of(options.messages)
    ]
    text = table(lines, options.messages)
    print(text)
    if not options.only:
        write("scale", text)
    return int(any(line.ratio > line.limit for line in lines))


if __name__ == "__main__":
    sys.exit(main())
