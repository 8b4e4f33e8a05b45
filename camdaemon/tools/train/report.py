"""What a person sees of a run: a progress bar with losses and ETA, a line per validation, TensorBoard curves."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .losses import Losses
from .validation import Scores


class Report:
    """Used as a context; silent unless `leads`. Lines also go to out/log.jsonl, curves to out/tensorboard."""

    def __init__(self, out: Path, title: str, *, leads: bool) -> None:
        self._out, self._leads = out, leads
        self._console = Console(stderr=True, quiet=not leads)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
        )
        self._progress = Progress(*columns, console=self._console, refresh_per_second=2)
        self._task = self._progress.add_task(title, total=1.0, now="")
        self._curves = self._tensorboard() if leads else None

    def __enter__(self) -> Report:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, what: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()
        if self._curves is not None:
            self._curves.close()

    def say(self, line: str) -> None:
        """One line above the bar."""
        self._console.print(line, highlight=False)

    def trained(self, step: int, share: float, losses: Losses, rate: float, per_second: float) -> None:
        """After some steps. share: of the whole run, 0..1.   rate: Adam's, of the last group."""
        values = {name: float(value) for name, value in zip(Losses._fields, losses, strict=True)}
        now = f"step {step} · " + " ".join(f"{name} {value:.4f}" for name, value in values.items())
        self._progress.update(self._task, completed=share, now=f"{now} · {per_second:.1f} samples/s")
        self._note("train", step, {**values, "rate": rate, "samples_per_second": per_second})

    def validated(self, step: int, scores: Scores, *, best: bool) -> None:
        """After a validation."""
        text = " ".join(f"{name} {value:.5f}" for name, value in scores._asdict().items())
        self.say(f"step {step}: {text}{' (best)' if best else ''}")
        self._note("validation", step, scores._asdict())

    def _note(self, kind: str, step: int, values: dict[str, float]) -> None:
        if not self._leads:
            return
        with (self._out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        if self._curves is not None:
            for name, value in values.items():
                self._curves.add_scalar(f"{kind}/{name}", value, step)

    def _tensorboard(self) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.say("no TensorBoard curves (they are in log.jsonl, too); for them: pip install tensorboard")
            return None
        return SummaryWriter(str(self._out / "tensorboard"))
