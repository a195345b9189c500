"""Polling against a whole `recado serve`: who a member is, from which page, and at which of several servers."""

from contextlib import ExitStack

import httpx
import pytest

from e2e.processes import shared_server
from realtime.test_clinic_sockets import login

HANDSHAKE = {"EIO": "4", "transport": "polling"}
OWN, FOREIGN = {"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://evil.example"}


class Browser:
    """A session of Engine.IO as a page would have it, the member's cookie in every request."""

    def __init__(self, server, headers, cookie=None):
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=10)
        if cookie is not None:
            self.http.cookies.set("recado_session", cookie)
        self.parameters = dict(HANDSHAKE)
        self.parameters["sid"] = self.get()[1:].partition('"sid":"')[2].partition('"')[0]

    def get(self):
        return self.http.get("/socket.io/", params=self.parameters).raise_for_status().text

    def connect(self, auth=""):
        """The CONNECT reply."""
        self.http.post("/socket.io/", params=self.parameters, content=f"40{auth}").raise_for_status()
        while not (answer := self.get()).startswith(("40", "44")):
            pass
        return answer.partition("\x1e")[0]


@pytest.fixture
def browse():
    with ExitStack() as stack:

        def open_(*args):
            browser = Browser(*args)
            stack.callback(browser.http.close)
            return browser

        yield open_


@pytest.fixture
def member(server):
    [member, *_] = server.members(server.clinic_ids()[0])
    return member


@pytest.mark.parametrize(("headers", "is_let_in"), [(OWN, True), (FOREIGN, False), ({}, False)])
def test_the_cookie_counts_for_our_own_pages_only(server, browse, member, headers, is_let_in):
    token = login(server, member)
    assert browse(server, headers, token).connect().startswith("40{") is is_let_in


def test_the_page_of_the_handshake_counts_not_the_page_of_the_connect(server, browse, member):
    """A foreign page cannot read the session's id; if it could, the member's cookie would still not be its own."""
    browser = browse(server, FOREIGN, login(server, member))
    browser.http.headers.pop("Origin")
    browser.http.headers.update(OWN)
    assert browser.connect().startswith('44{"message"')


def test_a_token_needs_no_page(server, browse, member):
    token = login(server, member)
    assert browse(server, FOREIGN).connect(f'{{"token":"{token}"}}').startswith("40{")


def test_another_servers_session_is_unknown(server, browse, tmp_path):
    with shared_server(tmp_path) as other:
        sid = browse(other, OWN).parameters["sid"]
        for method in ("GET", "POST"):
            answer = httpx.request(method, f"{server.url}/socket.io/", params={**HANDSHAKE, "sid": sid})
            assert (answer.status_code, answer.json()) == (400, {"code": 1, "message": "Session ID unknown"})
