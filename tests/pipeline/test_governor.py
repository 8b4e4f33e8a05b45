"""Whether a machine that is too slow keeps its deadline, without a clock: machines are functions, noise has a seed."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from statistics import fmean
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdaemon.matting.effort import LADDER, Effort, choose_ladder, vary_rate_only
from camdaemon.pipeline.governor import Governor
from tests.hostile import few

PERIOD = 1 / 30
BEST = LADDER[0].cost
NOISE = 0.2  # standard deviation of a frame's seconds, as a share of them
COOLDOWN_S = 1.0

Load = Callable[[float], float]  # how many times slower the machine is at a time
LIKE_THE_MODEL, SLOW_MEMORY, SLOW_BASE, SLOW_REFINER = (15, 12, 8), (5, 5, 25), (25, 5, 5), (5, 25, 5)
SPLITS = [LIKE_THE_MODEL, SLOW_MEMORY, SLOW_BASE, SLOW_REFINER]


@dataclass
class Machine:
    """Takes `slowness` periods for a frame at full effort. split: shares of base network, refiner and the rest."""

    slowness: float
    noise: float = NOISE
    load: Load = lambda t: 1.0
    split: tuple[float, float, float] = LIKE_THE_MODEL
    chance: random.Random = field(default_factory=lambda: random.Random(5))

    def mean(self, effort: Effort) -> float:
        """Seconds for a frame worked on, without a load."""
        base, refiner, rest = self.split
        work = base * (effort.base_side / 176) ** 2 + refiner * effort.refined / 0.039 + rest
        return self.slowness * PERIOD * work / sum(self.split)

    def __call__(self, effort: Effort, t: float) -> float:
        return self.mean(effort) * self.load(t) * max(0.2, self.chance.gauss(1, self.noise))

    def holds(self, effort: Effort) -> bool:
        """Whether the camera's frames of this effort are done in time on average, without a load."""
        return self.mean(effort) <= PERIOD * effort.every


@dataclass(frozen=True)
class Change:
    t: float
    before: int
    after: int


def play(governor: Governor, machine: Callable[[Effort, float], float], until: float) -> list[Change]:
    """A camera from 0 to `until` seconds and a worker that takes its newest frame; what the governor did."""
    t, worked, changes = 0.0, -LADDER[-1].every, []
    while t < until:
        worked = max(int(t / PERIOD + 1e-9), worked + governor.effort.every)
        captured, before = worked * PERIOD, governor.rung
        start = max(t, captured)
        took = machine(governor.effort, start)
        t = start + took
        assert governor.record(took, captured) == governor.effort == LADDER[governor.rung]
        if governor.rung != before:
            changes.append(Change(t, before, governor.rung))
    return changes


def test_every_rung_is_cheaper_than_the_one_before_and_the_first_is_full_effort():
    assert LADDER[0] == Effort()
    assert all(better.cost > worse.cost for better, worse in pairwise(LADDER))
    assert LADDER[-1].cost < BEST / 10


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_best_effort_of_every_ladder_is_what_the_matting_begins_with(device):
    ladder = choose_ladder(device)
    assert ladder[-len(LADDER) :] == LADDER
    assert [each.cost for each in ladder] == sorted({each.cost for each in ladder}, reverse=True)
    rates = vary_rate_only(ladder[0])
    assert rates[0] == ladder[0], "or a GPU's matte would get coarser with its first frame"
    assert {(each.base_side, each.refined) for each in rates} == {(ladder[0].base_side, ladder[0].refined)}
    assert [each.every for each in rates] == sorted({each.every for each in LADDER})


def test_an_effort_says_what_it_is():
    assert re.search(r"\b176\b.* 3\.9 %\D*$", str(Effort()))
    assert re.search(r"\b144\b.* 1\.3 %.*every 2nd", str(Effort(144, 0.013, every=2)))
    assert re.search(r"\b112\b.* 0\.6 %.*every 4th", str(Effort(112, 0.006, every=4)))


@pytest.mark.parametrize("noise", [0.0, NOISE])
@pytest.mark.parametrize("slowness", [0.02, 0.4, 0.7])
def test_a_fast_machine_never_leaves_the_best_rung(slowness, noise):
    assert not play(Governor(PERIOD), Machine(slowness, noise), 120)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(("slowness", "answered", "settled"), [(1.3, 1.5, 5), (3.0, 1.5, 5), (10.0, 5.0, 10)])
