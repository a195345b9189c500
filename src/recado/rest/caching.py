"""`/api/v1/admin/cache`: how the cache is doing, and the order to load anew. docs/cache.md, "Operating"."""

from collections.abc import Callable

from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody

from recado.app.access import Access
from recado.app.invalidation import InvalidateCacheOrder, Invalidation
from recado.app.origins import OwnOrigins
from recado.app.sessions import Sessions
from recado.app.statistics import CacheStatistics
from recado.errors import ForbiddenError, UnauthenticatedError
from recado.rest.authentication import MemberRequest, authentication
from recado.rest.commands import changing
from recado.rest.document import SECURITY
from recado.rest.problems import refusals
from recado.rest.reading import JsonRequest

Report = Callable[[], CacheStatistics]


@get(
    "/admin/cache",
    operation_id="getCacheStatistics",
    summary="Read the cache's statistics",
    description="Numbers of this server process since its start, for administrators of any clinic.",
    response_description="The numbers.",
    responses=refusals(UnauthenticatedError, ForbiddenError),
    tags=["Administration"],
)
async def cache_statistics(
    request: MemberRequest, access: NamedDependency[Access], report: NamedDependency[Report]
) -> CacheStatistics:
    access.somewhere(request.user, "cache.read")
    return report()


@post(
    "/admin/cache/invalidate",
    status_code=204,
    operation_id="invalidateCache",
    summary="Invalidate cached answers",
    description="Makes every server load anew what it has cached of the clinic, at least what `pattern` names. Admins.",
    response_description="It is in the clinic's log, which every server follows.",
    responses=changing(),
    tags=["Administration"],
)
async def invalidate_cache(
    request: MemberRequest, invalidation: NamedDependency[Invalidation], data: JSONBody[InvalidateCacheOrder]
) -> None:
    await invalidation.invalidate(request.user, data)


def cache_routes(
    report: Report, invalidation: Invalidation, access: Access, sessions: Sessions, own: OwnOrigins
) -> Router:
    return Router(
        "/api/v1",
        route_handlers=[cache_statistics, invalidate_cache],
        dependencies={
            "report": Provide(lambda: report, sync_to_thread=False),
            "invalidation": Provide(lambda: invalidation, sync_to_thread=False),
            "access": Provide(lambda: access, sync_to_thread=False),
        },
        middleware=[authentication(sessions, own)],
        security=SECURITY,
        request_class=JsonRequest,
    )
