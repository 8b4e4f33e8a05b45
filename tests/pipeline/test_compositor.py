"""The compositor: fades that end where they should, appearances that move what they say, and no room in any of it.

In bytes and in floats.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from camdaemon.backdrop import make_backdrop
from camdaemon.backdrop.room import blur_picture
from camdaemon.frames import pixels
from camdaemon.frames.appearance import Appearance, Crop
from camdaemon.frames.composite import Matte, apply_framing, composite, trim_bytes
from camdaemon.frames.frame import Size
from camdaemon.frames.pixels import Array, as_bytes
from camdaemon.frames.tensors.composite import trim
from camdaemon.pipeline import compositor as module
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.state import Scene
from tests.kinds import copied, floats, same

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = Size(128, 72)
SHAPE = (1, 3, SIZE.height, SIZE.width)
GREY = torch.full(SHAPE, 128 / 255)
seen: Callable[[Array], Array] = floats  # as the device of this run has its pictures


@pytest.fixture(params=[floats, as_bytes], ids=["floats", "bytes"], autouse=True)
def kind(request, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "seen", request.param)


def step() -> float:
    """How far one calculation may be from the truth."""
    return 1e-5 if seen is floats else 1.001 / 255


def exactly(*values: float) -> list[float]:
    """What becomes of `values` on the device."""
    return [float(floats(seen(torch.full((1, 1, 1, 1), value)))) for value in values]


def room() -> Array:
    return seen(torch.tensor([1.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(SHAPE).contiguous())


def noise(seed: int) -> Array:
    return seen(torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed)))


def uploaded(rgb: np.ndarray) -> Array:
    return seen(pixels.as_planes(rgb.copy()))


@dataclass
class Picture:
    """A backdrop that is one picture, and counts how often it was asked for."""

    seen: Array
    spec: str = "picture"
    needs_plate: bool = False
    asked: int = 0

    def picture(self, t, plate, upload):
        self.asked += 1
        return self.seen

    def close(self):
        pass


def plain(value: float) -> Picture:
    return Picture(seen(torch.full(SHAPE, value)))


def person(left: int = 10, right: int = 50) -> Matte:
    """A gray one who stands from column `left` to `right`; the network's colors beside them are the room's."""
    alpha = torch.zeros(1, 1, SIZE.height, SIZE.width)
    alpha[..., 20:, left:right] = 1
    return Matte(seen(alpha), seen(torch.lerp(floats(room()), GREY, alpha)), 1)


def nobody(alpha: float = 0.0) -> Matte:
    return Matte(seen(torch.full((1, 1, SIZE.height, SIZE.width), alpha)), room(), 1)


STYLES = [
    Appearance(edge=edge, blur=blur, mirror=mirror, crop=crop)
    for edge in (-1.0, 0.0, 1.0)
    for blur in (0.0, 6.0)
    for mirror in (False, True)
    for crop in (None, Crop(0.25, 0.1, 0.5, 0.6))
]


def new() -> Compositor:
    return Compositor(uploaded, Metrics())


def flipped(x: Array) -> Array:
    return seen(floats(x).flip(3))


def level(picture: Array) -> float:
    """The one value of a picture that has only one."""
    value = picture[0, 0, 0, 0]
    assert (picture == value).all()
    return float(floats(picture)[0, 0, 0, 0])


def shown(compositor: Compositor, scene: Scene, times: list[float]) -> list[float]:
    return [level(compositor.paint(scene, nobody(), room(), t)) for t in times]


def test_the_default_style_is_the_plain_composite_bit_for_bit():
    backdrop, matte = Picture(noise(1)), Matte(noise(2)[:, :1], noise(3), 1)
    painted = new().paint(Scene(backdrop), matte, room(), 0.0)
    assert same(painted, composite(matte, backdrop.seen))
    whole = Appearance(crop=None, edge=0.0, blur=0.0, mirror=False)
    assert same(new().paint(Scene(backdrop, appearance=whole), matte, room(), 0.0), painted)


def test_without_fade_s_the_new_scene_is_there_at_once():
    compositor = new()
    assert shown(compositor, Scene(plain(0.25)), [0.0, 0.1]) == exactly(0.25, 0.25)
    assert shown(compositor, Scene(plain(0.75)), [0.2, 0.3]) == exactly(0.75, 0.75)


def test_the_first_scene_does_not_fade_in():
    assert shown(new(), Scene(plain(0.25), fade_s=1.0), [5.0, 5.1]) == exactly(0.25, 0.25)


def test_a_fade_goes_steadily_from_the_old_to_exactly_the_new():
    compositor = new()
    shown(compositor, Scene(plain(0.25)), [0.0, 0.1])
    scene = Scene(plain(0.75), fade_s=0.5)
    found = shown(compositor, scene, [0.1 + 0.1 * n for n in range(1, 8)])
    assert found[:4] == pytest.approx([0.35, 0.45, 0.55, 0.65], abs=1.5 * step())  # the first frame already differs
    assert found[4:] == exactly(0.75, 0.75, 0.75)


def test_the_old_backdrop_is_left_alone_after_the_fade():
    compositor, old = new(), plain(0.25)
    shown(compositor, Scene(old), [0.0])
    scene = Scene(plain(0.75), fade_s=0.2)
    shown(compositor, scene, [0.1, 0.3])
    asked = old.asked
    shown(compositor, scene, [0.4, 0.5, 0.1])  # also when a clip's own time begins anew
    assert old.asked == asked == 2


def test_both_scenes_of_a_fade_show_the_person_of_now():
    compositor, old, fresh = new(), Scene(plain(0.0)), Scene(plain(1.0), fade_s=1.0)
    compositor.paint(old, person(0, 20), room(), 0.0)
    found = floats(compositor.paint(fresh, person(60, 100), room(), 0.5))
    assert torch.allclose(found[..., 20:, 60:100], GREY[..., 20:, 60:100], atol=step())
    assert torch.allclose(found[..., :60], torch.tensor(0.5), atol=step())
    assert float(found[..., 20:, :20].std()) < 1e-6, "somebody still stands where they were"


def test_after_a_card_there_is_no_fade():
    compositor = new()
    shown(compositor, Scene(plain(0.25)), [0.0])
    compositor.forget()
    assert shown(compositor, Scene(plain(0.75), fade_s=0.5), [0.1]) == exactly(0.75)
    scene = Scene(plain(0.25), fade_s=0.5)
    assert 0.26 < shown(compositor, scene, [0.2])[0] < 0.75
    compositor.forget()  # and a card in the middle of a fade ends it
    assert shown(compositor, scene, [0.3, 0.4]) == exactly(0.25, 0.25)


def test_a_swap_in_the_middle_of_a_fade_fades_to_the_newest():
    compositor = new()
    shown(compositor, Scene(plain(0.0)), [0.0])
    shown(compositor, Scene(plain(0.5), fade_s=1.0), [0.25, 0.5])
    newest = Scene(plain(1.0), fade_s=1.0)
    found = shown(compositor, newest, [0.75, 1.0, 1.25, 1.5, 2.0])
    assert found == sorted(found)
    assert found[0] == pytest.approx(0.53, abs=0.01), "it must go on from the mixture of both, 0.375 by then"
    assert found[-2:] == exactly(1.0, 1.0)


def test_a_swap_without_fade_in_the_middle_of_one_is_a_cut():
    compositor = new()
    shown(compositor, Scene(plain(0.0)), [0.0])
    fading = Scene(plain(0.5), fade_s=1.0)
    shown(compositor, fading, [0.25])
    assert shown(compositor, replace(fading, backdrop=plain(1.0), fade_s=0.0), [0.3, 0.4]) == exactly(1.0, 1.0)


def test_mirror_flips_the_person_and_not_a_picture():
    backdrop, matte = Picture(noise(1)), person()
    painted = new().paint(Scene(backdrop, appearance=Appearance(mirror=True)), matte, room(), 0.0)
    turned = Matte(flipped(matte.alpha), flipped(matte.foreground), 1)
    assert same(painted, composite(turned, backdrop.seen))
    assert torch.allclose(floats(painted)[..., 30, SIZE.width - 40], torch.tensor(128 / 255), atol=step())


@pytest.mark.parametrize("spec", ["plate", "blur:2"])
def test_mirror_and_crop_move_a_backdrop_that_is_the_room(spec):
    plate, crop = noise(4), Crop(0.5, 0.5, 0.5, 0.5)
    straight = new().paint(Scene(make_backdrop(spec, SIZE)), nobody(), plate, 0.0)
    turned = new().paint(Scene(make_backdrop(spec, SIZE), appearance=Appearance(mirror=True)), nobody(), plate, 0.0)
    assert torch.allclose(floats(turned), floats(straight).flip(3), atol=1e-2)
    assert not torch.allclose(floats(turned), floats(straight), atol=1e-2)
    if spec == "plate":
        cropped = new().paint(Scene(make_backdrop(spec, SIZE), appearance=Appearance(crop=crop)), nobody(), plate, 0.0)
        assert same(cropped, apply_framing(plate, Appearance(crop=crop)))


def test_a_crop_enlarges_the_person_and_not_a_picture():
    backdrop = plain(0.0)
    appearance = Appearance(crop=Crop(0.0, 0.25, 0.5, 0.5))
    painted = new().paint(Scene(backdrop, appearance=appearance), person(16, 48), room(), 0.0)
    covered = (floats(painted)[0, 0] > 0.25).float()
    whole = (floats(new().paint(Scene(backdrop), person(16, 48), room(), 0.0))[0, 0] > 0.25).float()
    assert covered[60].sum() == pytest.approx(2 * float(whole[60].sum()), abs=2)
    assert bool(covered[60, 64])
    assert not bool(covered[60, 10])


@pytest.mark.parametrize("crop", [Crop(0.02, 0.1, 0.3, 0.5), Crop(0.1, 0.2, 0.1, 0.1), Crop(0.05, 0.27, 0.37, 0.7)])
@pytest.mark.parametrize("edge", [-1.0, 0.0, 1.0])
def test_an_enlarged_contour_takes_no_color_from_beside_the_person(crop, edge):
    """All there may be is gray and black: the room is in the foreground's colors wherever alpha is 0."""
    painted = floats(new().paint(Scene(plain(0.0), appearance=Appearance(crop=crop, edge=edge)), person(), room(), 0.0))
    assert float(painted.amax()) <= 128 / 255 + step()
    assert float((painted[:, 0] - painted[:, 1]).abs().amax()) < step(), "a fringe of the room"
    assert float((painted > 0.4).float().mean()) > 0.05, "the test of the test"


