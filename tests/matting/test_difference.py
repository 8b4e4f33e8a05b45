"""The keyed difference: the contract of the seam, and a blob before a noisy room."""

from typing import Any

import pytest
import torch
from torch import Tensor

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.matting import Matting
from camdaemon.matting.difference import DifferenceMatting
from tests.fakes import assert_keeps_the_contract
from tests.matting.bgmv2.in_torch import as_unit

NOISE = 0.015  # standard deviation; four gray levels of 255
BOUND = 0.01  # mean absolute difference of alpha


def _scene(height: int = 240, width: int = 320) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """src, plate, true alpha and true foreground: an ellipse with a soft edge before a striped room."""
    torch.manual_seed(3)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    room = torch.stack([0.6 + 0.15 * torch.sin(x / (11 + 3 * c)) * torch.cos(y / 17) for c in range(3)])[None]
    away = torch.hypot((x - width * 0.5) / (width * 0.2), (y - height * 0.7) / (height * 0.45))
    alpha = ((1 - away) * 12 + 0.5).clamp(0, 1)[None, None]
    person = torch.tensor([0.2, 0.15, 0.3]).view(1, 3, 1, 1).expand_as(room)
    src = alpha * person + (1 - alpha) * room
    src, plate = (picture + NOISE * torch.randn_like(picture) for picture in (src, room))
    return src.clamp(0, 1), plate.clamp(0, 1), alpha, person


EITHER = pytest.mark.parametrize("of", [pixels.unit, pixels.as_bytes], ids=["floats", "bytes"])


def _floats(x: Any) -> Tensor:
    """Floats 0..1 of either kind."""
    return as_unit(x) if pixels.is_host(x) else x


@pytest.fixture
def matting() -> Matting:
    return DifferenceMatting()


@EITHER
def test_keeps_the_contract(matting: Matting, of) -> None:
    src, plate, _, _ = _scene(96, 128)
    assert_keeps_the_contract(matting, of(src), of(plate))
    assert matting.name == "difference"


def test_bytes_are_the_float_result(matting: Matting) -> None:
    src, plate = (pixels.as_bytes(each) for each in _scene()[:2])
    found: Any = matting(src, plate, None, 0)
    wanted: Any = matting(as_unit(src), as_unit(plate), None, 0)
    assert (as_unit(found.alpha) - wanted.alpha).abs().max() <= 0.51 / 255
    assert (as_unit(found.foreground) - wanted.foreground).abs().max() <= 0.51 / 255


@EITHER
def test_separates_a_blob_from_a_noisy_room(matting: Matting, of) -> None:
    src, plate, alpha, person = _scene()
    found = matting(of(src), of(plate), None, 0)
    found_alpha, foreground = _floats(found.alpha), _floats(found.foreground)
    assert (found_alpha - alpha).abs().mean() < BOUND
    assert found_alpha[alpha == 1].min() > 0.99
    far = torch.nn.functional.max_pool2d(alpha, 33, 1, 16) == 0
    assert found_alpha[far].max() == 0
    edge = (alpha > 0.2) & (alpha < 0.8)
    mixed = (src - person).abs().mean(1, keepdim=True)[edge].mean()
    assert (foreground - person).abs().mean(1, keepdim=True)[edge].mean() < 0.8 * mixed


@EITHER
def test_an_empty_room_is_empty(matting: Matting, of) -> None:
    _, plate, _, _ = _scene()
    matte = matting(of((plate + NOISE * torch.randn_like(plate)).clamp(0, 1)), of(plate), None, 0)
    assert matte.alpha.max() == 0


@EITHER
def test_holes_are_filled_and_specks_removed(matting: Matting, of) -> None:
    plate = torch.full((1, 3, 240, 320), 0.5)
    src = plate.clone()
    src[..., 100:, 100:220] = 0.1
    src[..., 150:170, 150:170] = 0.5  # a shirt button of the wall's color
    src[..., 40:44, 40:44] = 0.1  # a speck
    alpha = _floats(matting(of(src), of(plate), None, 0).alpha)
    assert alpha[..., 104:, 104:216].min() > 0.99
    assert alpha[..., 30:54, 30:54].max() == 0


@pytest.mark.parametrize("broken", ["src", "plate"])
def test_a_picture_that_is_not_finite_is_a_matting_error(broken: str, matting: Matting) -> None:
    src, plate, _, _ = _scene(96, 128)
    (src if broken == "src" else plate)[0, 1, 5, 5] = float("nan")
    with pytest.raises(MattingError, match=r"frame 6 .*--device cpu$"):
        matting(src, plate, None, 6)


@EITHER
def test_a_plate_of_another_size_is_a_matting_error(matting: Matting, of) -> None:
    with pytest.raises(MattingError, match=r"frame 6\b.*failed"):
        matting(of(_scene(96, 128)[0]), of(_scene(64, 128)[1]), None, 6)
