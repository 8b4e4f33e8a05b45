"""The last arithmetic: the equation as printed, in floats and in bytes, and what may not be shown."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.appearance import Appearance, Crop
from camdaemon.frames.composite import (
    Matte,
    apply_framing,
    apply_framing_to_matte,
    check,
    composite,
    composite_bytes,
    mix,
)
from camdaemon.frames.pixels import Array, as_bytes, as_planes
from camdaemon.frames.tensors.composite import trim
from tests.kinds import EITHER, copied, floats, same

SHAPE = (1, 3, 36, 64)
EDGES = (-1.0, -0.4, 0.0, 0.3, 1.0)
STYLES = [
    Appearance(mirror=mirror, crop=crop)
    for mirror in (False, True)
    for crop in (None, Crop(0.25, 0.1, 0.5, 0.6), Crop(0.1, 0.2, 0.13, 0.17), Crop(0.0, 0.3, 0.9, 0.7))
]
BACKDROP = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1))
FOREGROUND = torch.rand(SHAPE, generator=torch.Generator().manual_seed(2))


def matte(alpha: float | Tensor, seq: int = 5, foreground: Tensor = FOREGROUND) -> Matte:
    if not isinstance(alpha, Tensor):
        alpha = torch.full((1, 1, 36, 64), alpha)
    return Matte(alpha, foreground, seq)


def seen(given: Matte, of) -> Matte:
    """`given` as another kind."""
    return Matte(of(given.alpha), of(given.foreground), given.seq)


def test_it_is_alpha_f_plus_one_minus_alpha_b_between_the_ends():
    alpha = torch.linspace(0.02, 0.98, 36 * 64).reshape(1, 1, 36, 64)
    stretched = (alpha - 0.02) / 0.96
    expected = stretched * FOREGROUND + (1 - stretched) * BACKDROP
    assert torch.allclose(floats(composite(matte(alpha), BACKDROP)), expected, atol=1e-5)


@EITHER
@pytest.mark.parametrize("alpha", [0.0, 0.005, 0.0199, -0.3])
def test_a_networks_noise_shows_nothing_of_the_room(alpha, of):
    assert same(composite(seen(matte(alpha), of), of(BACKDROP)), of(BACKDROP))


@EITHER
@pytest.mark.parametrize("alpha", [1.0, 0.995, 0.9801, 1.7])
def test_a_sure_person_is_not_transparent(alpha, of):
    found = composite(seen(matte(alpha), of), of(BACKDROP))
    if of is as_bytes:
        assert same(found, of(FOREGROUND))
    assert torch.allclose(floats(found), floats(of(FOREGROUND)), atol=1e-6)


@EITHER
def test_the_stretch_is_even_and_keeps_the_middle(of):
    white, black = torch.ones(SHAPE), of(torch.zeros(SHAPE))
    alphas, step = ((0.26, 0.5, 0.74), 1e-5) if of is floats else ((67 / 255, 128 / 255, 189 / 255), 1 / 255)
    found = [pixels.means(composite(seen(matte(a, foreground=white), of), black))[0] for a in alphas]
    assert found[1] == pytest.approx(0.5, abs=step)
    assert found[2] - found[1] == pytest.approx(found[1] - found[0], abs=step)


@EITHER
@pytest.mark.parametrize("edge", EDGES)
def test_what_comes_in_is_not_changed(of, edge):
    alpha, backdrop, given = of(torch.rand(1, 1, 36, 64)), copied(of(BACKDROP)), copied(of(FOREGROUND))
    before = copied(alpha)
    found = composite(Matte(alpha, given, 1), backdrop, edge)
    mix(backdrop, given, 0.3)
    apply_framing_to_matte(Matte(alpha, given, 1), Appearance(mirror=True, crop=Crop(0.1, 0.1, 0.5, 0.5)))
    assert same(alpha, before)
    assert same(backdrop, of(BACKDROP))
    assert same(given, of(FOREGROUND))
    found[:] = 0
    assert same(backdrop, of(BACKDROP)), "the result has a memory of its own"
    assert same(given, of(FOREGROUND))


def test_the_type_stays():
    half = Matte(torch.rand(1, 1, 36, 64).half(), FOREGROUND.half(), 1)
    found = composite(half, BACKDROP.half())
    assert found.dtype == torch.float16
    assert found.shape == SHAPE


def test_a_matte_in_floats_over_bytes_is_in_bytes():
    given = matte(torch.linspace(0, 1, 36 * 64).reshape(1, 1, 36, 64))
    wanted = composite(seen(given, as_bytes), as_bytes(BACKDROP))
    for of in (floats, lambda x: x.numpy()):  # of a tensor, and of an array
        assert same(composite(seen(given, of), as_bytes(BACKDROP)), wanted)


def checked(matte: Matte, seq: int = 5, max_coverage: float = 0.9, backdrop: Array = BACKDROP) -> None:
    check(matte, composite(matte, backdrop), seq, max_coverage)


@EITHER
def test_a_good_matte_passes(of):
    for share in (0.0, 0.4, 0.89):
        checked(seen(matte(share), of), backdrop=of(BACKDROP))


@EITHER
@pytest.mark.parametrize("seq", [4, 6, -1])
def test_a_matte_of_another_frame_is_refused(seq, of):
    with pytest.raises(MattingError, match=rf"frame {seq}\b.* frame 5\b.*camdaemon run$"):
        checked(seen(matte(0.4, seq), of), backdrop=of(BACKDROP))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["alpha", "foreground under the person", "foreground beside the person"])
def test_a_single_bad_number_anywhere_is_refused(value, where):
    alpha, foreground = torch.zeros(1, 1, 36, 64), FOREGROUND.clone()
    alpha[..., :20] = 1.0
    if where == "alpha":
        alpha[0, 0, 17, 33] = value
    else:
        foreground[0, 1, 17, 5 if "under" in where else 50] = value
    with pytest.raises(MattingError, match=r"NaN or infinity.*camdaemon run --device cpu$"):
        checked(Matte(alpha, foreground, 5))


def test_infinities_of_both_signs_do_not_cancel_out():
    alpha = torch.full((1, 1, 36, 64), 0.4)
    alpha[0, 0, 0, 0], alpha[0, 0, 0, 1] = float("inf"), float("-inf")
    with pytest.raises(MattingError, match="NaN or infinity"):
        checked(matte(alpha))


@EITHER
@pytest.mark.parametrize("coverage", [0.91, 1.0])
def test_a_person_as_large_as_the_room_is_refused(coverage, of):
    large = seen(matte(coverage), of)
    with pytest.raises(MattingError, match=rf"covers {coverage:.0%} .*camdaemon plate$"):
        checked(large, backdrop=of(BACKDROP))
    checked(large, max_coverage=1.0, backdrop=of(BACKDROP))


def test_half_precision_does_not_overflow_in_the_check():
    """The sum of 1280×720 ones is beyond float16; its mean must not be."""
    ones = torch.ones(1, 3, 720, 1280, dtype=torch.float16)
    check(Matte(ones[:, :1] * 0.5, ones, 1), ones, 1, 0.9)


# ---- bytes against floats


def noise(seed: int, channels: int = 3, height: int = 480, width: int = 64) -> np.ndarray:
    """Bytes, all of them; the height is one at which the tightest edge moves by two pixels."""
    return as_planes(np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8))


def contour(height: int = 480, width: int = 64) -> np.ndarray:
    """Bytes (1,1,H,W): a soft blob that the lower border cuts off."""
    alpha = np.zeros((height, width), np.float32)
    cv2.ellipse(alpha, (width // 2, height), (width // 3, height // 2), 0, 0, 360, 1.0, -1)
    return as_planes((255 * cv2.GaussianBlur(alpha, (0, 0), 3) + 0.5).astype(np.uint8))


def steps(edge: float) -> float:
    """How far bytes may be from floats: half a step each for alpha and the result, and for a tighter edge half a step
    of the mean around, which counts twice and is stretched.
    """
    return 1.0 if edge <= 0 else 1.0 + 1 / (0.96 - 0.3 * edge)


def away(found: Array, wanted: Array) -> np.ndarray:
    """In steps of 1/255, without rounding's own rounding."""
    assert found.dtype == np.uint8
    assert pixels.is_host(found)
    assert found.shape == wanted.shape
    return np.abs(found.astype(float) - 255 * pixels.to_host(wanted).astype(float)) - 1e-3


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("alpha", [noise(1, 1), contour()], ids=["noise", "contour"])
def test_bytes_are_the_float_result(alpha, edge):
    given, backdrop = Matte(alpha, noise(2), 5), noise(3)
    found = composite(given, backdrop, edge)
    wanted = composite(seen(given, floats), floats(backdrop), edge)
    assert float(away(found, wanted).max()) <= steps(edge)
    assert float(away(found, wanted).mean()) < 0.5


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.5, 0.77, 1.0])
def test_a_mixture_of_bytes_is_that_of_floats(share):
    below, above = noise(1), noise(2)
    found = mix(below, above, share)
    assert float(away(found, mix(floats(below), floats(above), share)).max()) <= 0.51
    if share in (0.0, 1.0):
        assert same(found, (below, above)[int(share)])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("appearance", STYLES, ids=str)
