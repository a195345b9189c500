"""Whose screen it is: sessions that end, tabs of one browser, members of different clinics at one computer."""

import uuid

import pytest
from playwright.sync_api import expect

from e2e.patients import deliver
from e2e.processes import Server, StandIn

ME = "() => fetch('/api/v1/me').then(answer => answer.json())"
SECRET_WORDS = "Exame de Guardado"


@pytest.fixture
def clinics(server):
    return server.clinic_ids()


@pytest.fixture
def ana(server, clinics):
    return server.members(clinics[0])[0]


@pytest.fixture
def carla(server, clinics):
    return server.members(clinics[1])[0]


def test_revoked_session_ends_the_screen_and_says_so(ana, open_window):
    screen = open_window(ana)
    request = screen.page.context.request
    assert request.post(f"{screen.url}/api/v1/auth/logout", headers={"Origin": screen.url}).status == 204
    expect(screen.page.get_by_text("Sua sessão terminou. Entre de novo para continuar.")).to_be_visible()


def test_expired_session_ends_the_screen_and_says_so(tmp_path, open_window):
    standin = StandIn(tmp_path)
    standin.start()
    server = Server(tmp_path, standin, SESSION_LIFETIME_S="4")
    server.start()
    try:
        screen = open_window(server.members(server.clinic_ids()[0])[0], url=server.url)
        ended = screen.page.get_by_text("Sua sessão terminou. Entre de novo para continuar.")
        expect(ended).to_be_visible(timeout=15_000)
        expect(screen.page.get_by_role("button", name="Entrar")).to_be_visible()
    finally:
        server.stop()
        standin.stop()


def test_who_loses_one_clinic_and_has_another_goes_on_there(server, clinics, ana, carla, open_window):
    bruno = server.members(clinics[0])[1]
    with server.api(carla) as api:
        invited = {
            "clientKey": str(uuid.uuid4()),
            "email": bruno["email"],
            "name": bruno["name"],
            "role": "agent",
        }
        answer = api.post(f"/clinics/{clinics[1]}/members", json=invited).raise_for_status().json()
    page = open_window(bruno).page
    names = {each["id"]: each["name"] for each in page.evaluate(ME)["clinics"]}
    expect(page.get_by_text(names[clinics[0]])).to_be_visible()
    with server.api(ana) as api:
        gone = {"clientKey": str(uuid.uuid4()), "active": False}
        api.patch(f"/clinics/{clinics[0]}/members/{answer['memberId']}", json=gone).raise_for_status()
    expect(page.get_by_text(names[clinics[1]])).to_be_visible(timeout=15_000)
    expect(page.get_by_text(names[clinics[0]])).to_have_count(0)
    expect(page.locator("[role=status][data-status=connected]")).to_be_visible(timeout=15_000)


def test_two_members_of_different_clinics_at_one_browser_see_nothing_of_each_other(
    server, clinics, ana, carla, patient, open_window
):
    deliver(server, clinics[0], patient, SECRET_WORDS)
    screen = open_window(ana)
    page = screen.page
    screen.open(patient)
    expect(screen.bubble(SECRET_WORDS)).to_be_visible()
    page.get_by_role("textbox", name="Mensagem", exact=True).fill("Resultado de Guardado")
    kept = "() => JSON.stringify({...localStorage, ...sessionStorage})"
    assert "Resultado de Guardado" in page.evaluate(kept)
    screen.log_out()
    assert "Guardado" not in page.evaluate(kept)
    screen.fill_in(carla)
    screen.wait_until_live()
    expect(page.get_by_role("heading", name="Conversas")).to_be_visible()
    expect(page.get_by_text(patient)).to_have_count(0)
    assert "Guardado" not in page.content()
    # Where Ana had been, Carla finds nothing.
    page.go_back()
    expect(page.get_by_text(SECRET_WORDS)).to_have_count(0)
    screen.log_out()
    screen.fill_in(ana)
    screen.wait_until_live()
    screen.open(patient)
    expect(page.get_by_role("textbox", name="Mensagem", exact=True)).to_have_value("")


def test_leaving_one_tab_leaves_all_and_another_member_takes_all_along(ana, carla, open_window):
    one = open_window(ana)
    two = one.beside()
    two.wait_until_live()
    one.log_out()
    expect(two.page.get_by_role("button", name="Entrar")).to_be_visible()
    one.fill_in(carla)
    one.wait_until_live()
    two.wait_until_live()
    expect(two.page.get_by_role("button", name=f"Conta de {carla['name']}")).to_be_visible()


def test_two_windows_of_one_member_agree_on_what_is_unread(server, clinics, ana, patient, open_window):
    deliver(server, clinics[0], patient, "Primeira")
    deliver(server, clinics[0], patient, "Segunda")
    one, two = open_window(ana), open_window(ana)
    for screen in (one, two):
        expect(screen.row(patient)).to_have_attribute("data-unread", "2")
    one.open(patient)
    for screen in (one, two):
        expect(screen.row(patient)).not_to_have_attribute("data-unread", "2")
        expect(screen.row(patient)).not_to_have_attribute("data-unread", "1")
    one.page.get_by_role("button", name="Mais ações").click()
    one.page.get_by_role("menuitem", name="Marcar como não lida").click()
    for screen in (one, two):
        expect(screen.row(patient)).to_have_attribute("data-unread", "1")
