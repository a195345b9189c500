"""What a receptionist sees, and what reaches the patient, when the way to the server breaks."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from e2e.network import Network
from e2e.patients import deliver
from e2e.processes import Server, eventually


@pytest.fixture
def clinic_id(server):
    return server.clinic_ids()[0]


@pytest.fixture
def ana(server, clinic_id):
    return server.members(clinic_id)[0]


@pytest.fixture
def patient_writes(server, clinic_id, patient):
    def write(text: str, name: str = patient) -> None:
        assert deliver(server, clinic_id, name, text).status_code == 200

    return write


def without_websocket(page: Page) -> None:
    """As behind a proxy that lets only plain requests through."""
    page.context.route_web_socket(re.compile("/socket.io/"), lambda socket: socket.close())


def test_server_killed_while_sending_nothing_is_lost_or_doubled_and_order_stays(
    server, left, ana, patient, patient_writes, open_window
):
    patient_writes("Bom dia")
    screen = open_window(ana)
    screen.open(patient)
    texts = [f"Resposta {number}" for number in range(8)]
    for text in texts[:4]:
        screen.reply(text)
    server.kill()
    for text in texts[4:]:
        screen.reply(text)
    expect(screen.thread.locator("article")).to_have_count(1 + len(texts))
    server.start()
    screen.page.evaluate("window.dispatchEvent(new Event('online'))")
    for text in texts:
        expect(screen.bubble(text)).to_have_attribute("data-status", "sent", timeout=30_000)
    assert screen.bodies() == ["Bom dia", *texts]
    assert left() == texts
    screen.reload()
    expect(screen.bubbles).to_have_count(1 + len(texts))
    assert screen.bodies() == ["Bom dia", *texts]


def test_with_websocket_blocked_messages_come_and_go_by_requests_and_the_badge_says_so(
    server, left, ana, patient, patient_writes, open_window
):
    patient_writes("Oi")
    screen = open_window()
    page = screen.page
    without_websocket(page)
    page.clock.install()
    page.goto(server.url)
    screen.fill_in(ana)
    expect(page.get_by_role("heading", name="Conversas")).to_be_visible()
    badge = page.get_by_role("status").filter(has_text=re.compile("Conectando|Modo Offline"))
    for _ in range(60):  # five attempts, 1 + 2 + 4 + 8 + 16 s apart and a little more
        page.clock.run_for(1000)
        page.wait_for_function("() => true")
        if badge.filter(has_text="Modo Offline").count():
            break
    expect(badge).to_have_attribute("data-status", "error")
    page.clock.resume()
    screen.open(patient)
    expect(screen.bubble("Oi")).to_be_visible()
    expect(page.get_by_text("Sem tempo real: as novidades chegam por consulta").first).to_be_visible()
    patient_writes("Chegou por consulta?")
    expect(screen.bubble("Chegou por consulta?")).to_be_visible()
    screen.reply("Chegou, sim")
    expect(screen.bubble("Chegou, sim")).to_have_attribute("data-status", "sent")
    page.get_by_role("button", name="Resolver").click()
    expect(page.get_by_role("button", name="Reabrir")).to_be_visible()
    assert left() == ["Chegou, sim"]
    badge.get_by_role("button").click()
    expect(page.get_by_text("consultas (HTTP)")).to_be_visible()


def test_a_minute_away_while_others_write_everything_is_right_after_the_return(
    server, left, ana, clinic_id, patient, patient_writes, open_window, network
):
    others = [f"{patient} {letter}" for letter in "abc"]
    for name in (patient, *others):
        patient_writes("Olá", name)
    screen = open_window(url=network.url)
    page = screen.page
    page.clock.install()
    screen.log_in(ana)
    screen.open(others[0])
    expect(screen.bubble("Olá")).to_be_visible()
    network.cut()
    for number in range(30):
        patient_writes(f"Enquanto isso {number}", [patient, *others[1:]][number % 3])
    typed = ["Primeira", "Segunda", "Terceira"]
    for text in typed:
        screen.reply(text)
    for text in typed:
        expect(screen.thread.locator("article").filter(has_text=text)).to_be_visible()
    assert screen.bubbles.count() == 1
    screen.wait_until("connecting")
    for _ in range(60):  # a minute of the page's time
        page.clock.run_for(1000)
        page.wait_for_function("() => true")
    screen.wait_until("error")
    network.mend()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    screen.wait_until_live()
    for text in typed:
        expect(screen.bubble(text)).to_have_attribute("data-status", "sent")
    assert screen.bodies() == ["Olá", *typed]
    assert left() == typed
    for name in (patient, *others[1:]):
        expect(screen.row(name)).to_have_attribute("data-unread", "11")
    screen.open(patient)
    expect(screen.bubbles).to_have_count(11)
    with server.api(ana) as api:
        held = api.get(f"/clinics/{clinic_id}/conversations").json()["items"]
    shown = screen.conversations.get_by_role("link").evaluate_all(
        "rows => rows.map(r => r.dataset.conversationId)"
    )
    assert shown == [conversation["id"] for conversation in held]


def test_a_line_that_fell_silent_was_true_until_the_server_was_last_heard(tmp_path, standin, open_window):
    server = Server(tmp_path, standin, PING_INTERVAL_S="1", PING_TIMEOUT_S="2")
    server.start()
    network = Network(server.port)
    try:
        screen = open_window(server.members(server.clinic_ids()[0])[0], url=network.url)
        time_of = "() => new Date().toLocaleTimeString('pt-BR', { hourCycle: 'h23' })"
        live_since = screen.page.evaluate(time_of)
        screen.page.wait_for_function(
            "since => Date.now() - since > 2500", arg=time.time() * 1000
        )  # two heartbeats
        network.fall_silent()
        silent_since = screen.page.evaluate(time_of)
        screen.wait_until("connecting")  # two seconds and more after what was heard last
        said = screen.page.get_by_text(re.compile(r"^em dia até \d\d:\d\d:\d\d$"))
        assert live_since < said.first.inner_text().removeprefix("em dia até ") <= silent_since
    finally:
        network.close()
        server.stop()


def test_newer_server_asks_for_a_reload_and_breaks_nothing(ana, patient, patient_writes, open_window):
    patient_writes("Oi")
    screen = open_window()
    screen.page.route_web_socket(re.compile("/socket.io/"), of_tomorrow)
    screen.log_in(ana)
    expect(screen.page.get_by_text("Há uma nova versão do Recado.").first).to_be_visible()
    screen.open(patient)
    screen.reply("Pois não")
    expect(screen.bubble("Pois não")).to_have_attribute("data-status", "sent")
    screen.page.get_by_role("button", name="Recarregar").first.click()
    expect(screen.bubble("Pois não")).to_be_visible()


def of_tomorrow(socket) -> None:
    """A server that calls itself newer than any page, and says things that no page of today knows."""
    server = socket.connect_to_server()

    def pass_on(message: str | bytes) -> None:
        if isinstance(message, str) and '"version":"' in message:
            socket.send('42["thing:of-tomorrow",{"seq":1}]')
        socket.send(
            re.sub(r'"version":"[^"]+"', '"version":"99.0.0"', message)
            if isinstance(message, str)
            else message
        )

    server.on_message(pass_on)


def test_patient_who_wrote_meanwhile_is_read_before_the_reply_goes_on_purpose(
    server, left, ana, patient, patient_writes, open_window, network
):
    patient_writes("Posso ir às 10h?")
    screen = open_window(ana, url=network.url)
    screen.open(patient)
    expect(screen.bubble("Posso ir às 10h?")).to_be_visible()
    network.cut()
    screen.reply("Pode vir às 10h")
    patient_writes("Aliás, melhor às 11h")
    network.mend()
    screen.page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(screen.bubble("Aliás, melhor às 11h")).to_be_visible()
    expect(screen.page.get_by_text(f"{patient} escreveu enquanto você respondia.")).to_be_visible()
    assert left() == []
    screen.page.get_by_role("button", name="Enviar mesmo assim").click()
    expect(screen.bubble("Pode vir às 10h")).to_have_attribute("data-status", "sent")
    assert left() == ["Pode vir às 10h"]


def test_what_was_not_sent_and_what_was_being_typed_survive_a_reload(
    left, ana, patient, patient_writes, open_window
):
    patient_writes("Oi")
    screen = open_window(ana)
    page = screen.page
    screen.open(patient)
    without_websocket(page)
    page.context.route(re.compile("/api/v1/conversations/.*/messages"), answer_only_reads)
    page.reload()
    expect(screen.bubble("Oi")).to_be_visible(timeout=15_000)
    screen.reply("Não saiu ainda")
    expect(page.get_by_text("Será enviada quando a conexão voltar.")).to_be_visible()
    page.get_by_role("textbox", name="Mensagem", exact=True).fill("Meia frase")
    page.reload()
    waiting = screen.thread.locator("article").filter(has_text="Não saiu ainda")
    expect(waiting).to_be_visible(timeout=15_000)
    expect(page.get_by_role("textbox", name="Mensagem", exact=True)).to_have_value("Meia frase")
    page.context.unroute(re.compile("/api/v1/conversations/.*/messages"))
    expect(screen.bubble("Não saiu ainda")).to_have_attribute("data-status", "sent", timeout=15_000)
    eventually(lambda: left() == ["Não saiu ainda"], "it left once")


def answer_only_reads(route) -> None:
    if route.request.method == "GET":
        route.continue_()
    else:
        route.abort()
