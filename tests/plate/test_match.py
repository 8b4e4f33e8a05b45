"""The plate is matched to the light of each frame; in bytes and floats."""

import numpy as np
import pytest
import torch

from camdaemon.frames import pixels
from camdaemon.frames.frame import Size
from camdaemon.frames.pixels import Array
from camdaemon.frames.transfer import HostTransfer
from camdaemon.plate.light import apply_exact_gain, apply_gain
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from tests.kinds import copied, floats, same
from tests.plate.rooms import HEIGHT, WIDTH, noisy, room, seen

pytestmark = pytest.mark.usefixtures("one_thread", "kind")


@pytest.fixture
def upload():
    return uploading(Size(WIDTH, HEIGHT))


def uploading(size: Size):
    to_bytes = HostTransfer(size).upload_picture
    return lambda rgb: seen(to_bytes(rgb))


def plate_of(picture: torch.Tensor) -> Plate:
    return Plate((picture[0].permute(1, 2, 0) * 255 + 0.5).to(torch.uint8).numpy())


def with_person(picture: torch.Tensor, share: float = 0.4, start: int = WIDTH // 4) -> tuple[torch.Tensor, Array]:
    """A person over `share` of the picture, in floats, and their alpha, as the device has it."""
    alpha = torch.zeros(1, 1, HEIGHT, WIDTH)
    alpha[..., start : start + round(share * WIDTH)] = 1.0
    person = torch.tensor([0.7, 0.5, 0.4])[None, :, None, None]
    return picture * (1 - alpha) + person * alpha, seen(alpha)


def gain_of(matched: Array, clean: Array) -> np.ndarray:
    assert pixels.is_beside(matched, clean)
    assert matched.dtype == clean.dtype
    return (floats(matched).flatten(2).sum(2) / floats(clean).flatten(2).sum(2))[0].numpy()


@pytest.mark.parametrize("gain", [(1.0, 1.0, 1.0), (0.8, 0.8, 0.8), (1.15, 1.0, 0.88), (0.6, 0.65, 0.7)])
def test_gain_and_white_balance_are_found_behind_a_person_and_through_noise(upload, gain):
    matcher, plate = PlateMatcher(upload, enabled=True), plate_of(room())
    lit = room() * torch.tensor(gain)[None, :, None, None]
    for n in range(12):
        src, alpha = with_person(lit)
        src = noisy(src, n)
        matched = matcher.match(plate, src)
        matcher.learn(alpha)
    assert np.abs(gain_of(matched, matcher.upload_clean(plate)) / gain - 1).max() < 0.01
    assert 0 <= float(floats(matched).amin()) <= float(floats(matched).amax()) <= 1
    assert matched.shape == src.shape


def test_a_change_of_light_is_followed_within_half_a_second(upload):
    matcher, plate = PlateMatcher(upload, enabled=True), plate_of(room())
    for n in range(30):
        src, alpha = with_person(room() * (1.0 if n < 15 else 0.85))
        matched = matcher.match(plate, noisy(src, n))
        matcher.learn(alpha)
    assert np.abs(gain_of(matched, matcher.upload_clean(plate)) / 0.85 - 1).max() < 0.01


def test_the_first_frame_is_matched_at_once(upload):
    """Nothing is known of the person yet; less than half of the picture is."""
    matcher, plate = PlateMatcher(upload, enabled=True), plate_of(room())
    src, _ = with_person(room() * 0.8, share=0.3)
    assert np.abs(gain_of(matcher.match(plate, seen(src)), matcher.upload_clean(plate)) / 0.8 - 1).max() < 0.02


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_covered_lens_or_a_torch_in_it_does_not_change_the_plate(upload, value):
    matcher, plate = PlateMatcher(upload, enabled=True), plate_of(room())
    matched = matcher.match(plate, seen(torch.full((1, 3, HEIGHT, WIDTH), value)))
    assert same(matched, matcher.upload_clean(plate))


def test_somebody_who_comes_close_does_not_drag_the_plate_along(upload):
    """They grow until too little of the room is left to compare with, and stay."""
    matcher, plate = PlateMatcher(upload, enabled=True), plate_of(room())
    for n in range(50):
        share = min(0.2 + 0.02 * n, 1.0)
        src, alpha = with_person(room() * 0.9, share, start=0)
        matched = matcher.match(plate, noisy(src, n))
        matcher.learn(alpha)
    assert share == 1.0
    assert np.abs(gain_of(matched, matcher.upload_clean(plate)) / 0.9 - 1).max() < 0.04


def test_a_new_plate_starts_afresh(upload):
    matcher, old, new = PlateMatcher(upload, enabled=True), plate_of(room()), plate_of(room() * 0.7)
    for n in range(10):
        src, _ = with_person(room() * 0.7)
        matcher.match(old, noisy(src, n))
        matcher.learn(seen(torch.ones(1, 1, HEIGHT, WIDTH)))  # what was learnt belongs to the old plate
    matched = matcher.match(new, noisy(room() * 0.7, 99))
    assert np.abs(gain_of(matched, matcher.upload_clean(new)) - 1).max() < 0.01
    assert float((floats(matcher.upload_clean(new)) - room() * 0.7).abs().max()) < 0.01


def test_the_clean_plate_is_uploaded_once_and_never_changed(upload):
    calls = []
    matcher = PlateMatcher(lambda rgb: calls.append(1) or upload(rgb), enabled=True)
    plate = plate_of(room())
    clean = matcher.upload_clean(plate)
    before = copied(clean)
    for n in range(3):
        matcher.match(plate, noisy(room() * 0.6, n))
        assert matcher.upload_clean(plate) is clean
    assert same(clean, before)
    assert calls == [1]


def test_without_matching_the_plate_is_the_clean_one(upload):
    matcher, plate = PlateMatcher(upload, enabled=False), plate_of(room())
    assert matcher.match(plate, seen(room() * 0.5)) is matcher.upload_clean(plate)


def test_the_frame_is_not_changed_by_matching(upload):
    matcher, plate, src = PlateMatcher(upload, enabled=True), plate_of(room()), noisy(room() * 0.8, 1)
    before = copied(src)
    matcher.match(plate, src)
    assert same(src, before)


def test_sides_that_are_no_multiple_of_the_block_work():
    matcher, plate = PlateMatcher(uploading(Size(132, 68)), enabled=True), Plate(np.full((68, 132, 3), 100, np.uint8))
    for _ in range(2):
        matched = matcher.match(plate, seen(torch.full((1, 3, 68, 132), 80 / 255)))
        matcher.learn(seen(torch.zeros(1, 1, 68, 132)))
    assert float((floats(matched) - 80 / 255).abs().max()) < 0.004


def test_the_matched_plate_is_the_same_array_until_the_light_changes(upload):
    """What depends on the plate alone is kept for as long as it is the same array."""
    matcher, plate, steady = PlateMatcher(upload, enabled=True), plate_of(room()), seen(room() * 0.8)
    first = [matcher.match(plate, steady) for _ in range(20)][-1]
    kept = copied(first)
    if pixels.is_host(first):  # floats lie on an accelerator: asking whether it moved would wait for it
        assert matcher.match(plate, steady) is first
        assert matcher.match(plate, seen(room() * 0.8002)) is first, "less than a step of the gain"
    other = matcher.match(plate, seen(room() * 0.7))
    assert other is not first
    assert same(first, kept), "whoever keeps the old one has the old one"
    assert matcher.upload_clean(plate) is not other


def test_the_first_frame_is_matched_at_once_and_small_changes_after_it_gently(upload):
    matcher, plate = PlateMatcher(upload, enabled=True), plate_of(room())
    first = matcher.match(plate, seen(room() * 0.98))
    assert np.abs(gain_of(first, matcher.upload_clean(plate)) / 0.98 - 1).max() < 0.004
    later = gain_of(matcher.match(plate, seen(room())), matcher.upload_clean(plate))
    assert ((later > 0.982) & (later < 0.995)).all()


EVERY = pixels.as_planes(np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2))  # byte


