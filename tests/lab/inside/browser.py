"""A headless browser on a page that opens the virtual camera and posts back what it got."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_PAGE = (Path(__file__).parent / "page.html").read_bytes()
PREFERENCES = """
user_pref("media.navigator.permission.disabled", true);
user_pref("media.navigator.streams.fake", false);
user_pref("media.webrtc.camera.allow-pipewire", false);
user_pref("media.autoplay.default", 0);
user_pref("security.sandbox.content.level", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
"""


class Visit:
    """A visit of a browser to the page. `answer` waits for what the page found, `close` ends the browser."""

    def __init__(self, browser: str, what: str, label: str, seconds: float = 6.0) -> None:
        """Start the browser.

        Args:
            browser: 'chromium' or 'firefox'.
            what: 'list' only enumerates the cameras, 'watch' opens one.
            label: Start of the label of the camera to open.
            seconds: How long to watch.
        """
        self._found: dict[str, Any] = {}
        self._answered = threading.Event()
        visit = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(_PAGE if self.path.startswith("/?") else b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(204)
                self.end_headers()
                visit._found.update(json.loads(body))
                visit._answered.set()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{self._server.server_port}/?what={what}&label={label}&seconds={seconds:g}"
        profile = Path("/dev/shm") / f"profile-{browser}"
        profile.mkdir(exist_ok=True)
        self._log = Path("/dev/shm/browser.log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                _command(browser, profile, address), stdout=log, stderr=log, start_new_session=True, env=_environment()
            )

    def answer(self, seconds: float) -> dict[str, Any]:
        """Wait for what the page found. Raises AssertionError if it posts nothing or an error."""
        assert self._answered.wait(seconds), (
            f"the browser posted nothing in {seconds:g} s: {self._log.read_text()[-300:]}"
        )
        assert "error" not in self._found, f"the page failed: {self._found}"
        return self._found

    def close(self) -> None:
        """End the browser with all its processes."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._server.shutdown()
        self._server.server_close()


def is_installed(browser: str) -> bool:
    """Return whether `browser` is installed."""
    return find_program(browser) is not None


def find_program(browser: str) -> str | None:
    """Return the path of `browser`, 'chromium' or 'firefox'; None where it is not installed."""
    names = {"chromium": ("/usr/lib/chromium/chromium", "chromium"), "firefox": ("firefox-esr", "firefox")}[browser]
    return next((found for found in map(shutil.which, names) if found), None)


def _command(browser: str, profile: Path, address: str) -> list[str]:
    program = find_program(browser) or browser
    if browser == "firefox":
        (profile / "user.js").write_text(PREFERENCES)
        return [program, "--headless", "--no-remote", "--profile", str(profile), address]
    switches = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--use-fake-ui-for-media-stream"]
    switches += ["--disable-background-networking", "--disable-component-update", "--disable-extensions"]
    switches += ["--autoplay-policy=no-user-gesture-required", "--mute-audio", f"--user-data-dir={profile}"]
    return [program, *switches, address]


def _environment() -> dict[str, str]:
    """Return the environment without the guest's malloc settings, which do not suit a browser's many processes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    return kept | {"MOZ_HEADLESS": "1", "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
