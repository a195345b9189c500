"""One webhook's messages and statuses → the inbox, so that "200" means every one of them is committed.

Knows no provider and no HTTP. docs/channels.md, "In".
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from recado.app.inbox import Inbox
from recado.domain.commands import ReceiveMessage, ReportStatus
from recado.errors import NotFoundError, RecadoError, RefusedError, UnavailableError
from recado.observe import get_logger

MAX_AT_ONCE = 32
"""Of one batch: fills the writer's transactions, and leaves room in its queue for everybody else."""

Fate = Literal["accepted", "repeated", "refused", "status_unknown"]

log = get_logger("channels")


class StatusReport(Struct, frozen=True):
    """`early`: of a message that left from here so shortly ago that its provider's id may not be written down yet."""

    command: ReportStatus
    early: bool


Item = ReceiveMessage | StatusReport


async def deliver(inbox: Inbox, item: Item) -> Fate:
    """Raises what refused it, or UnavailableError for any fault of ours: the provider will come again."""
    if isinstance(item, StatusReport):
        return await _report(inbox, item)
    with _faults_are_ours(item):
        outcome = await inbox.receive(item)
    return "repeated" if outcome.repeated else "accepted"


async def deliver_all(inbox: Inbox, items: Sequence[Item]) -> list[Fate]:
    """The fate of each item, in their order, when all are through.

    Patients go side by side, so that the writer joins them; one patient's messages follow each other, so that they
    stay in order, and so do the statuses of one message. Raises UnavailableError when one failed by our fault; what
    the others committed is a harmless repeat next time.
    """
    fates: dict[int, Fate] = {}
    queues: dict[tuple[str, str], list[int]] = {}
    for place, item in enumerate(items):
        queues.setdefault(_queue_of(item), []).append(place)
    room = asyncio.Semaphore(MAX_AT_ONCE)

    async def one_queue(places: list[int]) -> None:
        async with room:
            for place in places:
                try:
                    fates[place] = await deliver(inbox, items[place])
                except RefusedError as error:
                    log.warning("message_refused", channel=_channel_of(items[place]), code=error.code)
                    fates[place] = "refused"

    ends = await asyncio.gather(*map(one_queue, queues.values()), return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end
    return [fates[place] for place in range(len(items))]


async def _report(inbox: Inbox, report: StatusReport) -> Fate:
    """What changes nothing (late, or told before) is accepted too: it was taken."""
    try:
        with _faults_are_ours(report):
            await inbox.report_status(report.command)
    except NotFoundError:
        if not report.early:
            return "status_unknown"
        log.info("status_early", channel=report.command.channel_id)
        raise UnavailableError(retry_after_s=1) from None
    return "accepted"


@contextmanager
def _faults_are_ours(item: Item) -> Iterator[None]:
    try:
        yield
    except (RefusedError, UnavailableError):
        raise
    except Exception as error:
        # The top of a webhook: a text may quote what a patient wrote, so nothing but its type and place goes on.
        log.exception("webhook_failed", channel=_channel_of(item))
        raise UnavailableError from (error if isinstance(error, RecadoError) else None)


def _queue_of(item: Item) -> tuple[str, str]:
    if isinstance(item, StatusReport):
        return "message", item.command.external_id
    return "patient", item.contact_address


def _channel_of(item: Item) -> str:
    return item.command.channel_id if isinstance(item, StatusReport) else item.channel.id
