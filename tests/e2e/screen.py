"""One member's browser window, in the words a member would use."""

from playwright.sync_api import Locator, Page, expect


class Screen:
    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.crashes: list[str] = []
        page.on("pageerror", lambda error: self.crashes.append(str(error)))

    def log_in(self, member: dict) -> None:
        self.page.goto(self.url)
        self.fill_in(member)
        self.wait_until_live()

    def fill_in(self, member: dict) -> None:
        self.page.get_by_label("E-mail").fill(member["email"])
        self.page.get_by_label("Senha", exact=True).fill(member["password"])
        self.page.get_by_role("button", name="Entrar").click()

    def log_out(self) -> None:
        self.page.get_by_role("button", name="Conta de").click()
        self.page.get_by_role("menuitem", name="Sair").click()
        expect(self.page.get_by_role("button", name="Entrar")).to_be_visible()

    def beside(self) -> "Screen":
        """Another tab of the same browser: the same cookie, the same storage."""
        screen = Screen(self.page.context.new_page(), self.url)
        screen.crashes = self.crashes
        screen.page.goto(self.url)
        return screen

    @property
    def conversations(self) -> Locator:
        return self.page.get_by_role("navigation", name="Conversas", exact=True)

    @property
    def thread(self) -> Locator:
        return self.page.get_by_role("log", name="Mensagens")

    @property
    def bubbles(self) -> Locator:
        return self.thread.locator("[data-message-id]")

    def bubble(self, text: str) -> Locator:
        return self.bubbles.filter(has_text=text)

    def row(self, contact: str) -> Locator:
        return self.conversations.get_by_role("link", name=contact, exact=True)

    def wait_until(self, status: str) -> None:
        badge = self.page.locator(f"[role=status][data-status={status}]")
        expect(badge).to_be_visible(timeout=30_000)

    def wait_until_live(self) -> None:
        self.wait_until("connected")

    def open(self, contact: str) -> None:
        self.row(contact).click()
        expect(self.thread).to_be_visible()

    def open_newest(self) -> None:
        self.conversations.get_by_role("link").first.click()
        expect(self.thread).to_be_visible()

    def reply(self, text: str) -> None:
        self.page.get_by_role("textbox", name="Mensagem", exact=True).fill(text)
        self.page.get_by_role("button", name="Enviar").click()

    def bodies(self) -> list[str]:
        """What the bubbles say, on their way too, top to bottom."""
        said = "bubbles => bubbles.map(each => each.querySelector('.whitespace-pre-wrap').firstChild.textContent)"
        return self.thread.locator("article").evaluate_all(said)

    def message_ids(self) -> list[str]:
        """Of the bubbles that the thread shows, top to bottom."""
        return self.bubbles.evaluate_all("bubbles => bubbles.map(bubble => bubble.dataset.messageId)")

    def reload(self) -> None:
        self.page.reload()
        self.wait_until_live()