def test_bytes_are_framed_as_floats_are(appearance, channels):
    given = noise(1, channels, 72, 128)
    assert float(away(apply_framing(given, appearance), apply_framing(floats(given), appearance)).max()) <= 2


@pytest.mark.parametrize("edge", [-1.0, 0.0])
@pytest.mark.parametrize("appearance", STYLES, ids=str)
def test_a_framed_matte_of_bytes_shows_what_that_of_floats_does(appearance, edge):
    """Its foreground counts by its alpha, and only so can they be compared."""
    given, backdrop = Matte(contour(72, 128), noise(2, 3, 72, 128), 5), noise(3, 3, 72, 128)
    found, wanted = (
        apply_framing_to_matte(given, appearance),
        apply_framing_to_matte(seen(given, floats), appearance),
    )
    assert found.seq == wanted.seq == 5
    assert float(away(found.alpha, wanted.alpha).max()) <= 2
    weighed = floats(found.foreground) * floats(found.alpha) - floats(wanted.foreground) * floats(wanted.alpha)
    assert float(weighed.abs().max()) <= 2 / 255
    shown = composite(found, backdrop, edge)
    assert float(away(shown, composite(wanted, floats(backdrop), edge)).max()) <= 4


# ---- no room


MARKER = as_planes(np.full((480, 64, 3), (255, 0, 255), np.uint8))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("appearance", STYLES, ids=str)
def test_where_bytes_of_alpha_are_0_there_is_the_backdrop_bit_for_bit(appearance, edge):
    """The network's colors beside the person are the room's, here the marker."""
    alpha = contour()
    alpha[..., :5, :] = 5  # the noise of a network: under 2 %
    colors = np.where(alpha > 0, np.uint8(120), MARKER)
    given = apply_framing_to_matte(Matte(alpha, colors, 5), appearance)
    backdrop = noise(3) // 4 * 2  # no byte of it above 126
    found = composite(given, backdrop, edge)
    nobody = np.broadcast_to((trim(floats(given.alpha), edge) == 0).numpy(), found.shape)
    assert nobody.mean() > 0.02
    assert np.array_equal(found[nobody], backdrop[nobody])
    assert int(found.max()) <= 127, "the marker's red and blue are 255: a fringe of the room"


