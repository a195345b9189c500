"""Routes of a session's life: login, logout, me. docs/rest.md, "Who asks"."""

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody

from recado.app.origins import OwnOrigins
from recado.app.sessions import Sessions
from recado.config import Config
from recado.domain.accounts import Identity
from recado.errors import (
    InvalidCredentialsError,
    InvalidError,
    OriginRefusedError,
    RateLimitedError,
    TooLargeError,
    UnauthenticatedError,
)
from recado.rest import shapes
from recado.rest.authentication import address_of, credentials_of, require_own_page, session_cookie
from recado.rest.problems import UnsupportedMediaTypeError, refusals


@post(
    "/auth/login",
    status_code=200,
    operation_id="login",
    summary="Log in",
    description="Begins a session. The answer carries its token, and the same token as the cookie `recado_session`.",
    response_description="The session.",
    responses=refusals(
        InvalidError,
        InvalidCredentialsError,
        OriginRefusedError,
        TooLargeError,
        UnsupportedMediaTypeError,
        RateLimitedError,
    ),
    tags=["Session"],
)
async def login(
    request: Request[None, None, State],
    data: JSONBody[shapes.LoginRequest],
    sessions: NamedDependency[Sessions],
    settings: NamedDependency[Config],
    own_origins: NamedDependency[OwnOrigins],
) -> Response[shapes.LoginAnswer]:
    require_own_page(request, own_origins, by_cookie=False)
    begun = await sessions.login(
        data.email, data.password, client_address=address_of(request, settings.proxy_networks)
    )
    cookie = session_cookie(
        begun.token, max_age_s=int(settings.session_lifetime_s), secure=own_origins.https_only
    )
    return Response(shapes.login_answer(begun.identity, begun.token), cookies=[cookie])


@post(
    "/auth/logout",
    status_code=204,
    operation_id="logout",
    summary="Log out",
    description="Ends the session that the token or the cookie opens, if there is one, and takes the cookie back.",
    response_description="There is no session any more.",
    responses=refusals(OriginRefusedError),
    tags=["Session"],
)
async def logout(
    request: Request[None, None, State],
    sessions: NamedDependency[Sessions],
    own_origins: NamedDependency[OwnOrigins],
) -> Response[None]:
    token, by_cookie = credentials_of(request)
    if by_cookie or token is None:
        require_own_page(request, own_origins, by_cookie=by_cookie)
    await sessions.logout(token)
    return Response(None, cookies=[session_cookie("", max_age_s=0, secure=own_origins.https_only)])


@get(
    "/me",
    operation_id="getMe",
    summary="Who am I",
    description="The member the session belongs to, and their clinics.",
    response_description="The member and their clinics.",
    responses=refusals(UnauthenticatedError),
    tags=["Session"],
)
async def get_me(request: Request[Identity, None, State]) -> shapes.Me:
    return shapes.me(request.user)
