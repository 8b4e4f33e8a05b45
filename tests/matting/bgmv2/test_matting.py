"""The network as a matting: the contract of the seam, and every failure as an error for people."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from camdaemon.errors import ConfigError, MattingError
from camdaemon.frames import pixels
from camdaemon.frames.frame import Size
from camdaemon.matting import MattingSettings, Refinement, make_matting
from camdaemon.matting.bgmv2.cpu.matting import CpuMatting
from camdaemon.matting.bgmv2.engines.dense import DenseBase
from camdaemon.matting.bgmv2.floats import FloatMatting
from camdaemon.matting.bgmv2.sizes import choose_base_size, choose_selection
from camdaemon.matting.effort import Effort
from camdaemon.model.published import BackgroundMattingV2
from tests.fakes import assert_keeps_the_contract

pytestmark = pytest.mark.usefixtures("one_thread")

KINDS = ["floats", "bytes"]
EITHER = pytest.mark.parametrize("kind", KINDS)


def _pair(kind: str, height: int = 96, width: int = 128) -> tuple[Any, Any]:
    """Picture and plate: tensors of floats, or arrays of bytes."""
    torch.manual_seed(3)
    src, plate = torch.rand(1, 3, height, width), torch.rand(1, 3, height, width)
    return (src, plate) if kind == "floats" else (pixels.as_bytes(src), pixels.as_bytes(plate))


def _made(kind: str, weights: str, **refine: Any) -> Any:
    """In torch, of which there is one everywhere, and whose numbers are the same each time."""
    if kind == "floats":
        return FloatMatting(weights, Refinement(**refine), "cpu", purpose="live")
    return CpuMatting(weights, Refinement(**refine), "torch", "float32")


@pytest.fixture(scope="module", params=["default", "with refiner", "thresholding"])
def matting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A matting of each kind."""
    if request.param == "default":
        return {kind: _made(kind, "default") for kind in KINDS}
    path = tmp_path_factory.mktemp("weights") / "refiner.pth"
    torch.save(BackgroundMattingV2("mobilenetv2", 3).state_dict(), path)
    mode = "thresholding" if request.param == "thresholding" else "sampling"
    return {kind: _made(kind, str(path), mode=mode) for kind in KINDS}


@EITHER
def test_keeps_the_contract(matting: dict[str, Any], kind: str) -> None:
    assert_keeps_the_contract(matting[kind], *_pair(kind))
    assert matting[kind].name == "bgmv2"
    assert matting[kind].engine == "torch float32"


def test_the_fastest_engine_there_is_keeps_the_contract_too() -> None:
    made = make_matting("bgmv2", MattingSettings(), "cpu")
    assert_keeps_the_contract(made, *_pair("bytes"))
    assert isinstance(made, CpuMatting)
    assert made.engine.startswith("openvino ")


@pytest.mark.parametrize("weights", ["slim", "published"])
def test_bytes_in_openvino_are_those_in_torch(weights: str) -> None:
    both = [CpuMatting(weights, Refinement(mode="full"), engine, "float32") for engine in ("openvino", "torch")]
    one, other = (cast(Any, each(*_pair("bytes"), None, 0)) for each in both)
    assert int(other.alpha.max()) > 0
    for found, wanted in ((one.alpha, other.alpha), (one.foreground, other.foreground)):
        away = np.abs(found.astype(int) - wanted)
        assert int(away.max()) <= 1
        assert float(away.mean()) < 0.01


@EITHER
def test_carries_nothing_from_frame_to_frame(matting: dict[str, Any], kind: str) -> None:
    src, plate = _pair(kind)
    first = matting[kind](src, plate, None, 0)
    matting[kind](plate, src, None, 1)
    again = matting[kind](src, plate, None, 2)
    assert bool((first.alpha == again.alpha).all())
    assert bool((first.foreground == again.foreground).all())


def _raise(error: Exception) -> Callable[..., None]:
    def network(*args: object, **kwargs: object) -> None:
        raise error

    return network


MEMORY = r"memory.*128x96.*"
FAILURES = [
    ("floats", torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"), f"{MEMORY}--size 640x360$"),
    ("bytes", MemoryError("Unable to allocate 9 GiB"), f"{MEMORY}9 GiB.*--size 640x360$"),
    *((kind, RuntimeError("CUDA error: launch failure\nCompile"), r"failed.*frame 7\b.*launch failure\. .*cpu$")
      for kind in KINDS),
    *((kind, RuntimeError(), r"RuntimeError\. .*cpu$") for kind in KINDS),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "error", "message"), FAILURES)
