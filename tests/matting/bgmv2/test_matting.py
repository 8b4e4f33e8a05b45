"""The network as a matting: the contract of the seam, and every failure as an error for people."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from camdaemon.errors import ConfigError, MattingError
from camdaemon.frames import pixels
from camdaemon.frames.frame import Size
from camdaemon.matting import Matting, Refinement
from camdaemon.matting.bgmv2.engines.dense import DenseBase
from camdaemon.matting.bgmv2.matting import BackgroundMatting
from camdaemon.matting.bgmv2.sizes import choose_base_size, choose_selection
from camdaemon.matting.effort import Effort
from camdaemon.model import BackgroundMattingV2
from tests.fakes import assert_keeps_the_contract

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


Of = Callable[[Tensor], Tensor]
EITHER = pytest.mark.parametrize("of", [pixels.unit, pixels.as_bytes], ids=["floats", "bytes"])


def _pair(height: int = 96, width: int = 128, of: Of = pixels.unit) -> tuple[Tensor, Tensor]:
    torch.manual_seed(3)
    return of(torch.rand(1, 3, height, width)), of(torch.rand(1, 3, height, width))


def _made(weights: str, **refine: Any) -> BackgroundMatting:
    """In torch, of which there is one everywhere, and whose numbers are the same each time."""
    return BackgroundMatting(weights, Refinement(**refine), CPU, "torch", "float32")


@pytest.fixture(scope="module", params=["default", "with refiner", "thresholding"])
def matting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Matting:
    if request.param == "default":
        return _made("default")
    path = tmp_path_factory.mktemp("weights") / "refiner.pth"
    torch.save(BackgroundMattingV2("mobilenetv2", 3).state_dict(), path)
    return _made(str(path), mode="thresholding" if request.param == "thresholding" else "sampling")


@EITHER
def test_keeps_the_contract(matting: Matting, of: Of) -> None:
    src, plate = _pair(of=of)
    assert_keeps_the_contract(matting, src, plate)
    assert matting.name == "bgmv2"


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")  # OpenVINO's way of reading torch
def test_the_fastest_engine_there_is_keeps_the_contract_too() -> None:
    src, plate = _pair(of=pixels.as_bytes)
    assert_keeps_the_contract(BackgroundMatting("default", Refinement(), CPU), src, plate)


@EITHER
def test_carries_nothing_from_frame_to_frame(matting: Matting, of: Of) -> None:
    src, plate = _pair(of=of)
    first = matting(src, plate, None, 0)
    matting(plate, src, None, 1)
    again = matting(src, plate, None, 2)
    assert torch.equal(first.alpha, again.alpha)
    assert torch.equal(first.foreground, again.foreground)


def _raise(error: Exception) -> Callable[..., None]:
    def network(*args: object, **kwargs: object) -> None:
        raise error

    return network


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"), "memory.*128x96.*--device cpu$"),
        (
            RuntimeError("CUDA error: unspecified launch failure\nCompile"),
            r"failed.*frame 7\b.*launch failure\. .*cpu$",
        ),
        (RuntimeError(), r"RuntimeError\. .*cpu$"),
    ],
)
@EITHER
def test_a_failing_network_is_a_matting_error(
    error: Exception, message: str, of: Of, monkeypatch: pytest.MonkeyPatch
) -> None:
    matting = _made("published")
    monkeypatch.setattr(BackgroundMattingV2, "forward", _raise(error))  # of floats
    monkeypatch.setattr(DenseBase, "forward", _raise(error))  # of bytes
    with pytest.raises(MattingError, match=message):
        matting(*_pair(of=of), None, 7)
    with pytest.raises(MattingError):
        matting.warm_up(Size(128, 96))


@EITHER
@pytest.mark.parametrize(("height", "width"), [(64, 128), (96, 64), (128, 128), (96, 160)])
def test_a_plate_of_another_size_is_a_matting_error(matting: Matting, of: Of, height: int, width: int) -> None:
    with pytest.raises(MattingError, match=r"failed.*frame 3\b"):
        matting(_pair(of=of)[0], _pair(height, width, of)[1], None, 3)


@EITHER
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["decoder.conv4.bias", "refiner.conv4.bias"])
def test_a_matte_that_is_not_finite_is_an_error(name: str, value: float, of: Of, tmp_path: Path) -> None:
    tensors = dict(BackgroundMattingV2("mobilenetv2", 3).state_dict())
    tensors[name][0] = value
    tensors["decoder.conv4.bias"][4] = 0.5  # something to refine
    save_file(tensors, tmp_path / "odd.safetensors")
    matting = _made(str(tmp_path / "odd.safetensors"))
    with pytest.raises(MattingError, match=r"frame 9\b.*finite.*--device cpu$"):
        matting(*_pair(of=of), None, 9)


def test_a_frame_that_is_not_finite_is_an_error(matting: Matting) -> None:
    src, plate = _pair()
    src[0, 0, 50, 60] = float("nan")
    with pytest.raises(MattingError, match=r"frame 0\b.*finite"):
        matting(src, plate, None, 0)


@pytest.mark.parametrize("name", ["absent.safetensors", "absent.pth", "."])
def test_weights_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"weights .*--weights default$"):
        BackgroundMatting(str(tmp_path / name), Refinement(), CPU)


def test_weights_of_something_else(tmp_path: Path) -> None:
    save_file({"layer.weight": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ConfigError, match=r"weights .*foreign\.safetensors\b.*checkpoint.*--weights default$"):
        BackgroundMatting(str(tmp_path / "foreign.safetensors"), Refinement(), CPU)


@pytest.mark.parametrize(
    ("size", "lines", "base"),
    [
        ((1280, 720), 176, (320, 176)),
        ((720, 1280), 176, (176, 320)),
        ((1920, 1080), 176, (320, 176)),
        ((640, 480), 176, (240, 176)),
        ((1280, 720), 144, (256, 144)),
        ((1280, 720), 272, (480, 272)),
        ((1280, 720), 368, (656, 368)),
        ((1000, 668), 240, (352, 240)),  # not 359: half a cell
        ((320, 180), 368, (320, 176)),  # not enlarged
        ((64, 4), 176, (64, 16)),
    ],
)
def test_the_base_input_is_of_whole_cells_and_as_high_as_the_effort_says(size, lines, base) -> None:
    width, height = size
    assert choose_base_size(Refinement(), height, width, Effort(base_side=lines)) == base[::-1]


@EITHER
def test_a_configured_scale_is_obeyed(of: Of) -> None:
    src, plate = _pair(of=of)
    mattes = [_made("default", scale=scale)(src, plate, None, 0) for scale in (None, 1, 0.5)]
    assert torch.equal(mattes[0].alpha, mattes[1].alpha)
    assert not torch.equal(mattes[0].alpha, mattes[2].alpha)


@pytest.mark.parametrize(
    ("given", "size", "pixels"),
    [(None, (1080, 1920), 80_870), (None, (2160, 3840), 323_482), (None, (360, 640), 8_986), (500, (1080, 1920), 500)],
)
def test_the_refiner_gets_the_same_share_of_every_size_unless_told_otherwise(given, size, pixels):
    assert choose_selection(Refinement(pixels=given), *size).pixels == pixels