def test_blur_blurs_a_picture_once(monkeypatch):
    calls = []

    def counted(picture, sigma):
        calls.append(sigma)
        return blur_picture(picture, sigma)

    monkeypatch.setattr(module, "blur_picture", counted)
    compositor, backdrop, clean = new(), Picture(noise(1)), room()
    scene = Scene(backdrop, appearance=Appearance(blur=5.0))
    for n in range(4):
        assert same(compositor.paint(scene, nobody(), clean, n / 30), blur_picture(backdrop.seen, 5.0))
    assert calls == [5.0]
    for n in range(4, 8):  # of two scenes, both framed and blurred, while one fades into the other
        compositor.paint(Scene(backdrop, appearance=Appearance(blur=9.0, mirror=True)), nobody(), clean, n / 30)
    assert calls == [5.0, 9.0]


def test_nothing_is_computed_twice_during_a_fade(monkeypatch):
    calls = []
    for name, whole in (("blur_picture", blur_picture), ("apply_framing", apply_framing)):
        monkeypatch.setattr(module, name, lambda *of, name=name, whole=whole: calls.append(name) or whole(*of))
    compositor, crop, clean = new(), Crop(0.1, 0.1, 0.8, 0.8), room()
    old = Scene(Picture(noise(1)), appearance=Appearance(blur=5.0, crop=crop))
    fresh = Scene(Picture(noise(2)), appearance=Appearance(blur=9.0, mirror=True), fade_s=1.0)
    compositor.paint(old, nobody(), clean, 0.0)
    for n in range(1, 12):
        compositor.paint(fresh, nobody(), clean, n / 10)
    assert sorted(calls) == ["apply_framing", "apply_framing", "blur_picture", "blur_picture"]


