"""Frames through a pipe to the program ffmpeg, whose encoders PyAV lacks."""

import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from camdaemon.errors import DeviceError
from camdaemon.tools.films import hardware
from camdaemon.tools.films.encodings import Codec, Wish
from camdaemon.tools.films.hardware import Encoder, make_encoder
from camdaemon.tools.films.pipe import PipeEncoder, find_ffmpeg, make_command
from tests.tools.films.made import decoded, room, somebody
from tests.tools.films.test_hardware import film_of

FAKE = f"""#!{sys.executable}
import pathlib, sys
if "-encoders" in sys.argv:
    print(" V..... h264_vaapi  H.264\\n V..... hevc_vaapi  HEVC")
    sys.exit(0)
here = pathlib.Path(__file__).parent
(here / "command").write_text("\\n".join(sys.argv[1:]))
frames = sys.stdin.buffer.read(FRAMES)
(here / "frames").write_bytes(frames)
if FAILS:
    print("Device creation failed: -542398533.", file=sys.stderr)
    sys.exit("Cannot open the render node")
pathlib.Path(sys.argv[-1]).write_bytes(frames)
"""
Install = Callable[..., Path]


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a program ffmpeg that keeps what it gets."""

    def install(*, fails: bool = False, frames: int = -1) -> Path:
        program = tmp_path / "bin" / "ffmpeg"
        program.parent.mkdir()
        program.write_text(FAKE.replace("FRAMES", str(frames)).replace("FAILS", str(fails)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        return program.parent

    return install


def find_encoder(name: str) -> Encoder:
    return next(each for each in hardware.ENCODERS if each.name == name)


@pytest.mark.parametrize(("name", "deep"), [("h264_vaapi", False), ("hevc_vaapi", True)])
def test_ffmpeg_gets_each_frame_as_it_is_in_memory(tmp_path: Path, ffmpeg: Install, name: str, deep: bool) -> None:
    kept = ffmpeg()
    film = film_of(wish=Wish(Codec.H265 if deep else Codec.H264), deep=deep)
    frames = [somebody(room(), left) for left in (20, 60)]
    part = make_encoder(tmp_path / "0.mkv", film, find_encoder(name))
    assert isinstance(part, PipeEncoder)
    for number, rgb in enumerate(frames):
        part.write(rgb.astype(np.uint16) * 257 if deep else rgb, number / 25)
    part.close()
    words = (kept / "command").read_text().splitlines()
    said = dict(pairwise(words))
    assert said["-pix_fmt"] == ("p010le" if deep else "nv12")
    assert (said["-video_size"], said["-framerate"], said["-c:v"]) == ("128x72", "25", name)
    assert (said["-qp"], said["-bf"]) == (film.encoding.options["crf"], "0")
    assert (said["-color_range"], said["-colorspace"]) == ("1", "1")
    assert words[-1] == str(tmp_path / "0.mkv")
    sent: np.ndarray = np.frombuffer((kept / "frames").read_bytes(), "<u2" if deep else "u1").reshape(2, 108, 128)
    assert not deep or not (sent % 64).any(), "P010 has its ten bits above"
    step = 256 if deep else 1
    for rgb, left, planes in zip(frames, (20, 60), sent / step, strict=True):
        assert np.abs(planes[:72] - 16 - (rgb / 255) @ (0.2126, 0.7152, 0.0722) * 219).max() < 1
        blue, red = planes[72:].reshape(36, 64, 2)[30, (left + 20) // 2] - 128
        assert (blue, red) == pytest.approx((40.5, -8.0), abs=1), "by BT.709 of (20, 30, 120)"


@pytest.mark.parametrize("frames", [-1, 10])
def test_the_last_line_of_an_ffmpeg_that_fails_is_told(tmp_path: Path, ffmpeg: Install, frames: int) -> None:
    """At the end, and where it stops to read."""
    ffmpeg(fails=True, frames=frames)
    part = make_encoder(tmp_path / "0.mkv", film_of(), find_encoder("h264_vaapi"))

    def encode() -> None:
        for number in range(100):
            part.write(room(), number / 25)
        part.close()

    with pytest.raises(
        DeviceError, match=r"ffmpeg cannot write .*0\.mkv: Cannot open the render node\. Run: ffmpeg -version$"
    ):
        encode()
    part.abort()


def test_an_ffmpeg_that_is_missing_or_lacks_the_encoder_is_told(
    tmp_path: Path, ffmpeg: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ffmpeg() / "ffmpeg"
    with pytest.raises(DeviceError, match=f"{program} has no encoder h264_qsv. Run: {program} -encoders"):
        make_encoder(tmp_path / "0.mkv", film_of(), find_encoder("h264_qsv"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"ffmpeg is not installed.*apt install ffmpeg$"):
        make_encoder(tmp_path / "0.mkv", film_of(), find_encoder("h264_vaapi"))
    with pytest.raises(DeviceError, match="cannot write"):
        PipeEncoder(tmp_path / "0.mkv", film_of(), str(tmp_path / "none"))


def test_a_card_is_named_by_its_render_node_and_a_bit_rate_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    film = film_of()
    monkeypatch.setenv("CAMDAEMON_RENDER_NODE", "/dev/dri/renderD129")
    changed = replace(film, encoding=film.encoding._replace(encoder="h264_vaapi", bitrate=4_000_000, options={}))
    words = make_command(Path("0.mkv"), changed, "ffmpeg")
    said = dict(pairwise(words))
    assert (said["-vaapi_device"], said["-vf"], said["-b:v"]) == ("/dev/dri/renderD129", "hwupload", "4000000")
    assert "-vaapi_device" not in make_command(Path("0.mkv"), film, "ffmpeg")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no program ffmpeg")
@pytest.mark.parametrize(
    ("name", "codec", "pixels"), [("libx264", Codec.H264, "nv12"), ("libx265", Codec.H265, "p010le")]
)
def test_frames_come_back_from_the_real_ffmpeg(tmp_path: Path, name: str, codec: Codec, pixels: str) -> None:
    deep = pixels == "p010le"
    film = film_of(wish=Wish(codec), deep=deep)
    options = {"qp": "4"} if name == "libx264" else {"x265-params": "qp=4:log-level=error"}
    encoding = film.encoding._replace(encoder=name, pixels=pixels, options=options)
    part = PipeEncoder(tmp_path / "0.mkv", replace(film, encoding=encoding), find_ffmpeg(name))
    frames = [somebody(room(), left) for left in range(0, 80, 8)]
    for number, rgb in enumerate(frames):
        part.write(rgb.astype(np.uint16) * 257 if deep else rgb, number / 25)
    part.close()
    found = decoded(tmp_path / "0.mkv", "rgb24")
    assert len(found) == len(frames)
    for seen, rgb in zip(found, frames, strict=True):
        assert np.abs(seen.astype(int) - rgb).mean() < 3
