"""The page in a real browser: what a person presses, and what the daemon is asked by it."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from camdaemon.control import http
from tests.control.panel.fake_daemon import PATIENCE_S, gradient, jpeg

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: sudo apt install chromium")

expect = playwright.expect
expect.set_options(timeout=1000 * PATIENCE_S)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _lively(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_EVENT_PERIOD", 0.15)


@pytest.fixture(scope="module")
def tab(browser: Any) -> Iterator[Any]:
    """What most tests share: a new one for each takes longer than the test."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def own_tab(browser: Any) -> Iterator[Any]:
    """For tests that leave their traces in it."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def page(tab: Any, panel: Any) -> Iterator[Any]:
    with visit(tab, panel):
        yield tab
        tab.goto("about:blank")


@contextmanager
def visit(tab: Any, panel: Any) -> Iterator[None]:
    """Go where `camdaemon panel` sends a browser; no script of the page may fail meanwhile."""
    wrong: list[str] = []

    def listen(message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:  # an answer that is an error
            wrong.append(message.text)

    def fail(error: Any) -> None:
        wrong.append(str(error))

    tab.set_default_timeout(1000 * PATIENCE_S)
    tab.on("console", listen)
    tab.on("pageerror", fail)
    tab.goto(panel.token_url())
    expect(tab.locator("#badge")).to_have_text("Live")
    yield
    tab.remove_listener("console", listen)
    tab.remove_listener("pageerror", fail)
    assert wrong == []


def number(page: Any) -> int:
    return int(page.get_attribute("#picture", "data-number"))


def wait_number(page: Any, last: int) -> None:
    page.wait_for_function("last => Number(document.getElementById('picture').dataset.number) > last", arg=last)


def color(page: Any) -> list[int]:
    """Of the picture's top left pixel."""
    return page.evaluate(
        "[...document.getElementById('picture').getContext('2d').getImageData(2, 2, 1, 1).data].slice(0, 3)"
    )


def wait_view(page: Any, view: str) -> None:
    page.wait_for_selector(f'#picture[data-view="{view}"]')


def run_until_view(page: Any, view: str) -> int:
    """Move the page's clock, which the test has paused, until `view` is drawn; return the milliseconds it moved.

    The page waits by that clock between two pictures, and the server needs real time for each.
    """
    picture, passed = page.locator(f'#picture[data-view="{view}"]'), 0
    while not picture.is_visible():
        assert passed < 9000, f"the picture of the {view} never came"
        page.clock.run_for(10)
        page.wait_for_timeout(50)
        passed += 10
    return passed


def test_the_picture_moves(page: Any) -> None:
    wait_view(page, "composite")
    assert page.url.endswith("/")  # the token is not in the history
    wait_number(page, number(page) + 3)
    red, green, _ = color(page)
    assert red > green + 40
    expect(page.locator("#sentence")).to_contain_text(re.compile(r"\byou\b.*\bdawn\.jpg"))


def test_a_hidden_page_asks_for_no_pictures(page: Any, panel: Any) -> None:
    wait_view(page, "composite")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    page.evaluate(hide % "true" + "document.dispatchEvent(new Event('visibilitychange'))")
    panel.daemon.wait_status(2)  # one may have been on its way
    made = panel.daemon.made["composite"]
    panel.daemon.wait_status(3)
    assert panel.daemon.made["composite"] == made
    page.evaluate(hide % "false" + "document.dispatchEvent(new Event('visibilitychange'))")
    wait_number(page, number(page))


def test_alpha_and_camera_are_for_the_user_alone(own_tab: Any, panel: Any) -> None:
    page = own_tab
    with visit(page, panel):
        page.get_by_role("button", name="Alpha").click()
        wait_view(page, "alpha")
        assert max(color(page)) < 30
        assert "camera" not in panel.daemon.made
        page.clock.install()
        page.clock.pause_at(page.evaluate("Date.now()") + 60_000)  # from here on only the test moves it
        page.get_by_role("button", name="Camera").click()
        # Its time begins with the server's answer.
        expect(page.get_by_role("button", name="Camera")).to_have_text("Camera · 30 s")
        passed = run_until_view(page, "camera")
        expect(page.get_by_text("only you see this", exact=True)).to_be_visible()
        red, green, _ = color(page)
        assert green > red + 40
        page.clock.run_for(10_000 - passed)
        expect(page.get_by_role("button", name="Camera")).to_have_text("Camera · 20 s")
        page.clock.run_for(21_000)
        run_until_view(page, "composite")
        expect(page.get_by_role("button", name="Composite")).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_role("button", name="Camera")).to_have_text("Camera")


