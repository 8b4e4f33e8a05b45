"""The camera in PipeWire as Firefox and sandboxed programs get it: through the desktop's portal, when people agree."""

import contextlib
import functools
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from camdaemon.frames import color
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.output import open_sink
from camdaemon.output.tee import TeeSink
from tests.camera_page import CameraPage, open_page
from tests.fakes import RecordingSink, Rig, marked
from tests.lab import footage
from tests.lab.inside.browser import is_installed
from tests.pipewire_session import wait_until
from tests.portal_session import PortalSession, ask_for_camera, is_camera_present, start_portal_session

SIZE = footage.SIZE
FIREFOX = "org.mozilla.firefox"
_SANDBOX = f"[Application]\nname={FIREFOX}\n\n[Instance]\ninstance-id=1\n\n[Context]\nshared=network;\n"


@pytest.fixture(scope="module")
def running():
    with start_portal_session() as session:
        yield session


@pytest.fixture
def session(running: PortalSession, monkeypatch):
    monkeypatch.delenv("PIPEWIRE_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", running.environ["XDG_RUNTIME_DIR"])
    running.person.allows = True
    return running


@pytest.fixture
def sink(session):
    """A camera that is there when the portal starts."""
    opened = open_sink("pipewire:My camera", SIZE, 30, paced=True)
    wait_until(lambda: "My camera" in session.nodes(), "the camera is there")
    session.start_portal()
    yield opened
    opened.close()


@pytest.fixture(params=["host", "flatpak"])
def app(request, session):
    """(The id that the portal knows a program by, a command that runs it so.)"""
    if request.param == "host":
        return "", []
    return FIREFOX, sandbox(session.folder)


def sandbox(folder: Path) -> list[str]:
    """A command that runs another as Flatpak does, as far as the portal can tell: with a file in its root that says so."""
    if shutil.which("bwrap") is None:
        pytest.skip("no bwrap")
    said = folder / "flatpak-info"
    said.write_text(_SANDBOX)
    command = ["bwrap", "--die-with-parent"]
    for each in sorted(Path("/").iterdir()):
        if each.is_symlink():
            command += ["--symlink", os.readlink(each), str(each)]
        elif each.is_dir():
            command += ["--dev-bind", str(each), str(each)]
    command += ["--ro-bind", str(said), "/.flatpak-info"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"bwrap can run nothing here: {tried.stderr.strip()}")
    return command


@pytest.fixture
def visit(session, tmp_path):
    """Open the page in Firefox, and close it."""
    if not is_installed("firefox"):
        pytest.skip("no firefox-esr")
    with contextlib.ExitStack() as opened:

        def start(inside=()) -> CameraPage:
            return opened.enter_context(open_page(tmp_path, session.environ, inside))

        yield start


def numbered(number: int) -> HostFrame:
    """A gray picture with the badge of `number`."""
    rgb = np.full((SIZE.height, SIZE.width, 3), (90, 140, 60), np.uint8)
    footage.write_number(rgb, number)
    made = HostFrame.empty(PixelFormat.I420, SIZE)
    color.rgb_to_host(rgb, PixelFormat.I420, made.data)
    made.seq = number
    return made


def write_until(sink, number: int, condition, what) -> None:
    """Write a frame again and again until `condition()`; how fast programs read it is their matter."""

    def is_met() -> bool:
        sink.write(numbered(number))
        return condition()

    wait_until(is_met, what)


def shows(page: CameraPage, number: int) -> bool:
    return bool(page.pictures) and footage.read_number(page.pictures[-1]) == number


def test_after_a_yes_firefox_shows_the_frames_in_order_and_calls_the_camera_by_its_name(session, sink, app, visit):
    app_id, inside = app
    page = visit(inside)
    for number in range(30):
        write_until(sink, number, lambda number=number: shows(page, number), f"frame {number}; {page.events}")
    assert session.person.asked == [app_id]
    assert page.get("label") == "My camera"
    assert page.get("listed") == ["My camera"]
    assert len(page.get("listed_before")) == 1, "a page that looks for a camera before it asks finds one"
    got = [footage.read_number(picture) for picture in page.pictures]
    assert None not in got
    assert got == sorted(got)
    assert set(got) == set(range(30))
    assert np.abs(page.pictures[-1][:20, :20].mean((0, 1)) - (90, 140, 60)).max() < 4
    sink.close()
    wait_until(lambda: page.get("ended"), "the page is told that the camera has gone")
    assert shows(page, 29)


def test_after_a_no_firefox_gets_no_camera_and_nobody_reads(session, sink, app, visit):
    app_id, inside = app
    session.person.allows = False
    page = visit(inside)
    write_until(sink, 1, lambda: page.get("error"), "the page is told")
    assert page.get("error") == "NotAllowedError"
    assert session.person.asked == [app_id]
    assert page.get("label") is None
    assert page.pictures == []
    assert readers(session) == []


def readers(session: PortalSession) -> list[str]:
    return [name for name, node in session.nodes().items() if node["props"].get("media.class") == "Stream/Input/Video"]
