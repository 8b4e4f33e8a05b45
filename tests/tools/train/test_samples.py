"""Composites: the label composes exactly, the same seed gives the same batch, every change stays in its range."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from camdaemon.tools.train.draws import BatchRandom
from camdaemon.tools.train.samples import loader, scene
from camdaemon.tools.train.samples.augment import add_prop, camouflage, change_exposure, jitter_colors, relight
from camdaemon.tools.train.samples.degrade import add_motion_blur, add_noise, compress, soften
from camdaemon.tools.train.samples.geometry import move_camera, nudge, place_person, view_room, warp
from camdaemon.tools.train.samples.loader import BatchPlan, Sample, SampleGenerator, load_batches
from camdaemon.tools.train.samples.scene import Cast, Layer
from camdaemon.tools.train.samples.soft import box_blur, grow_soft_edges

CPU = torch.device("cpu")
FRAME = 72, 128


def _plan(seed: int = 1, scenes: int = 6) -> BatchPlan:
    return BatchPlan([Cast(n % 4, (n + 1) % 4, n % 6, (n + 2) % 6) for n in range(scenes)], seed, FRAME)


def _rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def _even(level: int, height: int = 36, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize("soft", [False, True])
def test_a_batch_is_well_formed_and_repeatable(generator_of: Callable[..., SampleGenerator], soft: bool) -> None:
    generator = generator_of(soft=soft)
    first, again, other = (generator.make_batch(_plan(seed), CPU) for seed in (1, 1, 2))
    assert first.src.shape == first.plate.shape == first.foreground.shape == (12, 3, *FRAME)
    assert first.alpha.shape == first.confidence.shape == (12, 1, *FRAME)
    assert first.still.shape == (12, 1, 1, 1)
    for part, same in zip(first, again, strict=True):
        assert part.isfinite().all()
        assert part.min() >= 0
        assert part.max() <= 1
        assert torch.equal(part, same)
    assert not torch.equal(first.src, other.src)
    assert 0.02 < first.alpha.mean() < 0.9


def test_both_uses_of_a_scene_have_one_truth_and_noise_of_their_own(generator_of) -> None:
    sample: Sample = generator_of().make_batch(_plan(scenes=30), CPU)
    assert torch.equal(sample.alpha[::2], sample.alpha[1::2])
    assert not torch.equal(sample.src[::2], sample.src[1::2])
    still = sample.still.flatten().bool()
    assert not still[::2].any()
    assert still[1::2].any()
    assert torch.equal(sample.plate[still], sample.plate.roll(1, 0)[still])


@pytest.mark.parametrize("soft", [False, True])
def test_the_label_composes_the_picture(generator_of, monkeypatch: pytest.MonkeyPatch, soft: bool) -> None:
    monkeypatch.setattr(scene, "relight", lambda rng, room, alpha: room)
    monkeypatch.setattr(loader, "_degrade_frame", lambda rng, picture: picture)
    generator = generator_of(soft=soft)
    made = [generator._maker.make(_rng(seed), _plan().casts[seed], FRAME) for seed in range(6)]
    for each in made:
        alpha = each.alpha[:, :, None]
        assert np.abs(each.foreground * alpha + each.room * (1 - alpha) - each.picture).max() < 2


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_from_any_number_of_processes(generator_of, workers: int) -> None:
    generator = generator_of()
    plans = [_plan(seed, 2) for seed in range(4)]
    found = list(load_batches(generator, plans, workers, CPU))
    for sample, plan in zip(found, plans, strict=True):
        assert torch.equal(sample.src, generator.make_batch(plan, CPU).src)


def test_layers_compose_like_paint() -> None:
    front = Layer(_even(50, 1, 1), np.full((1, 1), 0.5, np.float32))
    back = Layer(_even(200, 1, 1), np.ones((1, 1), np.float32))
    both = front.over(back)
    assert both.alpha.item() == 1
    assert both.color[0, 0].tolist() == [125, 125, 125]


def test_the_plate_moves_by_one_percent_and_one_degree_at_most() -> None:
    rng = _rng()
    moved = np.stack([nudge(rng, (180, 320)) for _ in range(4000)])
    turn = np.degrees(np.arctan2(moved[:, 1, 0], moved[:, 0, 0]))
    center = moved[:, :, :2] @ (160, 90) + moved[:, :, 2] - (160, 90)
    assert np.abs(turn).max() <= 1.001
    assert np.abs(center).max() <= 0.01 * 320 * 1.03
    assert (turn != 0).mean() == pytest.approx(0.3, abs=0.03)


def test_people_who_sit_reach_below_the_frame_and_rooms_fill_it() -> None:
    rng = _rng()
    white, person = _even(255), np.full((44, 30), 255, np.uint8)
    rooms = [warp(white, view_room(rng, (36, 64), (18, 32)), (18, 32), border=cv2.BORDER_CONSTANT) for _ in range(300)]
    assert np.mean([(room > 127).mean() for room in rooms]) > 0.97  # ±5° lets a corner look past the photograph
    maps = [place_person(rng, person.shape, (36, 64)) for _ in range(300)]
    seen = np.stack([warp(person, each, (36, 64), border=cv2.BORDER_CONSTANT) for each in maps])
    assert (seen.max((1, 2)) > 127).mean() > 0.93
    assert (seen[:, -1].max(1) > 127).mean() > 0.6
    assert seen.mean() > 0.15 * 255


def test_maps_move_the_centers_of_pixels() -> None:
    picture = _rng().integers(0, 256, (8, 12, 3)).astype(np.uint8)
    assert np.array_equal(warp(picture, np.eye(2, 3), (8, 12)), picture)
    assert np.array_equal(warp(picture, move_camera((8, 12), (3, 1), 0, 1), (8, 12))[1:, 3:], picture[:-1, :-3])
    twice = warp(_even(9, 4, 4), np.array([[2.0, 0, 0], [0, 2, 0]]), (8, 8), border=cv2.BORDER_CONSTANT)
    assert np.array_equal(twice, twice[::-1, ::-1])  # nothing is shifted by half a pixel


def test_color_jitter_stays_within_its_amount() -> None:
    rng, gray = _rng(), _even(128, 2, 2)
    changed = np.stack([jitter_colors(rng, gray, 0.15, 0.05) for _ in range(64)]) / 128
    assert changed.min() >= 0.845  # of gray: brightness alone; contrast turns around the middle
    assert changed.max() <= 1.155
    assert np.array_equal(jitter_colors(rng, gray, 0.0, 0.0), gray)


def test_exposure_is_mostly_moderate_and_sometimes_strong() -> None:
    rng, plate = _rng(), _even(102, 1, 1)
    ratio = np.abs(np.log(np.stack([change_exposure(rng, plate) for _ in range(4000)]) / 102)).max((1, 2, 3))
    assert np.median(ratio) < 0.12
    assert (ratio > 0.25).mean() > 0.03
    assert ratio.max() < 0.6 + 0.25 * -math.log(0.4) + 0.02


def test_shadows_darken_near_the_person_only_by_so_much() -> None:
    alpha, rng, room = np.zeros((36, 64), np.float32), _rng(), _even(150)
    alpha[10:, 20:44] = 1
    change = np.stack([relight(rng, room, alpha) for _ in range(64)]) / 150
    assert change.min() > 0.45 * math.exp(-0.3) - 0.01
    assert change.max() < math.exp(0.3) + 0.01
    assert 0.2 < (change.min((1, 2, 3)) < 0.95).mean() < 0.8


def test_clothes_take_the_walls_color_in_some_samples() -> None:
    alpha, rng = np.ones((32, 64), np.float32), _rng()
    changed = np.stack([camouflage(rng, _even(51, 32), alpha, _even(204, 32)) for _ in range(200)])
    assert 0.05 < (changed > 128).any((1, 2, 3)).mean() < 0.3
    assert changed.max() < 207


def test_a_thing_in_the_hand_is_foreground() -> None:
    alpha, rng = np.zeros((36, 64), np.float32), _rng()
    alpha[:, :32] = 1
    held = [add_prop(rng, _even(50), alpha, _even(200)) for _ in range(300)]
    assert 0.05 < np.mean([cover is not alpha for _, cover in held]) < 0.2
    for color, cover in held:
        assert (cover >= alpha).all()
        assert ((color != 50).any(2) <= (cover > 0)).all()


def test_noise_has_the_wanted_strength() -> None:
    rng, gray = _rng(), _even(102, 24, 24)
    spread = np.array([add_noise(rng, gray, 0.03, 0.4).astype(float).std() for _ in range(400)]) / 255
    assert spread.max() <= 0.034
    assert (spread > 1e-4).mean() == pytest.approx(0.4, abs=0.08)


@pytest.mark.parametrize("change", [soften, add_motion_blur, compress])
def test_camera_effects_leave_an_even_picture_and_unchosen_samples_alone(change) -> None:
    even = _even(128, 20, 40)
    assert np.abs(change(_rng(), even, 1.0).astype(int) - even).max() < 8
    busy = _rng().integers(0, 256, (20, 200, 3)).astype(np.uint8)
    assert change(_rng(), busy, 0.0) is busy
    assert not np.array_equal(change(_rng(), busy, 1.0), busy)


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
    new, cover = grow_soft_edges(BatchRandom(16, 7, CPU), weighted, alpha, torch.rand(16, 3, 96, 160))
    assert (new <= cover + 1e-5).all()
    outside, inside = cover[alpha == 0], cover[alpha == 1]
    assert (outside > 0.05).float().mean() > 0.005
    assert (inside < 0.95).float().mean() > 0.001
    assert cover[:, :, :8, :8].max() == 0 or cover[:, :, :8, :8].mean() < 0.1


def test_draws_keep_their_ranges_and_shares() -> None:
    rng = BatchRandom(20_000, 7, CPU)
    numbers = rng.uniform(-2, 3)
    assert numbers.min() >= -2
    assert numbers.max() <= 3
    assert numbers.mean().item() == pytest.approx(0.5, abs=0.05)
    assert rng.chance(0.3).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert rng.noise(1, 1, 1).std().item() == pytest.approx(1, abs=0.05)
