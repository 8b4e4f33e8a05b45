"""What is written is what ffmpeg reads back: alpha to the bit, colors to the code, tags, times."""

import subprocess
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from camdaemon.tools.films.encodings import Codec, Wish
from camdaemon.tools.films.sequence_writer import to_light, write_exr
from camdaemon.tools.films.source import SDR, FrameSequence, Tags
from tests.tools.written import write_video

WIDTH, HEIGHT, COUNT = 160, 96, 3


def smooth(channels: int, seed: int = 0) -> np.ndarray:
    """Return soft shapes, uint16 (H,W,channels), that cover the whole range."""
    coarse = np.random.default_rng(seed).random((6, 9, channels)).astype(np.float32)
    large = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).reshape(HEIGHT, WIDTH, channels)
    return np.asarray(((large - 0.2) / 0.6).clip(0, 1) * 65535 + 0.5, np.uint16)


CUTS = [smooth(4, seed) for seed in range(COUNT)]


def read(path: Path, fmt: str, dtype: type, *before: str) -> np.ndarray:
    """Return the frames of a film as ffmpeg, the program, decodes them: (frames, bytes) of `dtype`."""
    command = ["ffmpeg", "-v", "error", *before, "-i", str(path), "-pix_fmt", fmt, "-f", "rawvideo", "-vsync", "0", "-"]
    out = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(out, dtype)


