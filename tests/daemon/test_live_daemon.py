"""The daemon as it lives on a desktop: keys pressed while frames flow, SIGHUP, the service manager told."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from camdaemon.control.client import Client
from camdaemon.errors import ControlError

# A real run, but for the last step: what would be written to a virtual camera is only counted.
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from camdaemon.cli.logs import set_up
from camdaemon.config import schema
from camdaemon.daemon import opening
from camdaemon.daemon.run import run
from camdaemon.frames.frame import PixelFormat

class Sink:
    name, fmt, live = "counted", PixelFormat.I420, True
    can_reopen, viewers = False, ()
    def __init__(self, size, fps): self.size = size
    def write(self, frame): pass
    def close(self): pass

opening.open_sink = lambda spec, size, fps, paced: Sink(size, fps)
set_up(False)
path = Path(sys.argv[1])
load = lambda: schema.load(path, {})
run(load(), opening.Playing(), load)
"""

CONFIG = """
source = "pattern"
size = "320x180"
matting = "difference"
plate = "auto"
backdrop = "color:#102030"
backdrops = "{folder}"
fade_s = 0.1
{more}
"""

needs_x11 = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool") and importlib.util.find_spec("pynput")),
    reason="needs Xvfb, xdotool and pynput",
)


class Daemon:
    def __init__(self, process: subprocess.Popen[str], socket_file: Path, config: Path, log: Path) -> None:
        self.process, self.config, self._log = process, config, log
        self.client = Client(socket_file)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 60.0) -> dict[str, Any]:
        """The first status that meets `condition`."""
        end, status = time.monotonic() + seconds, {}
        while time.monotonic() < end and self.process.poll() is None:
            try:
                status = self.client.status()
                if condition(status):
                    return status
            except ControlError:
                pass  # it has not begun to listen
            time.sleep(0.02)
        pytest.fail(f"never so: {status}\n{self.log}")


@contextmanager
def daemon(folder: Path, more: str = "hotkeys = false", **environment: str) -> Iterator[Daemon]:
    backdrops = folder / "backdrops"
    backdrops.mkdir()
    for name, level in (("a.png", 10), ("b.png", 200)):
        cv2.imwrite(str(backdrops / name), np.full((180, 320, 3), level, np.uint8))
    config, socket_file = folder / "config.toml", folder / "run" / "c.sock"
    config.write_text(CONFIG.format(folder=backdrops, more=more))
    (folder / "run").mkdir(mode=0o700)
    kept = {
        key: value for key, value in os.environ.items() if "DISPLAY" not in key and not key.startswith("XDG_SESSION")
    }
    known = kept | {"CAMDAEMON_SOCKET": str(socket_file)} | environment
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(config)], env=known, stderr=log, stdin=subprocess.DEVNULL, text=True,
            start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            yield Daemon(process, socket_file, config, folder / "log")
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(15)


@pytest.fixture
def display() -> Iterator[str]:
    reading, writing = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "320x240x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[writing], stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        os.close(writing)
        with os.fdopen(reading) as number:
            yield f":{number.readline().strip()}"
        server.terminate()


@needs_x11
def test_keys_drive_a_running_show(tmp_path: Path, display: str) -> None:
    more = """
        hotkeys.pause = "ctrl+alt+space"
        hotkeys."scene late" = "super+F2"
        scenes.late = {backdrop = "blur:9", mirror = true}
    """
    with daemon(tmp_path, more, DISPLAY=display) as live:
        live.until(lambda status: status["plate"] == "taken")
        live.until(lambda _: "ctrl+alt+space" in live.log)

        def press(keys: str) -> None:
            subprocess.run(["xdotool", "key", keys], env=os.environ | {"DISPLAY": display}, check=True, timeout=60)

        press("ctrl+alt+b")
        live.until(lambda status: status["backdrop"].endswith("a.png"))
        press("ctrl+alt+b")
        live.until(lambda status: status["backdrop"].endswith("b.png"))
        press("super+F2")
        live.until(lambda status: status["scene"] == "late" and status["mirror"] and status["backdrop"] == "blur:9")
        press("ctrl+alt+c")
        cards = live.until(lambda status: status["mode"] == "card")["counts"]["published_card"]
        live.until(lambda status: status["counts"]["published_card"] > cards + 3)
        press("ctrl+alt+c")
        composites = live.until(lambda status: status["mode"] == "matte")["counts"]["published_composite"]
        live.until(lambda status: status["counts"]["published_composite"] > composites + 3)
        press("ctrl+alt+space")
        live.until(lambda status: status["paused"])
        assert "Traceback" not in live.log


def test_sighup_reads_the_configuration_again(tmp_path: Path) -> None:
    with daemon(tmp_path) as live:
        live.until(lambda status: status["plate"] == "taken")
        text = live.config.read_text()
        live.config.write_text(text.replace("color:#102030", "blur:9"))
        live.process.send_signal(signal.SIGHUP)
        live.until(lambda status: status["backdrop"] == "blur:9")
        live.config.write_text(text + "bakdrop = 3\nfps = -1\n")
        live.process.send_signal(signal.SIGHUP)
        live.until(lambda _: "2 mistakes" in live.log)
        assert "did you mean backdrop" in live.log
        assert live.client.status()["backdrop"] == "blur:9", "the old configuration stays"
        live.process.send_signal(signal.SIGTERM)
        assert live.process.wait(15) == 0


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(20)
        with daemon(tmp_path, NOTIFY_SOCKET=str(address), WATCHDOG_USEC="600000") as live:
            assert "READY=1" in manager.recv(4096).decode()
            live.client.status()  # it answers once it says that it is ready
            assert manager.recv(4096).decode() == "WATCHDOG=1"
            live.client.stop()
            heard = ""
            while heard != "STOPPING=1":
                heard = manager.recv(4096).decode()
            assert live.process.wait(15) == 0


def test_the_panel_is_served_by_the_daemon(tmp_path: Path) -> None:
    import httpx

    with daemon(tmp_path) as live:
        live.until(lambda status: status["plate"] == "taken")
        address = live.client.panel()
        with httpx.Client(follow_redirects=True, trust_env=False) as browser:
            opened = browser.get(address)
            assert opened.status_code == 200
            key = re.search(r'name="session" content="([^"]+)"', opened.text)
            assert key is not None
            browser.headers["Authorization"] = f"Bearer {key[1]}"
            page = browser.get(address.partition("/open")[0] + "/")
            assert page.status_code == 200
            assert "camdaemon" in page.text
            assert "a.png" in browser.get(page.url.join("/backdrops")).text
            for view in ("composite", "alpha"):
                seen = browser.get(page.url.join(f"/view/{view}"))
                assert seen.content.startswith(b"\xff\xd8"), f"{view} is no JPEG"
            assert browser.get(page.url.join("/view/camera")).status_code == 403, "not without an explicit press"
        with httpx.Client(trust_env=False) as stranger:
            assert stranger.get(address).status_code == 403, "an address is good for one visit"
