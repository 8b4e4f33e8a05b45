"""A part of a resized map is what the whole map has there; and nothing of another frame is ever read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camdaemon.matting.bgmv2.cpu.parts import PartialResize, find_span, join_spans
from camdaemon.model.layout import Selection
from tests.matting.bgmv2.cpu.test_network import FRAME, picture
from tests.matting.bgmv2.cpu.test_slim import base_of, known, networks, on_cpu

__all__ = ["networks"]  # a fixture

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [
    ((176, 320), (720, 1280)),
    ((88, 160), (360, 640)),
    ((30, 50), (90, 75)),
    ((48, 64), (24, 32)),
    ((7, 9), (10, 31)),
]


@pytest.mark.parametrize(("small", "large"), SIZES, ids=str)
def test_a_part_is_what_the_whole_map_has_there(small, large):
    draw = np.random.default_rng(3)
    values = draw.normal(size=(*small, 5)).astype(np.float32)
    whole = np.asarray(cv2.resize(values, large[::-1]))
    for _ in range(30):
        rows, columns = (tuple(sorted(draw.integers(0, side + 1, 2))) for side in large)
        out = np.full((*large, 5), np.nan, np.float32)
        resize = PartialResize(small, large)
        resize.resize(values, resize.find_part(rows, columns), out)
        asked = slice(*rows), slice(*columns)
        np.testing.assert_allclose(out[asked], whole[asked], atol=1e-4)  # OpenCV computes places in float32


def test_a_small_part_of_a_large_map_is_not_all_of_it():
    part = PartialResize((176, 320), (720, 1280)).find_part((300, 400), (600, 700))
    assert part.large == (slice(270, 405), slice(596, 704))


def test_spans():
    assert find_span(np.array([False, True, False, True, False])) == (1, 4)
    assert find_span(np.zeros(3, bool)) == (0, 0)
    assert join_spans((2, 5), (4, 9)) == (2, 9)
    assert join_spans((0, 0), (4, 9)) == join_spans((4, 9), (0, 0)) == (4, 9)


@pytest.mark.parametrize("selection", [Selection("full"), Selection(pixels=320), Selection(pixels=0)], ids=str)
def test_what_other_frames_left_in_memory_is_never_read(networks, selection):
    one = on_cpu(networks[True], (48, 64))
    first = one(picture(1), picture(2), known("blocks"), selection)
    for half in (base_of(one)._hidden, base_of(one)._shown):
        assert half._padded is not None
        half._grid.cut_margin(half._padded, half._half)[:] = np.nan
    assert one._scratch is not None
    for scratch in one._scratch:
        scratch[:] = 12345
    second = one(picture(1), picture(2), known("blocks"), selection)
    assert second[2] is True
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_a_network_that_rests_gives_memory_back_and_finds_the_same_afterwards(networks):
    """Also if a frame was begun that never comes."""
    one = on_cpu(networks[True], (48, 64))
    given = picture(1), picture(2), known("blocks"), Selection("full")
    first = one(*given)
    one.prepare(*given)
    one.release()
    one._coarse._lanes[0].last[0].result(60)
    base = base_of(one)
    assert one._scratch is base._hidden._padded is base._shown._padded is base._told is None
    assert not one._coarse._begun
    second = one(*given)
    assert all(np.array_equal(a, b) for a, b in zip(first[:2], second[:2], strict=True))


def test_where_no_alpha_is_seen_it_is_zero_and_the_rest_is_left_alone(networks, monkeypatch):
    one = on_cpu(networks[False], (48, 64))
    engine = one.engine

    def only_one(x):
        maps = engine(x)
        maps.visible[..., :4] = [1 / 600, 0.3, 0.3, 0.3]  # rounds to no alpha
        maps.visible[20, 30, 0] = 1
        return maps

    monkeypatch.setitem(base_of(one)._widths._engines, 64, only_one)
    src = picture(1)
    alpha, foreground, _ = one(src, picture(2), None, Selection())
    rows, columns = (find_span((alpha[0, 0] > 0).any(axis)) for axis in (1, 0))
    assert rows == (39, 43)
    assert columns == (59, 63)
    assert FRAME == (96, 128)
    assert np.array_equal(foreground[..., :20, :], src[..., :20, :])
    assert not np.array_equal(foreground[..., 39:43, 59:63], src[..., 39:43, 59:63])
