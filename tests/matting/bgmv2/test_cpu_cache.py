"""Networks for other shapes are made beside the show."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from camdaemon.matting import Refinement
from camdaemon.matting.bgmv2.cpu import HostNetwork, Shape
from camdaemon.matting.bgmv2.cpu_cache import Hosts
from camdaemon.matting.bgmv2.matting import BackgroundMatting
from camdaemon.matting.effort import Effort

FRAME = (96, 160)
LARGE, SMALL = Shape(FRAME, (48, 80)), Shape(FRAME, (32, 48))


class Maker:
    """Makes stand-ins; of `SMALL` only when `may` is set."""

    def __init__(self, fails: bool = False) -> None:
        self.may, self.fails, self.threads = threading.Event(), fails, list[str]()

    def __call__(self, shape: Shape) -> HostNetwork:
        self.threads.append(threading.current_thread().name)
        if shape is SMALL:
            assert self.may.wait(10)
            if self.fails:
                raise RuntimeError("no room")
        assert torch.is_inference_mode_enabled()
        return cast(HostNetwork, SimpleNamespace(shape=shape))


def until(fits: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not fits():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_first_is_waited_for_and_kept() -> None:
    maker = Maker()
    hosts = Hosts(maker)
    first = hosts.at(LARGE)
    assert hosts.at(LARGE) is first is hosts.last
    assert hosts.settled
    assert maker.threads == [threading.current_thread().name]


def test_another_is_made_beside_the_last_one() -> None:
    maker = Maker()
    hosts = Hosts(maker)
    first = hosts.at(LARGE)
    assert all(hosts.at(SMALL) is first for _ in range(3))
    assert not hosts.settled
    maker.may.set()
    until(lambda: hosts.at(SMALL) is not first)
    assert hosts.settled
    assert hosts.at(SMALL).shape == SMALL
    assert hosts.at(LARGE) is first
    assert maker.threads == [threading.current_thread().name, "engine"]


def test_frames_of_another_size_wait_for_their_own() -> None:
    hosts = Hosts(Maker())
    hosts.at(LARGE)
    other = Shape((64, 64), (32, 32))
    assert hosts.at(other).shape == other
    assert hosts.settled


def test_what_cannot_be_made_is_said_once_and_the_last_one_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    maker = Maker(fails=True)
    hosts = Hosts(maker)
    first = hosts.at(LARGE)
    hosts.at(SMALL)
    maker.may.set()
    until(lambda: hosts.at(SMALL) and hosts.settled)
    assert all(hosts.at(SMALL) is first for _ in range(3))
    assert caplog.text.count("no room") == 1
    assert len(maker.threads) == 2


def test_the_first_one_that_cannot_be_made_is_an_error_each_time() -> None:
    maker = Maker(fails=True)
    maker.may.set()
    hosts = Hosts(maker)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no room"):
            hosts.at(SMALL)


def test_a_matting_is_settled_again_once_its_effort_is_in_force() -> None:
    matting, fresh = (BackgroundMatting("default", Refinement(), torch.device("cpu"), "torch", "float32") for _ in "ab")
    src, plate = (torch.randint(256, (1, 3, 360, 640), dtype=torch.uint8) for _ in range(2))
    matting(src, plate, 0)
    assert matting.settled
    matting.effort = Effort(112, 0.006)
    begun = matting(src, plate, 1)
    until(lambda: matting(src, plate, 2) and matting.settled)
    fresh.effort = Effort(112, 0.006)
    assert torch.equal(matting(src, plate, 3).alpha, fresh(src, plate, 3).alpha)
    assert not torch.equal(begun.alpha, fresh(src, plate, 3).alpha)
