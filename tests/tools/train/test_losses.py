"""The losses against values worked out by hand."""

import pytest
import torch

from camdaemon.tools.train.losses import (
    Losses,
    base_losses,
    find_gaps,
    forgive_overshoot,
    matte_losses,
    pyramid_loss,
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