def test_a_failing_network_is_a_matting_error(
    kind: str, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    matting = _made(kind, "published")
    monkeypatch.setattr(BackgroundMattingV2, "forward", _raise(error))  # of floats
    monkeypatch.setattr(DenseBase, "forward", _raise(error))  # of bytes
    with pytest.raises(MattingError, match=message):
        matting(*_pair(kind), None, 7)
    with pytest.raises(MattingError):
        matting.warm_up(Size(128, 96))


def test_a_failing_accelerator_may_be_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    matting = _made("floats", "published")
    matting._device = "cuda"
    monkeypatch.setattr(BackgroundMattingV2, "forward", _raise(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(MattingError, match=r"cuda has not enough memory.*--device cpu$"):
        matting(*_pair("floats"), None, 7)


@EITHER
@pytest.mark.parametrize(("height", "width"), [(64, 128), (96, 64), (128, 128), (96, 160)])
def test_a_plate_of_another_size_is_a_matting_error(
    matting: dict[str, Any], kind: str, height: int, width: int
) -> None:
    with pytest.raises(MattingError, match=r"failed.*frame 3\b"):
        matting[kind](_pair(kind)[0], _pair(kind, height, width)[1], None, 3)


@EITHER
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["decoder.conv4.bias", "refiner.conv4.bias"])
def test_a_matte_that_is_not_finite_is_an_error(name: str, value: float, kind: str, tmp_path: Path) -> None:
    tensors = dict(BackgroundMattingV2("mobilenetv2", 3).state_dict())
    tensors[name][0] = value
    tensors["decoder.conv4.bias"][4] = 0.5  # something to refine
    save_file(tensors, tmp_path / "odd.safetensors")
    matting = _made(kind, str(tmp_path / "odd.safetensors"))
    with pytest.raises(MattingError, match=r"frame 9\b.*finite.*--device cpu$"):
        matting(*_pair(kind), None, 9)


def test_a_frame_that_is_not_finite_is_an_error(matting: dict[str, Any]) -> None:
    src, plate = _pair("floats")
    src[0, 0, 50, 60] = float("nan")
    with pytest.raises(MattingError, match=r"frame 0\b.*finite"):
        matting["floats"](src, plate, None, 0)


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("name", ["absent.safetensors", "absent.pth", "."])
def test_weights_that_cannot_be_read(name: str, engine: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"weights .*--weights default$"):
        CpuMatting(str(tmp_path / name), Refinement(), engine)
    with pytest.raises(ConfigError, match=r"weights .*--weights default$"):
        FloatMatting(str(tmp_path / name), Refinement(), "cpu")


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_weights_of_something_else(engine: str, tmp_path: Path) -> None:
    save_file({"layer.weight": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ConfigError, match=r"weights .*foreign\.safetensors\b.*checkpoint.*--weights default$"):
        CpuMatting(str(tmp_path / "foreign.safetensors"), Refinement(), engine)


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


@pytest.mark.parametrize(
    ("scale", "sides", "base"),
    [
        (0.37, "any", (39, 47)),
        (0.37, "even", (40, 48)),
        (0.37, "cells", (32, 48)),
        (0.01, "any", (1, 1)),
        (0.01, "even", (4, 4)),
        (0.01, "cells", (16, 16)),
        (1.0, "even", (106, 128)),
    ],
)
def test_a_scale_is_rounded_to_the_sides_that_a_network_takes(scale, sides, base) -> None:
    assert choose_base_size(Refinement(scale=scale), 106, 128, sides=sides) == base


@EITHER
def test_a_configured_scale_is_obeyed(kind: str) -> None:
    src, plate = _pair(kind)
    mattes = [_made(kind, "default", scale=scale)(src, plate, None, 0) for scale in (None, 1, 0.5)]
    assert bool((mattes[0].alpha == mattes[1].alpha).all())
    assert not bool((mattes[0].alpha == mattes[2].alpha).all())


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0])
def test_a_scale_fits_the_slim_network_in_floats_too(scale: float) -> None:
    assert _made("floats", "slim", scale=scale)(*_pair("floats"), None, 1).alpha.shape == (1, 1, 96, 128)


@pytest.mark.parametrize(
    ("given", "size", "pixels"),
    [(None, (1080, 1920), 80_870), (None, (2160, 3840), 323_482), (None, (360, 640), 8_986), (500, (1080, 1920), 500)],
)
def test_the_refiner_gets_the_same_share_of_every_size_unless_told_otherwise(given, size, pixels):
    assert choose_selection(Refinement(pixels=given), *size).pixels == pixels
