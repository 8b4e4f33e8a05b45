"""Composites: the label composes exactly, the same seed gives the same batch, every change stays in its range."""

import math
from collections.abc import Callable

import pytest
import torch

from camdaemon.tools.train import samples as module
from camdaemon.tools.train.augment import camouflage, change_exposure, jitter_colors, relight
from camdaemon.tools.train.degrade import add_motion_blur, add_noise, box_blur, compress, soften
from camdaemon.tools.train.draws import BatchRandom
from camdaemon.tools.train.geometry import nudge, random_person_map, random_room_map, warp
from camdaemon.tools.train.samples import BatchIndices, Layer, Sample, SampleGenerator
from camdaemon.tools.train.soft import grow_soft_edges

CPU = torch.device("cpu")


def _cast(count: int = 6) -> BatchIndices:
    turn = torch.arange(count)
    return BatchIndices(turn % 4, (turn + 1) % 4, turn % 6)


def _draws(count: int = 64, seed: int = 7) -> BatchRandom:
    return BatchRandom(count, seed, CPU)


@pytest.mark.parametrize("soft", [False, True])
def test_a_batch_is_well_formed_and_repeatable(generator_of: Callable[..., SampleGenerator], soft: bool) -> None:
    generator = generator_of(soft=soft)
    first, again, other = (generator.make_batch(_cast(), seed, 72, 128) for seed in (1, 1, 2))
    assert first.src.shape == first.plate.shape == first.foreground.shape == (6, 3, 72, 128)
    assert first.alpha.shape == (6, 1, 72, 128)
    for part, same in zip(first, again, strict=True):
        assert part.isfinite().all()
        assert part.min() >= 0
        assert part.max() <= 1
        assert torch.equal(part, same)
    assert not torch.equal(first.src, other.src)
    assert 0.02 < first.alpha.mean() < 0.9


@pytest.mark.parametrize("soft", [False, True])
def test_the_label_composes_the_picture(
    generator_of: Callable[..., SampleGenerator], monkeypatch: pytest.MonkeyPatch, soft: bool
) -> None:
    monkeypatch.setattr(module, "relight", lambda rng, room, alpha: room)
    monkeypatch.setattr(module, "nudge", lambda rng, mapping, height, width: mapping)
    monkeypatch.setattr(SampleGenerator, "_degrade_frame", lambda self, rng, src: src)
    monkeypatch.setattr(SampleGenerator, "_degrade_plate", lambda self, rng, plate: plate)
    sample = generator_of(soft=soft).make_batch(_cast(), 5, 72, 128)
    composed = sample.foreground * sample.alpha + sample.plate * (1 - sample.alpha)
    assert (composed - sample.src).abs().max() < 2e-3  # colors below alpha 1e-3 are not known


def test_layers_compose_like_paint() -> None:
    front = Layer(torch.full((1, 3, 1, 1), 0.5 * 0.2), torch.full((1, 1, 1, 1), 0.5))
    back = Layer(torch.full((1, 3, 1, 1), 0.8), torch.ones(1, 1, 1, 1))
    both = front.over(back)
    assert both.alpha.item() == 1
    assert both.color()[0, 0].item() == pytest.approx(0.5 * 0.2 + 0.5 * 0.8)


def test_draws_keep_their_ranges_and_shares() -> None:
    rng = _draws(20_000)
    numbers = rng.uniform(-2, 3)
    assert numbers.min() >= -2
    assert numbers.max() <= 3
    assert numbers.mean().item() == pytest.approx(0.5, abs=0.05)
    assert rng.chance(0.3).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert rng.normal(0.1).std().item() == pytest.approx(0.1, abs=0.01)
    assert set(rng.sign().flatten().tolist()) == {-1.0, 1.0}


def test_the_plate_moves_by_one_percent_and_one_degree_at_most() -> None:
    rng = _draws(4000)
    still = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(4000, 2, 3)
    moved = nudge(rng, still, 180, 320)
    turn = torch.atan2(moved[:, 1, 0], moved[:, 0, 0]) * 180 / math.pi
    center = (moved[:, :, :2] @ torch.tensor([160.0, 90.0]) + moved[:, :, 2]) - torch.tensor([160.0, 90.0])
    assert turn.abs().max() <= 1.001
    assert center.abs().max() <= 0.01 * 320 * 1.03
    assert (turn != 0).float().mean().item() == pytest.approx(0.3, abs=0.03)


def test_people_who_sit_reach_below_the_frame_and_rooms_fill_it() -> None:
    rng = _draws(500)
    room = warp(
        torch.ones(500, 1, 36, 64), random_room_map(rng, torch.tensor([[36.0, 64.0]]).expand(500, 2), 18, 32), 18, 32
    )
    assert (room > 0.5).float().mean() > 0.97  # ±5° lets a corner look past the photograph, which is mirrored there
    sizes = torch.tensor([[44.0, 30.0]]).expand(500, 2)
    canvas = torch.zeros(500, 1, 44, 44)
    canvas[..., :30] = 1
    seen = warp(canvas, random_person_map(rng, sizes, 36, 64), 36, 64)
    assert (seen.flatten(1).amax(1) > 0.5).float().mean() > 0.93
    assert (seen[:, :, -1].amax((1, 2)) > 0.5).float().mean() > 0.6
    assert seen.mean() > 0.15


