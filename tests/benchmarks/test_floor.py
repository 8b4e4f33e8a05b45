"""Operations are counted, and the counts are those worked out by hand, and the paper's."""

import pytest
import torch
from torch import nn

from camdaemon.frames.frame import Size
from camdaemon.model.layout import base_size
from camdaemon.model.published import BackgroundMattingV2
from tests.benchmarks import network
from tests.benchmarks.floor import Floor, count_operations, macs_per_patch
from tests.benchmarks.processor import BaselineMatting
from tests.benchmarks.settings import Settings, write_random_weights

PATCH = 36 * (42 * 24 * 9) + 16 * (24 * 16 * 9) + 36 * (22 * 12 * 9) + 16 * (12 * 4 * 9)  # 6², 4², 6², 4² pixels
SHARED = 4 * (42 * 24 * 9 + 24 * 16 * 9) + 16 * (22 * 12 * 9 + 12 * 4 * 9)


def test_one_convolution_by_hand():
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, groups=8))
    with count_operations(layers) as count, torch.inference_mode():
        layers(torch.zeros(1, 3, 4, 6))
    assert count.macs == {"0": 8 * 24 * 27, "2": 8 * (1 * 2) * 9}
    assert count.bytes == {"0": 4 * (3 * 24 + 8 * 24 + 8 * 27), "2": 4 * (8 * 24 + 8 * 2 + 8 * 9)}
    with torch.inference_mode():
        layers(torch.zeros(1, 3, 4, 6))
    assert count.total(refiner=False) == 8 * 24 * 27 + 8 * 2 * 9, "nothing is counted after the end"


def test_a_patch_by_hand(tmp_path, one_thread):
    assert PATCH == 474_336
    config = Settings(backbone="mobilenetv2", pixels=16 * 50, scale=0.25).config(
        write_random_weights("mobilenetv2", tmp_path)
    )
    size = Size(128, 64)
    pair = (torch.rand(1, 3, 64, 128), torch.rand(1, 3, 64, 128))
    floor = network.count(BaselineMatting(config, size, "cpu", torch.float32), pair)
    assert floor.patches == 50
    assert floor.refiner == 50 * PATCH
    assert floor.shared == 50 * SHARED
    assert floor.base > 0
    assert floor.least == 4 * 5_006_839 + 128 * 64 * 15 // 2  # Table 4's parameters, and the frames
    assert floor.layers > floor.least


@pytest.mark.parametrize(
    ("backbone", "size", "scale", "patches", "published"),
    [
        ("resnet50", (1080, 1920), 1 / 4, 5_000, 34.3),
        ("resnet101", (1080, 1920), 1 / 4, 5_000, 44.0),
        ("mobilenetv2", (1080, 1920), 1 / 4, 5_000, 9.9),
        ("resnet50", (2160, 3840), 1 / 8, 20_000, 41.5),
        ("resnet101", (2160, 3840), 1 / 8, 20_000, 51.2),
        ("mobilenetv2", (2160, 3840), 1 / 8, 20_000, 17.0),
    ],
)
def test_the_papers_operations(backbone, size, scale, patches, published):
    """Table 3 of Lin et al. 2021, to 1.5 %: the paper does not say what else its counter counts."""
    with torch.device("meta"):
        whole = BackgroundMattingV2(backbone).eval()
        height, width = base_size(size[0], size[1], scale)
        pair = torch.rand(1, 3, height, width), torch.rand(1, 3, height, width)
    with count_operations(whole) as count:
        whole.base(torch.cat(pair, 1))
    assert (count.total(refiner=False) + patches * PATCH) / 1e9 == pytest.approx(published, rel=0.015)


def test_without_a_refiner_there_is_nothing_to_share():
    assert macs_per_patch(BackgroundMattingV2(kernel_size=None)) == 0
    assert macs_per_patch(BackgroundMattingV2()) == SHARED


def test_the_floor_is_whichever_takes_longer():
    floor = Floor(base=900, refiner=500, shared=100, layers=0, least=4000, patches=1)
    assert floor.seconds(1000, 1e9) == 1.0
    assert floor.seconds(1e9, 1000) == 4.0
