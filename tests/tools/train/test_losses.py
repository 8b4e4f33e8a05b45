"""The losses against values worked out by hand."""

import pytest
import torch
from torch.nn import functional as F

from camdaemon.model.network import Output
from camdaemon.tools.train.losses import (
    Losses,
    base_losses,
    find_gaps,
    forgive_overshoot,
    matte_losses,
    pyramid_loss,
    refined_losses,
    sobel_gradients,
)


def test_gradients_of_a_ramp_are_its_slope() -> None:
    x = torch.arange(6.0).expand(5, 6)[None, None] * 0.1
    across, down = sobel_gradients(x)[0]
    assert across[:, 1:-1].sub(0.1).abs().max() < 1e-6
    assert across[:, 0].sub(0.05).abs().max() < 1e-6  # the edge is repeated outside
    assert down.abs().max() < 1e-6


def test_a_constant_error_costs_itself_and_no_edges() -> None:
    truth, color = torch.full((2, 1, 4, 4), 0.5), torch.zeros(2, 3, 4, 4)
    found = matte_losses(truth + 0.25, color, truth, color)
    assert torch.stack(found).tolist() == pytest.approx([0.25, 0, 0, 0, 0, 0], abs=1e-6)


def test_a_step_costs_its_edges() -> None:
    truth, alpha = torch.zeros(1, 1, 3, 4), torch.zeros(1, 1, 3, 4)
    alpha[..., 2:] = 1
    found = matte_losses(alpha, torch.zeros(1, 3, 3, 4), truth, torch.zeros(1, 3, 3, 4))
    # The horizontal gradient is 1/2 in the two middle columns of four, the vertical one 0.
    assert found.alpha == pytest.approx(0.5)
    assert found.edges == pytest.approx(2 * 2 * 0.25 / 2)


def test_the_foreground_counts_only_where_somebody_is() -> None:
    truth = torch.tensor([[0.0, 0.01], [1.0, 0.0]])[None, None]
    wrong = torch.full((1, 3, 2, 2), 0.4)
    found = matte_losses(truth, wrong, truth, torch.zeros_like(wrong))
    assert found.foreground == pytest.approx(0.4 * 2 / 4)


def test_the_error_map_learns_the_error_and_alpha_learns_nothing_from_it() -> None:
    truth, color = torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4)
    alpha = torch.full((1, 1, 4, 4), 0.3, requires_grad=True)
    error = torch.full((1, 1, 4, 4), 0.1, requires_grad=True)
    found = base_losses(alpha, color, error, truth, color)
    assert found.error.item() == pytest.approx(0.2**2)
    found.error.backward()
    assert alpha.grad is None
    assert error.grad is not None
    assert error.grad.sum().item() == pytest.approx(2 * (0.1 - 0.3))


@pytest.mark.parametrize("start", [-0.5, 1.5])
def test_alpha_outside_its_range_is_pulled_back(start: float) -> None:
    alpha = torch.full((1, 1, 4, 4), start, requires_grad=True)
    truth, color = torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 3, 4, 4)
    base_losses(alpha, color, torch.zeros_like(truth), truth, color).total().backward()
    assert alpha.grad is not None
    assert (alpha.grad.sign() == (1 if start > 0.5 else -1)).all()


def test_overshooting_the_right_way_costs_nothing_and_the_wrong_way_all_of_it() -> None:
    truth = torch.tensor([[1.0, 0.0, 1.0, 0.0]])[None, None]
    alpha = torch.tensor([[1.3, -0.2, -0.1, 1.1]], requires_grad=True)
    held = forgive_overshoot(alpha[None, None], truth)
    assert held.flatten().tolist() == pytest.approx([1, 0, -0.1, 1.1])
    (held - truth).abs().sum().backward()
    assert alpha.grad is not None
    assert alpha.grad.flatten().tolist() == [0, 0, -1, 1]


def test_the_total_is_the_sum() -> None:
    assert Losses(*torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).total() == 21


