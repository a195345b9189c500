"""The one place that says yes or no: every command, query and join asks here, and nowhere else.

What is absent and what is another clinic's look the same: not_found. A role that may not: forbidden.
"""

from collections.abc import Callable, Iterable
from functools import partial

from sqlalchemy import Connection

from recado.domain.access import Action, allows
from recado.domain.accounts import Identity
from recado.domain.values import ClinicId, ConversationId, MessageId
from recado.errors import ForbiddenError, NotFoundError
from recado.store import inbox
from recado.store.database import Database

MAX_REMEMBERED = 100_000


class Access:
    """Remembers which clinic an id belongs to: a fact that never changes, not a permission."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clinic_of: dict[str, ClinicId] = {}

    def clinic(self, identity: Identity, clinic_id: ClinicId, action: Action) -> None:
        """Raises NotFoundError unless the member belongs to the clinic, ForbiddenError unless the role allows."""
        role = identity.roles.get(clinic_id)
        if role is None:
            raise NotFoundError
        if not allows(role, action):
            raise ForbiddenError

    def somewhere(self, identity: Identity, action: Action) -> None:
        """Raises ForbiddenError unless the member's role in some clinic allows."""
        if not any(allows(role, action) for role in identity.roles.values()):
            raise ForbiddenError

    def learn(self, clinic_id: ClinicId, ids: Iterable[str]) -> None:
        """These are the clinic's: whoever was shown a conversation soon asks for it, or writes to it."""
        if len(self._clinic_of) >= MAX_REMEMBERED:
            self._clinic_of.clear()
        self._clinic_of.update(dict.fromkeys(ids, clinic_id))

    async def conversation(
        self, identity: Identity, conversation_id: ConversationId, action: Action
    ) -> ClinicId:
        """The conversation's clinic. Raises as `clinic` does."""
        return await self._of(
            identity, conversation_id, partial(inbox.clinic_of, conversation_id=conversation_id), action
        )

    async def message(self, identity: Identity, message_id: MessageId, action: Action) -> ClinicId:
        """The message's clinic. Raises as `clinic` does."""
        return await self._of(
            identity, message_id, partial(inbox.clinic_of_message, message_id=message_id), action
        )

    async def _of(
        self,
        identity: Identity,
        id_: str,
        find: Callable[[Connection], ClinicId | None],
        action: Action,
    ) -> ClinicId:
        clinic_id = self._clinic_of.get(id_)
        if clinic_id is None:
            clinic_id = await self._database.read(find)
            if clinic_id is None:
                raise NotFoundError
            self.learn(clinic_id, [id_])
        self.clinic(identity, clinic_id, action)
        return clinic_id
