"""HDR mapped to SDR: in 16 bits as in 8, only finer."""

import numpy as np
import pytest
from numpy.typing import NDArray

from camdaemon.frames import hdr

EITHER = pytest.mark.parametrize("transfer", [hdr.PQ, hdr.HLG], ids=["PQ", "HLG"])


def gray_ramp(bits: int) -> NDArray[np.uint16]:
    """Every code of so many bits, in full range, (1,codes,3)."""
    codes = np.arange(1 << bits) * (65535 / ((1 << bits) - 1))
    return np.repeat(codes.round().astype(np.uint16)[None, :, None], 3, axis=2)


@EITHER
def test_the_deep_result_is_the_other_one_in_finer_steps(transfer: int) -> None:
    colors = np.random.default_rng(1).integers(0, 65536, (300, 400, 3)).astype(np.uint16)
    for coded in (colors, gray_ramp(16)):
        deep = hdr.map_to_sdr_deep(coded, transfer)
        assert (deep.shape, deep.dtype) == (coded.shape, np.uint16)
        assert np.abs(deep / 257 - hdr.map_to_sdr(coded, transfer)).max() <= 0.5, "both are rounded"


@EITHER
def test_a_ramp_of_10_bits_has_no_bands(transfer: int) -> None:
    """Each code has a level of its own, but for the last before the cut-off: there the curve ends level."""
    coded = gray_ramp(10)
    deep = hdr.map_to_sdr_deep(coded, transfer)[0, :, 1].astype(int)
    below = deep[: int(np.argmax(deep == deep.max()))]
    assert len(below) > 700
    assert len(np.unique(deep)) > 700
    assert len(np.unique(hdr.map_to_sdr(coded, transfer))) <= 256
    assert (np.diff(deep) >= 0).all()
    assert (np.diff(below[:-24]) > 0).all()
    assert (deep[0], deep[-1]) == (0, 65535)


# Skin, (141,117,106) in SDR, with white at 203 cd/m²: by BT.1886, BT.2087 and BT.2100, computed apart from `hdr`.
@pytest.mark.parametrize(
    ("transfer", "coded"), [(hdr.PQ, (0.424051, 0.399977, 0.378906)), (hdr.HLG, (0.470381, 0.412924, 0.367340))]
)
def test_skin_looks_as_it_did(transfer: int, coded: tuple[float, float, float]) -> None:
    codes = (np.array(coded) * 65535).round().astype(np.uint16).reshape(1, 1, 3)
    assert np.abs(hdr.map_to_sdr_deep(codes, transfer) / 257 - (141, 117, 106)).max() < 1
