"""Linear light: worked values of each curve, one curve for floats and integers, there and back."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from camdaemon.frames import light

# By hand: 0.5 in BT.709 is ((0.5 + 0.099297) / 1.099297) ** (1 / 0.45), in sRGB ((0.5 + 0.055) / 1.055) ** 2.4.
WORKED = [
    (1, [0, 0.04, 0.18, 0.5, 1], [0, 0.04 / 4.5, 0.0476068, 0.2597194, 1]),
    (13, [0, 0.04, 0.18, 0.5, 1], [0, 0.04 / 12.92, 0.0272118, 0.2140411, 1]),
    (4, [0, 0.18, 0.5, 1], [0, 0.0229933, 0.2176376, 1]),
    (5, [0, 0.18, 0.5, 1], [0, 0.0082179, 0.1435873, 1]),
    (8, [0, 0.18, 0.5, 1], [0, 0.18, 0.5, 1]),
]
CURVES = pytest.mark.parametrize("transfer", [1, 13, 4, 5, 8])


@pytest.mark.parametrize(("transfer", "coded", "linear"), WORKED)
def test_worked_values(transfer: int, coded: list[float], linear: list[float]) -> None:
    found = light.to_linear(np.array(coded, np.float32), transfer)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, linear, atol=2e-7, rtol=1e-5)


def test_middle_gray_is_where_bt709_puts_it() -> None:
    """A card of 18 % is coded as 1.099 · 0.18 ** 0.45 - 0.099."""
    assert float(light.from_linear(np.array([0.18], np.float32), 1)[0]) == pytest.approx(0.40884, abs=1e-4)


@pytest.mark.parametrize("same", [0, 2, 3, 6, 7, 9, 11, 14, 15, 99])
def test_what_is_nothing_else_is_bt709(same: int) -> None:
    coded = np.linspace(0, 1, 300, dtype=np.float32)
    assert np.array_equal(light.to_linear(coded, same), light.to_linear(coded, 1))
    assert np.array_equal(light.from_linear(coded, same), light.from_linear(coded, 1))


@CURVES
def test_there_and_back(transfer: int) -> None:
    coded = np.linspace(0, 1, 65536, dtype=np.float32).reshape(256, 64, 4)
    linear = light.to_linear(coded, transfer)
    back = light.from_linear(linear, transfer)
    assert (back.shape, back.dtype) == (coded.shape, np.float32)
    assert np.abs(back - coded).max() < 1e-5
    assert (np.diff(linear.ravel()) > 0).all() or transfer in (4, 5), "a power is 0 for the darkest float"


@CURVES
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_read_from_a_table_of_the_same_curve(transfer: int, dtype: type[np.uint8 | np.uint16]) -> None:
    most = np.iinfo(dtype).max
    steps = np.arange(most + 1).reshape(-1, 2)
    coded: NDArray[Any] = np.asarray(steps, dtype)
    found = light.to_linear(coded, transfer)
    assert (found.shape, found.dtype) == (coded.shape, np.float32)
    assert np.abs(found - light.to_linear(np.asarray(steps / most, np.float32), transfer)).max() < 1e-6
    assert np.array_equal(np.rint(light.from_linear(found, transfer) * most), coded), "16 bits come back as they were"


@CURVES
def test_beyond_white_and_black(transfer: int) -> None:
    coded = np.array([-0.01, 1.5], np.float32)
    linear = light.to_linear(coded, transfer)
    assert linear[0] <= 0
    assert linear[1] >= 1.5
    assert float(light.from_linear(linear, transfer)[1]) == pytest.approx(1.5, rel=1e-5)
