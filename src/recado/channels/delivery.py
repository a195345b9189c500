"""One webhook's messages → the inbox, so that "200" means every one of them is committed.

Knows no provider and no HTTP. docs/channels.md, "In".
"""

import asyncio
from collections.abc import Sequence
from typing import Literal

from recado.app.inbox import Inbox
from recado.domain.commands import ReceiveMessage
from recado.errors import RecadoError, RefusedError, UnavailableError
from recado.observe import get_logger

MAX_PATIENTS_AT_ONCE = 32
"""Of one batch: fills the writer's transactions, and leaves room in its queue for everybody else."""

Fate = Literal["accepted", "repeated", "refused"]

log = get_logger("channels")


async def deliver(inbox: Inbox, command: ReceiveMessage) -> Fate:
    """Raises what refused it, or UnavailableError for any fault of ours: the provider will come again."""
    try:
        outcome = await inbox.receive(command)
    except (RefusedError, UnavailableError):
        raise
    except Exception as error:
        # The top of a webhook: a text may quote what a patient wrote, so nothing but its type and place goes on.
        log.exception("message.receive_failed", channel=command.channel.id)
        raise UnavailableError from (error if isinstance(error, RecadoError) else None)
    return "repeated" if outcome.repeated else "accepted"


async def deliver_all(inbox: Inbox, commands: Sequence[ReceiveMessage]) -> list[Fate]:
    """The fate of each command, in their order, when all are through.

    Patients go side by side, so that the writer joins them; one patient's messages follow each other, so that they
    stay in order. Raises UnavailableError when one failed by our fault; what the others committed is a harmless
    repeat next time.
    """
    fates: dict[int, Fate] = {}
    by_patient: dict[str, list[int]] = {}
    for place, command in enumerate(commands):
        by_patient.setdefault(command.contact_address, []).append(place)
    room = asyncio.Semaphore(MAX_PATIENTS_AT_ONCE)

    async def one_patient(places: list[int]) -> None:
        async with room:
            for place in places:
                try:
                    fates[place] = await deliver(inbox, commands[place])
                except RefusedError as error:
                    log.warning("message.refused", channel=commands[place].channel.id, code=error.code)
                    fates[place] = "refused"

    ends = await asyncio.gather(*map(one_patient, by_patient.values()), return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end
    return [fates[place] for place in range(len(commands))]