def of_channels(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, 3, 1, 1)


@pytest.mark.parametrize("lift", [None, of_channels(0.02, 0.0, 0.05)])
@pytest.mark.parametrize("gain", [(0.5, 1.0, 2.0), (0.8, 1.21, 0.993)])
def test_a_gain_is_the_same_in_bytes_and_in_floats(gain, lift):
    every, factors = seen(EVERY), of_channels(*gain)
    wanted = (pixels.unit(EVERY) * factors + (0 if lift is None else lift)).clip(0, 1)
    found = apply_gain(
        every, pixels.to_kind_of(every, factors), None if lift is None else pixels.to_kind_of(every, lift)
    )
    assert pixels.is_beside(found, every)
    assert found.dtype == every.dtype
    assert np.abs(floats(found).numpy() - wanted).max() <= 0.501 / 255


@pytest.mark.parametrize("lift", [None, of_channels(0.02, 0.0, 0.05)])
def test_an_exact_gain_of_bytes_is_that_of_floats(lift):
    factors = of_channels(0.8, 1.21, 0.993)
    wanted = pixels.to_host(
        apply_gain(floats(EVERY), torch.from_numpy(factors), None if lift is None else torch.from_numpy(lift))
    )
    found = apply_exact_gain(EVERY, factors, lift)
    assert found.dtype == np.float32
    assert np.abs(found / 255 - wanted).max() < 1e-6


@pytest.mark.parametrize(("side", "height", "width"), [(8, 136, 240), (16, 720, 1280), (8, 100, 68)])
def test_exact_blocks_of_bytes_are_those_of_floats(side, height, width):
    noise = pixels.as_planes(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
    found, wanted = pixels.exact_blocks(noise, side), pixels.blocks(floats(noise), side)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted.numpy()).max() < 1e-6


@pytest.mark.parametrize("exact", [False, True])
def test_the_plate_for_the_next_frame_is_known_before_its_turn(upload, exact):
    plate = plate_of(room())
    if not pixels.is_host(upload(plate.rgb)):
        pytest.skip("each frame has a tensor of its own")
    matcher = PlateMatcher(upload, enabled=True, exact=exact)
    matcher.upload_clean(plate)
    as_expected, alpha = 0, None
    for n in range(20):
        light = 1 - 0.002 * n
        src, shown = with_person(room() * light, start=WIDTH // 4 + n)
        src = noisy(src, n)
        expected = matcher.expect(plate, src)
        if alpha is not None:
            matcher.learn(alpha)  # of the frame before, which is done by now
        matched, alpha = matcher.match(plate, src), shown
        as_expected += matched is expected
        assert matched.dtype == (np.float32 if exact else np.uint8)
        levels = matched / np.float32(255) if exact else pixels.unit(matched)
        assert np.abs(gain_of(levels, pixels.unit(matcher.upload_clean(plate))) / light - 1).max() < 0.02
    assert as_expected >= 17
