"""The network by itself, with random weights."""

from typing import Any

import pytest
import torch
from torch import Tensor

from camdaemon.model.folding import fold_batch_norms, scale_by_norms
from camdaemon.model.layout import Selection, base_size
from camdaemon.model.patches import choose_patches, cut_windows, paste_patches
from camdaemon.model.published import BackgroundMattingV2
from camdaemon.model.slim import SlimMatting
from tests.present import present


def _network(
    mode: Any = "sampling", pixels: int = 1600, threshold: float = 0.0, kernel_size: Any = 3
) -> BackgroundMattingV2:
    network = BackgroundMattingV2(kernel_size=kernel_size, selection=Selection(mode, pixels, threshold)).eval()
    with torch.no_grad():
        bias = present(network.decoder.conv4.bias)
        bias[:5] = torch.tensor([0.5, 0, 0, 0, 0.5])  # alpha and error away from the clamps
    return network


def _pair(batch: int = 1, height: int = 96, width: int = 128) -> tuple[Tensor, Tensor]:
    return torch.rand(batch, 3, height, width), torch.rand(batch, 3, height, width)


@pytest.mark.parametrize("mode", ["sampling", "thresholding", "full"])
@pytest.mark.parametrize("kernel_size", [None, 1, 3])
def test_shapes_and_ranges(mode: str, kernel_size: int | None) -> None:
    src, plate = _pair(2)
    copies = src.clone(), plate.clone()
    with torch.inference_mode():
        found = _network(mode, kernel_size=kernel_size)(src, plate)
    assert found.alpha.shape == (2, 1, 96, 128)
    assert found.foreground.shape == (2, 3, 96, 128)
    assert found.alpha_coarse.shape == found.error_coarse.shape == (2, 1, 24, 32)
    assert found.foreground_coarse.shape == (2, 3, 24, 32)
    assert found.refined.shape == (2, 1, 24, 32)
    assert found.refined.dtype == torch.bool
    for part in found[:-1]:
        assert part.dtype == torch.float32
        assert 0 <= part.min() <= part.max() <= 1
    assert torch.equal(src, copies[0])
    assert torch.equal(plate, copies[1])


@pytest.mark.parametrize("mode", ["sampling", "thresholding", "full"])
def test_two_in_a_batch_equal_two_alone(mode: str) -> None:
    network = _network(mode, threshold=0.5)
    src, plate = _pair(2)
    with torch.inference_mode():
        together = network(src, plate)
        alone = [network(src[i : i + 1], plate[i : i + 1]) for i in range(2)]
    for number, part in enumerate(together):
        torch.testing.assert_close(part, torch.cat([one[number] for one in alone]), atol=1e-5, rtol=0)
    if mode == "sampling":
        assert together.refined.flatten(1).sum(1).tolist() == [100, 100]


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_full_equals_everything_above_threshold_and_everything_sampled(kernel_size: int) -> None:
    network = _network("full", kernel_size=kernel_size)
    src, plate = _pair(1, 68, 100)
    with torch.inference_mode():
        full = network(src, plate)
        for selection in (Selection("thresholding", threshold=-1.0), Selection("sampling", pixels=10**9)):
            network.selection = selection
            other = network(src, plate)
            assert bool(other.refined.all())
            torch.testing.assert_close(other.alpha, full.alpha, atol=1e-5, rtol=0)
            torch.testing.assert_close(other.foreground, full.foreground, atol=1e-5, rtol=0)


def test_no_pixels_is_the_enlarged_coarse_matte() -> None:
    network = _network("sampling", pixels=0)
    src, plate = _pair()
    with torch.inference_mode():
        unrefined = network(src, plate)
        network.refiner = None
        without = network(src, plate)
        enlarged = torch.nn.functional.interpolate(unrefined.alpha_coarse, (96, 128), mode="bilinear")
    assert not unrefined.refined.any()
    assert not without.refined.any()
    assert torch.equal(unrefined.alpha, without.alpha)
    assert torch.equal(unrefined.foreground, without.foreground)
    assert torch.equal(without.alpha, enlarged)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (64, 64), (68, 132), (100, 64)])
