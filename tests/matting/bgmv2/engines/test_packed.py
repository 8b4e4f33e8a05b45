"""Packed weights and fused operations change no result."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from camdaemon.matting.bgmv2.engines import torch_engine
from camdaemon.matting.bgmv2.engines.dense import DenseBase
from camdaemon.matting.bgmv2.engines.packed import _Convolution, pack
from camdaemon.matting.bgmv2.engines.torch_engine import TorchRuntime, has_bfloat16
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.published import BACKBONES, BackgroundMattingV2
from tests.present import present


def made(backbone) -> BackgroundMattingV2:
    """Random, with batch norms that do something."""
    generator = torch.Generator().manual_seed(3)
    network = BackgroundMattingV2(backbone).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            present(module.running_mean).normal_(0, 0.2, generator=generator)
            present(module.running_var).uniform_(0.5, 1.5, generator=generator)
    fold_batch_norms(network)
    return network.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def pair(height: int, width: int) -> Tensor:
    made = torch.rand(1, 6, height, width, generator=torch.Generator().manual_seed(4))
    return made.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(36, 64), (46, 78)], ids=str)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_result_is_the_networks(backbone, size):
    network, given = DenseBase(made(backbone)).eval(), pair(*size)
    with torch.inference_mode():
        run = pack(network, given)
        for scale in (1.0, 0.3):  # another picture of that shape: nothing of the first one is kept
            for wanted, found in zip(network(scale * given), run(scale * given), strict=True):
                assert found.shape == wanted.shape
                assert float((found - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())


@pytest.mark.parametrize("backbone", ["mobilenetv2", "resnet50"])
def test_all_of_it_is_packed_and_activations_and_sums_are_within(backbone):
    """The borders are computed by themselves: four more convolutions."""
    with torch.inference_mode():
        run = pack(DenseBase(made(backbone)).eval(), pair(36, 64))
    kinds = [type(module) for module in run.modules()]
    assert not {nn.Conv2d, nn.ReLU, nn.ReLU6} & set(kinds)
    network = made(backbone)
    base = [*network.backbone.modules(), *network.aspp.modules(), *network.decoder.modules()]
    assert kinds.count(_Convolution) == 4 + sum(isinstance(module, nn.Conv2d) for module in base)
    assert not [node for node in run.graph.nodes if "relu" in node.name and "packed" not in node.name]
    assert not [node for node in run.graph.nodes if node.name.startswith("add")]


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_bfloat16_is_the_networks_in_bfloat16():
    network, given = DenseBase(made("mobilenetv2")).eval().bfloat16(), pair(36, 64).bfloat16()
    with torch.inference_mode():
        for wanted, found in zip(network(given), pack(network, given)(given), strict=True):
            assert found.dtype == torch.bfloat16
            assert float((found - wanted).float().abs().max()) < 0.05 * float(wanted.float().abs().max())


@pytest.mark.skipif(has_bfloat16(), reason="this processor has bfloat16")
def test_bfloat16_is_refused_where_the_processor_lacks_it():
    with torch.inference_mode(), pytest.raises(RuntimeError, match="bf16"):
        pack(DenseBase(made("mobilenetv2")).eval().bfloat16(), pair(36, 64).bfloat16())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value):
    """An activation within would make 0 of them, and the frame would look sound."""
    network = DenseBase(made("mobilenetv2")).eval()
    network.state_dict()["aspp.convs.0.0.weight"].view(-1)[0] = value
    with torch.inference_mode(), pytest.raises(RuntimeError, match="not finite"):
        pack(network, pair(36, 64))


@pytest.mark.parametrize(
    "wrong", [AttributeError("no such operator"), RuntimeError("not for this processor")], ids=repr
)
def test_without_these_operators_the_network_runs_as_it_is(wrong, monkeypatch):
    def refuse(*_):
        raise wrong

    monkeypatch.setattr(torch_engine, "pack", refuse)
    network, given = made("mobilenetv2"), pair(36, 64)
    found = TorchRuntime(network, "float32").build_base((36, 64))(given.permute(0, 2, 3, 1).numpy())
    with torch.inference_mode():
        for each, wanted in zip(found, DenseBase(network).eval()(given), strict=True):
            assert np.array_equal(each, wanted[0].permute(1, 2, 0))
