"""The clip in the package is what the painter paints, small, and in the colors that are passed on unconverted."""

from __future__ import annotations

import av
import numpy as np

from camdaemon.capture.file import FileSource
from camdaemon.capture.pattern import CLIP, CLIP_FPS, SECONDS
from camdaemon.frames.color import host_to_rgb
from camdaemon.frames.frame import HostFrame, PixelFormat
from tests.pattern.render import LIMIT, SIZE
from tests.pattern.scene import Scene


def test_the_clip_is_small_and_whole() -> None:
    assert CLIP.stat().st_size <= LIMIT
    with av.open(str(CLIP)) as container:
        assert container.streams.video[0].average_rate == CLIP_FPS
        assert sum(1 for _ in container.decode(video=0)) == SECONDS * CLIP_FPS


def test_the_clip_is_what_the_painter_paints() -> None:
    """At the empty room, at the wave, and at the end; within what the codec takes of the noise."""
    scene = Scene(SIZE, CLIP_FPS)
    source = FileSource(CLIP, loop=False, paced=False, raw=True)
    frame, painted = HostFrame.empty(source.fmt, source.size), np.empty(PixelFormat.RGB.shape(SIZE), np.uint8)
    assert (source.fmt, source.size, source.fps) == (PixelFormat.I420, SIZE, CLIP_FPS)
    for index in range(scene.frames):
        source.read(frame)
        if index in (60, 165, 359):
            scene.film(index, painted)
            apart = np.abs(host_to_rgb(frame.data, frame.fmt).astype(int) - painted)
            assert apart.mean() < 3
            assert (apart.max(2) > 24).mean() < 0.01
    source.close()
