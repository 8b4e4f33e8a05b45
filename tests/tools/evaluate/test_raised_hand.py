"""A hand raised far from the head stays whole: the wave of the painted clip, with the weights that come along."""

import numpy as np

from camdaemon.capture.pattern import CLIP_FPS
from camdaemon.frames.frame import PixelFormat
from camdaemon.plate.parts import Plate
from camdaemon.tools.evaluate.comparison import to_alpha
from camdaemon.tools.evaluate.mattings import Running, open_mattings
from camdaemon.tools.evaluate.metrics import Alpha, Mask
from tests.pattern.render import SIZE
from tests.pattern.scene import Scene

FRAMES = range(150, 196, 9)  # the hand is up
LOST = 25  # percent of it, in the mean


def find_hand(alpha: Alpha) -> Mask:
    """Return where hand, wrist and cuff are solid: nothing else of the person is up there on the right."""
    there = np.zeros(alpha.shape, bool)
    there[: round(0.62 * SIZE.height), round(0.68 * SIZE.width) :] = True
    return there & (alpha > 0.99)


def test_little_of_a_raised_hand_is_lost() -> None:
    """Weights that had seen nobody raise an arm lost nearly all of it."""
    scene, rgb = Scene(SIZE, CLIP_FPS), np.empty(PixelFormat.RGB.shape(SIZE), np.uint8)
    (slim,) = open_mattings(["bgmv2:slim"], [True], Running("cpu", live=True, gated=False))
    slim.pipeline.rewind()
    plate, lost = Plate(scene.plate), []
    for seq, index in enumerate(FRAMES):
        scene.film(index, rgb)
        hand = find_hand(scene.truth(index).alpha)
        assert hand.mean() > 0.01
        alpha = to_alpha(slim.pipeline.matte_frame(rgb.copy(), plate, seq))
        lost.append(100 * float((alpha[hand] < 0.7).mean()))
    assert np.mean(lost) <= LOST, lost
