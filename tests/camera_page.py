"""A page in headless Firefox that opens the camera, as a call's does, and sends back each picture that it shows."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.lab.inside.browser import PREFERENCES, find_program

_PAGE = Path(__file__).with_suffix(".html").read_bytes()
_PREFERENCES = PREFERENCES + 'user_pref("media.webrtc.camera.allow-pipewire", true);\n'  # the last one counts


class CameraPage:
    """What the page told, oldest first: `events`, and `pictures` (H,W,3) uint8 RGB."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.pictures: list[NDArray[np.uint8]] = []

    def get(self, name: str) -> Any:
        """Return what the first event of that name says; None as long as there is none."""
        return next((event[name] for event in self.events if name in event), None)

    def receive(self, path: str, body: bytes) -> None:
        """Take what the page posts."""
        if match := re.fullmatch(r"/picture/(\d+)/(\d+)", path):
            shape = (int(match[2]), int(match[1]), 4)
            self.pictures.append(np.frombuffer(body, np.uint8).reshape(shape)[..., :3].copy())
        else:
            self.events.append(json.loads(body))


@contextlib.contextmanager
def open_page(folder: Path, environ: Mapping[str, str], inside: Sequence[str] = ()) -> Iterator[CameraPage]:
    """Open the page in a Firefox of its own, whose profile is in `folder`, and close it at the end.

    Args:
        folder: For the profile and Firefox's log; exists.
        environ: The environment of Firefox.
        inside: A command to run Firefox with, as a sandbox is.
    """
    page = CameraPage()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(page))
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    (folder / "user.js").write_text(_PREFERENCES)
    firefox = [str(find_program("firefox")), "--headless", "--no-remote", "--profile", str(folder)]
    command = [*inside, *firefox, f"http://127.0.0.1:{server.server_port}/page"]
    environ = {**environ, "MOZ_HEADLESS": "1", "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
    with (folder / "firefox.log").open("wb") as log:
        browser = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        yield page
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        server.shutdown()
        serving.join()
        server.server_close()


def _make_handler(page: CameraPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps the connection, over which the pictures arrive in order

        def do_GET(self) -> None:
            self._answer(200 if self.path == "/page" else 404, _PAGE if self.path == "/page" else b"")

        def do_POST(self) -> None:
            page.receive(self.path, self.rfile.read(int(self.headers["content-length"])))
            self._answer(200, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
