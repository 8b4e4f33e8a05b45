"""A run's folder: never replaced unasked, resumed by its name alone, and left whole by Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from camdaemon.errors import ConfigError, Interrupted
from camdaemon.model.published import BackgroundMattingV2
from camdaemon.tools.train import folder
from camdaemon.tools.train.cli import app
from camdaemon.tools.train.interruption import Interruption
from camdaemon.tools.train.loop import TrainingRun, train
from camdaemon.tools.train.monitoring import RunLength, RunLog
from camdaemon.tools.train.recipe import Recipe


@pytest.fixture
def recipe(data: Path, cache: Path, tmp_path: Path) -> Recipe:
    return Recipe(
        "base", [data], tmp_path / "out", cache=cache, steps=2, batch=2, sizes=((48, 64),), rate=0.5, seed=7,
        precision="fp32", device="cpu", validate_every=4, validation_samples=2,
    )  # fmt: skip


def _last(out: Path) -> dict:
    return torch.load(out / "last.pt", weights_only=True)


def _contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def _type(*words: str) -> None:
    CliRunner().invoke(app, [*words], catch_exceptions=False)


def test_a_used_folder_is_not_replaced_unless_asked(recipe: Recipe, data: Path, cache: Path) -> None:
    train(recipe)
    before = _contents(recipe.out)
    words = ["base", "--data", str(data), "--out", str(recipe.out), "--cache", str(cache), "--steps", "1"]
    with pytest.raises(ConfigError) as refused:
        _type(*words)
    said = str(refused.value)
    assert refused.value.exit_code == 2
    for fact in (str(recipe.out), "best.safetensors", "last.pt", "--force"):
        assert fact in said
    assert f"run: camdaemon train base --out {recipe.out} --resume" in said
    assert _contents(recipe.out) == before
    train(replace(recipe, steps=1, force=True))
    assert _last(recipe.out)["state"]["step"] == 1
    steps = [json.loads(line)["step"] for line in (recipe.out / "log.jsonl").read_text().splitlines()]
    assert steps == [0, 1], "the log of the earlier run is gone"


def test_the_weights_that_a_run_starts_with_are_never_replaced(recipe: Recipe) -> None:
    recipe.out.mkdir()
    best = recipe.out / "best.safetensors"
    best.write_bytes(b"weeks of work")
    with pytest.raises(ConfigError, match=r"best\.safetensors.*is read"):
        train(replace(recipe, start=best, force=True))
    assert best.read_bytes() == b"weeks of work"


@pytest.mark.parametrize("name", ["best.safetensors", "last.pt", "log.jsonl"])
def test_one_file_of_a_run_is_enough_to_refuse(recipe: Recipe, name: str) -> None:
    recipe.out.mkdir()
    (recipe.out / name).symlink_to("elsewhere")
    with pytest.raises(ConfigError, match=re.escape(name)):
        train(recipe)
    assert os.listdir(recipe.out) == [name]


def test_a_folder_with_other_things_is_no_run(recipe: Recipe) -> None:
    (recipe.out / "cache").mkdir(parents=True)
    (recipe.out / "notes.txt").write_text("mine")
    train(replace(recipe, steps=1))
    assert (recipe.out / "notes.txt").read_text() == "mine"


def test_resuming_needs_only_the_folder(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(recipe.data[0].parent)
    train(replace(recipe, data=[Path(recipe.data[0].name)]))
    monkeypatch.chdir(tmp_path)
    found = folder.recall(recipe.out, {"stage": "base"})
    assert found == replace(recipe, data=[recipe.data[0]], resume=True)
    _type("base", "--out", str(recipe.out), "--resume", "--steps", "3", "--validation-samples", "1")
    assert _last(recipe.out)["state"]["step"] == 3
    found = folder.recall(recipe.out, {"stage": "base"})
    assert (found.steps, found.validation_samples, found.rate, found.seed) == (3, 1, 0.5, 7), "what was typed is kept"


def test_a_new_length_replaces_the_old_one(recipe: Recipe) -> None:
    train(replace(recipe, steps=1))
    changed = folder.recall(recipe.out, {"stage": "base", "minutes": 5.0})
    assert (changed.steps, changed.minutes) == (None, 5.0)


def test_the_refiner_is_resumed_without_the_file_it_began_with(recipe: Recipe, tmp_path: Path) -> None:
    start = tmp_path / "base.safetensors"
    save_file(BackgroundMattingV2("resnet50", None).state_dict(), start)
    train(replace(recipe, stage="joint", start=start, kernel_size=1, sizes=((64, 96),), refined_pixels=800, steps=1))
    start.unlink()
    _type("joint", "--out", str(recipe.out), "--resume", "--steps", "2")
    assert _last(recipe.out)["state"]["step"] == 2


def test_resuming_says_what_is_wrong(recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match=r"nothing to resume.*camdaemon train base --data"):
        _type("base", "--out", str(recipe.out), "--resume")
    train(replace(recipe, steps=1))
    with pytest.raises(ConfigError, match=r"stage base.*Run: camdaemon train base --out .* --resume$"):
        _type("joint", "--out", str(recipe.out), "--resume")
    with pytest.raises(ConfigError, match=r"--resume.*--force"):
        _type("base", "--out", str(recipe.out), "--resume", "--force")
    for content in (b"", b"[]", b"{}", b'{"stage": "base", "nonsense": 1}', b'{"stage": "base", "sizes": 3}', b"\xff"):
        (recipe.out / "recipe.json").write_bytes(content)
        with pytest.raises(ConfigError, match=r"recipe\.json.*damaged.*--resume$"):
            _type("base", "--out", str(recipe.out), "--resume")
    (recipe.out / "recipe.json").unlink()
    with pytest.raises(ConfigError, match=r"older.*--data FOLDER.*--resume$"):
        _type("base", "--out", str(recipe.out), "--resume")


def test_without_data_there_is_no_new_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data FOLDER"):
        _type("base", "--out", str(tmp_path / "out"), "--steps", "1")


@pytest.fixture
def _heard() -> Iterator[None]:
    """Signals as in a terminal; whoever runs the tests may have them ignored, under nohup or in the background."""
    usual: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def _interrupted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A signal in the middle of the second step."""
    step = TrainingRun._step

    def interrupt(run: TrainingRun, share: float) -> torch.Tensor:
        if run._state.step == 1 and not run._recipe.resume:
            os.kill(os.getpid(), request.param)
        return step(run, share)

    monkeypatch.setattr(TrainingRun, "_step", interrupt)
    before = signal.getsignal(request.param)
    yield
    assert signal.getsignal(request.param) is before


