"""What the options of `camdaemon video` make of a film: a span, a size, a depth, light, a bit rate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from camdaemon.cli.video import parse_bitrate, parse_size, parse_time, video
from camdaemon.errors import ConfigError
from tests.films import write_film
from tests.tools.films.made import decoded, read, room, run
from tests.tools.films.test_interruption import write_with_sound
from tests.tools.written import write_video

WORDS = ("--matting", "difference", "--device", "cpu")


def matte(*words: object) -> str:
    return run(video, "--plate", "plate.png", *WORDS, *words)


def sounds(path: str) -> list[tuple[float, bytes]]:
    with av.open(path) as container:
        stream = container.streams.audio[0]
        return [
            (float(each.pts * each.time_base), bytes(each)) for each in container.demux(stream) if each.pts is not None
        ]


@pytest.mark.parametrize("result", ["c.mp4", "c.mkv"])
def test_a_span_of_a_film_has_its_sound_in_step(films: Path, result: str) -> None:
    write_with_sound(Path("long.mkv"))
    matte("--src", "long.mkv", "--composite", result, "--start", "1.01", "--end", "0:00:02")
    begin = 1.054  # of the first picture from there on: the 26th, see `write_with_sound`
    expected = [(t - begin, data) for t, data in sounds("long.mkv") if begin <= t < 2]
    found = sounds(result)
    assert [data for _, data in found] == [data for _, data in expected]
    assert [t for t, _ in found] == pytest.approx([t for t, _ in expected], abs=2e-3)
    with av.open(result) as container:
        shown = [float(frame.time or 0) for frame in container.decode(video=0)]
    times = [0.04 * number + 0.007 * (number % 3) for number in range(90)]
    assert shown == pytest.approx([t - begin for t in times if begin - 1e-6 <= t < 2], abs=1e-3)


def fmt_of(path: str) -> str:
    with av.open(path) as container:
        return str(next(container.decode(video=0)).format.name)


def test_depth_and_size_are_as_asked(films: Path) -> None:
    ten = write_film(
        Path("ten.mkv"), [room().astype(np.uint16) * 257] * 2, codec="ffv1", pix_fmt="yuv422p10le", fmt="rgb48le"
    )
    for film, depth, alpha, composite in (
        ("films/take1.mp4", "auto", "gray", "yuv420p"),
        ("films/take1.mp4", "16", "gray16le", "yuv420p10le"),
        (ten, "auto", "gray16le", "yuv420p10le"),
        (ten, "8", "gray", "yuv420p"),
    ):
        matte("--src", film, "--alpha", "a.mkv", "--composite", "c.mp4", "--depth", depth, "--size", "64x36", "--force")
        assert (fmt_of("a.mkv"), fmt_of("c.mp4")) == (alpha, composite)
        assert decoded(Path("c.mp4"), "rgb24")[0].shape == (36, 64, 3)


def test_a_folder_of_exr_is_in_linear_light(films: Path) -> None:
    results = ("--composite", "c", "--alpha", "a", "--frames", "exr")
    matte("--src", "films/take1.mp4", *results, "--backdrop", "color:#808080")
    for folder in ("a", "c"):
        assert sorted(path.name for path in Path(folder).iterdir()) == ["000000.exr", "000001.exr", "000002.exr"]
    corner = decoded(Path("c/000001.exr"), "gbrpf32le")[0][:10, :10]
    assert corner.shape == (10, 10, 3)
    assert corner == pytest.approx(((128 / 255 + 0.099) / 1.099) ** (1 / 0.45), abs=0.005), "by BT.709"


def test_a_bit_rate_is_kept_to(films: Path) -> None:
    noise = np.random.default_rng(1)
    film = write_video(Path("noise.mkv"), [noise.integers(0, 255, (72, 128, 3), np.uint8) for _ in range(60)])
    sizes = []
    for rate in ("300k", "3M"):
        matte("--src", film, "--composite", "c.mkv", "--bitrate", rate, "--backdrop", "blur", "--force")
        sizes.append(Path("c.mkv").stat().st_size)
    assert sizes[0] < 300e3 / 8 * 2 * 2 < 3e6 / 8 * 2 / 2 < sizes[1]


@pytest.mark.parametrize("name", ["f.mkv", "f"])
def test_a_cut_out_is_multiplied_by_its_alpha_if_asked(films: Path, name: str) -> None:
    found = []
    for how in ("--straight", "--premultiplied"):
        matte("--src", "films/take1.mp4", "--foreground", name, how, "--force")
        found.append(decoded(Path(name), "rgba")[1] if name == "f.mkv" else read(Path(name, "000001.png")))
    straight, premultiplied = found
    alpha = straight[..., 3:].astype(int)
    assert ((alpha > 20) & (alpha < 235)).any()
    assert (premultiplied[..., 3:] == alpha).all()
    assert (premultiplied[..., :3] == (straight[..., :3] * alpha + 127) // 255).all()


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        (parse_time, {"0": 0, "90.5": 90.5, "1:30": 90, "0:01:30.5": 90.5, "100:00:00": 360_000, " 7. ": 7},
         ["", "-1", "1:2:3:4", ":5", "1e3", "inf", "nan", "1:100:0", "1 2"]),
        (parse_bitrate, {"12M": 12_000_000, "800k": 800_000, "1.5M": 1_500_000, "2500000": 2_500_000, "1G": 10**9},
         ["", "0", "0M", "fast", "12m", "-1M", "1", "999", "11G", "9" * 400 + "M"]),
        (parse_size, {"1280x720": (1280, 720), " 64 X 36 ": (64, 36), "8192x1": (8192, 1)},
         ["", "1280", "0x4", "8193x10", "-1x4", "1280x720x3", "1e3x2"]),
    ],
)  # fmt: skip
def test_what_is_typed_is_read(read: Any, right: dict[str, Any], wrong: Sequence[str]) -> None:
    assert {text: read(text) for text in right} == right
    for text in wrong:
        with pytest.raises(ConfigError, match=r"Run with: --\w+ \S+$"):
            read(text)
