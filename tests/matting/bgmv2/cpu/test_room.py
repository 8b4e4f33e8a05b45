"""Columns that are certainly room: nothing of a person is lost, and what is left is matted as before."""

from __future__ import annotations

import logging
import time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.room import find_columns, fit_width
from camdaemon.matting.bgmv2.cpu.widths import EngineWidths
from camdaemon.matting.bgmv2.engines.engine import BaseEngine, BaseMaps
from camdaemon.model.layout import Selection
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from tests.matting.bgmv2.cpu.test_network import FRAME, picture
from tests.matting.bgmv2.cpu.test_slim import base_of, networks, on_cpu
from tests.plate import painted

__all__ = ["networks"]  # a fixture

pytestmark = pytest.mark.usefixtures("one_thread")

BASE = (176, 320)
WIDTHS = [192, 224, 256, 288, 320]


def small(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, BASE[::-1]), np.uint8)


def columns_of(rgb: np.ndarray, plate: np.ndarray, confidence: np.ndarray | None = None) -> tuple[int, int]:
    return fit_width(find_columns(rgb, plate, confidence), WIDTHS)


# ---- the evidence


def test_nothing_of_a_painted_person_is_lost():
    plate = Plate(painted.plate())
    matcher = PlateMatcher(pixels.as_planes, enabled=True)
    matcher.upload_clean(plate)
    spans = []
    for index in range(0, 80, 2):
        src, alpha = painted.film(index), painted.alpha(index)
        seen = pixels.interleave(np.asarray(matcher.match(plate, pixels.as_planes(src))))
        matcher.learn(pixels.as_planes(alpha))
        left, right = columns_of(small(src), small(seen))
        there = np.flatnonzero((small(alpha) > 13).any(0))
        if len(there):
            assert left == 0 or left <= there[0] - 8
            assert there[-1] + 8 <= right or right == 320
        spans.append(right - left)
    assert 0 in spans, "the empty room needs no network"
    assert 192 <= min(span for span in spans if span) < 320, "the test of the test: something is saved"


def test_noise_is_no_difference_and_another_room_is_nothing_but():
    plate = small(painted.plate())
    noisy = np.clip(plate + np.random.default_rng(1).normal(0, 3, plate.shape), 0, 255).astype(np.uint8)
    assert columns_of(noisy, plate) == (0, 0)
    assert columns_of(small(painted.other_room()), plate) == (0, 320)
    assert columns_of(small(painted.moved(painted.film(5), 8, 3)), plate) == (0, 320)
    assert columns_of(small(painted.lamp(painted.film(5))), plate)[1] > 0


@pytest.mark.parametrize("where", [0, 1, 2], ids=["red", "green", "blue"])
@pytest.mark.parametrize("by", [8, -8])
def test_a_faint_difference_in_a_single_channel_counts(where, by):
    plate = np.full((*BASE, 3), 120, np.uint8)
    src = plate.copy()
    src[104:112, 40:48, where] += np.int8(by).astype(np.uint8)
    left, right = find_columns(src, plate, None)
    assert (left, right) == (24, 64), "and two blocks beside it"


def test_a_single_pixel_counts():
    plate = np.full((*BASE, 3), 120, np.uint8)
    src = plate.copy()
    src[3, 300] = 145
    assert find_columns(src, plate, None) == (280, 320)


