"""Films of 8 bits are matted in bytes: within one level of what floats give, and the same in every run."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from camdaemon.capture import pattern
from camdaemon.config.schema import Config
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.rendering import render_alpha
from camdaemon.tools.films.source import FrameSequence, Span

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
    floats = OfflinePipeline(Config(device="cpu"))
    in_bytes = OfflinePipeline(Config(device="cpu", engine=engine, precision="float32"), in_bytes=True)
    for pipeline in (floats, in_bytes):
        pipeline.rewind()
    for seq, rgb in enumerate(seen):
        expected, found = (render_alpha(each.matte_next(rgb, plate, seq)).astype(int) for each in (floats, in_bytes))
        assert np.abs(expected - found).max() <= 1
        assert (expected == 255).mean() > 0.03, "somebody is there"


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
            assert expected.alpha.equal(found.alpha)
            assert expected.foreground.equal(found.foreground)
