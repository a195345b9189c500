"""The one place that says yes or no: every command, query and join asks here, and nowhere else.

What is absent and what is another clinic's look the same: not_found. A role that may not: forbidden.
"""

from recado.domain.access import Action, allows
from recado.domain.accounts import Identity
from recado.domain.values import ClinicId, ConversationId
from recado.errors import ForbiddenError, NotFoundError
from recado.store import inbox
from recado.store.database import Database

MAX_REMEMBERED = 100_000


class Access:
    """Remembers which clinic a conversation belongs to: a fact that never changes, not a permission."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clinic_of: dict[ConversationId, ClinicId] = {}

    def clinic(self, identity: Identity, clinic_id: ClinicId, action: Action) -> None:
        """Raises NotFoundError unless the member belongs to the clinic, ForbiddenError unless the role allows."""
        role = identity.roles.get(clinic_id)
        if role is None:
            raise NotFoundError
        if not allows(role, action):
            raise ForbiddenError

    async def conversation(
        self, identity: Identity, conversation_id: ConversationId, action: Action
    ) -> ClinicId:
        """The conversation's clinic. Raises as `clinic` does."""
        clinic_id = self._clinic_of.get(conversation_id)
        if clinic_id is None:
            clinic_id = await self._database.read(
                lambda connection: inbox.clinic_of(connection, conversation_id)
            )
            if clinic_id is None:
                raise NotFoundError
            if len(self._clinic_of) >= MAX_REMEMBERED:
                self._clinic_of.clear()
            self._clinic_of[conversation_id] = clinic_id
        self.clinic(identity, clinic_id, action)
        return clinic_id
