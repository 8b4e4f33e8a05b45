"""Which engine runs the network: the fastest is chosen once, and none that fails."""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from camdaemon.matting.bgmv2.engines import cache, factory
from camdaemon.matting.bgmv2.engines.engine import BaseMaps, WindowEngine
from camdaemon.matting.bgmv2.engines.factory import EngineFactory
from camdaemon.model.layout import NetworkLayout

PUBLISHED = NetworkLayout(doubts=False, kernel=3)
FLOAT, HALF = "openvino float32", "openvino bfloat16"


@dataclass
class Machine:
    """A clock that only engines move. took: ms of each by name; raises: what one does instead, and when."""

    took: dict[str, float]
    raises: dict[str, Exception]
    now: float = 0.0
    made: list[tuple[str, tuple[int, int]]] = field(default_factory=list)

    def perf_counter(self) -> float:
        return self.now

    def factory(self, *names: str, others: tuple[str, ...] = (), mark: str = "mark") -> EngineFactory:
        """A factory with kinds of these names; all by default."""
        runtimes = [Kind(self, name) for name in names or self.took]
        return EngineFactory(PUBLISHED, mark, runtimes, lambda: [Kind(self, name) for name in others])

    def build(self, size: tuple[int, int] = (90, 160), *names: str) -> str:
        """The name of what a new factory chooses."""
        return self.factory(*names).build(size).name


@dataclass
class Kind:
    """A kind of engine that takes its time on the machine's clock."""

    machine: Machine
    name: str

    def build_base(self, size: tuple[int, int]) -> Stand:
        if f"make {self.name}" in self.machine.raises:
            raise self.machine.raises[f"make {self.name}"]
        self.machine.made.append((self.name, size))
        return Stand(self.machine, self.name)

    def build_refiner(self, *, exact: bool) -> WindowEngine:
        return lambda *windows: np.full(1, len(self.name) + exact, np.float32)

    def build_hidden(self, *, exact: bool) -> WindowEngine:
        return lambda *windows: np.full(1, -len(self.name) - exact, np.float32)