def test_a_press_swaps_the_backdrop(page: Any, panel: Any) -> None:
    lake = page.get_by_role("button", name="lake")
    expect(lake.locator("img")).to_have_js_property("naturalWidth", 320)
    lake.click()
    panel.daemon.wait_asked("backdrop", "/backdrops/lake.jpg")
    expect(page.locator("#said")).to_have_text("The backdrop is /backdrops/lake.jpg.")
    expect(lake).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Blur", exact=True).click()
    panel.daemon.wait_asked("backdrop", "blur")
    page.get_by_role("button", name="Clean room").click()
    panel.daemon.wait_asked("backdrop", "plate")
    page.locator("#shade").fill("#aa3311")
    panel.daemon.wait_asked("backdrop", "color:#aa3311")
    page.get_by_role("button", name="Next backdrop").click()
    panel.daemon.wait_asked("next")
    page.get_by_role("button", name="Previous backdrop").click()
    panel.daemon.wait_asked("previous")


def test_an_upload_appears_among_the_backdrops(page: Any, panel: Any) -> None:
    data = jpeg(gradient((255, 255, 255), (0, 90, 0)))
    page.locator("#file").set_input_files({"name": "<b>meadow.jpg", "mimeType": "image/jpeg", "buffer": data})
    expect(page.get_by_role("button", name="<b>meadow", exact=True)).to_be_visible()
    expect(page.locator("#said")).to_contain_text(re.compile(r"<b>meadow\.jpg.*backdrop folder"))
    assert panel.daemon.verbs_asked() == [("add", "<b>meadow.jpg", len(data))]


def test_a_file_can_be_dropped(page: Any, panel: Any) -> None:
    drop = """bytes => {
      const held = new DataTransfer();
      held.items.add(new File([new Uint8Array(bytes)], "dropped.jpg"));
      document.getElementById("tiles").dispatchEvent(new DragEvent("drop", {dataTransfer: held, bubbles: true}));
    }"""
    page.evaluate(drop, list(jpeg(gradient((9, 9, 9), (90, 90, 90), 32, 32))))
    expect(page.get_by_role("button", name="dropped", exact=True)).to_be_visible()


def test_a_wrong_file_is_refused_with_a_sentence(page: Any) -> None:
    alert = page.get_by_role("alert").get_by_text(re.compile(r"song\.mp3.*neither.*picture.*video"))
    page.locator("#file").set_input_files({"name": "song.mp3", "mimeType": "audio/mpeg", "buffer": b"ID3"})
    expect(alert).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    expect(alert).to_be_hidden()


def test_too_large_a_file_is_not_even_sent(page: Any, panel: Any) -> None:
    page.evaluate("""() => {
      const held = new DataTransfer();
      held.items.add(new File([new Uint8Array(70 * 2 ** 20)], "film.mp4"));
      document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: held, bubbles: true}));
    }""")
    expect(page.locator("#alert")).to_contain_text(re.compile(r"film\.mp4.*70 MB.*64"))
    assert panel.daemon.verbs_asked() == []


