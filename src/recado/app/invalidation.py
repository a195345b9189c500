"""Admins' order to believe nothing older of their clinic. docs/cache.md, "Operating"."""

from recado.app.access import Access
from recado.app.clinics import ClinicOrder, given_by
from recado.domain.accounts import Identity
from recado.domain.clinic_commands import InvalidateCache
from recado.store.writer import Writer


class InvalidateCacheOrder(ClinicOrder, frozen=True, kw_only=True):
    """`pattern` is `clinic:<clinicId>:` and what of it, `*` for everything."""

    pattern: str


class Invalidation:
    def __init__(self, *, writer: Writer, access: Access) -> None:
        self._writer = writer
        self._access = access

    async def invalidate(self, identity: Identity, order: InvalidateCacheOrder) -> None:
        """Raises `not_found`, `forbidden`, `invalid`, `conflict`, `client_key_reused`, `overloaded`."""
        by = given_by(self._access, identity, order, "cache.invalidate")
        await self._writer.execute(InvalidateCache(**by, pattern=order.pattern))
