"""The pictures in docs/panel.md: `python -m tests.control.panel.screenshots docs` (needs playwright and chromium).

Everything in them is drawn here or by tests.pattern, whose true alpha stands in for the matting's.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from camdaemon.control import http
from camdaemon.control.panel.server import PanelServer
from camdaemon.control.plates import draw_plate
from camdaemon.frames.frame import Size
from camdaemon.plate.parts import Origin, Plate
from camdaemon.plate.report import PlateReport
from tests.control.panel.fake_daemon import FakeDaemon, gradient, jpeg
from tests.pattern.scene import Scene

SIZE = Size(640, 360)
MOMENT = 190  # the pattern's frame in the pictures, at 30 fps
CHROMIUM = "/usr/bin/chromium"
COUNT_EVENTS = """() => {
  window.events = 0;
  const watch = new MutationObserver(() => window.events++);
  watch.observe(document.getElementById("fps"), {childList: true});
}"""


def hills(top: tuple, bottom: tuple, far: tuple, near: tuple, seed: int) -> np.ndarray:
    """Ridges one before the other, each hazier than the next."""
    rgb = gradient(top, bottom, SIZE.width, SIZE.height)
    rng = np.random.default_rng(seed)
    x = np.arange(SIZE.width)
    for depth in np.linspace(0, 1, 5):
        waves = sum(rng.uniform(8, 26) / k * np.sin(x * k / 90 + rng.uniform(0, 6)) for k in (1, 2, 3, 5))
        ridge = 150 + 190 * depth**1.2 + waves
        color = (1 - depth) * np.array(far) + depth * np.array(near)
        rgb[np.arange(SIZE.height)[:, None] > ridge] = color
    return cv2.GaussianBlur(rgb, (0, 0), 1.2)


def lights(ground: tuple, seed: int) -> np.ndarray:
    """Discs of soft light, as of a city out of focus."""
    rgb = gradient(ground, tuple(c // 3 for c in ground), SIZE.width, SIZE.height).astype(np.float32)
    rng = np.random.default_rng(seed)
    for _ in range(46):
        disc = np.zeros_like(rgb)
        center = (int(rng.uniform(0, SIZE.width)), int(rng.uniform(60, SIZE.height)))
        color = rng.choice([(255, 190, 110), (255, 140, 90), (150, 190, 255), (255, 220, 170)]) * rng.uniform(0.1, 0.4)
        cv2.circle(disc, center, int(rng.uniform(8, 26)), color.tolist(), -1, cv2.LINE_AA)
        rgb += cv2.GaussianBlur(disc, (0, 0), 1.5)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def shelf() -> np.ndarray:
    """A wall with shelves of books, slightly out of focus."""
    rgb = gradient((214, 204, 188), (186, 172, 152), SIZE.width, SIZE.height)
    rng = np.random.default_rng(5)
    palette = [(122, 62, 56), (48, 84, 92), (196, 150, 84), (70, 92, 66), (228, 216, 194), (88, 74, 102)]
    for y in (110, 220, 330):
        x = 20
        while x < SIZE.width - 40:
            wide, high = int(rng.uniform(9, 20)), int(rng.uniform(52, 86))
            if rng.uniform() > 0.12:
                rgb[y - high : y, x : x + wide] = palette[rng.integers(len(palette))]
                rgb[y - high : y, x : x + 2] //= 2
            x += wide + 1
        rgb[y : y + 9] = (112, 84, 60)
        rgb[y + 9 : y + 18] = (rgb[y + 9 : y + 18] * 0.8).astype(np.uint8)
    return cv2.GaussianBlur(rgb, (0, 0), 2.2)


class Film(FakeDaemon):
    """The pattern's figure before pictures of our own."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms = {
            "alpine morning.jpg": hills((250, 214, 176), (240, 238, 226), (176, 196, 208), (32, 66, 66), 3),
            "city lights.jpg": lights((34, 38, 66), 8),
            "dunes.jpg": hills((148, 190, 214), (246, 226, 196), (238, 204, 160), (150, 84, 52), 11),
            "library.jpg": shelf(),
            "northern sky.mp4": hills((10, 22, 44), (34, 128, 112), (24, 66, 78), (6, 14, 20), 21),
            "paper.jpg": gradient((238, 232, 222), (206, 198, 186), SIZE.width, SIZE.height),
        }
        self.files = {name: jpeg(cv2.resize(rgb, (320, 180))) for name, rgb in self.rooms.items()}
        self.state |= {"backdrop": "/backdrops/library.jpg", "edge": 0.1, "scene": "work", "matting": "bgmv2"}
        self.state["scenes"] = ["work", "evening", "talk"]
        self._truth = Scene(SIZE, 30).truth(MOMENT)
        self._ticks = 0
        self.drawn = draw_plate(_follow_bump(self._truth.plate))

    def picture(self, view: str, number: int) -> np.ndarray:
        alpha = self._truth.alpha[..., None]
        if view == "alpha":
            return np.repeat((255 * alpha).astype(np.uint8), 3, axis=2)
        room = self.rooms[str(self.state["backdrop"]).rpartition("/")[2]] if view == "composite" else self._truth.plate
        return (alpha * self._truth.foreground + (1 - alpha) * room).astype(np.uint8)

    def status(self) -> dict[str, object]:
        n = self._ticks = self._ticks + 1
        wave = math.sin(n / 7) + 0.5 * math.sin(n / 2.3)
        dip = 6 * math.exp(-(((n - 70) / 4) ** 2))
        return self.state | {
            **self.seen(),
            "fps_out": round(29.6 + 0.25 * wave - dip, 1),
            "counts": {"dropped": 3 * sum(k <= n for k in (68, 69, 70, 71, 72)) + n // 41},
            "latency_ms": {"p50": 41 + 1.5 * wave + 2 * dip, "p99": 55 + 3 * abs(wave) + 6 * dip},
        }


def _follow_bump(room: np.ndarray) -> PlateReport:
    """A plate that has followed a bump by 12 pixels to the right; something at the right edge was healed."""
    moved = np.roll(room, 12, 1)
    origin = np.full((45, 80), Origin.SHOT, np.uint8)
    origin[:, :2], origin[24:33, 68:77] = Origin.UNSEEN, Origin.HEALED
    plate = Plate(moved, (origin > 0).astype(np.float32), origin)
    return PlateReport(plate, plate, None, origin > 0, 12.2)


def take(
    browser: Browser,
    panel: PanelServer,
    film: Film,
    path: Path,
    width: int,
    height: int,
    scheme: Literal["light", "dark"],
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1 if width > 600 else 2,
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(panel.open(film, film))
    ready(page)
    page.screenshot(path=path)
    if width > 600 and scheme == "light":
        take_plate(page, path.with_name("panel-plate.png"))
    context.close()


def take_plate(page: Page, path: Path) -> None:
    """Picture the part of the page about the plate, opened."""
    page.click("#plate-look summary")
    page.wait_for_selector("#plate-picture[data-drawn]")
    page.locator("section", has=page.locator("#plate-look")).screenshot(path=path)


def ready(page: Page) -> None:
    """The picture, all thumbnails and a full two minutes of graphs are there."""
    page.wait_for_selector("#picture[data-number]")
    page.wait_for_function("() => [...document.querySelectorAll('.tile img')].length == 6")
    for each in page.query_selector_all(".tile img"):
        each.scroll_into_view_if_needed()
    page.wait_for_function("() => [...document.querySelectorAll('.tile img')].every((each) => each.naturalWidth)")
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(COUNT_EVENTS)
    page.wait_for_function("() => window.events >= 125")


def small(path: Path) -> None:
    """Fewer colors where a picture would be too large for a repository."""
    from PIL import Image

    exact = Image.open(path).convert("RGB")
    palette = exact.quantize(256, kmeans=4)
    exact.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def main(folder: Path, done: Callable[[Path], None] = small) -> None:
    http._EVENT_PERIOD = 0.02  # two minutes of graphs in a few seconds
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, width, height in (("desktop", 1280, 928), ("phone", 390, 844)):
            for scheme in ("light", "dark"):
                film = Film()
                panel = PanelServer(film)
                path = folder / f"panel-{name}-{scheme}.png"
                take(browser, panel, film, path, width, height, scheme)
                panel.close()
                done(path)
                plate = path.with_name("panel-plate.png")
                if (name, scheme) == ("desktop", "light"):
                    done(plate)
                print(path, path.stat().st_size // 1000, "kB", threading.active_count(), "threads")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