@pytest.mark.parametrize("_interrupted", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], indirect=True)
@pytest.mark.usefixtures("_heard", "_interrupted")
def test_a_signal_leaves_a_checkpoint_to_go_on_from(recipe: Recipe) -> None:
    with pytest.raises(Interrupted) as stopped:
        train(replace(recipe, steps=3))
    assert stopped.value.exit_code == 130
    said = str(stopped.value)
    assert str(recipe.out / "last.pt") in said
    assert said.endswith(f"run: camdaemon train base --out {recipe.out} --resume")
    assert _last(recipe.out)["state"]["step"] == 2, "the step that was going on is done"
    _type("base", "--out", str(recipe.out), "--resume")
    assert _last(recipe.out)["state"]["step"] == 3


@pytest.mark.usefixtures("_heard")
def test_a_second_ctrl_c_does_not_wait() -> None:
    said: list[str] = []
    with Interruption(said.append) as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)  # torchrun's own
        assert interruption.is_asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("length", "left", "text"),
    [
        (RunLength(100, None), 180.0, "10/100 steps"),
        (RunLength(None, 2.0), 90.0, "step 10 · 0.5/2 min"),
        (RunLength(100, 2.0), 90.0, "10/100 steps · 0.5/2 min"),
        (RunLength(20, 2.0), 20.0, "10/20 steps · 0.5/2 min"),
        (RunLength(None, 0.1), 0.0, "step 10 · 0.5/0.1 min"),
    ],
)
def test_the_time_left_counts_what_was_asked_for(length: RunLength, left: float, text: str) -> None:
    assert length.estimate_left(10, 30.0, 2.0) == left
    assert length.describe(10, 30.0) == text


def test_a_command_is_printed_on_one_line_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"run: camdaemon train base --out {'long/' * 40}[old] --resume"
    RunLog(tmp_path, "base", RunLength(1, None), leader=True).print_line(line)
    assert capsys.readouterr().err.splitlines()[-1] == line
