"""The last arithmetic: the equation as printed, and what may not be shown."""

import pytest
import torch

from camdaemon.composite import check, composite
from camdaemon.errors import MattingError
from camdaemon.matte import Matte

SHAPE = (1, 3, 36, 64)
BACKDROP = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1))
FOREGROUND = torch.rand(SHAPE, generator=torch.Generator().manual_seed(2))


def matte(alpha: float | torch.Tensor, seq: int = 5, foreground: torch.Tensor = FOREGROUND) -> Matte:
    if not isinstance(alpha, torch.Tensor):
        alpha = torch.full((1, 1, 36, 64), alpha)
    return Matte(alpha, foreground, seq)


def test_it_is_alpha_f_plus_one_minus_alpha_b_between_the_ends():
    alpha = torch.linspace(0.02, 0.98, 36 * 64).reshape(1, 1, 36, 64)
    stretched = (alpha - 0.02) / 0.96
    expected = stretched * FOREGROUND + (1 - stretched) * BACKDROP
    assert torch.allclose(composite(matte(alpha), BACKDROP), expected, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.005, 0.0199, -0.3])
def test_a_networks_noise_shows_nothing_of_the_room(alpha):
    assert torch.equal(composite(matte(alpha), BACKDROP), BACKDROP)


@pytest.mark.parametrize("alpha", [1.0, 0.995, 0.9801, 1.7])
def test_a_sure_person_is_not_transparent(alpha):
    assert torch.allclose(composite(matte(alpha), BACKDROP), FOREGROUND, atol=1e-6)


def test_the_stretch_is_even_and_keeps_the_middle():
    found = [
        float(composite(matte(a, foreground=torch.ones(SHAPE)), torch.zeros(SHAPE)).mean()) for a in (0.26, 0.5, 0.74)
    ]
    assert found[1] == pytest.approx(0.5, abs=1e-5)
    assert found[2] - found[1] == pytest.approx(found[1] - found[0], abs=1e-5)


def test_what_comes_in_is_not_changed():
    alpha, backdrop, given = torch.rand(1, 1, 36, 64), BACKDROP.clone(), FOREGROUND.clone()
    before = alpha.clone()
    composite(Matte(alpha, given, 1), backdrop)
    assert torch.equal(alpha, before)
    assert torch.equal(backdrop, BACKDROP)
    assert torch.equal(given, FOREGROUND)


def test_the_type_stays():
    half = Matte(torch.rand(1, 1, 36, 64).half(), FOREGROUND.half(), 1)
    found = composite(half, BACKDROP.half())
    assert found.dtype == torch.float16
    assert found.shape == SHAPE


def checked(of: Matte, seq: int = 5, max_coverage: float = 0.9) -> None:
    check(of, composite(of, BACKDROP), seq, max_coverage)


def test_a_good_matte_passes():
    for share in (0.0, 0.4, 0.89):
        checked(matte(share))


@pytest.mark.parametrize("seq", [4, 6, -1])
def test_a_matte_of_another_frame_is_refused(seq):
    with pytest.raises(MattingError, match=rf"of frame {seq}, the picture of frame 5; .*camdaemon run$"):
        checked(matte(0.4, seq))


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


@pytest.mark.parametrize("coverage", [0.91, 1.0])
def test_a_person_as_large_as_the_room_is_refused(coverage):
    with pytest.raises(MattingError, match=rf"covers {coverage:.0%} .*camdaemon plate$"):
        checked(matte(coverage))
    checked(matte(coverage), max_coverage=1.0)


def test_half_precision_does_not_overflow_in_the_check():
    """The sum of 1280×720 ones is beyond float16; its mean must not be."""
    ones = torch.ones(1, 3, 720, 1280, dtype=torch.float16)
    check(Matte(ones[:, :1] * 0.5, ones, 1), ones, 1, 0.9)
