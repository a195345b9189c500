"""How one node tells the others that a clinic's log has grown. docs/architecture.md, "The feed".

A hint is a clinic's id and a number, never data, and may be lost: who hears one reads the log, and who hears none
polls. So a broker can make the others slow, but not wrong.
"""

from collections.abc import Callable
from typing import Protocol

from recado.domain.values import ClinicId, Seq

Heard = Callable[[ClinicId, Seq], None]


class Broker(Protocol):
    """One per process. Called from the loop's thread."""

    def hint(self, clinic_id: ClinicId, seq: Seq) -> None:
        """Tell everybody soon that the log has come as far as `seq`. Never waits, never fails."""

    def subscribe(
        self, heard: Heard, missed: Callable[[], None], deaf: Callable[[], None] = lambda: None
    ) -> None:
        """`heard` is called for hints, our own among them; `deaf` when none can come any more.

        `missed` is called when they can, again or for the first time: some may have been lost.
        """

    async def run(self) -> None:
        """Carry hints until cancelled."""


class InProcessBroker:
    """For the only node there is: everybody who listens is here."""

    def __init__(self) -> None:
        self._heard: list[Heard] = []

    def hint(self, clinic_id: ClinicId, seq: Seq) -> None:
        for heard in self._heard:
            heard(clinic_id, seq)

    def subscribe(
        self,
        heard: Heard,
        missed: Callable[[], None],  # noqa: ARG002 - nothing gets lost here
        deaf: Callable[[], None] = lambda: None,  # noqa: ARG002 - and nobody goes deaf
    ) -> None:
        self._heard.append(heard)

    async def run(self) -> None:
        """Nothing has to be carried."""