class Stand:
    def __init__(self, machine: Machine, name: str) -> None:
        self.name, self.runs, self._machine = name, 0, machine

    def __call__(self, pair: NDArray[np.float32]) -> BaseMaps:
        assert pair.shape[3] == PUBLISHED.inputs
        assert pair.dtype == np.float32
        assert pair.flags.c_contiguous
        self.runs += 1
        if self.name in self._machine.raises:
            raise self._machine.raises[self.name]
        self._machine.now += self._machine.took[self.name] / 1e3 * (5 if self.runs == 1 else 1)  # the first is slow
        height, width = pair.shape[1:3]
        return BaseMaps(np.zeros((height, width, 5), np.float32), np.zeros((height // 2, width // 2, 48), np.float32))


@pytest.fixture
def machine(monkeypatch) -> Machine:
    """float32 takes 30 ms, bfloat16 20."""
    made = Machine({FLOAT: 30.0, HALF: 20.0}, {})
    monkeypatch.setattr(factory, "time", made)
    return made


@pytest.mark.parametrize("times", [(30.0, 20.0), (20.0, 30.0)])
def test_the_fastest_is_chosen(machine, times, caplog):
    machine.took = dict(zip((FLOAT, HALF), times, strict=True))
    with caplog.at_level(logging.INFO):
        chosen = machine.build((90, 160))
    assert chosen == min(machine.took, key=machine.took.__getitem__)
    for name, took in machine.took.items():
        assert re.search(rf"{name}\b.* {took:.1f} ms.*160x90", caplog.text), "the slow first run does not count"


def test_the_second_size_uses_the_first_ones_kind_without_measuring(machine):
    engines = machine.factory()
    assert engines.build((90, 160)).name == HALF
    machine.made.clear()
    machine.took = {FLOAT: 1.0, HALF: 900.0}
    before = machine.now
    second = engines.build((180, 320))
    assert second.name == HALF
    assert machine.made == [(HALF, (180, 320))]
    assert isinstance(second, Stand)
    assert (second.runs, machine.now) == (0, before)


@pytest.mark.parametrize("exact", [False, True])
def test_refiner_and_hidden_features_are_of_the_kind_that_was_chosen(machine, exact):
    engines = machine.factory()
    engines.build((90, 160))
    assert engines.build_refiner(exact=exact)()[0] == len(HALF) + exact
    assert engines.build_hidden(exact=exact)()[0] == -len(HALF) - exact


def test_one_alone_is_not_measured(machine):
    assert machine.build((90, 160), FLOAT) == FLOAT
    assert machine.now == 0
    assert not cache.cache_file().exists()


@pytest.mark.parametrize("when", [HALF, f"make {HALF}"])
@pytest.mark.parametrize("error", [RuntimeError("this processor has no bfloat16"), OSError("libtbb.so is missing")])
def test_one_that_fails_is_left_out(machine, when, error, caplog):
    machine.raises[when] = error
    engines = machine.factory()
    with caplog.at_level(logging.INFO):
        assert engines.build((90, 160)).name == FLOAT
    assert str(error) in caplog.text
    assert engines.build((46, 80)).name == FLOAT, "and is not tried again"


def test_when_all_fail_it_is_an_error(machine):
    machine.raises = {name: RuntimeError(f"{name} is broken") for name in machine.took}
    with pytest.raises(RuntimeError, match=r"no engine.*openvino \w+ is broken"):
        machine.build()
    assert {name for name, _ in machine.made} == set(machine.took), "both were tried"


@pytest.mark.parametrize("names", [(FLOAT,), (FLOAT, HALF)], ids=len)
def test_when_all_fail_the_others_are_looked_for(machine, names, caplog):
    """torch, which is not loaded before."""
    machine.took |= {"torch float32": 40.0, "torch bfloat16": 50.0}
    machine.raises = {f"make {name}": RuntimeError(f"{name} is broken") for name in names}
    engines = machine.factory(*names, others=("torch float32", "torch bfloat16"))
    with caplog.at_level(logging.INFO):
        assert engines.build((90, 160)).name == "torch float32"
    assert "is broken" in caplog.text
    assert engines.build((46, 80)).name == "torch float32"
    machine.raises = {}
    looked_for: list[str] = []
    engines = EngineFactory(PUBLISHED, "mark", [Kind(machine, FLOAT)], lambda: looked_for.append("torch") or [])
    engines.build((90, 160))
    assert not looked_for


# ---- remembered


def test_the_next_start_takes_the_fastest_without_measuring(machine):
    machine.build()
    machine.made.clear()
    machine.took = {FLOAT: 1.0, HALF: 900.0}
    engine = machine.factory().build((90, 160))
    assert isinstance(engine, Stand)
    assert (engine.name, engine.runs) == (HALF, 1), "once, to see that it runs"
    assert [name for name, _ in machine.made] == [HALF]


def test_the_fastest_is_cached_for_this_size_these_weights_and_engines_and_a_week(machine, monkeypatch):
    def measures(size: tuple[int, int], mark: str = "mark") -> bool:
        machine.made.clear()
        machine.factory(mark=mark).build(size)
        return len(machine.made) > 1

    assert measures((90, 160))
    assert not measures((90, 160))
    assert measures((46, 80)), "another size"
    assert not measures((90, 160)), "beside the first"
    assert measures((46, 80), "other weights")
    assert not measures((46, 80), "other weights")
    machine.took["openvino int8"] = 5.0
    assert measures((46, 80)), "another engine"
    assert not measures((46, 80))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert measures((46, 80)), "another number of threads"
    later = time.time() + 8 * 86400
    monkeypatch.setattr(cache, "time", SimpleNamespace(time=lambda: later))
    assert measures((46, 80)), "another week"
    assert not measures((46, 80))


def test_a_cached_engine_that_fails_by_now_is_measured_again(machine):
    machine.build()
    machine.raises[HALF] = RuntimeError("libtbb is gone")
    assert machine.build() == FLOAT
    machine.raises.clear()
    assert machine.build() == FLOAT, "and that is cached"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"MARK": 1}', '{"MARK": ["openvino bfloat16", "x"]}', '{"MARK": ["tensorflow", 9e9]}'],
)
def test_a_file_of_something_else_is_no_memory(machine, text):
    machine.build()
    kept = cache.cache_file()
    (mark,) = json.loads(kept.read_text())
    kept.write_text(text.replace("MARK", mark))
    machine.took = {FLOAT: 1.0, HALF: 900.0}
    assert machine.build() == FLOAT


def test_where_nothing_can_be_kept_each_start_measures(machine, caplog):
    cache.cache_file().parent.parent.mkdir(parents=True)
    cache.cache_file().parent.write_text("in the way")
    with caplog.at_level(logging.INFO):
        assert machine.build() == HALF
    assert "not cached" in caplog.text
