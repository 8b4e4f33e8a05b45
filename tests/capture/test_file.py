"""Video files as sources. Every clip here is encoded by the test itself."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from camdaemon.capture import file as module
from camdaemon.capture.file import FileSource
from camdaemon.errors import ConfigError, DeviceError, StreamEnded
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size

_COLORS = np.array([(200, 40, 40), (40, 180, 60), (40, 60, 210), (230, 230, 230), (25, 25, 25), (190, 150, 120)])
_KR_KB = {Colorspace.ITU601: (0.299, 0.114), Colorspace.ITU709: (0.2126, 0.0722)}


def _planes(rgb: np.ndarray, matrix: Colorspace, full: bool) -> np.ndarray:
    """RGB as 4:2:0 by the formula of BT.601 or BT.709, apart from any library."""
    kr, kb = _KR_KB[matrix]
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    if not full:
        y, u, v = 16 + y * 219 / 255, u * 224 / 255, v * 224 / 255
    h, w = y.shape
    halves = [128 + c.reshape(h // 2, 2, w // 2, 2).mean((1, 3)) for c in (u, v)]
    return np.concatenate([y.ravel(), *(c.ravel() for c in halves)]).round().clip(0, 255).astype(np.uint8)


def _clip(
    path: Path,
    *,
    frames: int = 6,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    matrix: Colorspace = Colorspace.ITU601,
    full: bool = False,
    picture: np.ndarray | None = None,
) -> Path:
    """A clip at 10 frames a second: `picture`, or frame i filled with the gray level 20 + 20 i."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = ColorRange.JPEG if full else ColorRange.MPEG
        if codec == "libx264":
            stream.codec_context.options = {"qp": "1", "preset": "ultrafast", "bf": "0"}
        else:
            stream.codec_context.options = {"qmin": "1", "qmax": "1"}
        for i in range(frames):
            shown = np.full((size[1], size[0], 3), 20 + 20 * i, np.uint8) if picture is None else picture
            yuv = _planes(shown, matrix, full).reshape(size[1] * 3 // 2, size[0])
            frame = av.VideoFrame.from_ndarray(yuv, format=stream.pix_fmt)
            frame.colorspace, frame.color_range = matrix, stream.codec_context.color_range
            frame.pts, frame.time_base = i, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _read(source: FileSource) -> HostFrame:
    frame = HostFrame.empty(source.fmt, source.size)
    source.read(frame)
    return frame


def _number(frame: HostFrame) -> int:
    return round((float(frame.data.mean()) - 20) / 20)


class Clock:
    """Stands in for the module `time`: sleeping is what makes it go."""

    def __init__(self) -> None:
        self.now, self.slept = 100.0, 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_plays_every_frame_once_then_ends(tmp_path: Path) -> None:
    source = FileSource(_clip(tmp_path / "clip.mp4"), loop=False, paced=False)
    assert (source.live, source.fps, source.size) == (False, 10.0, Size(96, 64))
    assert [_number(_read(source)) for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    for _ in range(2):
        with pytest.raises(StreamEnded, match="is over"):
            _read(source)
    source.close()
    source.close()


@pytest.mark.parametrize(
    ("name", "codec", "matrix", "full"),
    [
        ("601.mp4", "libx264", Colorspace.ITU601, False),
        ("709.mp4", "libx264", Colorspace.ITU709, False),
        ("709-full.mkv", "libx264", Colorspace.ITU709, True),
        ("webcam.avi", "mjpeg", Colorspace.ITU601, True),
    ],
)
def test_colors_follow_the_files_matrix_and_range(
    tmp_path: Path, name: str, codec: str, matrix: Colorspace, full: bool
) -> None:
    picture = np.repeat(np.repeat(_COLORS.reshape(2, 3, 3), 32, 0), 32, 1).astype(np.uint8)
    path = _clip(tmp_path / name, codec=codec, matrix=matrix, full=full, picture=picture, frames=2)
    seen = _read(FileSource(path, loop=False, paced=False)).data
    raw = FileSource(path, loop=False, paced=False, raw=True)
    assert raw.fmt is (PixelFormat.I420 if name == "601.mp4" else PixelFormat.RGB)
    for each in (seen, color.host_to_rgb(_read(raw).data, raw.fmt)):
        middles = each.reshape(2, 32, 3, 32, 3)[:, 8:24, :, 8:24].mean((1, 3)).reshape(6, 3)
        np.testing.assert_allclose(middles, _COLORS, atol=2.5)


def test_a_clip_that_is_cropped_comes_as_rgb(tmp_path: Path) -> None:
    source = FileSource(_clip(tmp_path / "odd.mp4", size=(98, 66)), loop=False, paced=False, raw=True)
    assert (source.fmt, source.size) == (PixelFormat.RGB, Size(96, 64))
    assert _number(_read(source)) == 0


def test_a_size_that_is_no_multiple_of_4_is_cropped_about_the_middle(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(642, dtype=float)[None, :] / 642 * 200 + 20, 362, 0)[..., None].repeat(3, 2)
    source = FileSource(
        _clip(tmp_path / "odd.mp4", size=(642, 362), picture=ramp.astype(np.uint8), frames=1), loop=False, paced=False
    )
    assert source.size == Size(640, 360)
    np.testing.assert_allclose(_read(source).data[180], ramp[180, 1:641], atol=3)


def test_loop_begins_anew(tmp_path: Path) -> None:
    source = FileSource(_clip(tmp_path / "clip.mp4", frames=3), loop=True, paced=False)
    assert [_number(_read(source)) for _ in range(8)] == [0, 1, 2, 0, 1, 2, 0, 1]


def test_paced_frames_come_at_their_own_times_across_the_loop(tmp_path: Path, clock: Clock) -> None:
    source = FileSource(_clip(tmp_path / "clip.mp4", frames=3), loop=True, paced=True)
    frames = [_read(source) for _ in range(7)]
    assert [_number(frame) for frame in frames] == [0, 1, 2, 0, 1, 2, 0]
    np.testing.assert_allclose([frame.t for frame in frames], 100 + 0.1 * np.arange(7), atol=1e-6)


def test_a_late_reader_gets_the_newest_frame_that_is_due(tmp_path: Path, clock: Clock) -> None:
    source = FileSource(_clip(tmp_path / "clip.mp4"), loop=False, paced=True)
    assert _number(_read(source)) == 0
    clock.now += 0.35
    assert _number(_read(source)) == 3
    assert clock.slept == 0
    assert _number(_read(source)) == 4
    assert clock.slept == pytest.approx(0.05)
    clock.now += 4
    assert _number(_read(source)) == 5
    with pytest.raises(StreamEnded):
        _read(source)


def test_after_a_long_pause_the_clip_goes_on_from_where_it_was(tmp_path: Path, clock: Clock) -> None:
    source = FileSource(_clip(tmp_path / "clip.mp4"), loop=True, paced=True)
    _read(source)
    clock.now += 3600
    assert [_number(_read(source)) for _ in range(2)] == [1, 2]


def test_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear reader,\n" * 50)
    with pytest.raises(ConfigError, match=r"letter\.mp4.*not a video.*--source pattern"):
        FileSource(path, loop=False, paced=False)


def test_sound_without_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(ConfigError, match=r"song\.wav.*no video.*audio"):
        FileSource(path, loop=False, paced=False)


def test_a_file_cut_short_before_its_index(tmp_path: Path) -> None:
    path = _clip(tmp_path / "cut.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigError, match=r"cut\.mp4.*truncated.*ffprobe"):
        FileSource(path, loop=False, paced=False)


def test_a_file_cut_short_after_its_header_plays_what_is_there(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    path = _clip(tmp_path / "cut.avi", codec="mjpeg", full=True, picture=picture, frames=20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = FileSource(path, loop=False, paced=False)
    count = 0
    with pytest.raises(StreamEnded):  # noqa: PT012  the number of frames is what is measured
        while True:
            _read(source)
            count += 1
    assert 5 <= count <= 12


def test_too_small_a_picture(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tiny\.mp4.*small"):
        FileSource(_clip(tmp_path / "tiny.mp4", size=(48, 32)), loop=False, paced=False)


class _Packets:
    """Stands in for a container whose packets decode, or do not, as told."""

    def __init__(self, good: list[bool], frame: av.VideoFrame) -> None:
        self._good, self._frame = good, frame

    def demux(self, stream: object) -> object:
        return iter([_Packet(self._frame if good else None) for good in self._good])


class _Packet:
    def __init__(self, frame: av.VideoFrame | None) -> None:
        self._frame = frame

    def decode(self) -> list[av.VideoFrame]:
        if self._frame is None:
            raise av.error.InvalidDataError(1, "broken")
        return [self._frame]


def test_a_few_broken_frames_are_skipped_many_are_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = FileSource(_clip(tmp_path / "clip.mp4"), loop=False, paced=False)
    frame = av.VideoFrame(96, 64, "yuv420p")
    source._video._container = _Packets([True, False, False, True], frame)  # type: ignore[assignment]
    assert len(list(source._video._decoded())) == 2
    assert len(caplog.records) == 1
    source._video._container = _Packets([True] + [False] * 40, frame)  # type: ignore[assignment]
    with pytest.raises(DeviceError, match="is broken"):
        list(source._video._decoded())
