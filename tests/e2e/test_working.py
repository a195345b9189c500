"""A receptionist's hands: reading far back, finding, filtering, changing, by mouse and by keyboard alone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from e2e.patients import deliver

SECTIONS = ("avisos", "senha", "equipe", "etiquetas", "respostas", "clinica", "canais")
AXE = Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""What was scrolled to has been measured and put in its place."""


@pytest.fixture
def clinic_id(server):
    return server.clinic_ids()[0]


@pytest.fixture
def members(server, clinic_id):
    return server.members(clinic_id)


@pytest.fixture
def patient_writes(server, clinic_id, patient):
    def write(text: str) -> None:
        assert deliver(server, clinic_id, patient, text).status_code == 200

    return write


def violations(page: Page, *but: str) -> list[str]:
    """What axe finds wrong with the page as it stands, by rule and place; `but` are rules left out."""
    page.evaluate(AXE.read_text("utf-8"))
    # Base UI's focus guards are to be reached, so that focus can be sent on; they say nothing and stand for no content.
    found = page.evaluate(
        """but => axe.run(
          {exclude: [['[data-base-ui-focus-guard]']]},
          {resultTypes: ['violations'], rules: Object.fromEntries(but.map(rule => [rule, {enabled: false}]))},
        )""",
        but,
    )["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]
    ]


def test_reading_history_moves_nothing_while_messages_and_older_pages_come(
    patient, patient_writes, members, open_window
):
    for number in range(130):
        patient_writes(f"Mensagem número {number}")
    screen = open_window(members[0])
    screen.open(patient)
    expect(screen.bubble("Mensagem número 129")).to_be_visible()
    box = screen.thread
    box.evaluate("element => element.scrollTop = 900")
    screen.page.evaluate(PAINTED)
    eye = screen.page.evaluate(
        """() => {
          const log = document.querySelector('[role=log]'), top = log.getBoundingClientRect().top;
          const below = each => each.getBoundingClientRect().top > top + 60;
          return [...log.querySelectorAll('[data-message-id]')].find(below).dataset.messageId;
        }"""
    )
    place = f"() => document.querySelector('[data-message-id=\"{eye}\"]').getBoundingClientRect().top"
    before = screen.page.evaluate(place)
    for number in range(3):
        patient_writes(f"Nova {number}")
    latest = screen.page.get_by_role("button", name="Mais recentes (3)")
    expect(latest).to_be_visible()
    assert screen.page.evaluate(place) == pytest.approx(before, abs=0.5)
    # Near the top the older page comes by itself, and the line under the eye stays where it was.
    with screen.page.expect_response(re.compile("/messages.*before=")):
        box.evaluate("element => element.scrollTop = 500")
        moved = screen.page.evaluate(place)
    expect(screen.page.get_by_text("Carregando mensagens anteriores")).to_have_count(0)
    screen.page.evaluate(PAINTED)
    assert screen.page.evaluate(place) == pytest.approx(moved, abs=0.5)
    latest.click()
    expect(screen.bubble("Nova 2")).to_be_in_viewport()
    # A window made narrow breaks every line anew: the end stays the end.
    screen.page.set_viewport_size({"width": 390, "height": 700})
    expect(screen.bubble("Nova 2")).to_be_in_viewport()
    gap = "element => element.scrollHeight - element.clientHeight - element.scrollTop"
    assert screen.thread.evaluate(gap) < 2


def test_changes_show_at_once_on_both_screens_and_filters_follow(
    patient, patient_writes, members, open_window
):
    patient_writes("Oi")
    one, two = open_window(members[0]), open_window(members[1])
    two.page.get_by_role("button", name="Atendente:").click()
    two.page.get_by_role("menuitemradio", name="Minhas").click()
    expect(two.page.get_by_text("Nenhuma conversa com esses filtros")).to_be_visible()
    one.open(patient)
    one.page.get_by_role("button", name="Atribuir", exact=True).click()
    one.page.get_by_role("menuitemradio", name=members[1]["name"]).click()
    expect(one.page.get_by_role("button", name=f"Atendente: {members[1]['name']}")).to_be_visible()
    expect(two.row(patient)).to_be_visible()
    two.open(patient)
    two.page.get_by_role("button", name="Adiar", exact=True).click()
    two.page.get_by_role("menuitem", name="Amanhã às 8:00").click()
    expect(one.row(patient)).to_contain_text("até")
    two.page.get_by_role("button", name="Resolver").click()
    expect(one.row(patient)).to_contain_text("Resolvida")
    patient_writes("Voltei")
    expect(one.row(patient)).not_to_contain_text("Resolvida")
    expect(two.page.get_by_role("button", name="Resolver")).to_be_visible()