@pytest.mark.parametrize("edge", EDGES)
def test_nobody_is_exactly_the_backdrop(edge):
    backdrop = noise(3)
    for level in (0, 3, 5):
        alpha = np.full((1, 1, 480, 64), level, np.uint8)
        assert same(composite(Matte(alpha, MARKER, 1), backdrop, edge), backdrop)


@pytest.mark.parametrize("between", [0.0, 0.001, 0.05, 0.1, 0.5, 1.0])
def test_a_contour_and_a_wide_blur_are_composited_alike(between):
    """Few pixels are looked up, many are computed row by row: both are the formula, rounded once."""
    some = np.random.default_rng(7)
    shape = (96, 128)
    solid = some.choice(np.array([0, 255], np.uint8), shape)
    alpha = np.where(some.random(shape) < between, some.integers(1, 255, shape, np.uint8), solid)
    near, far = (some.integers(0, 256, (*shape, 3), np.uint8) for _ in range(2))
    found = pixels.interleave(composite_bytes(far, near, alpha))
    share = alpha[..., None].astype(float) / 255
    assert np.abs(found - (share * near + (1 - share) * far)).max() <= 0.5 + 1e-9
    assert np.array_equal(found[alpha == 255], near[alpha == 255])
    assert np.array_equal(found[alpha == 0], far[alpha == 0])


def test_nobody_between_solid_and_nothing_is_no_special_case():
    alpha = np.zeros((8, 8), np.uint8)
    alpha[2:4] = 255
    near, far = np.full((8, 8, 3), 9, np.uint8), np.full((8, 8, 3), 200, np.uint8)
    assert np.array_equal(
        pixels.interleave(composite_bytes(far, near, alpha))[:, 0, 0], [200, 200, 9, 9, 200, 200, 200, 200]
    )
