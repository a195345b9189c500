"""The web app is served from its folder, and nothing else is."""

import pytest

from rest.service import problem

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
INDEX = b'<!doctype html><script type="module" src="/assets/index-1a2b3c4d.js"></script>'
SCRIPT = b"export {}"


@pytest.fixture
async def app(serve, tmp_path):
    (tmp_path / "secret.txt").write_text("outside")
    folder = tmp_path / "webapp"
    (folder / "assets" / "deep").mkdir(parents=True)
    (folder / "index.html").write_bytes(INDEX)
    (folder / "favicon.svg").write_bytes(b"<svg/>")
    (folder / "assets" / "index-1a2b3c4d.js").write_bytes(SCRIPT)
    (folder / "assets" / "deep" / "font-9z8y7x6w.woff2").write_bytes(b"wOF2")
    return await serve(webapp=folder)


@pytest.mark.parametrize("path", ["/", "/conversas", "/conversas/", "/conversas/019300/nota", "/index.html"])
async def test_every_page_of_the_app_is_its_index(app, path):
    answer = await app.client.get(path, headers=HTML)
    assert (answer.status_code, answer.content) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


async def test_pages_may_load_only_what_is_ours(app):
    headers = (await app.client.get("/", headers=HTML)).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in headers["permissions-policy"]
    assert len(headers.get_list("content-security-policy")) == 1


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        ("/assets/index-1a2b3c4d.js", SCRIPT, "text/javascript; charset=utf-8"),
        ("/assets/deep/font-9z8y7x6w.woff2", b"wOF2", "font/woff2"),
    ],
)
async def test_hashed_files_are_kept_for_ever(app, path, content, media_type):
    answer = await app.client.get(path)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_other_files_are_asked_for_again(app):
    answer = await app.client.get("/favicon.svg")
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/svg+xml", "no-cache")


@pytest.mark.parametrize("path", ["/", "/favicon.svg", "/assets/index-1a2b3c4d.js"])
async def test_an_unchanged_file_is_not_sent_again(app, path):
    first = await app.client.get(path, headers=HTML)
    again = await app.client.get(path, headers=HTML | {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/gone-00000000.js",
        "/assets",
        "/assets/",
        "/favicon.ico",
        "/conversas/x.map",
        "/api",
        "/api/v1/x",
        "/socket.io/",
        "/socket.io",
        "/metrics/x",
        "/healthz/x",
    ],
)
async def test_what_is_no_page_is_404_even_for_a_browser(app, path):
    assert problem(await app.client.get(path, headers=HTML)) == (404, "not_found")


async def test_a_page_is_for_those_who_take_html(app):
    assert problem(await app.client.get("/conversas", headers={"Accept": "application/json"})) == (
        404,
        "not_found",
    )
    assert (await app.client.get("/conversas", headers={"Accept": "*/*"})).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/assets//../../secret.txt",
        "/assets/%00",
    ],
)
async def test_no_path_leads_out_of_the_folder(app, path):
    # httpx would tidy the path: it is sent as it stands.
    url = app.client.base_url.copy_with(raw_path=path.encode())
    answer = await app.client.get(url)
    assert b"outside" not in answer.content
    assert answer.status_code == 404 or answer.content == INDEX


async def test_the_app_takes_no_other_method(app):
    assert problem(await app.client.post("/conversas", headers=HTML)) == (405, "method_not_allowed")


async def test_an_app_that_is_not_built_says_how_to_build_it(service):
    answer = await service.client.get("/", headers=HTML)
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "make app" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert problem(await service.client.get("/assets/x.js")) == (404, "not_found")
