"""`GET /metrics` for Prometheus. Guarded: what it tells is the operator's, though no label names anybody.

It answers on loopback, if nobody was forwarded there, or to the bearer of RECADO_METRICS_TOKEN. docs/operations.md.
"""

import hmac

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from recado.app.addresses import is_loopback
from recado.config import Config
from recado.errors import NotFoundError


@get("/metrics", include_in_schema=False)
async def metrics(request: Request[None, None, State], settings: NamedDependency[Config]) -> Response[bytes]:
    if not _may_read(request, settings.metrics_token):
        raise NotFoundError
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _may_read(request: Request[None, None, State], token: str | None) -> bool:
    """A proxy on this machine has a loopback address too; it gives itself away by what it forwards."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    forwarded = {"x-forwarded-for", "forwarded", "x-real-ip"} & set(request.headers)
    return not forwarded and request.client is not None and is_loopback(request.client.host)
