"""The route of search. docs/rest.md, "Search"."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from recado.app.paging import DEFAULT_PAGE
from recado.app.queries import Queries
from recado.domain.values import ClinicId
from recado.domain.views import SearchPage
from recado.errors import ForbiddenError, InvalidError, NotFoundError, UnauthenticatedError, UnavailableError
from recado.rest import parameters
from recado.rest.authentication import MemberRequest
from recado.rest.problems import refusals

Asked = Annotated[
    str,
    QueryParameter(
        name="q",
        description="The words to look for, in any order; the last may be a beginning. Signs are no operators.",
    ),
]

FoundBefore = Annotated[
    str | None,
    QueryParameter(
        name="before",
        pattern=r"^[0-9]{1,13}(\.[0-9]{1,13}){4}$(?!\n)",
        description="`before` of the page that came last; without it, the best.",
    ),
]


@get(
    "/clinics/{clinicId:str}/search",
    operation_id="search",
    summary="Search",
    description="The messages, notes too, that have all the words, and the conversations whose contact's name has "
    "them: names first, then by how well they fit, newest first. Accents and case do not matter.",
    response_description="The page, best first.",
    responses=refusals(InvalidError, UnauthenticatedError, ForbiddenError, NotFoundError, UnavailableError),
    tags=["Inbox"],
)
async def search(
    request: MemberRequest,
    queries: NamedDependency[Queries],
    clinic_id: parameters.ClinicPath,
    q: Asked = "",
    limit: parameters.Limit = DEFAULT_PAGE,
    before: FoundBefore = None,
) -> SearchPage:
    return await queries.search(request.user, ClinicId(clinic_id), q, limit=limit, before=before)
