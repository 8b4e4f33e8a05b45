"""The video file: every frame at its time, in its colors; and a disk that is full is an error for people."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from camdaemon.errors import ConfigError
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.output import open_sink
from camdaemon.output.file import FileSink

SIZE = Size(128, 72)
COLORS = {
    "red": (255, 0, 0),
    "green": (0, 160, 60),
    "blue": (20, 40, 220),
    "skin": (224, 172, 140),
    "white": (255,) * 3,
}


def frame(rgb, t: float = 0.0) -> HostFrame:
    made = HostFrame.empty(PixelFormat.I420, SIZE)
    color.rgb_to_host(np.full((72, 128, 3), rgb, np.uint8), PixelFormat.I420, made.data)
    made.t = t
    return made


def gray(level: int, t: float = 0.0) -> HostFrame:
    return frame((level, level, level), t)


def read_back(path: Path) -> list[tuple[float, np.ndarray]]:
    """(seconds, RGB) of every frame."""
    with av.open(str(path)) as container:
        return [
            (each.time, color.host_to_rgb(each.to_ndarray(format="yuv420p").astype(np.uint8), PixelFormat.I420))
            for each in container.decode(video=0)
        ]


@pytest.fixture(params=[".mp4", ".mkv", ".mov"])
def path(request, tmp_path) -> Path:
    return tmp_path / f"out{request.param}"


def test_paced_frames_are_shown_at_their_own_times(path):
    sink, times = FileSink.open(str(path), SIZE, 30.0, paced=True), [1000.0, 1000.03, 1000.07, 1000.2, 1001.5]
    for i, t in enumerate(times):
        sink.write(gray(40 * i + 20, t))
    sink.close()
    found = read_back(path)
    assert [seconds for seconds, _ in found] == pytest.approx([t - 1000.0 for t in times], abs=0.0015)
    assert [float(rgb.mean()) for _, rgb in found] == pytest.approx([40 * i + 20 for i in range(5)], abs=4)


def test_frames_at_full_speed_keep_their_times_too_and_none_is_lost(path):
    sink, times = FileSink.open(str(path), SIZE, 30.0, paced=False), [5.0, 5.03, 5.03, 5.2, 6.5, 6.4, 7.0]
    for i, t in enumerate(times):
        sink.write(gray(30 * i + 20, t))
    sink.close()
    found = read_back(path)
    assert [seconds for seconds, _ in found] == pytest.approx([0, 0.03, 0.03, 0.2, 1.5, 1.5, 2], abs=0.0015)
    assert [float(rgb.mean()) for _, rgb in found] == pytest.approx([30 * i + 20 for i in range(7)], abs=4)


def test_a_repeated_frame_is_not_written_twice_and_an_older_one_not_at_all(path):
    sink = FileSink.open(str(path), SIZE, 30.0, paced=True)
    for level, t in ((50, 1.0), (50, 1.0), (100, 1.1), (200, 1.05), (150, 1.2)):
        sink.write(gray(level, t))
    sink.close()
    assert [float(rgb.mean()) for _, rgb in read_back(path)] == pytest.approx([50, 100, 150], abs=4)


@pytest.mark.parametrize("name", COLORS)
def test_colors_survive_and_the_file_says_what_they_mean(path, name):
    sink = FileSink.open(str(path), SIZE, 30.0, paced=False)
    for number in range(3):
        sink.write(frame(COLORS[name], number / 30))
    sink.close()
    for _, rgb in read_back(path):
        assert np.abs(rgb.astype(int) - COLORS[name]).max() <= 4
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height, context.pix_fmt) == (128, 72, "yuv420p")
        assert int(context.color_range) == 1, "limited range must be named, or players guess"
        assert int(context.colorspace) in (5, 6), "BT.601 must be named, or players take BT.709 for HD"


def test_the_frame_is_only_borrowed(path):
    """The same buffer is filled again while the encoder still has frames in hand."""
    sink, lent = FileSink.open(str(path), SIZE, 30.0, paced=False), gray(0)
    for i in range(20):
        lent.data[:], lent.t = gray(10 * i + 20).data, i / 30
        sink.write(lent)
    sink.close()
    assert [float(rgb.mean()) for _, rgb in read_back(path)] == pytest.approx([10 * i + 20 for i in range(20)], abs=4)


def test_closing_twice_is_closing_once(path):
    sink = FileSink.open(str(path), SIZE, 30.0, paced=True)
    sink.write(gray(90, 1.0))
    sink.close()
    before = path.read_bytes()
    sink.close()
    assert path.read_bytes() == before
    assert len(read_back(path)) == 1


def test_without_a_frame_there_is_no_file_and_an_old_one_stays(path):
    path.write_bytes(b"the one before")
    sink = FileSink.open(str(path), SIZE, 30.0, paced=True)
    sink.close()
    sink.close()
    assert [path.read_bytes()] == [b"the one before"]
    assert [*path.parent.iterdir()] == [path]


def test_an_old_file_is_written_anew(path):
    path.write_bytes(b"x" * 100_000)
    sink = FileSink.open(str(path), SIZE, 30.0, paced=True)
    sink.write(gray(90, 1.0))
    sink.close()
    assert len(read_back(path)) == 1


@pytest.mark.parametrize("where", ["in a folder that is not there", "a folder", "below a file"])
def test_a_path_that_cannot_be_written_is_told_before_anything_runs(tmp_path, where):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    path = {
        "in a folder that is not there": tmp_path / "absent" / "out.mp4",
        "a folder": tmp_path / "folder.mp4",
        "below a file": tmp_path / "file" / "out.mp4",
    }[where]
    with pytest.raises(ConfigError, match=r"cannot write .*out\.mp4$"):
        FileSink.open(str(path), SIZE, 30.0, paced=True)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_ends_with_an_error_for_people_not_with_a_crash(tmp_path, suffix):
    """In a process of its own, because it may crash: /dev/full is a disk without space."""
    (tmp_path / f"full{suffix}").symlink_to("/dev/full")
    script = f"""
import numpy as np
from camdaemon.errors import CamdaemonError
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.output.file import FileSink

try:
    sink = FileSink.open({str(tmp_path / f"full{suffix}")!r}, Size(128, 72), 30.0, paced=False)
    frame, random = HostFrame.empty(PixelFormat.I420, Size(128, 72)), np.random.default_rng(0)
    try:
        for _ in range(250):
            frame.data[:] = random.integers(0, 255, frame.data.shape)
            sink.write(frame)
    finally:
        sink.close()
        sink.close()
except CamdaemonError as wrong:
    print("told:", wrong)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-600:]
    assert "told:" in done.stdout
    assert "space" in done.stdout


@pytest.mark.parametrize(("name", "kind"), [("out.mp4", "FileSink"), ("OUT.MKV", "FileSink"), ("null", "NullSink")])
def test_the_sink_is_chosen_by_its_name(tmp_path, name, kind):
    spec = str(tmp_path / name) if "." in name else name
    sink = open_sink(spec, SIZE, 30.0, paced=True)
    assert type(sink).__name__ == kind
    assert (sink.size, sink.fmt, sink.live) == (SIZE, PixelFormat.I420, False)
    sink.write(gray(100, 1.0))
    sink.close()
    sink.close()


@pytest.mark.parametrize("spec", ["", "out", "out.avi", "video10", "Null", "out.mp4.txt"])
def test_a_sink_of_no_known_kind_says_what_to_type(spec):
    with pytest.raises(ConfigError, match=r"camdaemon devices$"):
        open_sink(spec, SIZE, 30.0, paced=True)
