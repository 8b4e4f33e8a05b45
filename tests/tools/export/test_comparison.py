"""What differs from torch is seen."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.errors import CamdaemonError
from camdaemon.tools.export.comparison import LIMITS, check, measure

RNG = np.random.default_rng(3)


def outputs(off: float = 0.0, moved: int = 0) -> dict[str, np.ndarray]:
    """Outputs of a picture of 40x80 with 100 of 200 patches refined, `moved` of them elsewhere."""
    refined = np.zeros((1, 1, 10, 20), np.float32)
    refined.flat[moved : 100 + moved] = 1
    alpha = np.full((1, 1, 40, 80), 0.5, np.float32)
    alpha[0, 0, 0, 79] += off
    return {"alpha": alpha, "foreground": np.zeros((1, 3, 40, 80), np.float32), "refined": refined}


@pytest.mark.parametrize(
    ("precision", "off", "moved", "said"),
    [
        ("float32", 0.0009, 1, None),
        ("float32", 0.0011, 0, "alpha is 0.0011 off, and 0.001 is allowed"),
        ("float32", 0.0, 2, r"98\.0% of all are chosen alike, 98\.0% of the refined; 99% and 97% must be"),
        ("float32", float("nan"), 0, "alpha is inf off"),
        ("float32", float("inf"), 0, "alpha is inf off"),
        ("float16", 0.009, 1, None),
        ("float16", 0.011, 0, "alpha is 0.011 off"),
        ("float16", 0.0, 2, r"98\.0%"),
        ("int8", 0.5, 5, None),
        ("int8", 0.0, 60, r"40\.0% of the refined; 95% and 50%"),
        ("int8", 80.0, 0, "alpha is .* off, and 0.02 is allowed"),
    ],
)
def test_the_limits(precision, off, moved, said):
    found = measure([outputs(), outputs()], [outputs(), outputs(off, moved)])
    if said is None:
        return check(found, precision)
    with pytest.raises(CamdaemonError, match=said + ".*Run: camdaemon export"):
        check(found, precision)
    return None


def test_pixels_of_patches_that_one_of_them_refined_do_not_count():
    right, got = outputs(), outputs(moved=1)
    got["alpha"][0, 0, 0, 1] = 0  # in the first patch, which only one refined
    assert measure([right], [got]).largest["alpha"] == 0
    got["alpha"][0, 0, 0, 79] = 0
    assert measure([right], [got]).largest["alpha"] == 0.5


def test_few_refined_patches_are_not_made_up_for_by_all_the_others():
    right, got = outputs(), outputs()
    for each in (right, got):
        each["refined"][:] = 0
    right["refined"].flat[0] = got["refined"].flat[1] = 1
    found = measure([right], [got])
    assert (found.alike, found.refined) == (0.99, 0)
    with pytest.raises(CamdaemonError, match="0\\.0% of the refined"):
        check(found, "float16")


def test_the_base_has_no_patches():
    right = {"alpha": RNG.random((1, 1, 8, 8), np.float32)}
    found = measure([right], [{"alpha": right["alpha"] + np.float32(0.25)}])
    assert found.alike == 1
    assert found.largest["alpha"] == pytest.approx(0.25)
    assert found.mean["alpha"] == pytest.approx(0.25)


def test_an_export_that_refines_nothing_is_refused():
    got = outputs()
    got["refined"][:] = 0
    with pytest.raises(CamdaemonError, match="refines other patches"):
        check(measure([outputs()], [got]), "float32")


def test_int8_is_held_to_less_and_float16_to_more():
    assert LIMITS["float32"].largest == 1e-3
    assert LIMITS["float16"].largest == 1e-2
