"""What a run shows: validation scores and pictures, a progress bar, a log and TensorBoard curves."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from torch import Tensor
from torch.nn import functional as F

from camdaemon.matting.effort import LADDER
from camdaemon.model.layout import base_size_for_lines
from camdaemon.model.network import MattingNetwork
from camdaemon.tools.train.draws import ShuffledOrder
from camdaemon.tools.train.folder import LOG
from camdaemon.tools.train.losses import Losses
from camdaemon.tools.train.samples.faults import Kind
from camdaemon.tools.train.samples.loader import USES, BatchPlan, Sample, SampleGenerator
from camdaemon.tools.train.samples.scene import Cast

_BATCH = 8
_SEED = 20_201


_WEIGHTS: dict[Kind, float] = {"right": 0.5, "wrong": 0.2, "parts": 0.15, "none": 0.15}


class Scores(NamedTuple):
    """Means over the validation composites. Of a network that does not doubt its plate, all plates are right.

    Attributes:
        mad: |α − α*|; the right plates' weigh half. The best weights are those with the lowest.
        soft: |α − α*| where the truth is neither 0 nor 1.
        right: |α − α*| of composites with the right plate.
        wrong: The same, with a wrong one.
        parts: The same, with one that is unknown in parts.
        none: The same, without a plate.
        leak: Share of the room, away from the person, with alpha above 0.1; worst of the kinds of plates.
        holes: Share of the person's inside with alpha below 0.7; worst of the kinds of plates.
    """

    mad: float
    soft: float
    right: float
    wrong: float
    parts: float
    none: float
    leak: float
    holes: float


class Validation:
    """Composites of height × width pixels from the validation split; the same every time.

    Args:
        generator: Makes the composites.
        count: Number of composites, of each kind of plate.
        height: In pixels.
        width: In pixels.
        coarse: Score the base network alone, at the composites' size.
    """

    def __init__(self, generator: SampleGenerator, count: int, height: int, width: int, *, coarse: bool) -> None:
        self._generator, self._size, self._coarse = generator, (height, width), coarse
        self._batch = min(count, _BATCH if height < 400 else 2)
        self._count = -(-count // self._batch)  # batches
        sets = (generator.people, generator.people, generator.plates, generator.plates)
        self._orders = [ShuffledOrder(len(each), _SEED + number) for number, each in enumerate(sets)]

    @torch.no_grad()
    def score(self, network: MattingNetwork, device: torch.device, picture: Path | None = None) -> Scores:
        """Score `network`, which is left in evaluation mode.

        Args:
            network: The network.
            device: Where it is.
            picture: PNG to write: picture, plate, truth, alpha and cut-out of the first few composites.
        """
        network.eval()
        kinds: tuple[Kind, ...] = tuple(_WEIGHTS) if network.doubts else ("right",)
        found, shown = dict[Kind, Tensor](), list[Tensor]()
        for kind in kinds:
            batches = []
            for number in range(self._count):
                sample = self._generator.make_batch(self._plan(number, kind), device)
                alpha, foreground = infer(network, sample, coarse=self._coarse)
                batches.append(_score_batch(alpha, sample.alpha))
                if number == 0:
                    shown.append(_row(sample, alpha, foreground))
            found[kind] = torch.stack(batches).mean(0)
        if picture is not None:
            _write(torch.cat(shown), picture)
        return _summarize(found)

    def _plan(self, number: int, kind: Kind) -> BatchPlan:
        size = -(-self._batch // USES)
        columns = (order.take(number * size, size) for order in self._orders)
        return BatchPlan([Cast(*each) for each in zip(*columns, strict=True)], _SEED + number, self._size, kind)


def _score_batch(alpha: Tensor, truth: Tensor) -> Tensor:
    """Return the mean error, the same in soft parts, the leak and the holes, (4,)."""
    wrong = (alpha - truth).abs()
    soft = (truth > 0.02) & (truth < 0.98)
    room = F.max_pool2d(truth, 2 * round(truth.shape[2] / 60) + 1, 1, round(truth.shape[2] / 60)) == 0
    inside = truth > 0.99
    return torch.stack(
        [wrong.mean(), _mean_where(wrong, soft), _mean_where(alpha > 0.1, room), _mean_where(alpha < 0.7, inside)]
    ).cpu()


def _mean_where(x: Tensor, where: Tensor) -> Tensor:
    return (x * where).sum() / where.sum().clamp(min=1)


def _summarize(found: dict[Kind, Tensor]) -> Scores:
    def mean(kind: Kind) -> float:
        return float(found.get(kind, found["right"])[0])

    mad = sum(weight * mean(kind) for kind, weight in _WEIGHTS.items())
    every = torch.stack(list(found.values()))
    return Scores(
        mad,
        float(every[:, 1].mean()),
        mean("right"),
        mean("wrong"),
        mean("parts"),
        mean("none"),
        float(every[:, 2].max()),
        float(every[:, 3].max()),
    )


def infer(network: MattingNetwork, sample: Sample, *, coarse: bool) -> tuple[Tensor, Tensor]:
    """Return alpha (B,1,H,W) and foreground (B,3,H,W), 0..1, of the base network if `coarse`, else of the whole one."""
    if coarse:
        base = network.base(network.stack(sample.src, sample.plate, sample.confidence))
        return base.alpha.clamp(0, 1), (base.residual + sample.src).clamp(0, 1)
    size = base_size_for_lines(sample.src.shape[2], sample.src.shape[3], LADDER[0].base_side)
    out = network(sample.src, sample.plate, sample.confidence, base=size)
    return out.alpha, out.foreground


def _row(sample: Sample, alpha: Tensor, foreground: Tensor) -> Tensor:
    """Return (B,3,h,5·w): picture, plate, true alpha, alpha, foreground over green; each at most 320 wide."""
    green = torch.tensor([0.1, 0.7, 0.2], device=alpha.device).view(1, 3, 1, 1)
    parts = [sample.src, sample.plate, sample.alpha.expand_as(sample.src), alpha.expand_as(sample.src)]
    parts.append(foreground * alpha + green * (1 - alpha))
    if alpha.shape[3] > 320:
        parts = [F.interpolate(part, (alpha.shape[2] * 320 // alpha.shape[3], 320), mode="area") for part in parts]
    return torch.cat(parts, 3).cpu()


def _write(rows: Tensor, path: Path) -> None:
    grid = torch.cat(list(rows), 1).permute(1, 2, 0).mul(255).round().clamp(0, 255)
    cv2.imwrite(str(path), grid.numpy().astype(np.uint8)[:, :, ::-1])


class RunLength(NamedTuple):
    """How long a run goes: until `steps` or `minutes`, whichever is set and comes first."""

    steps: int | None
    minutes: float | None

    def estimate_left(self, step: int, seconds: float, pace: float) -> float:
        """Return the seconds that are left after `step` steps in `seconds`, at `pace` seconds a step."""
        by_steps = math.inf if self.steps is None else (self.steps - step) * pace
        by_time = math.inf if self.minutes is None else self.minutes * 60 - seconds
        return max(0.0, min(by_steps, by_time))

    def describe(self, step: int, seconds: float) -> str:
        """Return how far it is, in the units of its length: '120/1000 steps · 2.5/60 min'."""
        parts = [f"step {step}" if self.steps is None else f"{step}/{self.steps} steps"]
        if self.minutes is not None:
            parts.append(f"{seconds / 60:.1f}/{self.minutes:g} min")
        return " · ".join(parts)


class RunLog:
    """The progress bar (on a terminal), out/log.jsonl and the curves in out/tensorboard; a context manager.

    Args:
        out: The run's folder.
        title: Text before the progress bar.
        length: Of the run.
        leader: Whether this process reports; the others are silent.
    """

    def __init__(self, out: Path, title: str, length: RunLength, *, leader: bool) -> None:
        self._out, self._length, self._leader = out, length, leader
        self._console = Console(stderr=True, quiet=not leader)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[position]}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[now]}"),
        )
        hidden = not (leader and self._console.is_terminal)
        self._progress = Progress(*columns, console=self._console, refresh_per_second=2, disable=hidden)
        self._task = self._progress.add_task(title, total=1.0, position="", left="", now="")
        self._curves = self._tensorboard() if leader else None

    def __enter__(self) -> RunLog:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, what: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()
        if self._curves is not None:
            self._curves.close()

    def print_line(self, line: str) -> None:
        """Print one line above the bar."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)  # it may hold a command to copy

    def show_position(self, step: int, seconds: float, pace: float) -> None:
        """Show how far the run is, and the time that is left: see `RunLength`."""
        left = self._length.estimate_left(step, seconds, pace)
        self._progress.update(
            self._task,
            completed=seconds / max(1e-9, seconds + left),
            position=self._length.describe(step, seconds),
            left=f"{timedelta(seconds=round(left))} left",
        )

    def log_step(self, step: int, losses: Losses, rate: float, per_second: float) -> None:
        """Log some steps.

        Args:
            step: Steps done.
            losses: Of the last step.
            rate: Learning rate of the last parameter group.
            per_second: Samples per second.
        """
        values = {name: float(value) for name, value in zip(Losses._fields, losses, strict=True)}
        now = " ".join(f"{name} {value:.4f}" for name, value in values.items())
        self._progress.update(self._task, now=f"{now} · {per_second:.1f} samples/s")
        self._write_line("train", step, {**values, "rate": rate, "samples_per_second": per_second})

    def log_validation(self, step: int, scores: Scores, *, best: bool) -> None:
        """Log a validation."""
        text = " ".join(f"{name} {value:.5f}" for name, value in scores._asdict().items())
        self.print_line(f"step {step}: {text}{' (best)' if best else ''}")
        self._write_line("validation", step, scores._asdict())

    def _write_line(self, kind: str, step: int, values: dict[str, float]) -> None:
        if not self._leader:
            return
        with (self._out / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        if self._curves is not None:
            for name, value in values.items():
                self._curves.add_scalar(f"{kind}/{name}", value, step)

    def _tensorboard(self) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.print_line("no TensorBoard curves, only log.jsonl. For curves, run: pip install tensorboard")
            return None
        return SummaryWriter(str(self._out / "tensorboard"))
