"""A run: steps, validation, checkpoints, resuming. The recipe is stated in `recipe`."""

from __future__ import annotations

import math
import random
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Adam

from camdaemon.errors import CamdaemonError, ConfigError

from .layouts import Split, find
from .losses import Losses
from .packing import pack_people, pack_plates
from .precision import Mixed
from .processes import Team, join
from .recipe import SIZES, Recipe
from .report import Report
from .rotation import Rotation
from .saving import BEST, State, load_run, save_run, save_weights
from .scenes import Cast, Sample, Scenes
from .stages import BaseStage, JointStage, groups, hold_still
from .starting import starting_network
from .validation import Validation

_WARM_UP = 100  # steps until the rates are at their peak
_NORM = 1.0
_REPORT_EVERY = 10


def train(recipe: Recipe) -> Path:
    """Runs the recipe to its end and returns the best weights' path. Raises ConfigError."""
    if recipe.steps is None and recipe.minutes is None:
        raise ConfigError("a run needs an end; type: --steps 10000 or --minutes 60")
    recipe.out.mkdir(parents=True, exist_ok=True)
    team = join(recipe.device)
    try:
        return Run(recipe, team).go()
    finally:
        team.leave()


class Run:
    """One process's part of a run. network: what learns, float32 on the process's device."""

    def __init__(self, recipe: Recipe, team: Team) -> None:
        self._recipe, self._team = recipe, team
        self._scenes = self._packed("train")
        start = starting_network(recipe)
        self.network = start.network.to(team.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        hold_still(self.network, recipe)
        self._optimizer = Adam(groups(self.network, recipe))
        self._mixed = Mixed(recipe.precision, team.device)
        frozen = start.trained if recipe.frozen_norms is None else recipe.frozen_norms
        self._state = State(frozen_norms=frozen)
        if recipe.resume:
            self._state = load_run(recipe.out, self.network, self._optimizer, self._mixed, recipe.stage)
        stage: nn.Module
        if recipe.stage == "base":
            stage = BaseStage(self.network, frozen_norms=self._state.frozen_norms)
        else:
            stage = JointStage(self.network, recipe)
        self._stage = team.wrapped(stage).train()
        self._sizes = recipe.sizes or SIZES[recipe.stage]
        self._samples = 0  # of this process since it began
        people, rooms = len(self._scenes.people), len(self._scenes.plates)
        self._orders = [Rotation(count, 10 * recipe.seed + n) for n, count in enumerate((people, people, rooms))]

    def go(self) -> Path:
        """Trains to the end; the best weights' path."""
        recipe, state = self._recipe, self._state
        with Report(recipe.out, recipe.stage, leads=self._team.leads) as report:
            validation = self._validation() if self._team.leads else None
            began, before = time.monotonic(), state.seconds
            while True:
                share = self._share()
                if validation is not None and (share >= 1 or state.step % recipe.validate_every == 0):
                    self._validate(validation, report)
                if share >= 1:
                    break
                losses = self._step(share)
                state.step += 1
                state.seconds = before + time.monotonic() - began
                if state.step % _REPORT_EVERY == 0:
                    done = self._samples * self._team.size
                    self._tell(report, share, losses, done / (time.monotonic() - began))
            report.say(f"best weights: {recipe.out / BEST}")
        return recipe.out / BEST

    def _tell(self, report: Report, share: float, losses: Tensor, per_second: float) -> None:
        losses = self._team.mean(losses)
        if not bool(losses.isfinite().all()):
            raise CamdaemonError(
                f"the losses are no longer finite at step {self._state.step}; go on from the last checkpoint with: "
                "--resume --rate 0.3 (or --precision fp32)"
            )
        rate = self._optimizer.param_groups[-1]["lr"]
        report.trained(self._state.step, share, Losses(*losses), rate, per_second)

    def _step(self, share: float) -> Tensor:
        warm = min(1.0, (self._state.step + 1) / _WARM_UP)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * warm * 0.5 * (1 + math.cos(math.pi * share))
        sample = self._sample()
        torch.manual_seed(self._seed())  # of the dropout: the same after resuming, another in each process
        with self._mixed.autocast():
            losses: Tensor = self._stage(*sample)
        self._mixed.step(losses.sum(), self._optimizer, _NORM)
        return losses.detach()

    def _sample(self) -> Sample:
        """The batch of this step and this process: the same after resuming."""
        recipe, step = self._recipe, self._state.step
        height, width = random.Random(f"{recipe.seed} {step}").choice(self._sizes)
        start, count = self._turn() * recipe.batch, self._count(height, width)
        # What a smaller batch leaves out waits for another round: so a turn's place hangs on no size before it.
        first, second, room = (order.take(start, count) for order in self._orders)
        self._samples += count
        return self._scenes.batch(Cast(first, second, room), self._seed(), height, width)

    def _count(self, height: int, width: int) -> int:
        """How many samples of that size are as much work as a batch of the first size; a third of it at least."""
        usual = self._sizes[0][0] * self._sizes[0][1]
        batch = self._recipe.batch
        return min(batch, max(math.ceil(batch / 3), round(batch * usual / (height * width))))

    def _turn(self) -> int:
        return self._state.step * self._team.size + self._team.rank

    def _seed(self) -> int:
        return self._recipe.seed * 1_000_003 + self._turn()

    def _share(self) -> float:
        """How much of the run is done, 0..1."""
        recipe, state = self._recipe, self._state
        by_steps = 0.0 if recipe.steps is None else state.step / max(1, recipe.steps)
        if recipe.minutes is None:
            return by_steps
        return max(by_steps, self._team.agreed(state.seconds) / max(1e-9, recipe.minutes * 60))

    def _packed(self, split: Split) -> Scenes:
        recipe = self._recipe
        found = find(recipe.data, recipe.plates, split)
        cache = recipe.cache or recipe.out / "cache"
        with self._team.leader_first() if split == "train" else nullcontext():
            people, plates = pack_people(found.people, cache), pack_plates(found.plates, cache)
        return Scenes(people, plates, self._team.device, soft=recipe.stage == "joint")

    def _validation(self) -> Validation:
        base = self._recipe.stage == "base"
        height, width = self._sizes[0]
        return Validation(self._packed("val"), self._recipe.validation_samples, height, width, coarse=base)

    def _validate(self, validation: Validation, report: Report) -> None:
        recipe, state = self._recipe, self._state
        scores = validation.score(self.network, recipe.out / f"grid-{state.step:06}.png")
        self._stage.train()  # the stage, not the network: it knows which norms do not learn
        better = scores.mad < state.best
        report.validated(state.step, scores, best=better)
        if better:
            state.best = scores.mad
            save_weights(self.network, recipe.out / BEST)
        save_run(recipe.out, self.network, self._optimizer, self._mixed, state, recipe.stage)
