"""The web app, served from the folder that its build writes into the package. docs/rest.md, "Web app".

The folder is read once, at start: what is asked for is looked up in a dictionary, so no path leads out of it, and
a new build is served by the next start.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from msgspec import Struct

WEBAPP = Path(__file__).parent.parent / "webapp"

PAGE_HEADERS = {
    # In every current browser connect-src 'self' covers ws: and wss: to the same place.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""Our own table: what the operating system believes about suffixes differs from one to the next."""

NOT_PAGES = frozenset({"api", "assets", "healthz", "metrics", "readyz", "socket.io"})
"""First segments of paths that never show the app."""

NOT_BUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Recado</title>
<h1>The web app is not built</h1>
<p>Run <code>make app</code> in Recado's folder, then start it again.</p>
<p>The API is up: <a href="/api/docs">/api/docs</a>.</p>
</html>
"""


class File(Struct, frozen=True):
    content: bytes
    media_type: str
    cache_control: str
    etag: str


class WebApp:
    """`files` by URL path; empty if the app is not built."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self.files = files

    @classmethod
    def from_folder(cls, folder: Path) -> "WebApp":
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls({f"/{path.relative_to(folder).as_posix()}": _read(path, folder) for path in paths})

    def at(self, path: str, accept: str) -> File | None:
        """The file at `path`; else, for the app's own routes, its page. `accept` is the Accept header."""
        if path in self.files:
            return self.files[path]
        head, _, tail = path[1:].partition("/")
        if head in NOT_PAGES or "." in (tail or head).rpartition("/")[2]:
            return None
        wants_page = any(media in accept for media in ("text/html", "*/*"))
        return self.files.get("/index.html", _not_built()) if wants_page else None


@get(["/", "/{path:path}"], include_in_schema=False)
async def webapp_file(
    request: Request[None, None, State], webapp: NamedDependency[WebApp]
) -> Response[bytes]:
    file = webapp.at(request.scope["path"], request.headers.get("accept", "*/*"))
    if file is None:
        raise NotFoundException
    headers = {"Cache-Control": file.cache_control, "ETag": file.etag}
    if file.media_type == "text/html":
        headers |= PAGE_HEADERS
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    status = 200 if webapp.files else 503
    return Response(file.content, status_code=status, headers=headers, media_type=file.media_type)


def _read(path: Path, folder: Path) -> File:
    """The build writes a hash of the content into the name of what is under assets/."""
    hashed = path.relative_to(folder).parts[0] == "assets"
    return _file(
        path.read_bytes(),
        MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        IMMUTABLE if hashed else REVALIDATE,
    )


def _not_built() -> File:
    return _file(NOT_BUILT, "text/html", "no-store")


def _file(content: bytes, media_type: str, cache_control: str) -> File:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return File(content, media_type, cache_control, etag)
