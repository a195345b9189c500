"""What the sender works on: leases of messages that wait to leave, and its answers, which are commands."""

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from typing import Literal

from recado.app.inbox import Inbox
from recado.domain.commands import RecordDelivery
from recado.domain.instants import seconds_between, shift
from recado.domain.values import ChannelId, Failure, Instant
from recado.store import outbox
from recado.store.database import Database
from recado.store.outbox import Departure

LEASE_S = 60.0
"""Longer than one attempt can take. If its holder dies, the message comes due again after this."""


class Outbox:
    """`wake` is set after a commit that queued something."""

    def __init__(self, database: Database, inbox: Inbox, now: Callable[[], Instant]) -> None:
        self._database = database
        self._inbox = inbox
        self._now = now
        self.wake = asyncio.Event()

    async def lease(
        self, limit: int, *, of_each: int | None = None, without: Collection[ChannelId] = ()
    ) -> list[Departure]:
        """Messages that are due, at most one per conversation, ours alone for LEASE_S.

        At most `of_each` per channel, and none of the channels `without`.
        """
        now = self._now()
        return await self._database.write(
            partial(
                outbox.lease,
                now=now,
                until=shift(now, LEASE_S),
                limit=limit,
                of_each=of_each or limit,
                without=without,
            )
        )

    async def take_over(self) -> None:
        """Before the first lease. Where nobody else can be alive, what a dead sender was posting need not wait.

        Where other nodes may be posting, every lease runs its time.
        """
        if not self._database.shared:
            await self._database.write(partial(outbox.end_leases, now=self._now()))

    async def next_due_in_s(self, *, without: Collection[ChannelId] = ()) -> float | None:
        """Seconds until the other channels' next message comes due, 0 if it is; None when nothing waits."""
        due = await self._database.read(partial(outbox.next_due, without=without))
        return None if due is None else max(0.0, seconds_between(self._now(), due))

    async def sent(self, departure: Departure, external_id: str | None) -> None:
        """The provider took it; `external_id` is the provider's id for it."""
        await self._record(departure, "sent", external_id=external_id)

    async def failed(self, departure: Departure, failure: Failure) -> None:
        """The provider never will."""
        await self._record(departure, "failed", failure=failure)

    async def postpone(self, departure: Departure, delay_s: float) -> None:
        """Try again after `delay_s`; what the conversation has behind it waits too."""
        until = shift(self._now(), delay_s)
        await self._database.write(partial(outbox.postpone, message_id=departure.message_id, until=until))

    async def _record(
        self,
        departure: Departure,
        outcome: Literal["sent", "failed"],
        *,
        external_id: str | None = None,
        failure: Failure | None = None,
    ) -> None:
        """Write the outcome down; then the conversation's next message may leave."""
        await self._inbox.record_delivery(
            RecordDelivery(
                clinic_id=departure.clinic_id,
                conversation_id=departure.conversation_id,
                message_id=departure.message_id,
                channel_id=departure.channel.id,
                outcome=outcome,
                external_id=external_id,
                failure=failure,
            )
        )
        self.wake.set()
