"""Frames are matted on a CPU where importing torch fails: by the weights that come with camdaemon, and without any."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch was imported")

sys.meta_path.insert(0, NoTorch())

import numpy as np
from camdaemon.frames import pixels
from camdaemon.frames.frame import Size
from camdaemon.matting import MattingSettings, make_matting

kind, weights, precision = sys.argv[1:]
made = make_matting(kind, MattingSettings(weights, "auto", precision), "cpu")
made.warm_up(Size(320, 192))
rng = np.random.default_rng(1)
src, plate = (pixels.as_planes(rng.integers(0, 256, (192, 320, 3), np.uint8)) for _ in range(2))
made.prepare(src, plate, None)
matte = made(src, plate, np.ones((1, 1, 12, 20), np.float32), 5)
assert matte.alpha.shape == (1, 1, 192, 320)
assert matte.alpha.dtype == matte.foreground.dtype == np.uint8
assert "torch" not in sys.modules
print(getattr(made, "engine", "none"))
"""


@pytest.mark.parametrize(
    ("given", "engine"),
    [
        (("bgmv2", "slim", "float32"), "openvino float32"),
        (("bgmv2", "slim", "int8"), "openvino int8"),
        (("bgmv2", "published", "float32"), "openvino float32"),
        (("difference", "default", "auto"), "none"),
    ],
    ids=str,
)
def test_a_frame_is_matted(given: tuple[str, ...], engine: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *given], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, engine), done.stderr
