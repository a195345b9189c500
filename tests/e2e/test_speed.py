"""How much a screen loads first, and how soon it is live. The figures are printed; times need a quiet machine: soak."""

import concurrent.futures
import gzip
import time

import pytest

from e2e.network import Network
from e2e.patients import deliver
from e2e.processes import eventually

FIRST_LOAD_BYTES = 200_000


@pytest.fixture
def ana(server):
    return server.members(server.clinic_ids()[0])[0]


def test_first_load_is_within_its_budget(ana, open_window):
    loaded = {}
    screen = open_window()
    screen.page.on("response", lambda answer: loaded.update({answer.url: answer}))
    screen.log_in(ana)
    screen.open_newest()
    sizes = {
        url: len(gzip.compress(answer.body(), 9)) for url, answer in loaded.items() if url.endswith(".js")
    }
    print(f"first load: {sum(sizes.values())} bytes of gzipped JavaScript in {len(sizes)} files")  # noqa: T201 - the figure is what it is for
    assert 50_000 < sum(sizes.values()) <= FIRST_LOAD_BYTES


@pytest.mark.soak
@pytest.mark.parametrize(("round_trip_ms", "limit_ms"), [(0, 500), (100, 900)])
def test_login_is_soon_live(round_trip_ms, limit_ms, server, ana, open_window):
    network = Network(server.port, delay_s=round_trip_ms / 2000)
    took = []
    try:
        for _ in range(3):
            screen = open_window(url=network.url)
            screen.page.goto(network.url)
            screen.page.get_by_label("E-mail").fill(ana["email"])
            screen.page.get_by_label("Senha", exact=True).fill(ana["password"])
            # From the click to the painted word, in the page's own clock.
            screen.page.evaluate(
                """() => { window.live = new Promise(done => {
                  let from;
                  const began = () => { from = performance.now(); };
                  document.querySelector('button[type=submit]').addEventListener('click', began);
                  new MutationObserver((_, me) => {
                    if (!document.querySelector('[role=status][data-status=connected]')) return;
                    me.disconnect();
                    requestAnimationFrame(() => done(performance.now() - from));
                  }).observe(document.body, {subtree: true, childList: true, attributes: true});
                }); }"""
            )
            screen.page.get_by_role("button", name="Entrar").click()
            took.append(screen.page.evaluate("() => window.live"))
    finally:
        network.close()
    print(f"login to live with {round_trip_ms} ms of round trip: {[round(each) for each in took]} ms")  # noqa: T201 - the figure is what it is for
    assert min(took) <= limit_ms


CONVERSATIONS = 10_000
PAINTED = """
  const Plain = WebSocket;
  window.painted = [];
  window.WebSocket = class extends Plain {
    set onmessage(hear) {
      super.onmessage = event => {
        const at = performance.now();
        hear(event);
        if (!String(event.data).includes('conversation:list:updated')) return;
        requestAnimationFrame(() => {
          const after = new MessageChannel();
          after.port1.onmessage = () => window.painted.push(performance.now() - at);
          after.port2.postMessage(0);
        });
      };
    }
  };
  window.typed = [];
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (entry.name === 'keydown') window.typed.push(entry.duration);
  }).observe({type: 'event', durationThreshold: 16, buffered: true});
"""


@pytest.fixture
def crowded(server):
    """A clinic with so many conversations as a screen must bear."""
    clinic_id = server.clinic_ids()[0]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        names = [f"Paciente {number:05}" for number in range(CONVERSATIONS)]
        for answer in pool.map(lambda name: deliver(server, clinic_id, name, "Bom dia"), names):
            assert answer.status_code == 200
    return clinic_id


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_ten_thousand_conversations_and_five_messages_a_second_stay_smooth(server, ana, crowded, open_window):
    screen = open_window()
    page = screen.page
    page.add_init_script(PAINTED)
    screen.log_in(ana)
    page.get_by_role("link", name="Paciente 09999", exact=True).click()
    rows = "() => Math.round(document.querySelector('nav[aria-label=Conversas] ul').offsetHeight / 72)"
    down = "() => document.querySelector('nav[aria-label=Conversas] > div').scrollBy(0, 1e7)"
    eventually(lambda: page.evaluate(down) or page.evaluate(rows) >= CONVERSATIONS, "all are listed", 240)
    page.evaluate("() => document.querySelector('nav[aria-label=Conversas] > div').scrollTo(0, 0)")

    def five_a_second(count: int) -> None:
        begun = time.monotonic()
        for number in range(count):
            deliver(server, crowded, f"Paciente {number * 37 % CONVERSATIONS:05}", f"Mensagem {number}")
            page.wait_for_timeout(max(0, 1000 * (begun + (number + 1) / 5 - time.monotonic())))

    five_a_second(100)
    painted = sorted(page.evaluate("() => window.painted"))
    slow = page.context.new_cdp_session(page)
    slow.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.get_by_role("textbox", name="Mensagem", exact=True).focus()
    for number in range(15):
        page.keyboard.type("resposta ", delay=60)
        deliver(server, crowded, f"Paciente {number:05}", "Enquanto se digita")
    typed = sorted(page.evaluate("() => window.typed"))
    p99, p75 = painted[int(len(painted) * 0.99)], typed[int(len(typed) * 0.75)]
    print(f"frame to painted: p50 {painted[len(painted) // 2]:.1f}, p99 {p99:.1f} ms")  # noqa: T201 - as above
    print(f"typing, processor four times slower: p75 {p75:.0f} ms of {len(typed)} keys")  # noqa: T201 - as above
    assert len(painted) >= 90
    assert p99 <= 34
    assert p75 <= 200