@pytest.mark.parametrize("scale", [1.0, 0.25, 0.01])
def test_small_sizes(height: int, width: int, scale: float) -> None:
    src, plate = _pair(1, height, width)
    with torch.inference_mode():
        found = _network()(src, plate, base=base_size(height, width, scale))
    assert found.alpha.shape == (1, 1, height, width)
    assert found.alpha_coarse.shape[2:] == base_size(height, width, scale)
    assert bool(found.alpha.isfinite().all())


def test_what_training_looks_at_are_the_first_five_maps() -> None:
    pair = torch.rand(2, 6, 48, 80, generator=torch.Generator().manual_seed(1))
    network = _network()
    with torch.inference_mode():
        torch.testing.assert_close(network.visible(pair), network.coarse(pair)[:, :5], atol=1e-5, rtol=1e-5)


def test_base_size_is_not_a_pixel_short() -> None:
    for height in range(4, 4000, 4):
        assert base_size(height, height, 180 / height) == (180, 180)
    assert base_size(50, 50, 0.25) == (12, 12)
    assert base_size(4, 4, 0.1) == (1, 1)


def test_wrong_shapes_are_refused() -> None:
    network = _network()
    for src, plate in ((_pair()[0], _pair(height=92)[1]), _pair(height=98), _pair(width=130)):
        with pytest.raises(ValueError, match="multiples of 4"):
            network(src, plate)
    with pytest.raises(ValueError, match=r"backbone.*'vgg'.*mobilenetv2"):
        BackgroundMattingV2("vgg")  # type: ignore[arg-type]


def test_folded_batch_norms_change_nothing() -> None:
    network = _network()
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        torch.nn.init.normal_(present(norm.running_mean), std=0.1)
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
    src, plate = _pair()
    with torch.inference_mode():
        before = network(src, plate)
        fold_batch_norms(network)
        after = network(src, plate)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(after.alpha_coarse, before.alpha_coarse, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="evaluation mode"):
        fold_batch_norms(BackgroundMattingV2())


@pytest.mark.parametrize("mode", ["sampling", "full"])
def test_every_parameter_learns_when_nothing_is_clamped(mode: str) -> None:
    network = _network(mode, pixels=10**6).train()
    src, plate = _pair(2)
    found = network(src, plate, clamp=False)
    sum(part.square().mean() for part in found[:-1]).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name


def test_unclamped_alpha_shows_what_clamping_hides() -> None:
    network = _network()
    with torch.no_grad():
        present(network.decoder.conv4.bias)[0] = float("inf")
    src, plate = _pair()
    with torch.inference_mode():
        assert not network(src, plate, clamp=False).alpha_coarse.isfinite().any()
        assert bool(network(src, plate).alpha_coarse.isfinite().all())


def test_sampling_skips_patches_without_error() -> None:
    error = torch.zeros(2, 1, 5, 7)
    error[0, 0, 1, 2], error[1, 0, 4, 6], error[1, 0, 0, 0] = 0.3, 0.2, 0.1
    for fixed_count in (False, True):
        places = choose_patches(error, Selection("sampling", pixels=16 * 4), fixed_count=fixed_count)
        assert torch.equal(places.chosen, error > 0)
        assert len(places.row) == (8 if fixed_count else 3)


def test_a_fixed_count_of_patches_gives_the_same_picture() -> None:
    error = torch.rand(2, 1, 6, 8) * (torch.rand(2, 1, 6, 8) > 0.5)
    picture, fine = torch.rand(2, 4, 24, 32), torch.rand(2, 4, 24, 32)
    pasted = []
    for fixed_count in (False, True):
        places = choose_patches(error, Selection("sampling", pixels=16 * 40), fixed_count=fixed_count)
        whole = picture.clone()
        paste_patches(whole, cut_windows(fine, places, step=4, window=4), places)
        pasted.append(whole)
    everywhere = (error > 0).repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert torch.equal(pasted[0], torch.where(everywhere, fine, picture))
    assert torch.equal(pasted[0], pasted[1])


