"""Replaying gives what computing gives, from memory that stays; where recording is not to be trusted, it computes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from camdaemon.matting import Refinement
from camdaemon.matting.bgmv2 import floats as module
from camdaemon.matting.bgmv2.cuda_graph import GraphedStep, Results
from camdaemon.matting.effort import Effort
from camdaemon.model.slim import SlimMatting

SRC, PLATE = (torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(n)) for n in range(2))
KNOWN = torch.ones(1, 1, 2, 3)


class Recording:
    """Records by doing the work again into the first results' memory, as a GPU does. spoilt: replays something else."""

    def __init__(self, *, spoilt: bool = False) -> None:
        self._spoilt, self.replays = spoilt, 0

    def __call__(self, work: Callable[[], Results]) -> tuple[Results, Callable[[], object]]:
        results = work()

        def again() -> None:
            self.replays += 1
            for kept, new in zip(results, work(), strict=True):
                kept.copy_(torch.zeros_like(new) if self._spoilt else new)

        return results, again


def step(src: torch.Tensor, plate: torch.Tensor, known: torch.Tensor) -> Results:
    return (src - plate) * known.mean(), (src + plate).mean()


def test_it_replays_what_the_step_computes_in_memory_that_stays() -> None:
    record = Recording()
    replay = GraphedStep(step, SRC, PLATE, KNOWN, record)
    before, first = record.replays, replay(SRC, PLATE, KNOWN)
    assert record.replays == before + 1
    torch.testing.assert_close(first[0], SRC - PLATE)
    second = replay(SRC * 0.5, PLATE, KNOWN)
    assert second[0] is first[0]
    torch.testing.assert_close(second[0], SRC * 0.5 - PLATE)


def test_another_plate_is_copied_in_and_the_same_one_is_not() -> None:
    replay = GraphedStep(step, SRC, PLATE, KNOWN, Recording())
    other = PLATE.clone() * 0.5
    torch.testing.assert_close(replay(SRC, other, KNOWN)[0], SRC - other)
    torch.testing.assert_close(replay(SRC, PLATE, KNOWN)[0], SRC - PLATE)
    kept = PLATE.clone()
    replay(SRC, kept, KNOWN)
    kept.zero_()  # nobody does that to a plate: it shows that it was not looked at again
    torch.testing.assert_close(replay(SRC, kept, KNOWN)[0], SRC - PLATE)


def test_the_confidence_is_copied_in_for_each_frame() -> None:
    replay, known = GraphedStep(step, SRC, PLATE, KNOWN, Recording()), KNOWN.clone()
    torch.testing.assert_close(replay(SRC, PLATE, known)[0], SRC - PLATE)
    known.fill_(0.5)
    torch.testing.assert_close(replay(SRC, PLATE, known)[0], (SRC - PLATE) * 0.5)


def test_what_was_given_is_not_changed() -> None:
    src, plate = SRC.clone(), PLATE.clone()
    GraphedStep(step, src, plate, KNOWN, Recording())(src, plate, KNOWN)
    assert torch.equal(src, SRC)
    assert torch.equal(plate, PLATE)


def test_a_recording_that_gives_something_else_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    record = Recording(spoilt=True)
    replay = GraphedStep(step, SRC, PLATE, KNOWN, record)
    before = record.replays
    torch.testing.assert_close(replay(SRC, PLATE, KNOWN)[0], SRC - PLATE)
    assert record.replays == before, "it is not replayed"
    assert "no CUDA graph" in caplog.text


def test_a_step_that_cannot_be_recorded_is_computed(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(work: Callable[[], Results]) -> tuple[Results, Callable[[], object]]:
        raise RuntimeError("operation not permitted when stream is capturing")

    replay = GraphedStep(step, SRC, PLATE, KNOWN, refuse)
    torch.testing.assert_close(replay(SRC, PLATE, KNOWN)[0], SRC - PLATE)
    assert "not permitted" in caplog.text


@pytest.mark.parametrize("graphs", [False, True])
def test_confidence_of_any_shape_reaches_a_network_that_doubts_in_one_shape(
    monkeypatch: pytest.MonkeyPatch, graphs: bool
) -> None:
    monkeypatch.setattr(module, "GraphedStep", partial(GraphedStep, record=Recording()))
    monkeypatch.setattr(module, "load_weights", lambda *_: SlimMatting(refined=False).eval())
    matting: Any = module.FloatMatting("default", Refinement(), "cpu", purpose="live")
    assert matting.doubts
    matting._uses_graphs = graphs
    src, plate = (torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(n)) for n in range(2))
    wholly, none = matting(src, plate, None, 0).alpha.clone(), torch.zeros(1, 1, 3, 5)
    assert torch.equal(matting(src, plate, torch.ones(1, 1, 6, 10), 1).alpha, wholly)
    unknown = matting(src, plate, none, 2).alpha.clone()
    assert not torch.equal(unknown, wholly)
    assert torch.equal(matting(src, torch.rand_like(plate), none, 3).alpha, unknown), "of this plate nothing is seen"
    assert len(matting._graphs) == graphs


def test_the_matting_records_once_for_each_work_and_not_for_each_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GraphedStep", partial(GraphedStep, record=Recording()))
    matting = module.FloatMatting("default", Refinement(), "cpu", purpose="live")
    src, plate = (torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(n)) for n in range(2))
    computed = matting(src, plate, None, 0).alpha
    matting._uses_graphs = True  # as on CUDA
    torch.testing.assert_close(matting(src, plate, None, 0).alpha, computed)
    for effort, recordings in (
        (Effort(every=2), 1),
        (Effort(refined=0.01), 2),
        (Effort(base_side=64), 3),
        (Effort(), 3),
    ):
        matting.effort = effort
        matting(src, plate, None, 1)
        assert len(matting._graphs) == recordings


@pytest.mark.parametrize("graphs", [False, True])
def test_an_observer_sees_the_maps_of_each_frame(monkeypatch: pytest.MonkeyPatch, graphs: bool) -> None:
    monkeypatch.setattr(module, "GraphedStep", partial(GraphedStep, record=Recording()))
    seen: list[module.RefinementMaps] = []
    matting = module.FloatMatting("default", Refinement(), "cpu", seen.append, "live")
    matting._uses_graphs = graphs
    pictures = [torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    errors = []
    for seq, src in enumerate(pictures):
        matting(src, pictures[0], None, seq)
        errors.append(seen[-1].error.clone())
        with torch.inference_mode():
            found = matting._run_network(
                src, pictures[0], matting._fix_shape(None, src), *matting.choose_sizes(96, 160)
            )
        torch.testing.assert_close(errors[-1], found[3])
        assert seen[-1].refined.shape == (1, 1, 24, 40)
        assert seen[-1].refined.dtype == torch.bool
    assert len(seen) == 3
    assert not torch.equal(errors[1], errors[2])
