"""Our network computes what the published one computes."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.layout import Selection
from camdaemon.model.network import Output
from camdaemon.model.published import BackgroundMattingV2

CASES = (
    "mobilenetv2-full-180x320-scale4",
    "mobilenetv2-kernel1-sampling-180x320-scale4",
    "mobilenetv2-sampling-180x320-scale4",
    "mobilenetv2-sampling-208x400-scale8",
    "mobilenetv2-thresholding-180x320-scale4",
    "resnet50-sampling-180x320-scale4",
    "resnet101-sampling-180x320-scale4",
)
HALF_A_FLOAT16_STEP = 2**-12  # of numbers in 0.5..1; the published foregrounds are stored as float16
MOVED_BY_TIES = 4  # patches


def _network(maker: ModuleType, settings: dict[str, Any]) -> BackgroundMattingV2:
    layout = f"{settings['backbone']}{'-kernel1' if settings['kernel_size'] == 1 else ''}"
    selection = Selection(
        settings["mode"], settings.get("refine_sample_pixels", 0), settings.get("refine_threshold", 0.0)
    )
    network = BackgroundMattingV2(
        settings["backbone"], settings["kernel_size"], scale=settings["backbone_scale"], selection=selection
    )
    weights = maker.make_state_dict(maker.shapes(layout))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=True)
    return network.eval()


def _compare(found: Output, golden: dict[str, NDArray[np.generic]]) -> None:
    moved = torch.from_numpy(golden["refined"]).bool() ^ found.refined
    assert int(moved.sum()) <= MOVED_BY_TIES
    same = ~moved.repeat_interleave(4, 2).repeat_interleave(4, 3)
    for name in ("alpha", "foreground", "alpha_coarse", "foreground_coarse", "error_coarse"):
        expected = torch.from_numpy(golden[name])
        stored_as = HALF_A_FLOAT16_STEP if expected.dtype == torch.float16 else 0
        difference = (getattr(found, name) - expected.float()).abs()
        if name in ("alpha", "foreground"):
            difference = difference * same
        assert difference.max().item() <= 1e-4 + stored_as, name


@pytest.mark.parametrize("case", CASES)
def test_equals_the_published_network(case: str, reference: Path, maker: ModuleType) -> None:
    golden = dict(np.load(reference / "golden" / f"{case}.npz"))
    settings = json.loads(str(golden["settings"]))
    network = _network(maker, settings)
    src, plate = (torch.from_numpy(x) for x in maker.make_inputs(settings["height"], settings["width"]))
    with torch.inference_mode():
        _compare(network(src, plate), golden)
        fold_batch_norms(network)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        _compare(network(src, plate), golden)


def test_no_published_result_is_left_out(reference: Path) -> None:
    assert sorted(path.stem for path in (reference / "golden").glob("*.npz")) == sorted(CASES)