def test_windows_are_zero_outside_of_the_picture() -> None:
    picture = torch.rand(1, 2, 8, 12)
    places = choose_patches(torch.ones(1, 1, 2, 3), Selection("thresholding", threshold=0.0), fixed_count=False)
    windows = cut_windows(picture, places, step=4, window=8)
    padded = torch.nn.functional.pad(picture, (2, 2, 2, 2))
    for number, (row, column) in enumerate(zip(places.row.tolist(), places.column.tolist(), strict=True)):
        assert torch.equal(windows[number], padded[0, :, row * 4 : row * 4 + 8, column * 4 : column * 4 + 8])


def test_norms_with_fixed_statistics_may_run_inside_their_convolutions() -> None:
    network = BackgroundMattingV2(kernel_size=3).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for name, low in (("running_mean", -0.5), ("running_var", 0.5)):
                torch.nn.init.uniform_(module.get_buffer(name), low, low + 1)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
    pair = torch.rand(1, 6, 64, 64)
    network.coarse(pair).square().mean().backward()
    before = {name: each.grad.clone() for name, each in network.named_parameters() if each.grad is not None}
    found, names = network.coarse(pair), list(network.state_dict())
    network.zero_grad()
    scale_by_norms(network)
    scaled = network.coarse(pair)
    scaled.square().mean().backward()
    torch.testing.assert_close(scaled, found, atol=1e-4, rtol=1e-4)
    assert list(network.state_dict()) == names
    for name, parameter in network.named_parameters():
        if name in before:
            torch.testing.assert_close(parameter.grad, before[name], atol=1e-4, rtol=1e-2)


@pytest.fixture
def slim() -> SlimMatting:
    torch.manual_seed(3)
    return SlimMatting(selection=Selection("full")).eval()


def test_the_slim_network_sees_nothing_of_a_plate_that_is_not_known(slim: SlimMatting) -> None:
    src, plate, other = torch.rand(3, 1, 3, 64, 96).unbind()
    unknown = torch.zeros(1, 1, 4, 6)
    with torch.no_grad():
        first, second = (slim(src, each, unknown, base=(64, 96)) for each in (plate, other))
        known = slim(src, plate, base=(64, 96))
    assert torch.equal(first.alpha, second.alpha)
    assert torch.equal(first.foreground, second.foreground)
    assert not torch.equal(first.alpha, known.alpha)


def test_the_slim_network_sees_a_part_that_is_known(slim: SlimMatting) -> None:
    src, plate = torch.rand(2, 1, 3, 64, 96).unbind()
    half = torch.ones(1, 1, 64, 96)
    half[..., 48:] = 0
    changed = plate.clone()
    changed[..., 56:] = 0.1
    stacked = slim.stack(src, plate, half)
    assert stacked.shape == (1, 7, 64, 96)
    assert torch.equal(stacked, slim.stack(src, changed, half))
    assert torch.equal(stacked[:, 3:6, :, :48], plate[..., :48])
    assert (stacked[:, 3:6, :, 48:] == 0.5).all()


def test_the_slim_network_is_slim(slim: SlimMatting) -> None:
    whole = BackgroundMattingV2()
    assert sum(each.numel() for each in slim.parameters()) < sum(each.numel() for each in whole.parameters()) / 5
    with torch.no_grad():
        found = slim.base(torch.rand(2, 7, 32, 48))
    assert found.alpha.shape == found.error.shape == (2, 1, 32, 48)
    assert found.residual.shape == (2, 3, 32, 48)
    assert found.hidden.shape == (2, 12, 16, 24)
    assert found.hidden.min() >= 0
