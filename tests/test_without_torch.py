"""On a CPU nothing needs torch: the demo, and the tools for files of 8 bits, where importing it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np

from camdaemon.capture.pattern import CLIP
from camdaemon.frames import picture
from camdaemon.frames.picture import Picture

# As where it was never installed: it is not found, rather than refused.
WITHOUT_TORCH = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in ("torch", "safetensors")
        return None if hidden else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Finder if each is PathFinder else each for each in sys.meta_path]
from camdaemon.__main__ import main
main()
"""
COUNT = 360  # frames of the demo's clip


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Run `camdaemon` with `words` where there is no torch."""
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "500"})


def read(path: Path) -> list[Picture]:
    """Return the frames of a video."""
    with av.open(str(path)) as video:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in video.decode(video=0)]


def scene(tmp_path: Path) -> tuple[Path, Path, Picture]:
    """Write a frame of the demo's clip with the person, and one of its empty room; return their paths and the first."""
    frames = read(CLIP)
    src, plate = tmp_path / "src.png", tmp_path / "plate.png"
    picture.write(src, frames[200])
    picture.write(plate, frames[10])
    return src, plate, frames[200]


def test_the_demo(tmp_path):
    done = run("demo", "--output", tmp_path, "--no-preview")
    assert done.returncode == 0, done.stderr
    shown, given = read(tmp_path / "demo.mp4"), read(CLIP)
    assert len(shown) == COUNT
    height, width = shown[0].shape[:2]
    person, room = (slice(height // 2, None), slice(width // 2 - 40, width // 2 + 40)), (slice(0, 60), slice(0, 200))
    last = cv2.resize(given[240], (width, height)).astype(int), shown[240].astype(int)
    assert np.abs(last[0][person] - last[1][person]).mean() < 20, "the person is there"
    assert np.abs(last[0][room] - last[1][room]).mean() > 20, "and the room is not"


def test_pictures_of_8_bits(tmp_path):
    src, plate, _ = scene(tmp_path)
    done = run("image", "--src", src, "--plate", plate, "--alpha", tmp_path / "alpha.png", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    alpha = picture.read_gray(tmp_path / "alpha.png", "")
    assert 0.05 < np.mean(alpha == 255) < 0.6
    assert np.mean(alpha == 0) > 0.3


def test_what_needs_torch_says_so(tmp_path):
    src, plate, rgb = scene(tmp_path)
    cv2.imwrite(str(src), rgb.astype(np.uint16) * 257)
    deep = run("image", "--src", src, "--plate", plate, "--alpha", tmp_path / "alpha.png")
    other = run("run", "--source", "pattern", "--sink", "null", "--engine", "torch", "--frames", "1")
    gpu = run("run", "--source", "pattern", "--sink", "null", "--device", "cuda", "--frames", "1")
    for done in (deep, other, gpu):
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert "torch" in done.stderr
    assert "pip install" in deep.stderr
    assert "pip install" in other.stderr
