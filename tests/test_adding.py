"""docs/adding.md is true: a new source, matting, backdrop or sink is one file and one row in `frames/kinds.py`.

Each test writes the file, adds the row, and runs the daemon with a configuration that names the new kind. A command
is a row of its own table: see tests/control/test_table.py.
"""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from camdaemon.config.schema import Config, load
from camdaemon.control.scenes import check_scenes
from camdaemon.daemon.opening import Playing
from camdaemon.daemon.run import start_daemon
from camdaemon.errors import ConfigError
from camdaemon.frames import color, kinds
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.kinds import Kind
from camdaemon.output import open_sink

FRAMES = 12
ROOM, PERSON, BEHIND = (90, 90, 90), (200, 40, 40), (20, 180, 60)  # RGB

SOURCE = f"""
import numpy as np
from camdaemon.errors import StreamEnded
from camdaemon.frames.frame import PixelFormat, Size

class NewSource:
    name, live, has_controls, fmt, fps = "new", False, False, PixelFormat.RGB, 30.0

    def __init__(self, size):
        self.size, self.count = size, 0

    @classmethod
    def open(cls, spec, size, fps, *, loop, paced):
        return cls(size or Size(128, 72))

    def read(self, into):
        if self.count == {FRAMES}:
            raise StreamEnded("the new clip is over")
        into.data[:] = {ROOM}
        into.data[20:60, 40:80] = {PERSON}
        into.t = self.count / self.fps
        self.count += 1

    def close(self):
        pass
"""

MATTING = """
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte
from camdaemon.matting.effort import Effort

class NewMatting:
    name, uses_weights, doubts, effort, settled = "new", False, False, Effort(), True
    ladder = (effort,)

    @classmethod
    def open(cls, settings, on):
        return cls()

    def warm_up(self, size):
        pass

    def prepare(self, src, plate, confidence):
        pass

    def prepared_cost(self, seconds):
        return seconds

    def __call__(self, src, plate, confidence, seq, halfway=None):
        differs = (abs(pixels.unit(src) - pixels.unit(plate)) > 0.1).any(1)[:, None]
        return Matte(pixels.like(1.0 * differs, src), src, seq)
"""

BACKDROP = f"""
import numpy as np
from camdaemon.errors import ConfigError

class NewBackdrop:
    def __init__(self, spec, size):
        self.spec, self.needs_plate, self.rgb = spec, False, np.full((size.height, size.width, 3), {BEHIND}, np.uint8)

    @staticmethod
    def check(spec):
        if spec == "new:wrong":
            raise ConfigError("no such new backdrop: wrong. Run: camdaemon backdrop new:right")

    @classmethod
    def open(cls, spec, size):
        cls.check(spec)
        return cls(spec, size)

    def picture(self, t, plate, upload):
        return upload(self.rgb)

    def close(self):
        pass
"""

SINK = """
from camdaemon.frames import color
from camdaemon.frames.frame import Content, PixelFormat

class NewSink:
    name, live, can_reopen, is_file, viewers, fmt = "new", False, False, False, (), PixelFormat.I420
    composites = []

    def __init__(self, size):
        self.size = size

    @classmethod
    def open(cls, spec, size, fps, *, paced):
        return cls(size)

    def write(self, frame):
        if frame.content is Content.COMPOSITE:
            self.composites.append(color.host_to_rgb(frame.data.copy(), frame.fmt))

    def close(self):
        pass
"""

SOURCES = {"SOURCES": SOURCE, "MATTINGS": MATTING, "BACKDROPS": BACKDROP, "SINKS": SINK}
CLASSES = {"SOURCES": "NewSource", "MATTINGS": "NewMatting", "BACKDROPS": "NewBackdrop", "SINKS": "NewSink"}