def test_a_new_plate_is_framed_again():
    compositor = new()
    scene = Scene(make_backdrop("plate", SIZE), appearance=Appearance(mirror=True))
    for seed in (1, 2, 3, 4, 5, 6, 1):
        assert same(compositor.paint(scene, nobody(), noise(seed), 0.0), flipped(noise(seed)))


def moved(alpha: Tensor, edge: float) -> Tensor:
    """`alpha` (floats) with its contour moved, as the device does it."""
    if seen is floats:
        return trim(alpha, edge)
    return floats(pixels.as_planes(trim_bytes(pixels.interleave(as_bytes(alpha)), edge)))


@pytest.mark.parametrize("edge", [0.05, 0.3, 0.5, 1.0])
def test_a_tighter_edge_is_within_the_normal_one_and_that_within_a_wider(edge):
    soft = torch.linspace(0, 1, SIZE.width).expand(1, 1, SIZE.height, SIZE.width)
    for given in (soft, person().alpha, noise(7)[:, :1], floats(noise(8))[:, :1] ** 6):
        alpha = floats(seen(given))
        tight, normal, wide = (moved(alpha, each) for each in (edge, 0.0, -edge))
        assert bool((tight <= normal + 1e-6).all())
        assert bool((normal <= wide + 1e-6).all())
        assert float(tight.mean()) < float(normal.mean())
        assert float(normal.mean()) < float(wide.mean()) or bool(((alpha == 0) | (alpha == 1)).all())
        for found in (tight, normal, wide):
            assert 0 <= float(found.amin()) <= float(found.amax()) <= 1
            assert not bool(found[alpha <= 0.02].any()), "the edge grew into the room"


