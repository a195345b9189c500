"""An admin's hands in Ajustes: every screen of it, by mouse and keyboard, on a desk and on a phone."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from e2e.patients import sign_generic


@pytest.fixture
def members(server):
    return server.members(server.clinic_ids()[0])


def go_to(page: Page, section: str) -> None:
    page.get_by_role("link", name="Ajustes").click()
    page.get_by_role("navigation", name="Seções dos ajustes").get_by_role("link", name=section).click()


def test_what_an_admin_sets_a_colleague_has_without_a_reload(members, open_window):
    admin, agent = open_window(members[0]), open_window(members[1])
    page = admin.page
    save = page.get_by_role("button", name="Salvar")
    go_to(page, "Etiquetas")
    page.get_by_role("button", name="Nova etiqueta").click()
    page.get_by_label("Nome").last.fill("de teste")
    save.click()
    expect(page.get_by_text("Salvo.")).to_be_visible()
    go_to(page, "Respostas prontas")
    page.get_by_role("button", name="Nova resposta").click()
    page.get_by_label("Atalho").last.fill("teste")
    page.get_by_label("Título").last.fill("De teste")
    save.click()
    expect(page.get_by_text("Preencha este campo.")).to_be_visible()
    page.get_by_label("Texto").last.fill("Pronta para o teste")
    save.click()
    expect(save).to_be_disabled()
    go_to(page, "Clínica e horário")
    page.get_by_label("Avisar depois de quantos minutos de espera").fill("7")
    save.click()
    expect(save).to_be_disabled()

    agent.open_newest()
    agent.page.get_by_role("toolbar", name="Ações").get_by_role("button", name="Etiquetas").click()
    agent.page.get_by_role("menuitemcheckbox", name="de teste").click()
    agent.page.keyboard.press("Escape")
    field = agent.page.get_by_role("textbox", name="Mensagem", exact=True)
    field.fill("/teste")
    agent.page.get_by_role("option", name="De teste").click()
    expect(field).to_have_value("Pronta para o teste")
    agent.page.get_by_role("link", name="Ajustes").click()
    sections = agent.page.get_by_role("navigation", name="Seções dos ajustes").get_by_role("link")
    expect(sections).to_have_text(["Avisos", "Senha"])


def test_an_invited_colleague_enters_changes_the_password_and_is_out_at_once(members, open_window):
    page = open_window(members[0]).page
    go_to(page, "Equipe")
    page.get_by_role("button", name="Convidar").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Nome").fill("Dora Nova")
    dialog.get_by_label("E-mail").fill("dora@ipe.example")
    dialog.get_by_role("button", name="Convidar").click()
    secret = (
        page.get_by_role("dialog", name="Senha provisória de Dora Nova").locator(".select-all").inner_text()
    )
    page.keyboard.press("Escape")
    expect(page.get_by_text("dora@ipe.example")).to_be_visible()

    dora = open_window({"email": "dora@ipe.example", "password": secret}).page
    dora.get_by_role("link", name="Trocar a senha").click()
    dora.get_by_label("Senha atual").fill("não é esta")
    dora.get_by_label("Nova senha", exact=True).fill("uma senha só minha")
    dora.get_by_label("Nova senha, outra vez").fill("uma senha só minha")
    change = dora.get_by_role("button", name="Trocar a senha")
    change.click()
    expect(dora.get_by_text("Não confere.")).to_be_visible()
    dora.get_by_label("Senha atual").fill(secret)
    change.click()
    expect(dora.get_by_text("Sua senha foi trocada.")).to_be_visible()
    page.get_by_role("button", name="Tirar o acesso de Dora Nova").click()
    page.get_by_role("dialog").get_by_role("button", name="Tirar acesso").click()
    expect(dora.get_by_role("button", name="Entrar")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button", name="Dar acesso a Dora Nova")).to_be_visible()


def test_a_colleague_gets_another_role_and_a_temporary_password(members, open_window):
    page = open_window(members[0]).page
    go_to(page, "Equipe")
    page.get_by_role("button", name="Convidar").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Nome").fill("Eva Nova")
    dialog.get_by_label("E-mail").fill("sem arroba")
    dialog.get_by_role("button", name="Convidar").click()
    expect(dialog.get_by_text("Não está no formato esperado.")).to_be_visible()
    dialog.get_by_label("E-mail").fill("eva@ipe.example")
    dialog.get_by_role("button", name="Convidar").click()
    first = (
        page.get_by_role("dialog", name="Senha provisória de Eva Nova").locator(".select-all").inner_text()
    )
    page.keyboard.press("Escape")
    eva = open_window({"email": "eva@ipe.example", "password": first})
    page.get_by_label("Papel de Eva Nova").select_option("admin")
    expect(page.get_by_text("Salvo.")).to_be_visible()
    eva.page.get_by_role("link", name="Ajustes").click()
    expect(eva.page.get_by_role("navigation", name="Seções dos ajustes")).to_contain_text("Equipe")
    page.get_by_role("button", name="Redefinir a senha de Eva Nova").click()
    page.get_by_role("dialog").get_by_role("button", name="Redefinir", exact=True).click()
    second = (
        page.get_by_role("dialog", name="Senha provisória de Eva Nova").locator(".select-all").inner_text()
    )
    assert second != first
    expect(eva.page.get_by_role("button", name="Entrar")).to_be_visible(timeout=15_000)
    page.keyboard.press("Escape")


def test_hours_are_kept_and_what_overlaps_is_told(members, open_window):
    page = open_window(members[0]).page
    go_to(page, "Clínica e horário")
    save = page.get_by_role("button", name="Salvar")
    if not page.get_by_label("A clínica tem horário de atendimento").is_checked():
        page.get_by_label("A clínica tem horário de atendimento").check()
    page.get_by_label("Fuso horário").fill("America/Lugar_Nenhum")
    save.click()
    expect(page.get_by_text("Não existe na clínica.").or_(page.get_by_text("Não existe."))).to_be_visible()
    page.get_by_label("Fuso horário").fill("America/Sao_Paulo")
    page.get_by_role("button", name=re.compile("sábado", re.IGNORECASE)).last.click()
    page.get_by_label(re.compile("sábado: abre", re.IGNORECASE)).last.fill("09:00")
    save.click()
    expect(page.get_by_text("Os horários se sobrepõem.")).to_be_visible()
    page.get_by_label(re.compile("sábado: abre", re.IGNORECASE)).last.fill("14:30")
    save.click()
    expect(save).to_be_disabled()
    page.reload()
    expect(page.get_by_label(re.compile("sábado: abre", re.IGNORECASE)).last).to_have_value("14:30")


def test_everybody_chooses_how_to_be_told_on_this_computer(members, open_window):
    page = open_window(members[1]).page
    go_to(page, "Avisos")
    sound = page.get_by_role("checkbox").first
    was = sound.is_checked()
    sound.click()
    page.reload()
    expect(page.get_by_role("checkbox").first).to_be_checked(checked=not was)


def card(page: Page, name: str):
    return page.get_by_role("listitem", name=name, exact=True)


def test_a_webhook_channel_is_added_used_rotated_and_switched_off(members, open_window):
    page = open_window(members[0]).page
    go_to(page, "Canais")
    page.get_by_role("button", name="Novo canal").click()
    dialog = page.get_by_role("dialog", name="Novo canal")
    dialog.get_by_label("Tipo").select_option("generic")
    dialog.get_by_label("Nome").fill("Chat do site")
    dialog.get_by_label("Endereço das respostas").fill("http://site.example/")
    dialog.get_by_role("button", name="Salvar").click()
    expect(dialog.get_by_text("Precisa começar com https://")).to_be_visible()
    dialog.get_by_label("Endereço das respostas").fill("")
    dialog.get_by_role("button", name="Salvar").click()
    expect(dialog).to_be_hidden()

    site = card(page, "Chat do site")
    expect(site.get_by_text("Falta o endereço das respostas")).to_be_visible()
    address = site.get_by_role("textbox", name="Endereço para o provedor").input_value()
    secret = site.get_by_role("textbox", name="Segredo")
    expect(secret).to_have_value(re.compile("^whsec_"))
    first = secret.input_value()
    expect(site.get_by_text("nenhuma")).to_have_count(2)
    assert post(address, first) == 200
    page.reload()
    expect(site.get_by_text("nenhuma")).to_have_count(1)
    expect(secret).to_be_hidden()

    site.get_by_role("button", name="Novo segredo").click()
    page.get_by_role("dialog").get_by_role("button", name="Novo segredo").click()
    expect(secret).not_to_have_value(first)
    second = secret.input_value()
    assert (post(address, first), post(address, second)) == (401, 200)
    site.get_by_role("button", name="Ocultar segredos").click()
    expect(secret).to_be_hidden()

    site.get_by_role("button", name="Desativar Chat do site").click()
    page.get_by_role("dialog").get_by_role("button", name="Desativar").click()
    expect(site.get_by_text("Desativado", exact=True)).to_be_visible()
    assert post(address, second) == 404
    site.get_by_role("button", name="Ativar Chat do site").click()
    expect(site.get_by_role("button", name="Desativar Chat do site")).to_be_visible()
    assert post(address, second) == 200


def post(address: str, secret: str) -> int:
    """A patient writes; the status that their provider gets."""
    head, body = sign_generic(secret, "Visita do site", "Olá")
    return httpx.post(address, content=body, headers=head).status_code


def test_a_whatsapp_channel_is_completed_step_by_step_and_its_token_is_shown_to_nobody(members, open_window):
    page = open_window(members[0]).page
    go_to(page, "Canais")
    page.get_by_role("button", name="Novo canal").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Nome").fill("Recepção")
    dialog.get_by_role("button", name="Salvar").click()
    expect(dialog).to_be_hidden()
    phone = card(page, "Recepção")
    expect(phone.get_by_text("Incompleto")).to_be_visible()
    token = phone.get_by_role("textbox", name="Token de verificação").input_value()
    address = phone.get_by_role("textbox", name="Endereço para o provedor").input_value()
    asked = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "eco"}
    assert httpx.get(address, params=asked).text == "eco"
    phone.get_by_role("button", name="Editar Recepção").click()
    dialog.get_by_label("ID do número de telefone").fill("+106 540")
    dialog.get_by_label("Token de acesso").fill("EAAG-muito-secreto")
    dialog.get_by_label("Chave secreta do app").fill("chave-do-app")
    dialog.get_by_role("button", name="Salvar").click()
    expect(dialog).to_be_hidden()
    expect(phone.get_by_text("Falta")).to_have_count(0)
    phone.get_by_role("button", name="Mostrar segredos").click()
    expect(phone.get_by_role("textbox", name="Chave secreta do app")).to_have_value("chave-do-app")
    assert "EAAG" not in page.content()
    phone.get_by_role("button", name="Editar Recepção").click()
    expect(dialog.get_by_label("ID do número de telefone")).to_have_value("106540")
    expect(dialog.get_by_label("Token de acesso")).to_have_value("")


def test_a_channel_is_added_by_keyboard_alone_on_a_phone(members, open_window):
    page = open_window(members[0], viewport={"width": 390, "height": 800}).page
    page.goto(page.url.replace("/conversas", "/ajustes/canais"))
    page.get_by_role("button", name="Novo canal").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Tipo")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("Pelo teclado")
    page.keyboard.press("Enter")
    added = card(page, "Pelo teclado")
    expect(added).to_be_visible()
    added.get_by_role("button", name="Desativar Pelo teclado").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(added.get_by_role("button", name="Desativar Pelo teclado")).to_be_focused()
