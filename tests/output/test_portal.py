"""The camera in PipeWire as Firefox and sandboxed programs get it: through the desktop's portal, when people agree."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from camdaemon.frames.frame import Content
from camdaemon.output import open_sink
from camdaemon.output.pipewire import PipeWireSink
from tests.camera_page import CameraPage, open_page
from tests.fakes import FakeSource, RecordingSink, Rig, marked
from tests.lab import footage
from tests.lab.inside.browser import is_installed
from tests.output.test_pipewire import numbered
from tests.pipewire_readers import GstReader
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
    """(The ids that the portal may know Firefox by, a command that runs it so.)"""
    if request.param == "host":
        return {"", FIREFOX}, []  # versions of the portal differ: some have programs of the host register
    return {FIREFOX}, sandbox(session.folder)


def sandbox(folder: Path) -> list[str]:
    """Return a command that runs another like Flatpak, as far as the portal looks: a file in its root names the app."""
    if shutil.which("bwrap") is None:
        pytest.skip("no bwrap")
    said = folder / "flatpak-info"
    said.write_text(_SANDBOX)
    instance = folder / ".flatpak" / "1"  # where portals since 1.18 read which process it is
    instance.mkdir(parents=True, exist_ok=True)
    command = [
        "sh",
        "-c",
        'info="$1"; shift; exec bwrap --info-fd 9 "$@" 9> "$info"',
        "sh",
        f"{instance}/bwrapinfo.json",
    ]
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


def write_until(sink, number: int, condition, what) -> None:
    """Write a frame again and again until `condition()`; how fast programs read it is their matter."""

    def is_met() -> bool:
        sink.write(numbered(number))
        return condition()

    wait_until(is_met, what)


def shows(page: CameraPage, number: int) -> bool:
    return bool(page.pictures) and footage.read_number(page.pictures[-1]) == number


def test_after_a_yes_firefox_shows_the_frames_in_order_and_calls_the_camera_by_its_name(session, sink, app, visit):
    app_ids, inside = app
    page = visit(inside)
    for number in range(30):
        write_until(sink, number, lambda number=number: shows(page, number), f"frame {number}; {page.events}")
    assert len(session.person.asked) == 1
    assert session.person.asked[0] in app_ids
    assert page.get("label") == "My camera"
    assert page.get("listed") == page.get("listed_while_shown") == ["My camera"], "what sends to it is no camera"
    assert len(page.get("listed_before")) == 1, "a page that looks for a camera before it asks finds one"
    got = [footage.read_number(picture) for picture in page.pictures]
    known = [number for number in got if number is not None]
    assert got == sorted(known)
    assert set(got) == set(range(30))
    assert np.abs(page.pictures[-1][:20, :20].mean((0, 1)) - (90, 140, 60)).max() < 4
    sink.close()
    wait_until(lambda: page.get("ended"), "the page is told that the camera has gone")
    assert shows(page, 29)


def test_after_a_no_firefox_gets_no_camera_and_nobody_reads(session, sink, app, visit):
    app_ids, inside = app
    session.person.allows = False
    page = visit(inside)
    write_until(sink, 1, lambda: page.get("error"), "the page is told")
    assert page.get("error") == "NotAllowedError"
    assert len(session.person.asked) == 1
    assert session.person.asked[0] in app_ids
    assert page.get("label") is None
    assert page.pictures == []
    assert readers(session) == []


def readers(session: PortalSession) -> list[str]:
    return [name for name, node in session.nodes().items() if node["props"].get("media.class") == "Stream/Input/Video"]


def test_people_are_asked_once_for_each_program_and_their_answer_is_kept(session, sink):
    with session.connect() as bus:
        for _ in range(2):
            os.close(given(ask_for_camera(bus)))
        (program,) = session.person.asked
        session.decide(program, "no")
        assert ask_for_camera(bus) is None
        session.decide(program, "yes")
        os.close(given(ask_for_camera(bus)))
        assert len(session.person.asked) == 1


def given(remote: int | None) -> int:
    assert remote is not None
    return remote


def test_the_portal_knows_of_the_camera(session, sink):
    with session.connect() as bus:
        assert is_camera_present(bus)


@pytest.fixture
def read(session, sink):
    """Start programs that read through the portal, and end them."""
    with contextlib.ExitStack() as opened:

        def start(fmt: str) -> GstReader:
            with session.connect() as bus:
                remote = given(ask_for_camera(bus))
            reader = GstReader(session, "", fmt, SIZE, remote)
            os.close(remote)
            opened.callback(reader.close)
            return reader

        yield start


def test_programs_read_every_format_through_the_portal_at_once(sink, read):
    readers = [read(fmt) for fmt in ("I420", "NV12", "YUY2", "BGRx")]
    write_until(sink, 5, lambda: all(len(reader.frames) > 5 for reader in readers), "all of them read")
    for reader in readers:
        assert {footage.read_number(rgb) for rgb in reader.pictures()} == {5}


def test_a_program_from_the_portal_may_see_what_it_is_linked_to(session, sink, read):
    """PipeWire since 0.3.77 does not link it otherwise; so it was found with 1.4.2."""
    reader = read("I420")
    write_until(sink, 5, lambda: reader.frames, "it reads")
    nodes = {name: node["props"] for name, node in session.nodes().items()}
    program, sender = nodes["gst-launch-1.0"]["client.id"], nodes["My camera.i420"]["object.id"]
    assert re.search(rf"^\s*{sender}: r--", permissions(session, program), re.M), "and may do no more"


def permissions(session: PortalSession, client: int) -> str:
    """What the program of that id may do with which objects, as PipeWire's tool prints it."""
    command = ["pw-cli", "get-permissions", str(client)]
    return subprocess.run(command, env=session.environ, capture_output=True, text=True, check=False).stdout


class PublishingSink(RecordingSink):
    """Writes down what it also publishes in PipeWire."""

    def __init__(self, sink: PipeWireSink) -> None:
        super().__init__(sink.size)
        self._sink = sink

    def write(self, frame):
        super().write(frame)
        self._sink.write(frame)

    def close(self):
        super().close()
        self._sink.close()


def test_firefox_never_shows_the_marked_room_and_a_card_is_the_last_that_it_shows(session, sink, visit):
    rig = Rig(source=FakeSource(fps=20.0, size=SIZE), sink=PublishingSink(sink))
    page = visit()
    rig.pipeline.start()
    rig.run_until(lambda: len(page.pictures) > 20)
    rig.state.scene = type(rig.state.scene)(rig.state.scene.backdrop, None)  # no plate: nothing but the card
    seen = len(page.pictures)
    rig.run_until(lambda: len(page.pictures) > seen + 5)
    rig.pipeline.stop()
    wait_until(lambda: page.get("ended"), "the page is told that the camera has gone")
    rig.assert_no_room()
    assert rig.sink.contents()[-1] is Content.CARD
    assert all(marked(picture) == 0 for picture in page.pictures)
    # Not always the very last: Firefox drops a frame that comes right after another.
    cards = [rgb.astype(int) for content, _, rgb in rig.sink.frames[-20:] if content is Content.CARD]
    assert min(np.abs(page.pictures[-1] - card).mean() for card in cards) < 2