def test_the_edge_moves_evenly_with_the_number():
    alpha = torch.linspace(0, 1, SIZE.width).expand(1, 1, SIZE.height, SIZE.width)
    shares = [float(moved(alpha, edge).mean()) for edge in (-1, -0.6, -0.3, 0, 0.3, 0.6, 1)]
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == len(shares)


@pytest.mark.parametrize("edge", [-1.0, 0.0, 0.5, 1.0])
def test_the_edge_does_not_change_what_it_is_given(edge):
    alpha = noise(7)[:, :1]
    before = copied(alpha)
    composite(Matte(alpha, room(), 1), noise(1), edge)
    assert same(alpha, before)


@pytest.mark.parametrize("appearance", STYLES, ids=str)
def test_where_nobody_is_there_is_exactly_the_backdrop(appearance):
    """Whatever the style: with a matte of zeros, no pixel of the foreground, which is the room here, comes through."""
    backdrop = Picture(noise(1))
    expected = blur_picture(backdrop.seen, appearance.blur) if appearance.blur else backdrop.seen
    compositor, scene = new(), Scene(backdrop, appearance=appearance, fade_s=0.2)
    for t in (0.0, 0.1):
        assert same(compositor.paint(scene, nobody(), room(), t), expected)
    assert same(compositor.paint(scene, nobody(0.0199), room(), 0.2), expected), "a network's noise"


@pytest.mark.parametrize("appearance", STYLES, ids=str)
def test_what_was_given_is_not_changed(appearance):
    backdrop, matte, plate = Picture(noise(1)), Matte(noise(2)[:, :1], noise(3), 1), noise(4)
    before = [copied(each) for each in (backdrop.seen, matte.alpha, matte.foreground, plate)]
    compositor = new()
    compositor.paint(Scene(backdrop), matte, plate, 0.0)
    compositor.paint(Scene(backdrop, appearance=appearance, fade_s=1.0), matte, plate, 0.5)
    after = (backdrop.seen, matte.alpha, matte.foreground, plate)
    assert all(same(old, now) for old, now in zip(before, after, strict=True))
