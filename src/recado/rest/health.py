"""Routes for whoever watches the process: is it up, may it be given work. docs/rest.md, "Health"."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from litestar import Router, get
from litestar.di import NamedDependency, Provide

from recado.errors import UnavailableError
from recado.rest.problems import refusals
from recado.rest.shapes import Health

Readiness = Callable[[], Awaitable[Mapping[str, bool]]]
"""What the server stands on, part by part, and whether it answers; a part that drains says no."""

READINESS_TIMEOUT_S = 2.0


@get(
    "/healthz",
    operation_id="getHealth",
    summary="Is the process up",
    description="Answers as long as the process does, whatever else is down.",
    response_description="It is up.",
    tags=["Health"],
)
async def healthz() -> Health:
    return Health(status="ok")


@get(
    "/readyz",
    operation_id="getReadiness",
    summary="May it be given work",
    description="200 while every part answers; 503 while one does not, and while the server drains.",
    response_description="It is ready.",
    responses=refusals(UnavailableError),
    tags=["Health"],
)
async def readyz(readiness: NamedDependency[Readiness]) -> Health:
    try:
        async with asyncio.timeout(READINESS_TIMEOUT_S):
            checks = dict(await readiness())
    except TimeoutError:
        checks = {"timely": False}
    if not all(checks.values()):
        raise UnavailableError(state={"checks": checks})
    return Health(status="ready", checks=checks)


def health_router(readiness: Readiness) -> Router:
    return Router(
        "/",
        route_handlers=[healthz, readyz],
        dependencies={"readiness": Provide(lambda: readiness, sync_to_thread=False)},
    )
