"""The network as a matting: the contract of the seam, and every failure as an error for people."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fakes import assert_keeps_the_contract
from safetensors.torch import save_file
from torch import Tensor

from camdaemon.config import RefineConfig
from camdaemon.errors import ConfigError, MattingError
from camdaemon.frame import Size
from camdaemon.matting import Matting, bgmv2
from camdaemon.matting.bgmv2 import BackgroundMatting, default_scale, default_weights, selection_for
from camdaemon.model import BackgroundMattingV2

CPU = torch.device("cpu")


def _pair(height: int = 96, width: int = 128) -> tuple[Tensor, Tensor]:
    torch.manual_seed(3)
    return torch.rand(1, 3, height, width), torch.rand(1, 3, height, width)


@pytest.fixture(scope="module", params=["default", "with refiner", "thresholding"])
def matting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Matting:
    if request.param == "default":
        return BackgroundMatting("default", RefineConfig(), CPU)
    path = tmp_path_factory.mktemp("weights") / "refiner.pth"
    torch.save(BackgroundMattingV2("mobilenetv2", 3).state_dict(), path)
    mode = "thresholding" if request.param == "thresholding" else "sampling"
    return BackgroundMatting(str(path), RefineConfig(mode=mode), CPU)


def test_keeps_the_contract(matting: Matting) -> None:
    src, plate = _pair()
    assert_keeps_the_contract(matting, src, plate)
    assert matting.name == "bgmv2"


def test_carries_nothing_from_frame_to_frame(matting: Matting) -> None:
    src, plate = _pair()
    first = matting(src, plate, 0)
    matting(plate, src, 1)
    again = matting(src, plate, 2)
    assert torch.equal(first.alpha, again.alpha)
    assert torch.equal(first.foreground, again.foreground)


def _raise(error: Exception) -> Callable[..., None]:
    def network(*args: object, **kwargs: object) -> None:
        raise error

    return network


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"), "not enough memory for 128x96.*--device cpu$"),
        (RuntimeError("CUDA error: unspecified launch failure\nCompile"), "failed on frame 7.*launch failure; .*cpu$"),
        (RuntimeError(), "RuntimeError; .*cpu$"),
    ],
)
def test_a_failing_network_is_a_matting_error(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    matting = BackgroundMatting("default", RefineConfig(), CPU)
    monkeypatch.setattr(matting, "_network", _raise(error))
    with pytest.raises(MattingError, match=message):
        matting(*_pair(), 7)
    with pytest.raises(MattingError):
        matting.warm_up(Size(128, 96))


def test_a_plate_of_another_size_is_a_matting_error(matting: Matting) -> None:
    with pytest.raises(MattingError, match="failed on frame 3"):
        matting(_pair()[0], _pair(height=64)[1], 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["decoder.conv4.bias", "refiner.conv4.bias"])
def test_a_matte_that_is_not_finite_is_an_error(name: str, value: float, tmp_path: Path) -> None:
    tensors = dict(BackgroundMattingV2("mobilenetv2", 3).state_dict())
    tensors[name][0] = value
    tensors["decoder.conv4.bias"][4] = 0.5  # something to refine
    save_file(tensors, tmp_path / "odd.safetensors")
    matting = BackgroundMatting(str(tmp_path / "odd.safetensors"), RefineConfig(), CPU)
    with pytest.raises(MattingError, match=r"frame 9 is not finite.*--device cpu$"):
        matting(*_pair(), 9)


def test_a_frame_that_is_not_finite_is_an_error(matting: Matting) -> None:
    src, plate = _pair()
    src[0, 0, 50, 60] = float("nan")
    with pytest.raises(MattingError, match="not finite"):
        matting(src, plate, 0)


@pytest.mark.parametrize("name", ["absent.safetensors", "absent.pth", "."])
def test_weights_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"weights .*--weights default$"):
        BackgroundMatting(str(tmp_path / name), RefineConfig(), CPU)


def test_weights_of_something_else(tmp_path: Path) -> None:
    save_file({"layer.weight": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ConfigError, match=r"weights .*foreign\.safetensors: not a checkpoint.*--weights default$"):
        BackgroundMatting(str(tmp_path / "foreign.safetensors"), RefineConfig(), CPU)


def test_the_default_weights_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_weights().suffix == ".safetensors"
    (tmp_path / "camdaemon" / "matting").mkdir(parents=True)
    monkeypatch.setattr(bgmv2, "__file__", str(tmp_path / "camdaemon" / "matting" / "bgmv2.py"))
    with pytest.raises(ConfigError, match=r"default weights are not in .*--weights FILE$"):
        default_weights()
    for folder in (tmp_path / "weights", tmp_path / "camdaemon" / "_weights"):
        folder.mkdir()
        manifest = {"default": "a.safetensors", "files": {"a.safetensors": {"sha256": "0"}}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "a.safetensors").write_bytes(b"")
        with pytest.raises(ConfigError, match=f"{folder.name}/a.safetensors is damaged.*--weights FILE$"):
            default_weights()


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(128, 96, 1), (320, 180, 1), (640, 360, 1 / 2), (1280, 720, 1 / 4), (720, 1280, 1 / 4), (1920, 1080, 1 / 6)],
)
def test_the_base_input_is_about_180_pixels_high(width: int, height: int, scale: float) -> None:
    assert default_scale(height, width) == pytest.approx(scale)


def test_a_configured_scale_is_obeyed() -> None:
    src, plate = _pair()
    mattes = [BackgroundMatting("default", RefineConfig(scale=scale), CPU)(src, plate, 0) for scale in (None, 1, 0.5)]
    assert torch.equal(mattes[0].alpha, mattes[1].alpha)
    assert not torch.equal(mattes[0].alpha, mattes[2].alpha)


@pytest.mark.parametrize(
    ("given", "size", "pixels"),
    [(None, (1080, 1920), 80_870), (None, (2160, 3840), 323_482), (None, (360, 640), 8_986), (500, (1080, 1920), 500)],
)
def test_the_refiner_gets_the_same_share_of_every_size_unless_told_otherwise(given, size, pixels):
    assert selection_for(RefineConfig(pixels=given), *size).pixels == pixels