def test_the_plate_is_counted_down_and_taken(page: Any, panel: Any) -> None:
    panel.daemon.hang = True
    page.get_by_role("radio", name="3 s").check()
    button = page.locator("#take")
    button.evaluate(
        "button => (window.words = [], new MutationObserver(() => words.push(button.textContent))"
        ".observe(button, {childList: true}))"
    )
    button.click()
    expect(page.locator("#badge")).to_have_text("Card")
    expect(page).to_have_title(re.compile("^Card"))
    assert page.evaluate("words[0]") == "Step out: 3"
    assert panel.daemon.in_plate.wait(60)
    button.click(force=True)  # once is enough
    expect(button).to_have_text("Photographing the room…")
    panel.daemon.go_on.set()
    expect(button).to_have_text("Step out and take the plate")
    expect(page.locator("#said")).to_have_text("The plate is taken.")
    expect(page.locator("#badge")).to_have_text("Live")
    assert panel.daemon.verbs_asked() == [("plate", 3.0)]


def test_somebody_in_the_plate_is_told_and_a_picture_on_the_wall_excused(page: Any, panel: Any) -> None:
    panel.daemon.somebody = True
    anyway = page.get_by_role("button", name="It is a picture on the wall")
    expect(anyway).to_be_hidden()
    page.get_by_role("button", name="Step out and take the plate").click()
    expect(page.locator("#alert")).to_contain_text("somebody is in the picture, on the left")
    anyway.click()
    expect(anyway).to_be_hidden()
    expect(page.locator("#said")).to_contain_text("The plate is taken.")
    assert ("plate", 5.0, True) in panel.daemon.verbs_asked()


def test_the_plate_in_use_is_shown_with_its_age_only_while_it_is_looked_at(page: Any, panel: Any) -> None:
    picture = page.locator("#plate-picture")
    expect(picture).to_be_hidden()
    assert picture.get_attribute("data-drawn") is None
    page.get_by_text("The plate in use").click()
    expect(picture).to_have_attribute("data-drawn", re.compile("."))
    expect(page.locator("#plate-parts")).to_have_text(
        "97 % of the room is known, 3 % healed, aligned by 12 px, taken 2 hours ago. "
        "Red is not trusted, green was learned."
    )
    page.get_by_text("The plate in use").click()
    expect(picture).to_be_hidden()


def test_a_plate_is_cancelled_and_its_reason_shows(page: Any, panel: Any) -> None:
    panel.daemon.hang, panel.daemon.waits_for = True, "something moves in the top left (1.2% of the picture)"
    cancel = page.get_by_role("button", name="Cancel the plate")
    expect(cancel).to_be_hidden()
    page.locator("#take").click()
    expect(page.locator("#plate-note")).to_contain_text("moves in the top left")
    cancel.click()
    expect(page.locator("#alert")).to_contain_text("cancelled")
    expect(cancel).to_be_hidden()
    expect(page.locator("#take")).to_have_text("Step out and take the plate")
    assert ("cancel_plate",) in panel.daemon.verbs_asked()


def test_without_a_plate_it_says_that_edges_are_rougher(page: Any, panel: Any) -> None:
    panel.daemon.state["plate_note"] = "no plate: rougher edges. For finer ones, run: camdaemon plate"
    expect(page.locator("#plate-note")).to_contain_text("No plate: rougher edges.")
    panel.daemon.state["plate_note"] = ""
    expect(page.locator("#plate-note")).to_contain_text("photograph of your empty room")


def test_an_automatic_plate_gives_way(page: Any, panel: Any) -> None:
    panel.daemon.state["taking"] = {"by": "camdaemon", "left_s": 0.0, "waits_for": "the light is changing (+9%)"}
    expect(page.locator("#plate-note")).to_contain_text("light is changing")
    expect(page.get_by_role("button", name="Cancel the plate")).to_be_visible()
    page.locator("#take").click()
    panel.daemon.wait_asked("plate", 5.0)
    expect(page.locator("#said")).to_have_text("The plate is taken.")


def test_what_viewers_see_is_known_for_a_second_only(own_tab: Any, panel: Any) -> None:
    page = own_tab
    with visit(page, panel):
        http._EVENT_PERIOD = 3600.0  # no more news; the fixture restores it
        expect(page.locator("#badge")).to_have_text("Late")
        expect(page.locator("#sentence")).to_contain_text("unknown")
        expect(page).to_have_title(re.compile("^Late"))