def test_an_identity_map_gives_the_canvas_back() -> None:
    canvas = torch.rand(2, 3, 8, 12)
    still = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(2, 2, 3)
    assert (warp(canvas, still, 8, 12) - canvas).abs().max() < 1e-5


def test_color_jitter_stays_within_its_amount() -> None:
    gray = torch.full((64, 3, 2, 2), 0.5)
    changed = jitter_colors(_draws(), gray, 0.15, 0.05)
    assert (changed / gray).min() >= 0.85 - 1e-4  # of gray: brightness alone; contrast turns around the middle
    assert (changed / gray).max() <= 1.15 + 1e-4
    assert torch.allclose(jitter_colors(_draws(), gray, 0.0, 0.0), gray, atol=1e-5)
    weight = torch.rand(64, 1, 2, 2)
    held = jitter_colors(_draws(), gray * weight, 0.15, 0.05, weight)
    assert torch.allclose(held, changed * weight, atol=1e-5)


def test_exposure_is_mostly_moderate_and_sometimes_strong() -> None:
    plate = torch.full((4000, 3, 1, 1), 0.4)
    ratio = (change_exposure(_draws(4000), plate) / plate).log().abs().amax(1)
    assert ratio.median() < 0.12
    assert (ratio > 0.25).float().mean() > 0.03
    assert ratio.max() < 0.6 + 0.25 * -math.log(0.4) + 0.01


def test_shadows_darken_near_the_person_only_by_so_much() -> None:
    alpha = torch.zeros(64, 1, 36, 64)
    alpha[:, :, 10:, 20:44] = 1
    room = torch.full((64, 3, 36, 64), 0.6)
    change = relight(_draws(), room, alpha) / room
    assert change.min() > 0.45 * math.exp(-0.3) - 0.01
    assert change.max() < math.exp(0.3) + 0.01
    assert 0.2 < (change.flatten(1).amin(1) < 0.95).float().mean() < 0.8


def test_clothes_take_the_walls_color_in_some_samples() -> None:
    alpha = torch.ones(200, 1, 32, 64)
    color, room = torch.full((200, 3, 32, 64), 0.2), torch.full((200, 3, 32, 64), 0.8)
    changed = camouflage(_draws(200), color, alpha, room)
    some = (changed > 0.5).flatten(1).any(1).float().mean()
    assert 0.05 < some < 0.3
    assert changed.max() < 0.81


def test_noise_has_the_wanted_strength() -> None:
    gray = torch.full((400, 3, 24, 24), 0.4)
    spread = (add_noise(_draws(400), gray, 0.03, 0.4) - gray).flatten(1).std(1)
    assert spread.max() <= 0.034
    assert (spread > 1e-4).float().mean().item() == pytest.approx(0.4, abs=0.08)


@pytest.mark.parametrize("change", [soften, add_motion_blur, compress])
def test_camera_effects_leave_an_even_picture_and_unchosen_samples_alone(change) -> None:
    even = torch.full((8, 3, 20, 40), 0.5)
    assert (change(_draws(8), even, 1.0) - even).abs().max() < 0.03
    busy = torch.rand(8, 3, 20, 200)
    assert torch.equal(change(_draws(8), busy, 0.0), busy)
    assert not torch.equal(change(_draws(8), busy, 1.0), busy)


def test_box_is_the_mean_of_the_neighbors() -> None:
    x = torch.rand(1, 1, 5, 6)
    assert box_blur(x, 3)[0, 0, 2, 2].item() == pytest.approx(x[0, 0, 1:4, 1:4].mean().item())
    corner = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")[0, 0, :3, :3]
    assert box_blur(x, 3)[0, 0, 0, 0].item() == pytest.approx(corner.mean().item())
    assert torch.equal(box_blur(x, 1), x)


def test_soft_things_grow_on_the_outline() -> None:
    alpha = torch.zeros(16, 1, 96, 160)
    alpha[:, :, 30:, 50:110] = 1
    weighted = alpha * torch.tensor([0.6, 0.4, 0.3]).view(1, 3, 1, 1)
    new, cover = grow_soft_edges(_draws(16), weighted, alpha, torch.rand(16, 3, 96, 160))
    assert (new <= cover + 1e-5).all()
    outside, inside = cover[alpha == 0], cover[alpha == 1]
    assert (outside > 0.05).float().mean() > 0.005
    assert (inside < 0.95).float().mean() > 0.001
    assert cover[:, :, :8, :8].max() == 0 or cover[:, :, :8, :8].mean() < 0.1


def test_a_sample_is_what_the_network_takes() -> None:
    assert Sample._fields == ("src", "plate", "alpha", "foreground")