def test_a_slow_machine_comes_to_hold_its_deadline(slowness, answered, settled, split):
    machine, governor = Machine(slowness, split=split), Governor(PERIOD)
    changes = play(governor, machine, settled)
    assert changes[0].t <= answered
    assert machine.holds(governor.effort) or governor.effort is LADDER[-1]
    assert len(changes) <= 5
    if split == LIKE_THE_MODEL:
        assert machine.holds(governor.effort)


def test_an_overload_that_begins_later_is_answered_as_soon():
    machine = Machine(0.8, 0.05, load=lambda t: 1.0 if t < 20 else 1.3 / 0.8)
    changes = play(Governor(PERIOD), machine, 25)
    assert 20 < changes[0].t <= 21.5
    assert changes[0].before == 0


def test_heavy_overload_costs_several_rungs_at_once_and_no_more_than_needed():
    machine, governor = Machine(3.0, 0.02), Governor(PERIOD)
    first = play(governor, machine, 4)[0]
    assert first.before == 0
    assert first.after >= 4
    assert machine.holds(LADDER[first.after])
    assert not machine.holds(LADDER[first.after - 2])


def test_where_no_rung_is_enough_it_stays_on_the_last():
    governor = Governor(PERIOD)
    play(governor, Machine(50.0), 30)
    assert governor.rung == len(LADDER) - 1
    assert not play(governor, Machine(50.0), 60)


@pytest.mark.parametrize("rung", range(len(LADDER) - 1))
def test_between_two_rungs_it_does_not_swing(rung):
    """The deadline lies exactly between the costs of two rungs, and frames differ by a fifth and more."""
    between = (LADDER[rung].cost * LADDER[rung + 1].cost) ** 0.5
    changes = play(Governor(PERIOD), Machine(BEST / between), 600)
    assert len([change for change in changes if change.t > 10]) <= 6


@pytest.mark.parametrize("split", SPLITS[1:])
@pytest.mark.parametrize("slowness", [1.2, 2.0, 4.0])
def test_where_the_model_is_far_off_it_does_not_swing_either(split, slowness):
    changes = play(Governor(PERIOD), Machine(slowness, 0.05, split=split), 600)
    assert len([change for change in changes if change.t > 10]) <= 10
    unsteady = sum(after.t - at.t for at, after in pairwise(changes) if after.t - at.t < 5 and at.t > 30)
    assert unsteady < 10, "seconds of ten minutes on a rung that was tried in vain"


@pytest.mark.parametrize("heavy", [2.0, 4.0, 10.0])
def test_a_load_that_goes_leaves_nothing_behind(heavy):
    governor = Governor(PERIOD)
    changes = play(governor, Machine(0.6, load=lambda t: heavy if 20 <= t < 50 else 1.0), 80)
    assert max(change.after for change in changes) >= 2
    assert governor.rung == 0
    assert 50 < changes[-1].t < 70
    assert len(changes) <= 8


def test_a_step_up_in_vain_is_tried_more_and_more_rarely():
    """A load that leaves for ten seconds of each twenty, just long enough to be believed."""
    changes = play(Governor(PERIOD), Machine(0.6, 0.05, load=lambda t: 3.0 if t % 20 < 10 else 1.0), 900)
    falls = [change.t for change in changes if change.before == 0]
    waits = [later - earlier for earlier, later in pairwise(falls)]
    assert len(falls) <= 8
    assert waits[-1] > 2 * waits[0]
    assert waits[-1] > 120


def test_hiccups_cost_nothing():
    frames = iter(range(100_000))
    hiccups = play(Governor(PERIOD), lambda effort, t: 0.5 if next(frames) % 60 == 50 else 0.6 * PERIOD, 120)
    assert not hiccups


def test_half_a_second_of_slow_frames_is_a_hiccup_too():
    machine = Machine(0.6, 0.05, load=lambda t: 5.0 if 30 <= t < 30.4 else 1.0)
    assert not play(Governor(PERIOD), machine, 60)


def test_slow_first_frames_on_every_rung_are_not_held_against_it():
    machine, seen = Machine(2.0, 0.05), SimpleNamespace(effort=Effort(), frames=0)

    def compiling(effort: Effort, t: float) -> float:
        seen.frames = seen.frames + 1 if seen.effort == effort else 1
        seen.effort = effort
        return 0.3 if seen.frames <= 3 else machine(effort, t)

    with_, without = Governor(PERIOD), Governor(PERIOD)
    play(with_, compiling, 30)
    play(without, Machine(2.0, 0.05), 30)
    assert abs(with_.rung - without.rung) <= 1
    assert machine.holds(with_.effort)


