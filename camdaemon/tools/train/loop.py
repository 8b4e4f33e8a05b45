"""A training run: steps, validation, checkpoints, resuming. The recipe is stated in `recipe`."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Adam

from camdaemon.errors import CamdaemonError, ConfigError, Interrupted
from camdaemon.tools.train.checkpoints import RunState, load_run, make_starting_network, save_run, save_weights
from camdaemon.tools.train.distributed import MixedPrecision, ProcessGroup, join_processes
from camdaemon.tools.train.draws import ShuffledOrder
from camdaemon.tools.train.folder import BEST, LAST, clear, make_command, refuse_used, remember
from camdaemon.tools.train.interruption import Interruption
from camdaemon.tools.train.losses import BaseStage, JointStage, Losses, freeze_parts, parameter_groups
from camdaemon.tools.train.monitoring import RunLength, RunLog, Validation
from camdaemon.tools.train.recipe import SIZES, SLIM_SIZES, Recipe
from camdaemon.tools.train.samples.faults import Kind
from camdaemon.tools.train.samples.layouts import Split, find_pictures
from camdaemon.tools.train.samples.loader import USES, BatchPlan, SampleGenerator, load_batches
from camdaemon.tools.train.samples.packing import pack_people, pack_plates
from camdaemon.tools.train.samples.scene import Cast

_WARM_UP = 100  # steps until the rates reach their peak
_GRADIENT_NORM = 1.0  # limit
_LOG_EVERY = 10  # steps


def train(recipe: Recipe) -> Path:
    """Run the recipe to its end and return the path of the best weights.

    Raises:
        ConfigError: The recipe, its data or its files are not usable.
        CamdaemonError: The losses are no longer finite.
        Interrupted: The user ended it; the checkpoint is of its last step.
    """
    if recipe.steps is None and recipe.minutes is None:
        raise ConfigError("the length of the run is not set. Run with: --steps 10000 or --minutes 60")
    refuse_used(recipe)
    try:
        recipe.out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"cannot make the folder {recipe.out}: {exc.strerror}. Run with: --out FOLDER") from None
    group = join_processes(recipe.device)
    try:
        run = TrainingRun(recipe, group)
        if group.is_leader:
            if not recipe.resume:
                clear(recipe.out)
            remember(recipe)
        return run.run()
    finally:
        group.close()


class TrainingRun:
    """One process's part of a run.

    Attributes:
        network: The network that is trained, float32, on the process's device.
    """

    def __init__(self, recipe: Recipe, group: ProcessGroup) -> None:
        self._recipe, self._group = recipe, group
        self._generator = self._make_generator("train")
        start = make_starting_network(recipe)
        self.network = start.network.to(group.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        freeze_parts(self.network, recipe)
        self._optimizer = Adam(parameter_groups(self.network, recipe))
        self._mixed = MixedPrecision(recipe.precision, group.device)
        frozen = start.trained if recipe.frozen_norms is None else recipe.frozen_norms
        self._state = RunState(frozen_norms=frozen)
        if recipe.resume:
            self._state = load_run(recipe.out, self.network, self._optimizer, self._mixed, recipe.stage)
        stage: nn.Module
        if recipe.stage == "base":
            stage = BaseStage(self.network, frozen_norms=self._state.frozen_norms)
        else:
            stage = JointStage(self.network, recipe)
        learns = recipe.stage == "base" and not self._state.frozen_norms
        self._stage = group.wrap(stage, learns_norms=learns).train()
        self._sizes = recipe.sizes or (
            SLIM_SIZES if self.network.doubts and recipe.stage == "base" else SIZES[recipe.stage]
        )
        self._samples = 0  # of this process since it began
        people, rooms = len(self._generator.people), len(self._generator.plates)
        counts = enumerate((people, people, rooms, rooms))
        self._orders = [ShuffledOrder(count, 10 * recipe.seed + n) for n, count in counts]
        workers = count_workers(recipe, group)
        self._batches = load_batches(self._generator, self._plans(), workers, group.device)

    def run(self) -> Path:
        """Train to the end and return the path of the best weights."""
        recipe, state = self._recipe, self._state
        length = RunLength(recipe.steps, recipe.minutes)
        with (
            RunLog(recipe.out, recipe.stage, length, leader=self._group.is_leader) as run_log,
            Interruption(run_log.print_line) as interruption,
            closing(self._batches),
        ):
            validation = self._validation() if self._group.is_leader else None
            began, before, first = time.monotonic(), state.seconds, state.step
            if first:
                run_log.show_position(first, before, before / first)
            while True:
                share = self._done_share()
                if validation is not None and (share >= 1 or state.step % recipe.validate_every == 0):
                    self._validate(validation, run_log)
                if share >= 1:
                    break
                if self._group.broadcast(float(interruption.is_asked)):
                    self._stop()
                losses = self._step(share)
                state.step += 1
                state.seconds = before + time.monotonic() - began
                run_log.show_position(state.step, state.seconds, (state.seconds - before) / (state.step - first))
                if state.step % _LOG_EVERY == 0:
                    done = self._samples * self._group.size
                    self._log_step(run_log, losses, done / (time.monotonic() - began))
            if state.step == first:
                more = make_command(recipe, "--resume", "--steps", str(2 * state.step))
                run_log.print_line(
                    f"the run was complete: {length.describe(state.step, before)}. For more, run: {more}"
                )
            run_log.print_line(f"best weights: {recipe.out / BEST}")
        return recipe.out / BEST

    def _stop(self) -> None:
        if self._group.is_leader:
            self._save()
        raise Interrupted(
            f"stopped at step {self._state.step}: the checkpoint is {self._recipe.out / LAST}. To go on, run: "
            f"{make_command(self._recipe, '--resume')}"
        )

    def _log_step(self, run_log: RunLog, losses: Tensor, per_second: float) -> None:
        losses = self._group.mean(losses)
        if not bool(losses.isfinite().all()):
            raise CamdaemonError(
                f"the losses are no longer finite at step {self._state.step}. To go on from the last checkpoint more "
                f"slowly, run: {make_command(self._recipe, '--resume', '--rate', '0.3')} (or with --precision fp32)"
            )
        rate = self._optimizer.param_groups[-1]["lr"]
        run_log.log_step(self._state.step, Losses(*losses), rate, per_second)

    def _step(self, share: float) -> Tensor:
        recipe = self._recipe
        warm = min(1.0, (self._state.step + 1) / _WARM_UP)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * warm * 0.5 * (1 + math.cos(math.pi * share))
        sample = next(self._batches)
        self._samples += len(sample.src)
        number = self._state.step * self._group.size + self._group.rank
        torch.manual_seed(recipe.seed * 1_000_003 + number)  # for dropout: the same after resuming
        with self._mixed.autocast():
            losses: Tensor = self._stage(sample)
        self._mixed.step(losses.sum(), self._optimizer, _GRADIENT_NORM)
        return losses.detach()

    def _plans(self) -> Iterator[BatchPlan]:
        """Yield the batches of this step and the following ones, of this process; the same after resuming."""
        recipe = self._recipe
        kind: Kind | None = None if self.network.doubts else "right"
        for step in count(self._state.step):
            height, width = random.Random(f"{recipe.seed} {step}").choice(self._sizes)
            number = step * self._group.size + self._group.rank
            # A smaller batch skips the rest of its items until the next round: positions depend on no earlier size.
            start = number * -(-recipe.batch // USES)
            columns = (order.take(start, -(-self._batch_size(height, width) // USES)) for order in self._orders)
            casts = [Cast(*each) for each in zip(*columns, strict=True)]
            yield BatchPlan(casts, recipe.seed * 1_000_003 + number, (height, width), kind)

    def _batch_size(self, height: int, width: int) -> int:
        """Return the batch size of as much work as a batch of the first size; at least a third of it."""
        usual = self._sizes[0][0] * self._sizes[0][1]
        batch = self._recipe.batch
        return min(batch, max(math.ceil(batch / 3), round(batch * usual / (height * width))))

    def _done_share(self) -> float:
        """Return how much of the run is done, 0..1."""
        recipe, state = self._recipe, self._state
        by_steps = 0.0 if recipe.steps is None else state.step / max(1, recipe.steps)
        if recipe.minutes is None:
            return by_steps
        return max(by_steps, self._group.broadcast(state.seconds) / max(1e-9, recipe.minutes * 60))

    def _make_generator(self, split: Split) -> SampleGenerator:
        recipe = self._recipe
        found = find_pictures(recipe.data, recipe.plates, split)
        cache = recipe.cache or recipe.out / "cache"
        with self._group.leader_first() if split == "train" else nullcontext():
            people, plates = pack_people(found.people, cache), pack_plates(found.plates, cache)
        return SampleGenerator(people, plates, soft=recipe.stage == "joint")

    def _validation(self) -> Validation:
        base = self._recipe.stage == "base"
        height, width = self._sizes[0]
        return Validation(self._make_generator("val"), self._recipe.validation_samples, height, width, coarse=base)

    def _validate(self, validation: Validation, run_log: RunLog) -> None:
        recipe, state = self._recipe, self._state
        scores = validation.score(self.network, self._group.device, recipe.out / f"grid-{state.step:06}.png")
        self._stage.train()  # of the stage, not of the network: it keeps frozen norms in evaluation mode
        better = scores.mad < state.best
        run_log.log_validation(state.step, scores, best=better)
        if better:
            state.best = scores.mad
            save_weights(self.network, recipe.out / BEST)
        self._save()

    def _save(self) -> None:
        save_run(self._recipe.out, self.network, self._optimizer, self._mixed, self._state, self._recipe.stage)


def count_workers(recipe: Recipe, group: ProcessGroup) -> int:
    """Return how many processes of this one's make samples: those of the recipe, else what the machine has to spare.

    On a CPU one is enough, since a sample takes a tenth of a step's time.
    """
    if recipe.workers is not None:
        return recipe.workers
    cores = len(os.sched_getaffinity(0)) // group.size
    return max(1, cores - 2) if group.device.type == "cuda" else int(cores > 1)