def test_a_narrow_gap_counts_five_times_and_a_wide_one_once() -> None:
    alpha = torch.ones(1, 1, 60, 60)
    alpha[..., 20:40, 29:31] = 0  # 2 of 60 pixels wide
    alpha[..., :10, :] = 0  # open to the frame's edge, and 10 high
    found = find_gaps(alpha)
    assert found[..., 20:40, 29:31].min() == 1
    assert found[..., :8, :].max() == 0
    assert found[alpha == 1].max() == 0
    color = torch.zeros(1, 3, 60, 60)
    narrow, wide = alpha.clone(), alpha.clone()
    narrow[..., 20:40, 29:31] = 1  # 40 pixels wrong each
    wide[..., 4, :40] = 1
    losses = [base_losses(each, color, 0 * alpha, alpha, color).alpha for each in (narrow, wide)]
    assert losses[0] / losses[1] == pytest.approx(5, rel=1e-4)


def test_the_pyramid_of_an_even_error_is_empty_and_fine_detail_is_in_its_first_level() -> None:
    truth = torch.zeros(1, 1, 32, 32)
    assert pyramid_loss(truth + 0.3, truth) < 1e-6
    checked = truth.clone()
    checked[..., ::2, ::2] = checked[..., 1::2, 1::2] = 1  # its means over 2×2 pixels are all one half
    assert pyramid_loss(checked, truth).item() == pytest.approx(0.5 / 5)
    coarse = torch.nn.functional.interpolate(checked[..., :8, :8], scale_factor=4.0)
    assert pyramid_loss(coarse, truth) > 2 * pyramid_loss(checked, truth)


def test_losses_of_refined_patches_are_those_of_the_whole_picture_by_the_refined_pixel() -> None:
    draw = torch.Generator().manual_seed(3)
    alpha, foreground = torch.rand(2, 1, 160, 240, generator=draw), torch.rand(2, 3, 160, 240, generator=draw)
    refined = torch.zeros(2, 1, 40, 60, dtype=torch.bool)
    refined[0, 0, 5:15, 24:36] = refined[1, 0, 26:30, 45:52] = True  # inside of blocks, away from their borders
    where = refined.float().repeat_interleave(4, 2).repeat_interleave(4, 3)
    found = (alpha + 0.3 * where * torch.rand(2, 1, 160, 240, generator=draw)).requires_grad_()
    colors = foreground + 0.2 * torch.rand(2, 3, 160, 240, generator=draw)
    small = torch.zeros(2, 1, 10, 15)
    out = Output(found, colors, small, small, small, refined)
    losses = refined_losses(out, alpha, foreground)
    whole = matte_losses(torch.lerp(alpha, found, where), torch.lerp(foreground, colors, where), alpha, foreground)
    per_pixel = Losses(*(torch.stack(whole) / where.mean()))
    for name in ("alpha", "edges", "foreground"):
        torch.testing.assert_close(getattr(Losses(*losses), name), getattr(per_pixel, name), rtol=0.02, atol=1e-6)
    # A pyramid ends with its block, where its coarse levels would reach further.
    assert 0.5 < float((Losses(*losses).pyramid / per_pixel.pyramid).detach()) < 2
    losses.sum().backward()
    assert found.grad is not None
    assert not found.grad[where == 0].any()
    assert found.grad[where > 0].abs().mean() > 0


def test_a_batch_without_refined_patches_teaches_nothing() -> None:
    alpha = torch.rand(1, 1, 80, 80)
    found = torch.rand(1, 1, 80, 80, requires_grad=True)
    nothing = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    colors = alpha.expand(-1, 3, -1, -1)
    losses = refined_losses(Output(found, colors, alpha, alpha, alpha, nothing), alpha, colors)
    losses.sum().backward()
    assert not losses.any()
    assert found.grad is not None
    assert not found.grad.any()


@pytest.mark.parametrize("reach", [1, 2, 6])
def test_gaps_are_what_a_closing_fills(reach: int) -> None:
    alpha = torch.rand(2, 1, 30 * reach, 37, generator=torch.Generator().manual_seed(reach))
    side = 2 * reach + 1
    wide = F.max_pool2d(alpha, side, 1, reach)
    closed = -F.max_pool2d(-wide, side, 1, reach)
    assert torch.equal(find_gaps(alpha), (closed - alpha).clamp(min=0))
