"""A short set of the faults over the painted clip, by the network that is the default; the full set needs clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from camdaemon.config.schema import Config
from tests.plate import painted
from tests.plate_faults.faults import Fault, list_faults, sit_still
from tests.plate_faults.footage import Footage
from tests.plate_faults.play import Figures, Player
from tests.plate_faults.report import summarize

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES = range(painted.THERE - 4, painted.THERE + 4)  # before the hand that waves
LENGTH_S = 7.0
CONFIG = Config(engine="torch", precision="float32", governor=False, refine={"scale": 0.375})


@pytest.fixture(scope="module")
def clip() -> Footage:
    frames = [(painted.film(at), painted.alpha(at)) for at in FRAMES]
    return Footage("painted", painted.plate(), frames, 10)


@pytest.fixture(scope="module")
def other(clip: Footage) -> Footage:
    """Somebody else in another room: the same person in the mirror, in other clothes."""
    frames = [(255 - rgb[:, ::-1] // 2, np.ascontiguousarray(alpha[:, ::-1])) for rgb, alpha in clip.frames]
    return Footage("library", painted.other_room(), frames, 10)


@pytest.fixture(scope="module")
def player(clip: Footage) -> Player:
    return Player(CONFIG, clip.size)


@pytest.fixture(scope="module")
def undisturbed(clip: Footage, player: Player) -> list[Figures]:
    fault = Fault("right plate", next(list_faults(clip, clip)).plate, event_s=0, length_s=len(FRAMES) / 10)
    return list(player.play(clip, fault))


QUICK = ("bump of 8 px", "bump of 80 px", "rotation 2°", "scale 5 %", "lamp on and off", "exposure pumps")
THINGS = ("object taken away", "object brought", "screen that plays", "person in the plate")


def find(clip: Footage, other: Footage, name: str) -> Fault:
    found: Iterator[Fault] = (fault for fault in list_faults(clip, other) if fault.name == name)
    return replace(next(found), length_s=LENGTH_S)


@pytest.mark.parametrize("name", [*QUICK, *THINGS])
def test_a_fault_shows_nothing_of_the_room(
    name: str, clip: Footage, other: Footage, player: Player, undisturbed: list[Figures]
) -> None:
    fault = find(clip, other, name)
    best = player.play_settled(clip, fault, undisturbed)
    row = summarize(clip.name, fault, list(player.play(clip, fault)), best)
    assert row.worst < 5, row
    assert row.leak < 0.5, row
    assert row.holes < 5, row
    assert row.composites >= 90, row
    if name in QUICK:
        assert row.good_s <= 3.5, row
        assert row.known > 85, row


def test_another_rooms_plate_is_put_aside_and_another_grows(clip: Footage, other: Footage, player: Player) -> None:
    found = list(player.play(clip, find(clip, other, "plate of another room")))
    assert max(each.leak for each in found) < 5
    assert not any(each.is_card for each in found)
    assert found[5].known == 0
    assert found[-1].known > 40
    assert found[-1].plate < 4, "levels"


def test_somebody_who_sits_still_never_becomes_room(clip: Footage, player: Player) -> None:
    found = list(player.play(clip, sit_still(clip, 24)))
    first, last = (np.mean([each.holes for each in part]) for part in (found[:40], found[-40:]))
    assert last <= first + 0.1
    assert max(each.leak for each in found) < 1


def test_the_recovery_is_the_moment_from_which_on_it_stays_good(clip: Footage) -> None:
    """The figures themselves: an error that comes back later is not yet good."""
    blocks = np.ones((2, 2), np.float32)
    room = np.ones((2, 2), bool)

    def frame(t: float, error: float) -> Figures:
        return Figures(
            t, 0, 0, error, 0, 100, is_card=False, errors=error * blocks, room=room, place=round(10 * t) % 10
        )

    undisturbed = [frame(n / 10, 5.0) for n in range(10)]
    fault = Fault("bad from 3 to 5 and at 7 s", None, good_s=3.0)
    bad = [frame(n / 10, 50.0 if 30 <= n < 50 or n == 70 else 5.0) for n in range(120)]
    row = summarize("clip", fault, bad, undisturbed)
    assert row.good_s == pytest.approx(7.1 - 3 + 1, abs=0.15)
    assert row.composites == 100
    assert np.isnan(summarize("clip", fault, [frame(n / 10, 50.0) for n in range(120)], undisturbed).good_s)
