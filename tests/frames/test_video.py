"""Videos from files: shown as players show them. Every film here is written by the test itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from camdaemon.capture.file import FileSource
from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames import color, conversion, hdr
from camdaemon.frames import video as module
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.picture import CALM
from camdaemon.frames.video import Video
from tests.films import CLOCKWISE, CORNERS, corners_of, quarters, write_film

_ONE = 1 << 16
# How each way to lay a film down is stored, and the matrix that says so.
LAID = {
    "upright": (lambda rgb: rgb, (_ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30)),
    "clockwise": (lambda rgb: np.rot90(rgb, 1), CLOCKWISE),
    "on its head": (lambda rgb: np.rot90(rgb, 2), (-_ONE, 0, 0, 0, -_ONE, 0, 0, 0, 1 << 30)),
    "counterclockwise": (lambda rgb: np.rot90(rgb, -1), (0, -_ONE, 0, _ONE, 0, 0, 0, 0, 1 << 30)),
    "mirrored": (lambda rgb: rgb[:, ::-1], (-_ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30)),
    "flipped": (lambda rgb: rgb[::-1], (_ONE, 0, 0, 0, -_ONE, 0, 0, 0, 1 << 30)),
    "transposed": (lambda rgb: rgb.swapaxes(0, 1), (0, _ONE, 0, _ONE, 0, 0, 0, 0, 1 << 30)),
    "transposed on its head": (
        lambda rgb: np.rot90(rgb, 2).swapaxes(0, 1),
        (0, -_ONE, 0, -_ONE, 0, 0, 0, 0, 1 << 30),
    ),
}


def read_first(path: Path, *, raw: bool) -> tuple[FileSource, np.ndarray]:
    """The source, closed again, and its first frame as RGB."""
    with closing(FileSource(path, loop=False, paced=False, raw=raw)) as source:
        frame = HostFrame.empty(source.fmt, source.size)
        source.read(frame)
    return source, color.host_to_rgb(frame.data, frame.fmt)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("way", LAID)
def test_a_film_is_shown_upright_however_the_camera_was_held(tmp_path: Path, way: str, raw: bool) -> None:
    lay, matrix = LAID[way]
    source, rgb = read_first(write_film(tmp_path / "a.mp4", [lay(quarters(64, 96))] * 2, matrix=matrix), raw=raw)
    assert (source.size, source.fmt) == (Size(64, 96), PixelFormat.I420 if raw else PixelFormat.RGB)
    np.testing.assert_allclose(corners_of(rgb), CORNERS, atol=5)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("stored", "aspect", "matrix", "shown"),
    [
        ((72, 64), Fraction(16, 9), None, (128, 64)),  # as DVDs and camcorders store 16:9
        ((128, 64), Fraction(1, 2), None, (64, 64)),
        ((96, 72), Fraction(4, 3), CLOCKWISE, (72, 128)),
        ((96, 72), Fraction(1281, 1280), None, (96, 72)),  # rounding of another program
    ],
)
def test_pixels_become_square(
    tmp_path: Path,
    stored: tuple[int, int],
    aspect: Fraction,
    matrix: tuple[int, ...] | None,
    shown: tuple[int, int],
    raw: bool,
) -> None:
    upright = stored if matrix is None else stored[::-1]
    pixels = quarters(*upright) if matrix is None else np.rot90(quarters(*upright))
    path = write_film(tmp_path / "a.mp4", [pixels] * 2, aspect=aspect, matrix=matrix)
    source, rgb = read_first(path, raw=raw)
    assert (source.size.width, source.size.height) == source.shown == shown
    np.testing.assert_allclose(corners_of(rgb), CORNERS, atol=5)


def test_a_frame_that_is_upright_is_not_copied(tmp_path: Path) -> None:
    with closing(Video(write_film(tmp_path / "a.mp4", [quarters(96, 64)]), "source", "X")) as video:
        luma = video.convert.planes(video.first, "yuv420p")[0]
        assert np.shares_memory(luma, np.frombuffer(memoryview(video.first.planes[0]), np.uint8))


class Frame(NamedTuple):
    """What `play` looks at."""

    time: float | None
    duration: int = 0
    time_base: Fraction = Fraction(1, 1000)


@pytest.fixture
def video(tmp_path: Path) -> Iterator[Video]:
    with closing(Video(write_film(tmp_path / "a.mkv", [quarters(96, 64)] * 3), "source", "Run: that")) as video:
        yield video


@pytest.mark.parametrize(
    ("times", "due"),
    [
        ([0, 0.1, 0.5], [0, 0.1, 0.5]),
        ([7, 7.1, 7.5], [0, 0.1, 0.5]),
        ([-1, -0.5, 0], [0, 0.5, 1]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([0, None, 0.3], [0, 0.1, 0.3]),
        ([5, 5.2, 0, 0.2, 0.4], [0, 0.2, 0.3, 0.5, 0.7]),  # two recordings behind each other
        ([0, 0.2, 0.1, 0.3], [0, 0.2, 0.201, 0.3]),  # one frame out of order
        ([0, 0, 0, 0.1], [0, 0.001, 0.002, 0.1]),
    ],
)
def test_each_frame_has_its_own_time(
    video: Video, monkeypatch: pytest.MonkeyPatch, times: list[float | None], due: list[float]
) -> None:
    monkeypatch.setattr(video, "_from_first", lambda: iter([Frame(time) for time in times]))
    assert [round(at, 4) for at, _ in video.play(loop=False)] == due


def test_the_last_frame_is_shown_for_its_own_duration(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    def frames(last: int) -> Iterator[Frame]:
        return iter([Frame(0, 100), Frame(0.1, last)])

    for last, again in ((0, 0.2), (2500, 2.6), (99_000_000, 10.1)):
        monkeypatch.setattr(video, "_from_first", partial(frames, last))
        monkeypatch.setattr(video, "_decoded_again", partial(frames, last))
        assert [round(at, 3) for at, _ in islice(video.play(loop=True), 4)] == [0, 0.1, again, round(again + 0.1, 3)]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi", "a.gif", "a.h264", "a.ts", "a.png"])
def test_whatever_the_format_it_begins_again(tmp_path: Path, name: str) -> None:
    codec, pix_fmt = {"a.gif": ("gif", "rgb8"), "a.png": ("png", "rgb24"), "a.avi": ("mpeg4", "yuv420p")}.get(
        name, ("libx264", "yuv420p")
    )
    count = 1 if name == "a.png" else 3
    grays = [np.full((64, 64, 3), 40 + 80 * number, np.uint8) for number in range(count)]
    path = write_film(tmp_path / name, grays, codec=codec, pix_fmt=pix_fmt)
    with closing(Video(path, "source", "Run: that")) as video:
        found = [video.convert.picture(frame).mean() for _, frame in islice(video.play(loop=True), 3 * count)]
    np.testing.assert_allclose(found, [40 + 80 * number for number in range(count)] * 3, atol=20)


def test_an_attached_cover_is_no_video(tmp_path: Path) -> None:
    def write(path: Path, *, film: bool, sound: bool) -> Path:
        cover = tmp_path / "cover.png"
        cv2.imwrite(str(cover), np.full((90, 90, 3), 9, np.uint8))
        with av.open(str(cover)) as picture, av.open(str(path), "w") as container:
            attached = container.add_stream_from_template(picture.streams.video[0])
            attached.disposition = Disposition.attached_pic
            video = container.add_stream("mpeg4", rate=10) if film else None
            if video is not None:
                video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
            audio = container.add_stream("aac", rate=8000, layout="mono") if sound else None
            for packet in picture.demux():
                if packet.dts is not None:
                    packet.stream = attached
                    container.mux(packet)
            if video is not None:
                for _ in range(3):
                    container.mux(video.encode(av.VideoFrame.from_ndarray(quarters(64, 64))))
                container.mux(video.encode(None))
            if audio is not None:
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                frame.sample_rate = 8000
                container.mux(audio.encode(frame))
                container.mux(audio.encode(None))
        return path

    with closing(Video(write(tmp_path / "a.mp4", film=True, sound=False), "source", "X")) as video:
        assert video.size == (64, 64)
    with pytest.raises(ConfigError, match=r"song\.mp4.*no video.*a cover and audio"):
        Video(write(tmp_path / "song.mp4", film=False, sound=True), "source", "X")


def test_a_picture_that_grows_is_refused_and_one_that_shrinks_is_stretched(tmp_path: Path) -> None:
    small, large = (write_film(tmp_path / f"{side}.ts", [quarters(side, side)] * 3).read_bytes() for side in (64, 128))
    (tmp_path / "grows.ts").write_bytes(small + large)
    (tmp_path / "shrinks.ts").write_bytes(large + small)
    with (
        closing(Video(tmp_path / "grows.ts", "source", "X")) as video,
        pytest.raises(DeviceError, match=r"grows\.ts.*64x64 to 128x128.*Run: ffmpeg"),
    ):
        list(video.play(loop=False))
    with closing(Video(tmp_path / "shrinks.ts", "source", "X")) as video:
        shown = [video.convert.picture(frame) for _, frame in video.play(loop=False)]
    assert {rgb.shape for rgb in shown} == {(128, 128, 3)}
    assert len(shown) == 6
    for rgb in shown:
        np.testing.assert_allclose(corners_of(rgb), CORNERS, atol=6)


def test_one_point_and_one_line_are_backdrops(tmp_path: Path) -> None:
    for width, height in ((1, 1), (300, 1), (1, 300), (641, 361)):
        pixels = np.full((height, width, 3), (20, 180, 60), np.uint8)
        path = write_film(tmp_path / f"{width}x{height}.mov", [pixels] * 2, codec="png", pix_fmt="rgb24")
        with closing(Video(path, "backdrop", "X")) as video:
            found = video.convert.cover(video.first, Size(64, 96))
        assert found.shape == (96, 64, 3)
        assert np.abs(found.astype(int) - (20, 180, 60)).max() <= 2


def test_what_is_too_large_is_refused_by_its_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_film(tmp_path / "a.mp4", [quarters(128, 64)])
    monkeypatch.setattr(module, "MOST_VIDEO_PIXELS", 128 * 64 - 1)
    with pytest.raises(ConfigError, match="too many pixels"):
        Video(path, "source", "X")
    for each in (module, conversion):
        monkeypatch.setattr(each, "MOST_VIDEO_PIXELS", 128 * 64)
    Video(path, "source", "X").close()
    wide = write_film(tmp_path / "b.mp4", [quarters(128, 64)], aspect=Fraction(2))
    with pytest.raises(ConfigError, match="256x64"):
        Video(wide, "source", "X")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "empty", "text", "playlist", "ffconcat", "no frame"])
def test_what_is_no_video_is_one_sentence_and_nothing_else(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp4"
    other = write_film(tmp_path / "other.mkv", [quarters(64, 64)])
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/zero")
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("Dear reader,\n" * 50)
        case "playlist":
            path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")
        case "ffconcat":
            path.write_text(f"ffconcat version 1.0\nfile {other}\n")
        case "no frame":
            with av.open(str(path), "w") as container:
                stream = container.add_stream("mpeg4", rate=10)
                stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
                container.start_encoding()
    with pytest.raises(ConfigError, match=rf"^cannot play source {re.escape(str(path))}: [^:]*\. Run: that$") as caught:
        Video(path, "source", "Run: that")
    assert "Invalid" not in str(caught.value), "FFmpeg's own words"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name", [os.fsdecode(b"caf\xe9.mkv"), "a:b.mkv", "concat:x.mkv", "a%03d.mkv", "-i.mkv", " .mkv"]
)
def test_whatever_it_is_called_it_plays(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_film(tmp_path / name, [quarters(64, 64)])
    monkeypatch.chdir(tmp_path)
    with closing(Video(Path(name), "source", "X")) as video:
        assert video.size == (64, 64)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mov", "png", "rgba"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mkv", "ffv1", "yuva420p"),
        ("a.gif", "gif", "pal8"),
    ],
)
def test_a_calm_color_shows_where_a_backdrop_video_is_transparent(
    tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    rgba = np.dstack([np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8), np.zeros((64, 96), np.uint8)])
    rgba[:, 48:] = (20, 180, 60, 255)
    if codec == "gif":
        path = tmp_path / name
        image = Image.fromarray(rgba)
        image.save(path, save_all=True, append_images=[image], duration=100, disposal=2)
    else:
        path = write_film(tmp_path / name, [rgba] * 2, codec=codec, pix_fmt=pix_fmt, fmt="rgba")
    with closing(Video(path, "backdrop", "X", over=CALM)) as video:
        for _, frame in video.play(loop=False):
            rgb = video.convert.cover(frame, Size(96, 64)).astype(int)
            assert np.abs(rgb[:, :44] - CALM).max() <= 4
            assert np.abs(rgb[:, 52:] - (20, 180, 60)).max() <= 6


# The code of (141,117,106) in SDR with white at 203 cd/m², by BT.1886, BT.2087 and BT.2100, computed apart from `hdr`.
@pytest.mark.parametrize(
    ("transfer", "code"),
    [(hdr.PQ, (0.424051, 0.399977, 0.378906)), (hdr.HLG, (0.470381, 0.412924, 0.367340))],
    ids=["PQ", "HLG"],
)
def test_hdr_looks_as_it_did_and_sdr_of_10_bits_is_left_alone(
    tmp_path: Path, transfer: int, code: tuple[float, float, float]
) -> None:
    r, g, b = code
    y = 0.2627 * r + 0.6780 * g + 0.0593 * b
    u, v = (b - y) / 1.8814, (r - y) / 1.4746  # BT.2020, non-constant luminance
    levels = np.array([64 + 876 * y, 512 + 896 * u, 512 + 896 * v]).round() * 64  # 10 of 16 bits
    yuv = np.broadcast_to(levels, (64, 96, 3)).astype(np.uint16)
    for tagged, expected, tolerance in ((transfer, (141, 117, 106), 3), (14, None, 0)):
        path = write_film(
            tmp_path / f"{tagged}.mkv",
            [yuv] * 2,
            codec="ffv1",
            pix_fmt="yuv444p16le",
            fmt="yuv444p16le",
            tags={"color_trc": tagged, "color_primaries": 9, "colorspace": 9},
        )
        with closing(Video(path, "backdrop", "X")) as video:
            found = video.convert.picture(video.first).astype(int)
            small = video.convert.cover(video.first, Size(64, 64)).astype(int)
        wanted = np.array(expected if expected else np.array(code) * 255)
        assert np.abs(found - wanted).max() <= max(tolerance, 1.5)
        assert np.abs(small - wanted).max() <= max(tolerance, 1.5)
