"""A network with fixed shapes computes what the network computes."""

from __future__ import annotations

import pytest
import torch

from camdaemon.frames.frame import Size
from camdaemon.matting.bgmv2.weights import load_weights
from camdaemon.model.network import MattingNetwork
from camdaemon.model.published import Backbone, BackgroundMattingV2
from camdaemon.model.slim import SlimMatting
from camdaemon.tools.export import comparison
from camdaemon.tools.export.comparison import compute_reference, measure
from camdaemon.tools.export.pictures import draw_samples
from camdaemon.tools.export.static import make_static
from tests.tools.export.conftest import LINES, PIXELS, SMALL


@pytest.mark.parametrize("weights", ["slim", "published"])
@pytest.mark.parametrize("part", ["base", "whole"])
@pytest.mark.parametrize("half", [False, True])
def test_it_computes_the_same(weights, part, half):
    network = load_weights(weights)
    static = make_static(network, SMALL, lines=LINES, pixels=PIXELS, part=part, half=half)
    samples = draw_samples(static, SMALL)
    wanted = [compute_reference(network, static, each, PIXELS) for each in samples]
    with torch.inference_mode():
        got = [static(*map(torch.from_numpy, each.values())) for each in samples]
    assert [tuple(each.shape) for each in got[0]] == [port.shape for port in static.outputs]
    found = [{port.name: each.numpy() for port, each in zip(static.outputs, maps, strict=True)} for maps in got]
    difference = measure(wanted, found)
    comparison.check(difference, "float16" if half else "float32")
    assert half == (max(difference.largest.values()) > 1e-4), "float16 is another computation"
    if part == "whole":
        assert wanted[0]["refined"].sum() == PIXELS // 16, "the test of the test"
        assert 0.02 < wanted[0]["alpha"].mean() < 0.8


@pytest.mark.parametrize("backbone", ["resnet50", "mobilenetv2"])
@pytest.mark.parametrize("kernel_size", [1, 3, None])
def test_every_architecture_can_be_made_static(backbone: Backbone, kernel_size):
    torch.manual_seed(1)
    network = BackgroundMattingV2(backbone, kernel_size).eval()
    check_whole(network)


def test_a_slim_network_without_a_refiner_is_upsampled():
    torch.manual_seed(1)
    check_whole(SlimMatting(refined=False).eval())


def check_whole(network: MattingNetwork) -> None:
    size = Size(128, 64)
    for half in (False, True):
        static = make_static(network, size, lines=32, pixels=480, half=half)
        given = draw_samples(static, SMALL)[1]
        wanted = compute_reference(network, static, given, 480)
        with torch.inference_mode():
            alpha, foreground, refined = static(*map(torch.from_numpy, given.values()))
        assert alpha.dtype == foreground.dtype == refined.dtype == torch.float32
        found = {"alpha": alpha.numpy(), "foreground": foreground.numpy(), "refined": refined.numpy()}
        assert measure([wanted], [found]).largest["alpha"] < (0.1 if half else 1e-4)
        assert bool(refined.sum()) == (network.refiner is not None)


def test_the_network_that_is_given_stays_as_it_is():
    network = load_weights("slim")
    before = {name: each.clone() for name, each in network.state_dict().items()}
    make_static(network, SMALL, lines=LINES, pixels=PIXELS, half=True)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(each, after[name]) for name, each in before.items())


def test_patches_that_are_surely_right_stay_as_they_are():
    """More patches than have any error are listed, and those do not count."""
    network = load_weights("slim")
    static = make_static(network, SMALL, lines=LINES, pixels=SMALL.width * SMALL.height)
    given = [torch.from_numpy(each) for each in draw_samples(static, SMALL)[0].values()]
    with torch.inference_mode():
        alpha, _, refined = static(*given)
        network.refiner = None
        coarse = make_static(network, SMALL, lines=LINES, pixels=0)(*given)[0]
    left = refined.repeat_interleave(4, 2).repeat_interleave(4, 3) == 0
    assert 0.1 < float(left.float().mean()) < 0.99
    assert torch.equal(alpha[left], coarse[left])
    assert not torch.allclose(alpha, coarse, atol=0.01)