def test_a_gap_forgets_the_frames_before_it_and_keeps_the_rung():
    governor, t = Governor(PERIOD), 0.0
    while governor.rung == 0:
        governor.record(0.06, t := t + 0.06)
    rung = governor.rung
    for visit in range(200):  # too short, each of them, to be judged
        for _ in range(10):
            governor.record(0.06 if visit % 2 else 0.001, t := t + 0.06)
        t += 3.0
    assert governor.rung == rung


def test_after_a_gap_it_waits_for_a_quiet_stretch_before_it_steps_up():
    governor, t = Governor(PERIOD), 0.0
    while governor.rung == 0:
        governor.record(0.06, t := t + 0.06)
    rung, begin = governor.rung, t + 60.0
    t = begin
    while t < begin + 4.5:
        governor.record(0.005, t := t + PERIOD)
        assert governor.rung == rung
    while t < begin + 6.0:
        governor.record(0.005, t := t + PERIOD)
    assert governor.rung == 0


def test_the_first_frames_of_all_are_slow_and_no_measure():
    slow = iter([0.3, 0.3, 0.3, 0.06, 0.06, 0.06])
    assert not play(Governor(PERIOD), lambda effort, t: next(slow, 0.02), 30)


def test_two_hiccups_in_a_row_are_still_hiccups():
    stuck = {100, 101, 200, 201, 202}
    frames = iter(range(100_000))
    assert not play(Governor(PERIOD), lambda effort, t: 1.3 if next(frames) in stuck else 0.02, 30)


def test_slow_work_is_no_gap():
    governor, t = Governor(PERIOD), 0.0
    for _ in range(12):
        governor.record(4.0, t)
        t += 4.0
    assert governor.rung == len(LADDER) - 1


@pytest.mark.parametrize(("slowness", "holds"), [(0.5, True), (3.0, False)])
def test_a_clip_that_starts_again_is_judged_like_any_other(slowness, holds):
    governor, machine, t = Governor(PERIOD), Machine(slowness, 0.05), 0.0
    for _ in range(900):
        took = machine(governor.effort, t)
        governor.record(took, t)
        t = (t + max(took, PERIOD * governor.effort.every)) % 0.7  # shorter than what a decision needs
    assert (governor.rung == 0) == holds
    assert machine.holds(governor.effort)


def test_a_camera_that_turns_out_slower_leaves_more_time():
    governor = Governor(PERIOD)
    play(governor, Machine(1.5, 0.05), 20)
    assert governor.rung > 0
    governor.period_s = 2 * PERIOD
    play(governor, Machine(1.5, 0.05), 40)
    assert governor.rung == 0


def test_a_ladder_of_one_rung_is_allowed():
    governor = Governor(PERIOD, (Effort(112, 0.006),))
    assert not [t for t in range(60) if governor.record(1.0, float(t)) != Effort(112, 0.006)]
    assert governor.rung == 0


times = st.lists(st.tuples(st.sampled_from([1e-9, 0.01, 0.03, 0.06, 0.3, 5.0]), st.floats(1e-9, 6.0)), max_size=20)


@few
@given(phases=times, repeats=st.integers(1, 40), hours=st.floats(-1e5, 1e5))
def test_whatever_the_times_the_rung_is_on_the_ladder_and_changes_are_apart(phases, repeats, hours):
    governor, last = Governor(PERIOD), None
    took = [seconds * wobble for seconds, factor in phases for wobble in (factor, 1.0) for _ in range(repeats)]
    for t, seconds in zip(accumulate(took, initial=hours), took, strict=False):
        before = governor.rung
        governor.record(seconds, t)
        assert 0 <= governor.rung < len(LADDER)
        if governor.rung != before:
            assert last is None or t - last >= COOLDOWN_S - 1e-6
            last = t


@few
@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(-1e6, 1e6)), max_size=300))
def test_whatever_the_clock_says_nothing_breaks(frames):
    governor = Governor(PERIOD)
    for seconds, t in frames:
        assert governor.record(seconds, t) in LADDER


def test_a_slow_machine_does_about_as_much_as_it_can():
    """Being in time is easy on the last rung: what is left undone is bounded too."""
    shares = []
    for slowness in (1.3, 1.8, 2.4, 3.2, 4.5):
        governor, machine = Governor(PERIOD), Machine(slowness, 0.05)
        play(governor, machine, 90)
        shares.append(machine.mean(governor.effort) / PERIOD / governor.effort.every)
    assert fmean(shares) > 0.65
    assert max(shares) <= 1.0