def test_what_shows_the_room_takes_a_second_press(page: Any, panel: Any) -> None:
    panel.daemon.sure = False
    sure = page.get_by_role("button", name="Show it all the same")
    expect(sure).to_be_hidden()
    page.get_by_role("button", name="Clean room").click()
    expect(page.locator("#alert")).to_contain_text("room")
    assert panel.daemon.verbs_asked() == []
    sure.click()
    panel.daemon.wait_asked("backdrop", "plate")
    expect(sure).to_be_hidden()


def test_switches_scenes_and_sliders(page: Any, panel: Any) -> None:
    page.get_by_role("button", name="Card", exact=True).click()
    expect(page.locator("#badge")).to_have_text("Card")
    page.get_by_role("button", name="Live", exact=True).click()
    expect(page.locator("#badge")).to_have_text("Live")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#badge")).to_have_text("Paused")
    page.get_by_role("button", name="Pause").click()
    panel.daemon.wait_asked("pause", "off")
    page.get_by_role("button", name="Mirror").click()
    panel.daemon.wait_asked("mirror", "on")
    page.get_by_role("button", name="evening").click()
    expect(page.get_by_role("button", name="evening")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Matte edge").press("ArrowLeft")
    panel.daemon.wait_asked("adjust", -0.05, None)
    expect(page.locator("#edge-value")).to_have_text("−0.05")
    page.get_by_label("Backdrop blur").fill("40")
    panel.daemon.wait_asked("adjust", None, 40.0)
    page.get_by_role("button", name="Reload configuration").click()
    panel.daemon.wait_asked("reload")
    page.get_by_role("button", name="As configured").click()
    panel.daemon.wait_asked("reset")


def test_a_crop_is_shown_and_undone(page: Any, panel: Any) -> None:
    whole = page.get_by_role("button", name="Show all of it")
    expect(page.locator("#badge")).to_have_text("Live")
    expect(whole).to_be_hidden()
    panel.daemon.state["crop"] = {"left": 0.2, "top": 0.0, "width": 0.5, "height": 1.0}
    whole.click()
    panel.daemon.wait_asked("uncrop")
    expect(whole).to_be_hidden()


def test_passthrough_is_told_but_not_offered(page: Any, panel: Any) -> None:
    panel.daemon.state["mode"] = "passthrough"
    expect(page.locator("#badge")).to_have_text("Passthrough")
    expect(page.locator("#sentence")).to_contain_text("your room")
    assert page.locator('[data-mode="passthrough"]').count() == 0


def test_graphs_are_drawn(page: Any) -> None:
    expect(page.locator("#latency")).to_have_text("41, 58 ms")
    drawn = (
        "id => new Uint32Array(document.getElementById(id).getContext('2d').getImageData(0, 0, 999, 99).data.buffer)"
    )
    for graph in ("g-fps", "g-latency"):
        page.wait_for_function(f"id => ({drawn})(id).some(Boolean)", arg=graph)
        assert "now" in page.get_attribute(f"#{graph}", "aria-label")


def test_the_keyboard_alone_is_enough(page: Any, panel: Any) -> None:
    focused = "document.activeElement.id || document.activeElement.textContent.trim()"
    way = []
    for _ in range(40):
        page.keyboard.press("Tab")
        way.append(page.evaluate(focused))
        if way[-1] == "pause":
            break
    assert way == ["Composite", "Alpha", "Camera", "Live", "Card", "pause"]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    panel.daemon.wait_asked("pause", "on")


def test_it_fits_and_can_be_read(own_tab: Any, panel: Any) -> None:
    page = own_tab
    with visit(page, panel):
        page.get_by_role("button", name="lake").click()
        for width in (360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.locator("#said")).not_to_be_empty()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for place in (
                "body",
                "#sentence",
                "#plate-note",
                "#take",
                "#alert",
                "#said",
                "[data-view=alpha]",
                ".second",
            ):
                assert contrast(page, place) >= 4.5, f"{place}, {scheme}"


def contrast(page: Any, place: str) -> float:
    """Of the text at `place` against what is behind it, as WCAG defines it."""
    colors = page.evaluate(
        """place => {
          let node = document.querySelector(place);
          const text = getComputedStyle(node).color;
          const clear = "rgba(0, 0, 0, 0)";
          while (node && getComputedStyle(node).backgroundColor === clear) node = node.parentElement;
          const numbers = color => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
          return [text, getComputedStyle(node).backgroundColor].map(numbers);
        }""",
        place,
    )
    light = []
    for color in colors:
        linear = [c / 255 / 12.92 if c < 11 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_a_daemon_that_went_away_is_told(own_tab: Any, fresh: Any) -> None:
    page = own_tab
    with visit(page, fresh):
        expect(page.locator("#gone")).to_be_hidden()
        fresh.server.close()
        expect(page.locator("#gone")).to_be_visible()
        expect(page.locator("#gone")).to_contain_text("camdaemon run")
        expect(page.locator("#badge")).to_have_text("No answer")


class Eavesdropper(BaseHTTPRequestHandler):
    """Another user's server on another port of this machine: it keeps all that a browser sends it."""

    heard: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.heard.append(str(self.headers))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>other</title>hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other_server() -> Iterator[str]:
    """Its address: the panel's host, another port."""
    Eavesdropper.heard.clear()
    with HTTPServer(("127.0.0.1", 0), Eavesdropper) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_server_on_another_port_gets_nothing_that_opens_the_panel(
    browser: Any, fresh: Any, other_server: str
) -> None:
    with browser.new_context() as context:
        page, other = context.new_page(), context.new_page()
        with visit(page, fresh):
            address = page.evaluate("location.origin")
            key = page.evaluate('sessionStorage.getItem("session")')
            assert len(key) == 43
            other.goto(other_server)
            assert other.evaluate("document.cookie") == ""
            assert other.evaluate('sessionStorage.getItem("session")') is None
            assert context.cookies() == []
            for mode in ("cors", "no-cors", "same-origin"):
                ask = f'fetch("{address}/view/camera", {{mode: "{mode}", credentials: "include"}}).then((r) => r.type)'
                answer = other.evaluate(f'{ask}.catch(() => "refused")')
                assert answer in ("refused", "opaque"), mode
            page.goto(other_server)  # the same tab leaves for the other server
            assert page.evaluate('sessionStorage.getItem("session")') is None
            page.goto(address)  # and comes back soon: its session lives for a moment
            expect(page.locator("#badge")).to_have_text("Live")
        assert Eavesdropper.heard
        assert key not in "".join(Eavesdropper.heard)
        assert not re.search("authorization|cookie", "".join(Eavesdropper.heard), re.IGNORECASE)
        assert "camera" not in fresh.daemon.made


def test_another_page_is_told_of(browser: Any, fresh: Any) -> None:
    with browser.new_context() as context:
        page, other = context.new_page(), context.new_page()
        with visit(page, fresh):
            expect(page.locator("#others")).to_be_hidden()
            with visit(other, fresh):
                expect(page.locator("#others")).to_have_text(re.compile(r"^Another page\b.*\bopen"))
                other.get_by_role("button", name="Camera").click()
                expect(page.locator("#others")).to_have_text(re.compile(r"^Another page\b.*\bcamera\b.*camdaemon stop"))
                other.get_by_role("button", name="Composite").click()
                expect(other.locator("#others")).to_have_text(re.compile("open"))
                other.close()
                expect(page.locator("#others")).to_be_hidden()


def test_a_tab_that_was_not_let_in_says_what_to_type(browser: Any, fresh: Any) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(fresh.address)
        expect(page.locator("#alert")).to_contain_text("camdaemon panel")
        expect(page.locator("#badge")).to_have_text("Not let in")
        assert fresh.daemon.asked == []


def test_a_page_may_be_loaded_again(own_tab: Any, fresh: Any) -> None:
    with visit(own_tab, fresh):
        own_tab.reload()
        expect(own_tab.locator("#badge")).to_have_text("Live")
        lake = own_tab.get_by_role("button", name="lake")
        expect(lake.locator("img")).to_have_js_property("naturalWidth", 320)
