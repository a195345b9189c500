"""`GET /api/v1/admin/cache`: how the cache is doing. docs/cache.md, "Operating"."""

from collections.abc import Callable

from litestar import Router, get
from litestar.di import NamedDependency, Provide

from recado.app.access import Access
from recado.app.origins import OwnOrigins
from recado.app.sessions import Sessions
from recado.app.statistics import CacheStatistics
from recado.errors import ForbiddenError, UnauthenticatedError
from recado.rest.authentication import MemberRequest, authentication
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


def cache_routes(report: Report, access: Access, sessions: Sessions, own: OwnOrigins) -> Router:
    return Router(
        "/api/v1",
        route_handlers=[cache_statistics],
        dependencies={
            "report": Provide(lambda: report, sync_to_thread=False),
            "access": Provide(lambda: access, sync_to_thread=False),
        },
        middleware=[authentication(sessions, own)],
        security=SECURITY,
        request_class=JsonRequest,
    )
