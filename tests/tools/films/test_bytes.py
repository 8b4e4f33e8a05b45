"""Films of 8 bits are matted in bytes: within one level of what floats give, and the same in every run."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from camdaemon.capture import pattern
from camdaemon.config.schema import Config
from camdaemon.frames.frame import Size
from camdaemon.matting.bgmv2.cpu.ahead import CoarseAhead
from camdaemon.matting.bgmv2.cpu.matting import CpuMatting
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.rendering import render_alpha
from camdaemon.tools.films.source import FrameSequence, Span
from tests.kinds import floats, same

SIZE = (480, 272)


@pytest.fixture(scope="module")
def frames() -> tuple[Plate, list[np.ndarray]]:
    """The painted room, and frames of somebody in it, a tenth darker."""
    film = FrameSequence.open(Path(pattern.__file__).with_name("pattern.mp4"))
    empty = next(film.take(Span(), SIZE).frames()).rgb.copy()
    seen = [frame.rgb.copy() for frame in film.take(Span(6.0, 6.25), SIZE).frames()]
    return Plate(np.asarray(empty, np.uint8)), [np.asarray(rgb * 0.9, np.uint8) for rgb in seen]


@pytest.mark.parametrize(
    "engine",
    ["torch", pytest.param("openvino", marks=pytest.mark.skipif(find_spec("openvino") is None, reason="no OpenVINO"))],
)
def test_mattes_are_those_in_floats_to_a_level(engine: str, frames: tuple[Plate, list[np.ndarray]]) -> None:
    plate, seen = frames
    in_floats = OfflinePipeline(Config(device="cpu"))
    in_bytes = OfflinePipeline(Config(device="cpu", engine=engine, precision="float32"), in_bytes=True)
    _build_first(in_bytes)
    for seq, rgb in enumerate(seen):
        mattes = in_floats.matte_next(rgb, plate, seq), in_bytes.matte_next(rgb, plate, seq, _after(seen, seq))
        expected, found = (render_alpha(each).astype(int) for each in mattes)
        assert np.abs(expected - found).max() <= 1
        assert (expected == 255).mean() > 0.03, "somebody is there"


def test_frames_that_are_begun_before_their_turn_get_the_same_mattes(
    frames: tuple[Plate, list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plate, seen = frames
    config = Config(device="cpu", engine="torch", match_exposure=False)
    alone, ahead = (OfflinePipeline(config, in_bytes=True) for _ in range(2))
    expected = [alone.matte_next(rgb, plate, seq) for seq, rgb in enumerate(seen)]
    _build_first(ahead)
    monkeypatch.setattr(CoarseAhead, "_run_alone", lambda *_: pytest.fail("every frame was begun"))
    for seq, rgb in enumerate(seen):
        found = ahead.matte_next(rgb, plate, seq, _after(seen, seq))
        assert same(found.alpha, expected[seq].alpha)
        assert same(found.foreground, expected[seq].foreground)


def _after(seen: list[np.ndarray], seq: int) -> Callable[[int], np.ndarray | None]:
    return dict(enumerate(seen[seq + 1 :])).get


def _build_first(pipeline: OfflinePipeline) -> None:
    """Build what the first frame needs, so that it, too, may be begun."""
    assert isinstance(pipeline.matting, CpuMatting)
    pipeline.matting.build(Size(*SIZE))


def test_a_run_from_a_saved_state_goes_on_to_the_bit(frames: tuple[Plate, list[np.ndarray]]) -> None:
    plate, seen = frames
    for live in (False, True):
        one, other = (OfflinePipeline(Config(device="cpu", engine="torch"), live=live, in_bytes=True) for _ in range(2))
        one.rewind()
        for seq in range(2):
            one.matte_next(seen[seq], plate, seq)
        other.load_state(plate, one.save_state())
        for seq in range(2, 4):
            expected, found = (each.matte_next(seen[seq], plate, seq) for each in (one, other))
            assert same(expected.alpha, found.alpha)
            assert same(expected.foreground, found.foreground)


def test_frames_that_are_matted_at_once_get_the_mattes_of_each_alone(
    frames: tuple[Plate, list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plate, seen = frames
    one, other = (OfflinePipeline(Config(device="cpu", match_exposure=False)) for _ in range(2))
    assert other.find_batch(*SIZE) == 1, "a CPU is busy with one frame"
    one.rewind()
    other.rewind()
    expected = [one.matte_next(rgb, plate, seq) for seq, rgb in enumerate(seen[:3])]
    found = other.matte_batch(seen[:3], plate, 0)
    assert [matte.seq for matte, _ in found] == [0, 1, 2]
    for alone, (matte, doubt) in zip(expected, found, strict=True):
        assert (floats(alone.alpha) - floats(matte.alpha)).abs().max() < 1e-4
        assert doubt == one.doubt_plate(alone) == ""
    monkeypatch.setattr(other, "_on", "cuda")
    assert [other.find_batch(*size) for size in ((1280, 720), (1920, 1080), (3840, 2160))] == [8, 8, 2]
    other.keeps_alpha = True
    assert other.find_batch(1280, 720) == 1, "the next plate depends on the last matte"
