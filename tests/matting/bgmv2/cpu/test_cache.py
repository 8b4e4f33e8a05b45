"""Networks for other shapes are built in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from camdaemon.frames import pixels
from camdaemon.matting import Refinement
from camdaemon.matting.bgmv2.cpu.base import NetworkShape
from camdaemon.matting.bgmv2.cpu.cache import CpuNetworkCache
from camdaemon.matting.bgmv2.cpu.matting import CpuMatting
from camdaemon.matting.bgmv2.cpu.network import CpuNetwork
from camdaemon.matting.effort import Effort

FRAME = (96, 160)
LARGE, SMALL = NetworkShape(FRAME, (48, 80)), NetworkShape(FRAME, (32, 48))


class Maker:
    """Makes stand-ins; of `SMALL` only when `may` is set."""

    def __init__(self, fails: bool = False) -> None:
        self.may, self.fails, self.threads = threading.Event(), fails, list[str]()
        self.released: list[NetworkShape] = []

    def __call__(self, shape: NetworkShape) -> CpuNetwork:
        self.threads.append(threading.current_thread().name)
        if shape is SMALL:
            assert self.may.wait(60)
            if self.fails:
                raise RuntimeError("no room")
        return cast(CpuNetwork, SimpleNamespace(shape=shape, release=lambda: self.released.append(shape)))


def until(fits: Callable[[], Any]) -> None:
    end = time.monotonic() + 60  # a bound only; a busy machine builds slowly
    while not fits():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_first_is_waited_for_and_kept() -> None:
    maker = Maker()
    cache = CpuNetworkCache(maker)
    first = cache.get_or_build_async(LARGE)
    assert cache.get_or_build_async(LARGE) is first is cache.current
    assert cache.is_settled
    assert maker.threads == [threading.current_thread().name]


def test_another_is_built_while_the_last_one_runs() -> None:
    maker = Maker()
    cache = CpuNetworkCache(maker)
    first = cache.get_or_build_async(LARGE)
    assert all(cache.get_or_build_async(SMALL) is first for _ in range(3))
    assert not cache.is_settled
    maker.may.set()
    until(lambda: cache.get_or_build_async(SMALL) is not first)
    assert cache.is_settled
    assert cache.get_or_build_async(SMALL).shape == SMALL
    assert cache.get_or_build_async(LARGE) is first
    assert maker.threads == [threading.current_thread().name, "engine"]
    assert maker.released == [LARGE, SMALL], "each when the other one's turn comes"


def test_the_one_that_ran_longest_ago_is_forgotten() -> None:
    maker = Maker()
    maker.may.set()
    cache = CpuNetworkCache(maker)
    third = NetworkShape(FRAME, (16, 32))
    first = cache.get_or_build_async(LARGE)
    for shape in (SMALL, LARGE, third):
        until(lambda shape=shape: cache.get_or_build_async(shape).shape == shape)  # type: ignore[misc]
    assert cache.get_or_build_async(LARGE) is first
    assert cache.get_or_build_async(SMALL) is first, "it is built again"
    until(lambda: cache.get_or_build_async(SMALL).shape == SMALL)


def test_frames_of_another_size_wait_for_their_own() -> None:
    cache = CpuNetworkCache(Maker())
    cache.get_or_build_async(LARGE)
    other = NetworkShape((64, 64), (32, 32))
    assert cache.get_or_build_async(other).shape == other
    assert cache.is_settled


def test_a_failed_build_is_logged_once_and_the_last_one_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    maker = Maker(fails=True)
    cache = CpuNetworkCache(maker)
    first = cache.get_or_build_async(LARGE)
    cache.get_or_build_async(SMALL)
    maker.may.set()
    until(lambda: cache.get_or_build_async(SMALL) and cache.is_settled)
    assert all(cache.get_or_build_async(SMALL) is first for _ in range(3))
    assert caplog.text.count("no room") == 1
    assert len(maker.threads) == 2


def test_the_first_one_that_cannot_be_made_is_an_error_each_time() -> None:
    maker = Maker(fails=True)
    maker.may.set()
    cache = CpuNetworkCache(maker)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no room"):
            cache.get_or_build_async(SMALL)


def test_a_matting_is_settled_again_once_its_effort_is_in_force() -> None:
    matting, fresh = (CpuMatting("default", Refinement(), "torch", "float32") for _ in "ab")
    rng = np.random.default_rng(1)
    src, plate = (pixels.as_planes(rng.integers(0, 256, (360, 640, 3), np.uint8)) for _ in range(2))
    matting(src, plate, None, 0)
    assert matting.settled
    matting.effort = Effort(112, 0.006)
    begun = matting(src, plate, None, 1)
    until(lambda: matting(src, plate, None, 2) and matting.settled)
    fresh.effort = Effort(112, 0.006)
    assert np.array_equal(matting(src, plate, None, 3).alpha, fresh(src, plate, None, 3).alpha)
    assert not np.array_equal(begun.alpha, fresh(src, plate, None, 3).alpha)