def probe(path: Path) -> dict[str, str]:
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_streams", "-show_format", str(path)]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def in_bytes(pixels: np.ndarray) -> np.ndarray:
    return np.asarray((pixels.astype(np.uint32) * 255 + 32767) // 65535, np.uint8)


def test_alpha_in_ffv1_is_exact_in_8_and_16_bits(tmp_path: Path) -> None:
    for name, alphas, fmt, dtype in (
        ("8.mkv", [in_bytes(cut[..., 3]) for cut in CUTS], "gray", np.uint8),
        ("16.mkv", [cut[..., 3] for cut in CUTS], "gray16le", np.uint16),
    ):
        write_video(tmp_path / name, alphas)
        assert (read(tmp_path / name, fmt, dtype).reshape(COUNT, HEIGHT, WIDTH) == np.stack(alphas)).all()


def test_a_cut_out_in_ffv1_is_exact(tmp_path: Path) -> None:
    write_video(tmp_path / "16.mkv", CUTS)
    assert (read(tmp_path / "16.mkv", "rgba64le", np.uint16).reshape(COUNT, HEIGHT, WIDTH, 4) == np.stack(CUTS)).all()
    write_video(tmp_path / "8.mkv", [in_bytes(cut) for cut in CUTS])
    assert (
        read(tmp_path / "8.mkv", "rgba", np.uint8).reshape(COUNT, HEIGHT, WIDTH, 4) == np.stack([*map(in_bytes, CUTS)])
    ).all()


@pytest.mark.parametrize("depth", [8, 16])
def test_prores_keeps_alpha_to_its_ten_bits(tmp_path: Path, depth: int) -> None:
    cuts = CUTS if depth == 16 else [in_bytes(cut) for cut in CUTS]
    write_video(tmp_path / "a.mov", cuts)
    found = read(tmp_path / "a.mov", "yuva444p10le", np.uint16).reshape(COUNT, 4, HEIGHT, WIDTH)
    most = 65535 if depth == 16 else 255
    expected = np.stack([(cut[..., 3].astype(int) * 1023 + most // 2) // most for cut in cuts])
    assert (found[:, 3] == expected).all()
    assert probe(tmp_path / "a.mov")["profile"] == "4444"
    assert probe(tmp_path / "a.mov")["TAG:comment"] == "alpha: straight"


def test_vp9_keeps_alpha_where_libvpx_reads_it_and_is_tagged(tmp_path: Path) -> None:
    write_video(tmp_path / "a.webm", [in_bytes(cut) for cut in CUTS])
    found = read(tmp_path / "a.webm", "yuva420p", np.uint8, "-c:v", "libvpx-vp9").reshape(COUNT, -1)
    alpha = found[:, WIDTH * HEIGHT * 3 // 2 :].reshape(COUNT, HEIGHT, WIDTH).astype(int)
    error = np.abs(alpha - np.stack([in_bytes(cut[..., 3]) for cut in CUTS]))
    assert np.percentile(error, 99.9) <= 3
    assert probe(tmp_path / "a.webm")["TAG:ALPHA_MODE"] == "1"


def test_exr_is_linear_premultiplied_and_exact_to_half_floats(tmp_path: Path) -> None:
    linear = to_light(CUTS[0], 1, premultiplied=True)
    write_exr(tmp_path / "a.exr", linear)
    found = read(tmp_path / "a.exr", "gbrapf32le", np.float32).reshape(4, HEIGHT, WIDTH)
    assert (found == linear[..., [1, 2, 0, 3]].astype(np.float16).transpose(2, 0, 1)).all()
    alpha = CUTS[0][..., 3] / 65535
    coded = CUTS[0][..., 0] / 65535
    light = np.where(coded < 0.081243, coded / 4.5, ((coded + 0.0993) / 1.0993) ** (1 / 0.45))  # BT.709's, inverted
    assert np.abs(found[2] - light * alpha).max() < 2e-3
    write_exr(tmp_path / "gray.exr", to_light(CUTS[0][..., 3], 1, premultiplied=True))
    gray = read(tmp_path / "gray.exr", "grayf32le", np.float32).reshape(HEIGHT, WIDTH)
    assert (gray == alpha.astype(np.float32).astype(np.float16)).all()


def test_a_ten_bit_ramp_has_no_bands_and_alpha_more_than_a_thousand_values(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 1024).round().astype(np.uint16)[None].repeat(96, 0)
    for name, wish in (("a.mp4", Wish(Codec.H265)), ("a.mov", Wish(Codec.PRORES))):
        write_video(tmp_path / name, [np.dstack([ramp] * 3)], wish=wish)
        film = FrameSequence.open(tmp_path / name)
        assert film.deep
        found = next(film.frames()).rgb
        steps = np.abs(np.diff(found[48].astype(int).mean(1)))
        assert len(np.unique(found[48, :, 1])) > 500  # 8 bits would have at most 256
        assert steps.max() < 4 * 65535 / 1023
    write_video(tmp_path / "a.mkv", [ramp])
    assert len(np.unique(read(tmp_path / "a.mkv", "gray16le", np.uint16))) == 1024


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
@pytest.mark.parametrize("tags", [SDR, Tags(1, 9, 9, 14), Tags(1, 6, 6, 6)], ids=["709", "2020", "601"])
def test_colors_aspect_and_tags_are_the_sources(tmp_path: Path, name: str, tags: Tags) -> None:
    colors = [in_bytes(cut[..., :3]) for cut in CUTS]
    write_video(tmp_path / name, colors, 25, tags=tags, aspect=Fraction(4, 3))
    film = FrameSequence.open(tmp_path / name)
    assert film.tags == tags
    assert film.aspect == (1 if name.endswith("webm") else Fraction(4, 3))  # refused for .webm, see `FilmJob.check`
    assert film.size == (WIDTH, HEIGHT)
    frames = [frame.rgb.astype(int) for frame in film.frames()]
    assert np.abs(np.stack(frames) - np.stack(colors)).mean() < 6  # a wrong matrix alone makes 8


def test_a_full_range_film_stays_one(tmp_path: Path) -> None:
    tags = Tags(2, 1, 1, 1)
    write_video(tmp_path / "a.mp4", [in_bytes(cut[..., :3]) for cut in CUTS], tags=tags)
    assert FrameSequence.open(tmp_path / "a.mp4").tags == tags
    assert probe(tmp_path / "a.mp4")["color_range"] == "pc"


def test_premultiplied_colors_are_multiplied_and_said_to_be(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", CUTS, wish=Wish(premultiplied=True))
    found = read(tmp_path / "a.mkv", "rgba64le", np.uint16).reshape(COUNT, HEIGHT, WIDTH, 4)
    expected = np.rint(CUTS[0][..., :3].astype(float) * CUTS[0][..., 3:] / 65535)
    assert np.abs(found[0, ..., :3] - expected).max() <= 1
    assert (found[0, ..., 3] == CUTS[0][..., 3]).all()
    assert probe(tmp_path / "a.mkv")["TAG:COMMENT"] == "alpha: premultiplied"


def test_odd_sides_are_kept(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [in_bytes(cut[:95, :159, :3]) for cut in CUTS])
    assert FrameSequence.open(tmp_path / "a.mp4").size == (159, 95)
