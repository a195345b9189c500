"""A patient writes, every open screen of the clinic shows it, the reply leaves: and no other clinic sees any of it."""

import pytest
from playwright.sync_api import expect

from e2e.patients import deliver, deliver_whatsapp
from e2e.processes import eventually

PATIENT = "Maria das Dores"
WORDS = "Gostaria de remarcar minha consulta de amanhã."


@pytest.fixture
def server(own_server):
    return own_server


@pytest.fixture
def clinics(server):
    return server.clinic_ids()


@pytest.fixture
def windows(server, clinics, open_window):
    """Both members of the first clinic, and one of the second."""
    ana, bia = server.members(clinics[0])
    (other,) = server.members(clinics[1])
    return open_window(ana), open_window(bia), open_window(other)


@pytest.fixture
def whatsapp_reaches(server, clinics):
    """Posts a signed WhatsApp body to the first clinic, and checks that it was accepted."""

    def post(name: str) -> None:
        assert deliver_whatsapp(server, clinics[0], name).status_code == 200

    return post


def test_patients_message_paints_in_both_windows_and_never_in_another_clinics(
    server, clinics, windows, whatsapp_reaches
):
    one, two, other = windows
    whatsapp_reaches("text")
    for screen in (one, two):
        screen.open(PATIENT)
        expect(screen.bubble(WORDS)).to_have_count(1)
        expect(screen.conversations).to_contain_text("Gostaria de remarcar")

    # What the other clinic was sent later has arrived there, so the first message would have, too.
    assert deliver(server, clinics[1], "Paciente Vizinho", "Oi, tudo bem?").status_code == 200
    expect(other.row("Paciente Vizinho")).to_be_visible()
    expect(other.page.get_by_text(PATIENT)).to_have_count(0)
    expect(other.page.get_by_text(WORDS)).to_have_count(0)
    for screen in (one, two):
        expect(screen.page.get_by_text("Paciente Vizinho")).to_have_count(0)


def test_message_paints_at_once_in_a_thread_that_is_open(windows, server, clinics, whatsapp_reaches):
    one, two, _ = windows
    whatsapp_reaches("text")
    for screen in (one, two):
        screen.open(PATIENT)
        expect(screen.bubble(WORDS)).to_have_count(1)
    whatsapp_reaches("reply_to")
    for screen in (one, two):
        expect(screen.bubbles).to_have_count(2)
    assert one.message_ids() == two.message_ids()


def test_same_delivery_again_changes_nothing(server, clinics, windows, whatsapp_reaches):
    one, two, _ = windows
    whatsapp_reaches("text")
    for screen in (one, two):
        screen.open(PATIENT)
        expect(screen.bubbles).to_have_count(1)
    with server.api(server.members(clinics[0])[0]) as api:
        before = api.get(f"/clinics/{clinics[0]}/conversations").json()
        whatsapp_reaches("text")
        assert api.get(f"/clinics/{clinics[0]}/conversations").json() == before

    # A later message that has arrived proves that a second bubble would have, too.
    whatsapp_reaches("reply_to")
    for screen in (one, two):
        expect(screen.bubbles).to_have_count(2)
        expect(screen.bubble(WORDS)).to_have_count(1)
        expect(screen.row(PATIENT)).to_have_count(1)


def test_reply_appears_exactly_once_in_the_same_order_and_leaves_once(standin, windows, whatsapp_reaches):
    one, two, _ = windows
    whatsapp_reaches("text")
    for screen in (one, two):
        screen.open(PATIENT)
        expect(screen.bubble(WORDS)).to_have_count(1)
    replies = ["Bom dia, Maria!", "Pode ser quinta às 10h?", "Aguardo. 🙂"]
    for author, text in zip((one, two, one), replies, strict=True):
        author.reply(text)
        for screen in (one, two):
            expect(screen.bubble(text)).to_have_count(1)

    for screen in (one, two):
        for text in replies:
            expect(screen.bubble(text)).to_have_attribute("data-status", "sent")
        expect(screen.bubbles).to_have_count(1 + len(replies))
    order = one.message_ids()
    assert two.message_ids() == order

    for screen in (one, two):
        screen.reload()
        screen.open(PATIENT)
        expect(screen.bubbles).to_have_count(1 + len(replies))
        assert screen.message_ids() == order
    assert standin.bodies() == replies


def test_conversations_of_another_clinic_are_as_good_as_absent(server, clinics, whatsapp_reaches):
    whatsapp_reaches("text")
    with server.api(server.members(clinics[0])[0]) as own, server.api(server.members(clinics[1])[0]) as other:
        conversations = eventually(
            lambda: own.get(f"/clinics/{clinics[0]}/conversations").json()["items"], "a conversation"
        )
        hidden = other.get(f"/conversations/{conversations[0]['id']}/messages")
        absent = other.get("/conversations/01890000-0000-7000-8000-000000000000/messages")
        assert hidden.status_code == absent.status_code == 404
        assert hidden.json() == absent.json()
