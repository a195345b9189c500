"""Which channel a webhook belongs to."""

from recado.domain.accounts import Channel
from recado.domain.values import ChannelId
from recado.errors import NotFoundError
from recado.store import accounts
from recado.store.database import Database


class Channels:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, channel_id: str) -> Channel:
        """Raises NotFoundError."""
        channel = await self._database.read(
            lambda connection: accounts.channel_by_id(connection, ChannelId(channel_id))
        )
        if channel is None:
            raise NotFoundError
        return channel
