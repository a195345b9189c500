"""`GET /api/v1/admin/realtime`: how the live connections are doing. docs/realtime.md, "Statistics"."""

from collections.abc import Callable
from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from recado.app.access import Access
from recado.app.origins import OwnOrigins
from recado.app.sessions import Sessions
from recado.app.statistics import RealtimeStatistics
from recado.domain.values import ClinicId
from recado.errors import ForbiddenError, InvalidError, NotFoundError, UnauthenticatedError
from recado.rest.authentication import MemberRequest, authentication
from recado.rest.document import SECURITY
from recado.rest.problems import refusals
from recado.rest.reading import JsonRequest

Report = Callable[[ClinicId | None], RealtimeStatistics]


@get(
    "/admin/realtime",
    operation_id="getRealtimeStatistics",
    summary="Read the live connections' statistics",
    description="Numbers of this server process since its start, for administrators of any clinic; with `clinicId` "
    "also how many connections this clinic has.",
    response_description="The numbers.",
    responses=refusals(InvalidError, UnauthenticatedError, ForbiddenError, NotFoundError),
    tags=["Administration"],
)
async def realtime_statistics(
    request: MemberRequest,
    access: NamedDependency[Access],
    report: NamedDependency[Report],
    # Not a number: Litestar takes the text `null` for none.
    clinic_id: Annotated[
        str | None,
        QueryParameter(
            name="clinicId", pattern=r"^[1-9][0-9]{0,17}$(?!\n)", description="One of your clinics."
        ),
    ] = None,
) -> RealtimeStatistics:
    if clinic_id is None:
        access.somewhere(request.user, "realtime.read")
        return report(None)
    clinic = ClinicId(int(clinic_id))
    access.clinic(request.user, clinic, "realtime.read")
    return report(clinic)


def realtime_routes(report: Report, access: Access, sessions: Sessions, own: OwnOrigins) -> Router:
    return Router(
        "/api/v1",
        route_handlers=[realtime_statistics],
        dependencies={
            "report": Provide(lambda: report, sync_to_thread=False),
            "access": Provide(lambda: access, sync_to_thread=False),
        },
        middleware=[authentication(sessions, own)],
        security=SECURITY,
        request_class=JsonRequest,
    )