def test_search_leads_to_the_very_message_however_far_back(patient, patient_writes, members, open_window):
    patient_writes("Tenho alergia a dipirona")
    for number in range(70):
        patient_writes(f"Outra coisa {number}")
    screen = open_window(members[0])
    screen.page.get_by_role("textbox", name="Buscar conversas e mensagens").fill("alergía dipir")
    hit = screen.page.get_by_role("region", name="Resultados da busca").get_by_role("link", name=patient)
    expect(hit.locator("mark")).to_have_text(["alergia", "dipirona"])
    hit.click()
    found = screen.bubble("Tenho alergia a dipirona")
    expect(found).to_be_in_viewport()
    expect(found).to_have_attribute("data-found", "true")


def test_the_whole_page_by_keyboard_alone(patient, patient_writes, members, left, open_window):
    patient_writes("Por teclado, por favor")
    screen = open_window(members[0])
    page, press = screen.page, screen.page.keyboard.press
    expect(screen.row(patient)).to_be_visible()
    press("j")
    expect(screen.row(patient)).to_be_focused()
    press("ArrowDown")
    expect(screen.row(patient)).not_to_be_focused()
    press("k")
    expect(screen.row(patient)).to_be_focused()
    press("Enter")
    expect(screen.bubble("Por teclado, por favor")).to_be_visible()
    press("r")
    page.keyboard.type("Pois não")
    press("Enter")
    expect(screen.bubble("Pois não")).to_have_attribute("data-status", "sent")
    press("Escape")
    press("n")
    page.keyboard.type("Gosta de teclado")
    press("Enter")
    expect(screen.bubble("Gosta de teclado")).to_contain_text("Nota interna")
    press("Escape")
    press("a")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Atendente: ")).to_have_count(2)
    press("e")
    expect(page.get_by_role("button", name="Reabrir")).to_be_visible()
    expect(page.get_by_role("menu")).to_have_count(0)
    press("?")
    expect(page.get_by_role("dialog", name="Atalhos do teclado")).to_be_visible()
    press("Escape")
    press("/")
    expect(page.get_by_role("textbox", name="Buscar conversas e mensagens")).to_be_focused()
    press("Escape")
    press("Escape")
    expect(page.get_by_text("Escolha uma conversa")).to_be_visible()
    assert left() == ["Pois não"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_screen(scheme, patient, patient_writes, members, open_window):
    patient_writes("Oi")
    screen = open_window(members[0], color_scheme=scheme)
    page = screen.page
    assert violations(page) == []
    screen.open(patient)
    page.get_by_role("button", name="Detalhes", exact=True).click()
    expect(page.get_by_role("complementary")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Adiar", exact=True).click()
    expect(page.get_by_role("menu")).to_be_visible()
    assert violations(page, "region") == []  # a menu floats beside the landmarks
    page.keyboard.press("Escape")
    for section in SECTIONS:
        page.goto(f"{screen.url}/ajustes/{section}")
        expect(page.get_by_role("region").get_by_role("heading").first).to_be_visible()
        assert violations(page) == [], section
    page.get_by_role("button", name="Mostrar segredos").first.click()
    expect(page.get_by_role("textbox", name="Segredo", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Novo canal").click()
    assert violations(page) == [], "canais, with a dialog"
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{screen.url}/conversas")
    screen.wait_until_live()
    assert violations(page) == []
    for section in SECTIONS:
        page.goto(f"{screen.url}/ajustes/{section}")
        expect(page.get_by_role("region").get_by_role("heading").first).to_be_visible()
        assert violations(page) == [], f"{section} on a phone"
        wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= seen, f"{section} stands out at the side of a phone"


def test_strict_content_policy_is_never_broken(members, open_window):
    screen = open_window(members[0])
    broken = []
    screen.page.on(
        "console", lambda said: broken.append(said.text) if "Content Security Policy" in said.text else None
    )
    screen.reload()
    screen.open_newest()
    screen.page.get_by_role("button", name="Mais ações").click()
    screen.page.keyboard.press("Escape")
    for section in SECTIONS:
        screen.page.goto(f"{screen.url}/ajustes/{section}")
        expect(screen.page.get_by_role("region").get_by_role("heading").first).to_be_visible()
    screen.page.get_by_role("button", name="Mostrar segredos").first.click()
    screen.page.get_by_role("button", name="Novo canal").click()
    expect(screen.page.get_by_role("dialog")).to_be_visible()
    assert broken == []