def test_clothes_in_the_walls_color_stay_with_the_outline_above_them():
    """A sleeve fills a lower corner and is just the wall; what tells is the line where it ends, higher up."""
    plate = np.full((*BASE, 3), 120, np.uint8)
    src = plate.copy()
    for x in range(0, 100):  # from the picture's border rising to the shoulder
        src[110 - x // 4 : 112 - x // 4, x] = 90
    assert find_columns(src, plate, None)[0] == 0


@pytest.mark.parametrize("value", [0.0, 0.5, 0.99, float("nan")])
def test_a_plate_that_is_not_wholly_trusted_is_no_evidence(value):
    plate = np.full((*BASE, 3), 120, np.uint8)
    confidence = np.ones(BASE, np.float32)
    assert find_columns(plate, plate, confidence) == (0, 0)
    confidence[60, 290] = value
    assert find_columns(plate, plate, confidence) == (272, 312)


@pytest.mark.parametrize(
    ("needed", "found"),
    [
        ((0, 0), (0, 0)),
        ((100, 140), (96, 288)),
        ((10, 60), (0, 192)),
        ((300, 320), (128, 320)),
        ((40, 230), (32, 224 + 32)),
        ((15, 300), (0, 320)),
        ((0, 320), (0, 320)),
        ((17, 319), (0, 320)),
    ],
    ids=str,
)
def test_a_width_that_an_engine_takes(needed, found):
    assert fit_width(needed, WIDTHS) == found
    assert found[0] % 16 == 0


# ---- the network


class Local:
    """An engine without surroundings: alpha is the picture's red, its features the mean of the input."""

    name = "torch float32"

    def __init__(self, ran: list[int]) -> None:
        self.ran = ran

    def __call__(self, pair: NDArray[np.float32]) -> BaseMaps:
        assert pair.flags.c_contiguous
        self.ran.append(pair.shape[2])
        rgb = pair[0]
        visible = np.concatenate([rgb[..., :1], 0.1 * rgb[..., :3], rgb[..., 1:2]], 2)
        return BaseMaps(
            visible, np.ascontiguousarray(np.broadcast_to(rgb[::2, ::2, :1], (*rgb[::2, ::2, 0].shape, 12)))
        )


def local(network, ran: list[int], *, narrows: bool):
    one = on_cpu(network, FRAME)
    base_of(one)._widths = EngineWidths(lambda size: Local(ran), FRAME, Local(ran), narrows=narrows)
    return one


def until_built(widths: EngineWidths) -> None:
    end = time.monotonic() + 60
    while widths._started is not None and not widths._started[1].done():
        assert widths.is_building
        assert time.monotonic() < end
        time.sleep(0.005)


def person_in_the_middle() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    plate = picture(2)
    src = plate.copy()
    src[:, :, 40:, 58:70] = picture(3)[:, :, 40:, 58:70]
    return src, plate


@pytest.mark.parametrize("selection", [Selection("full"), Selection("thresholding", threshold=0.5)], ids=str)
def test_the_columns_that_it_sees_are_matted_as_without_a_cut_and_the_others_are_zero(networks, selection):
    (src, plate), ran = person_in_the_middle(), list[int]()
    cut, whole = (local(networks[True], ran, narrows=narrows) for narrows in (True, False))
    first = cut(src, plate, None, selection)
    until_built(base_of(cut)._widths)
    ran.clear()
    alpha, foreground, finite = cut(src, plate, None, selection)
    wanted = whole(src, plate, None, selection)
    assert ran == [80, 128]
    assert finite is True
    assert np.array_equal(first[0], wanted[0]), "until the narrow engine is there"
    left, right = fit_width((40, 88), [80, 96, 112, 128])
    assert int(alpha[..., :left].max()) == int(alpha[..., right:].max()) == 0
    assert int(wanted[0][..., :left].max()) > 0, "the test of the test"
    inner = slice(left + 8, right - 8)  # farther than the refiner looks
    assert np.abs(alpha.astype(int) - wanted[0])[..., inner].max() <= 1
    assert np.abs(foreground.astype(int) - wanted[1])[..., inner].max() <= 1


def test_near_the_person_a_cut_changes_little(networks):
    src, plate = person_in_the_middle()
    one = on_cpu(networks[True], FRAME)
    whole = one(src, plate, None, Selection(pixels=0))[0]
    until_built(base_of(one)._widths)
    cut = one(src, plate, None, Selection(pixels=0))[0]
    assert int(cut[..., :24].max()) == 0 < int(whole[..., :24].max())
    assert float(np.abs(cut.astype(int) - whole)[..., 50:78].mean()) < 0.02 * 255


def test_a_frame_that_is_all_room_needs_no_network(networks):
    plate, ran = picture(2), list[int]()
    one = local(networks[True], ran, narrows=True)
    src = plate.copy()
    src[0, 0, 5, 5] += 1
    alpha, foreground, finite = one(src, plate, None, Selection("full"))
    assert ran == []
    assert (int(alpha.max()), finite) == (0, True)
    assert np.array_equal(foreground, src)
    one(src, plate, np.zeros((1, 1, 6, 8), np.float32), Selection("full"))
    assert ran == [128], "a plate that is not known is no evidence"


def test_an_engine_that_cannot_be_built_is_asked_for_once(caplog):
    asked = list[tuple[int, int]]()

    def fails(size: tuple[int, int]) -> BaseEngine:
        asked.append(size)
        raise RuntimeError("no room")

    whole = Local([])
    widths = EngineWidths(fails, BASE, whole, narrows=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert widths.find((100, 140)) == ((0, 320), whole)
            until_built(widths)
    assert asked[0] == (176, 192)
    assert len(asked) == len(set(asked))
    assert "no room" in caplog.text
