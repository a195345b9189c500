"""Pictures of every layout and state, for the documentation: into var/pictures, to be looked at and copied to docs/."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

PICTURES = Path(__file__).resolve().parents[2] / "var/pictures"
PATIENT = "Carlos Henrique Pires"


def morning() -> str:
    """A time zone where it is ten o'clock, so that a picture shows a day at work whenever it is made."""
    ahead = (10 - datetime.now(UTC).hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead:+d}"


@pytest.fixture
def ana(server):
    return server.members(server.clinic_ids()[0])[0]


@pytest.fixture
def picture():
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(screen, name: str) -> None:
        path = PICTURES / f"{name}.png"
        screen.page.mouse.move(0, 0)  # over nothing
        screen.page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size > 10_000

    return take


def test_every_layout_has_its_picture(ana, open_window, picture):
    for name, size, scheme in (
        ("desktop-light", (1440, 860), "light"),
        ("desktop-dark", (1440, 860), "dark"),
        ("tablet", (820, 1100), "light"),
        ("phone", (390, 800), "light"),
    ):
        wide = {"width": size[0], "height": size[1]}
        screen = open_window(ana, viewport=wide, color_scheme=scheme, timezone_id=morning())
        if name == "phone":
            picture(screen, "phone-list")
        screen.open(PATIENT)
        if name.startswith("desktop"):
            screen.page.get_by_role("button", name="Detalhes", exact=True).click()
            expect(screen.page.get_by_role("complementary")).to_be_visible()
        picture(screen, name)
    screen.page.goto(f"{screen.url}/ajustes/equipe")
    expect(screen.page.get_by_text(ana["email"])).to_be_visible()
    picture(screen, "phone-team")


def test_the_channels_have_their_pictures(ana, open_window, picture):
    for name, size in (("settings-channels", (1440, 860)), ("phone-channels", (390, 800))):
        wide = {"width": size[0], "height": size[1]}
        screen = open_window(ana, viewport=wide, timezone_id=morning())
        screen.page.goto(f"{screen.url}/ajustes/canais")
        screen.page.get_by_role("button", name="Mostrar segredos").last.click()
        expect(screen.page.get_by_role("textbox", name="Token de verificação")).to_be_visible()
        screen.page.get_by_role("heading", name="Canais").scroll_into_view_if_needed()
        picture(screen, name)


def test_every_state_of_the_connection_has_its_picture(ana, open_window, network, picture):
    screen = open_window(viewport={"width": 1440, "height": 400}, timezone_id=morning())
    page = screen.page
    page.clock.install()
    page.goto(network.url)
    screen.fill_in(ana)
    screen.wait_until_live()
    screen.open(PATIENT)
    picture(screen, "state-live")
    network.cut()
    page.clock.run_for(1600)
    screen.wait_until("connecting")
    picture(screen, "state-connecting")
    for _ in range(60):
        page.clock.run_for(1000)
        if page.locator("[role=status][data-status=error]").count():
            break
    screen.wait_until("error")
    picture(screen, "state-offline")
