"""The HTTP application: routes, and what stands around all of them. Only the composition root builds one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from recado.app.channels import Channels
from recado.app.clinics import Clinics
from recado.app.inbox import Inbox
from recado.app.origins import OwnOrigins, own_origins
from recado.app.pages import Pages
from recado.app.queries import Queries
from recado.app.sessions import Sessions
from recado.app.small_posts import SmallPost
from recado.config import Config
from recado.rest import auth, commands, conversations, search
from recado.rest import channels as channel_routes
from recado.rest import clinics as clinic_routes
from recado.rest.at_once import AtOnce, Reads
from recado.rest.authentication import authentication
from recado.rest.document import SECURITY, describe, document_router, openapi_config
from recado.rest.envelope import Envelope
from recado.rest.health import Readiness, health_router
from recado.rest.metrics import metrics
from recado.rest.posts import Posts
from recado.rest.problems import EXCEPTION_HANDLERS
from recado.rest.reading import MAX_BODY_BYTES, JsonRequest
from recado.rest.webapp import WEBAPP, WebApp, webapp_file


def create_application(  # noqa: PLR0913 - every use case that a route may ask for
    *,
    sessions: Sessions,
    queries: Queries,
    pages: Pages,
    inbox: Inbox,
    clinics: Clinics,
    channels: Channels,
    readiness: Readiness,
    settings: Config,
    extra_routes: Sequence[ControllerRouterHandler] = (),
    small_posts: Sequence[SmallPost] = (),
    webapp: Path = WEBAPP,
) -> Litestar:
    """`extra_routes` (webhooks) get the same problem details, body limit, request id and log line.

    `small_posts` are those among them that a server may answer by a shorter way.
    """
    own = own_origins(settings.base_url, settings.allowed_origins)
    reads = Reads(pages)
    application = Litestar(
        [
            _open_routes(sessions, own),
            _member_routes(
                sessions,
                own,
                queries=queries,
                reads=reads,
                inbox=inbox,
                clinics=clinics,
                channels=channels,
            ),
            health_router(readiness),
            *extra_routes,
            metrics,
            webapp_file,
        ],
        dependencies={"webapp": _given(WebApp.from_folder(webapp)), "settings": _given(settings)},
        exception_handlers=EXCEPTION_HANDLERS,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=openapi_config(),
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    application.register(document_router(describe(application)))
    long_way = Envelope(application.asgi_handler, _methods(application))
    at_once = AtOnce(long_way, reads, sessions)
    application.asgi_handler = at_once
    application.state["at_once"] = at_once.take  # for a server that knows these shorter ways
    application.state["posts"] = Posts(small_posts)
    return application


def _methods(application: Litestar) -> dict[str, str]:
    """Address → the methods it takes, as an `Allow` header says it."""
    return {
        route.path_format: ", ".join(sorted({*route.methods, *(("HEAD",) if "GET" in route.methods else ())}))
        for route in application.routes
        if isinstance(route, HTTPRoute)
    }


def _open_routes(sessions: Sessions, own: OwnOrigins) -> Router:
    return Router(
        "/api/v1",
        route_handlers=[auth.login, auth.logout],
        dependencies={"sessions": _given(sessions), "own_origins": _given(own)},
        request_class=JsonRequest,
    )


def _member_routes(sessions: Sessions, own: OwnOrigins, **use_cases: Any) -> Router:
    return Router(
        "/api/v1",
        route_handlers=[
            auth.get_me,
            conversations.list_conversations,
            conversations.get_conversation,
            conversations.list_messages,
            conversations.list_changes,
            search.search,
            commands.send_message,
            commands.edit_message,
            commands.delete_message,
            commands.mark_read,
            commands.update_conversation,
            commands.rename_contact,
            commands.delete_conversation,
            clinic_routes.get_clinic,
            clinic_routes.update_clinic,
            clinic_routes.list_members,
            clinic_routes.invite_member,
            clinic_routes.update_member,
            clinic_routes.reset_password,
            clinic_routes.change_password,
            channel_routes.list_channels,
            channel_routes.get_channel_secrets,
            channel_routes.add_channel,
            channel_routes.update_channel,
            channel_routes.rotate_secret,
        ],
        dependencies={name: _given(part) for name, part in {"sessions": sessions, **use_cases}.items()},
        middleware=[authentication(sessions, own)],
        security=SECURITY,
        request_class=JsonRequest,
    )


def _given(part: Any) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)