def add(table: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a kind as the page says: write its file, add its row. Returns the module's name."""
    module = f"new_{table.lower()}"
    (folder / f"{module}.py").write_text(SOURCES[table])
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, module, raising=False)
    row = Kind("new", lambda spec: spec.partition(":")[0] == "new", f"{module}:{CLASSES[table]}")
    monkeypatch.setattr(kinds, table, (row, *getattr(kinds, table)))
    return module


@pytest.fixture
def values(tmp_path: Path) -> dict[str, object]:
    """A small run on kinds that are there already, from one of the first frames on with the plate in a file."""
    plate = tmp_path / "plate.png"
    cv2.imwrite(str(plate), np.full((72, 128, 3), ROOM, np.uint8))
    clip = tmp_path / "clip.mkv"
    write_clip(clip)
    return {
        "source": str(clip),
        "sink": str(tmp_path / "out.mkv"),
        "size": "128x72",
        "plate": str(plate),
        "matting": "difference",
        "backdrop": "color:#14b43c",
        "device": "cpu",
        "match_exposure": False,
        "hotkeys": False,
    }


def write_clip(path: Path) -> None:
    size = Size(128, 72)
    sink = open_sink(str(path), size, 30.0, paced=False)
    rgb = np.full((72, 128, 3), ROOM, np.uint8)
    rgb[20:60, 40:80] = PERSON
    frame = HostFrame.empty(PixelFormat.I420, size)
    color.rgb_to_host(rgb, frame.fmt, frame.data)
    for _ in range(FRAMES):
        sink.write(frame)
    sink.close()


def run(config: Config, folder: Path) -> None:
    """Run the daemon until its clip is over."""
    playing = Playing(paced=False, loop=False)
    with start_daemon(config, playing, stop=threading.Event(), socket=folder / "c.sock") as running:
        assert running.pipeline.wait(60)


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def assert_composite(rgb: np.ndarray) -> None:
    assert np.abs(rgb[30:50, 50:70].astype(int) - PERSON).max() < 24
    assert np.abs(rgb[:, 100:].astype(int) - BEHIND).max() < 24


@pytest.mark.parametrize("table", SOURCES)
def test_a_new_kind_is_a_file_and_a_row(table, values, tmp_path, monkeypatch):
    module = add(table, tmp_path, monkeypatch)
    named = {"SOURCES": "source", "MATTINGS": "matting", "BACKDROPS": "backdrop", "SINKS": "sink"}[table]
    config = Config.model_validate(values | {named: "new"})
    run(config, tmp_path)
    shown = importlib.import_module(module).NewSink.composites if table == "SINKS" else pictures(tmp_path / "out.mkv")
    assert len(shown) >= FRAMES - 2
    assert_composite(shown[-1])


@pytest.mark.parametrize("table", SOURCES)
def test_a_new_kind_is_named_where_the_others_are(table, tmp_path, monkeypatch):
    add(table, tmp_path, monkeypatch)
    assert "new" in kinds.syntax_of(getattr(kinds, table))
    with pytest.raises(ConfigError, match=r"expected new, .*Run: x$"):
        kinds.find_class(getattr(kinds, table), "nowhere", "kind", "x")


def test_a_new_matting_may_be_configured_and_its_name_is_suggested(tmp_path, monkeypatch):
    add("MATTINGS", tmp_path, monkeypatch)
    assert load(None, {"matting": "new"}).matting == "new"
    with pytest.raises(ConfigError, match="did you mean new"):
        load(None, {"matting": "newe"})


def test_a_new_backdrop_is_checked_in_scenes(tmp_path, monkeypatch):
    add("BACKDROPS", tmp_path, monkeypatch)
    check_scenes(Config.model_validate({"scenes": {"a": {"backdrop": "new:right"}}, "hotkeys": False}))
    with pytest.raises(ConfigError, match=r"scene a: .*new backdrop: wrong.*Run: camdaemon backdrop new:right"):
        check_scenes(Config.model_validate({"scenes": {"a": {"backdrop": "new:wrong"}}, "hotkeys": False}))
