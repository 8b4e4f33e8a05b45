"""Whole runs on tiny data: they begin, end, go on where they stopped, and two processes learn the same."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from camdaemon.errors import ConfigError
from camdaemon.model.checkpoint import detect_architecture, load_network
from camdaemon.model.layout import Selection
from camdaemon.model.published import BackgroundMattingV2
from camdaemon.tools.train.checkpoints import initialize_as_coarse, make_starting_network
from camdaemon.tools.train.cli import app
from camdaemon.tools.train.distributed import MixedPrecision, join_processes
from camdaemon.tools.train.loop import TrainingRun, train
from camdaemon.tools.train.losses import BaseStage, parameter_groups
from camdaemon.tools.train.recipe import Recipe, make_recipe
from camdaemon.tools.train.samples.loader import USES, BatchPlan, SampleGenerator
from camdaemon.tools.train.samples.scene import Cast

ROOT = Path(__file__).parents[3]


@pytest.fixture
def recipe(data: Path, cache: Path, tmp_path: Path) -> Recipe:
    return Recipe(
        "base", [data], tmp_path / "out", cache=cache, steps=4, batch=2, sizes=((48, 64),),
        precision="fp32", device="cpu", validate_every=4, validation_samples=2,
    )  # fmt: skip


def _notes(folder: Path, kind: str) -> list[dict[str, float]]:
    notes = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [note for note in notes if note["kind"] == kind]


def _last(folder: Path) -> dict:
    return torch.load(folder / "last.pt", weights_only=True)


def test_base_by_the_command_and_resumed(data: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["base", "--data", str(data), "--out", str(out), "--cache", str(cache), "--batch", "2", "--device", "cpu"]
    words += ["--size", "64x48", "--validation-samples", "2"]
    first = CliRunner().invoke(app, [*words, "--steps", "20"], catch_exceptions=False)
    assert first.exit_code == 0
    assert load_network(out / "best.safetensors").refiner is None
    assert load_file(out / "best.safetensors")["decoder.conv4.weight"].dtype == torch.float16
    assert _last(out)["state"]["step"] == 20
    again = CliRunner().invoke(app, ["base", "--out", str(out), "--steps", "30", "--resume"], catch_exceptions=False)
    assert again.exit_code == 0
    end = _last(out)
    assert end["state"]["step"] == 30
    assert end["optimizer"]["state"][0]["step"] == 30  # Adam's memory went on, too
    assert all(torch.isfinite(torch.tensor(list(note.values())[1:])).all() for note in _notes(out, "train"))
    assert (out / "grid-000030.png").stat().st_size > 1000
    assert [note["step"] for note in _notes(out, "validation")] == [0, 20, 30]


def test_a_run_in_two_parts_is_the_run_in_one(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(recipe, steps=3, validate_every=1)
    train(replace(recipe, out=tmp_path / "whole"))
    step = TrainingRun._step
    with monkeypatch.context() as patch:
        patch.setattr(
            TrainingRun, "_step", lambda run, share: _interrupt() if run._state.step == 1 else step(run, share)
        )
        with pytest.raises(KeyboardInterrupt):
            train(recipe)
    assert _last(recipe.out)["state"]["step"] == 1
    train(replace(recipe, resume=True))
    whole, parts = _last(tmp_path / "whole")["network"], _last(recipe.out)["network"]
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def _interrupt() -> torch.Tensor:
    raise KeyboardInterrupt


def test_larger_pictures_come_in_smaller_batches(recipe: Recipe) -> None:
    run = TrainingRun(replace(recipe, batch=16, sizes=((48, 64), (96, 128), (64, 64), (32, 32))), join_processes("cpu"))
    assert [run._batch_size(*size) for size in run._sizes] == [16, 6, 12, 16]
    plan = next(run._plans())
    assert len(plan.casts) * USES == run._batch_size(*plan.frame)


def test_the_base_learns(recipe: Recipe, generator_of: Callable[..., SampleGenerator]) -> None:
    network = make_starting_network(recipe).network
    stage = BaseStage(network, frozen_norms=False).train()
    optimizer = torch.optim.Adam(parameter_groups(network, recipe))
    plan = BatchPlan([Cast(n, n, n, n + 1) for n in range(4)], 1, (48, 64), "right")
    sample = generator_of().make_batch(plan, torch.device("cpu"))
    losses = []
    for _ in range(25):
        losses.append(stage(sample).sum())
        MixedPrecision("fp32", torch.device("cpu")).step(losses[-1], optimizer, 1.0)
    assert losses[-1] < 0.6 * losses[0]


def test_the_slim_network_learns_in_both_stages(recipe: Recipe, tmp_path: Path) -> None:
    base = train(replace(recipe, backbone="slim", sizes=((48, 64),), frozen_blocks=4))
    assert detect_architecture(load_file(base)) == ("slim", None)
    last, start = _last(recipe.out)["network"], make_starting_network(replace(recipe, backbone="slim")).network
    moved = {name for name, each in start.state_dict().items() if not torch.equal(last[name], each)}
    assert not any(name.startswith("backbone.features.3.") for name in moved)
    assert {"backbone.features.4.conv.0.0.weight", "context.gate.weight", "decoder.last.weight"} <= moved
    notes = _notes(recipe.out, "validation")[-1]
    assert len({notes[kind] for kind in ("right", "wrong", "parts", "none")}) == 4
    with torch.no_grad():
        last["decoder.last.bias"][16:] = 1  # it predicts errors, so that patches are refined
    start_file = tmp_path / "base.safetensors"
    save_file({name: each.contiguous() for name, each in last.items()}, start_file)
    joint = replace(recipe, stage="joint", start=start_file, sizes=((64, 96),), out=tmp_path / "joint")
    assert detect_architecture(load_file(train(joint))) == ("slim", 3)
    after = _last(joint.out)["network"]
    assert {name for name in last if not torch.equal(last[name], after[name])} == {
        "decoder.hidden.weight",
        "decoder.hidden.bias",
    }


def test_joint_starts_as_the_coarse_matte_and_learns_the_refiner_only(recipe: Recipe, tmp_path: Path) -> None:
    base = BackgroundMattingV2("mobilenetv2", None)
    with torch.no_grad():
        base.decoder.conv4.get_parameter("bias")[4] = 1  # it predicts errors, so that patches are refined
    save_file(base.state_dict(), tmp_path / "base.safetensors")
    joint = replace(recipe, stage="joint", start=tmp_path / "base.safetensors", sizes=((64, 96),), refined_pixels=800)
    best = train(joint)
    network = load_network(best)
    assert network.refiner is not None
    last = _last(recipe.out)["network"]
    assert all(torch.equal(last[name], value) for name, value in base.state_dict().items())
    begin = make_starting_network(joint).network.state_dict()
    assert not torch.equal(last["refiner.conv1.weight"], begin["refiner.conv1.weight"])
    train(replace(joint, steps=6, resume=True, start=None))
    assert _last(recipe.out)["state"]["step"] == 6


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_new_refiner_returns_the_coarse_matte(kernel: Literal[1, 3]) -> None:
    network = BackgroundMattingV2("mobilenetv2", kernel, selection=Selection("full")).eval()
    assert network.refiner is not None
    initialize_as_coarse(network.refiner)
    torch.manual_seed(2)
    src, plate = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        out = network(src, plate, clamp=False)
    coarse = torch.nn.functional.interpolate(out.alpha_coarse.clamp(0, 1), (64, 64), mode="bilinear")
    assert (out.alpha - coarse)[:, :, 8:-8, 8:-8].abs().mean() < 0.1
    assert (out.alpha - coarse).abs().mean() < coarse.std() + 0.05


def test_the_whole_network_can_learn_jointly(recipe: Recipe, tmp_path: Path) -> None:
    base = BackgroundMattingV2("mobilenetv2", None)
    save_file(base.state_dict(), tmp_path / "base.safetensors")
    train(replace(recipe, stage="joint", start=tmp_path / "base.safetensors", frozen_base=False, steps=2))
    last = _last(recipe.out)["network"]
    assert not torch.equal(last["decoder.conv4.weight"], base.state_dict()["decoder.conv4.weight"])
    assert torch.equal(last["aspp.project.1.running_mean"], base.state_dict()["aspp.project.1.running_mean"])


def test_an_encoder_for_three_channels_is_widened(recipe: Recipe, tmp_path: Path) -> None:
    encoder = BackgroundMattingV2("mobilenetv2", None).backbone.state_dict()
    first = encoder["features.0.0.weight"][:, :3].clone()
    encoder["features.0.0.weight"] = first
    encoder["features.0.1.running_mean"] = torch.full((32,), 2.0)
    save_file(encoder, tmp_path / "encoder.safetensors")
    start = make_starting_network(replace(recipe, start=tmp_path / "encoder.safetensors"))
    assert not start.trained
    weight = start.network.backbone.state_dict()["features.0.0.weight"]
    assert torch.allclose(weight, torch.cat([first, -first / 4], 1))
    assert start.network.backbone.state_dict()["features.0.1.running_mean"].eq(1.5).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps": None}, "--steps 10000 or --minutes 60"),
        ({"resume": True}, r"nothing.*last\.pt.*--resume.*--out"),
        ({"start": Path("nowhere.pth")}, "read nowhere.pth.*--start FILE$"),
        ({"stage": "joint"}, "--start best.safetensors"),
        ({"data": [Path("nowhere")]}, "--data FOLDER"),
    ],
)
def test_mistakes_end_with_what_to_type(recipe: Recipe, change: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        train(replace(recipe, **change))


@pytest.mark.parametrize(("name", "value"), [("backbone", "vgg"), ("kernel_size", 2), ("precision", "int8")])
def test_unknown_choices_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"--.* {value} .*one of"):
        make_recipe({"stage": "base", "data": [], "out": Path("out"), name: value})


def test_a_damaged_checkpoint_is_refused(recipe: Recipe) -> None:
    recipe.out.mkdir()
    (recipe.out / "last.pt").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"resume.*last\.pt.*without --resume$"):
        train(replace(recipe, resume=True))


def test_infinite_gradients_change_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], 0.1)
    mixed = MixedPrecision("bf16", torch.device("cpu"))
    mixed.step((weight * torch.inf).sum(), optimizer, 1.0)
    assert weight.tolist() == [1, 1, 1]
    mixed.step(weight.sum(), optimizer, 1.0)
    assert (weight < 1).all()


_PROCESS = """
import sys, torch
from pathlib import Path
from camdaemon.tools.train.loop import TrainingRun
from camdaemon.tools.train.distributed import join_processes
from camdaemon.tools.train.recipe import Recipe
torch.set_num_threads(1)
data, cache, out = map(Path, sys.argv[1:])
group = join_processes("cpu")
run = TrainingRun(Recipe("base", [data], out, cache=cache, steps=3, batch=2, sizes=((48, 64),), precision="fp32",
                 validate_every=2, validation_samples=2, frozen_norms=True), group)
run.run()
torch.save({n: p.detach() for n, p in run.network.named_parameters()}, out / f"rank{group.rank}.pt")
group.close()
"""


def test_two_processes_learn_the_same_from_different_pictures(data: Path, tmp_path: Path) -> None:
    script = tmp_path / "process.py"
    script.write_text(_PROCESS)
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    command += [str(data), str(tmp_path / "cache"), str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (torch.load(tmp_path / f"out/rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    begin = dict(make_starting_network(Recipe("base", [], tmp_path)).network.named_parameters())
    assert not torch.equal(one["decoder.conv4.weight"], begin["decoder.conv4.weight"])
    assert _notes(tmp_path / "out", "validation")[-1]["step"] == 3


def test_base_training_scores_the_base_and_keeps_a_refiner(recipe: Recipe, tmp_path: Path) -> None:
    torch.manual_seed(1)
    start = tmp_path / "whole.safetensors"
    network = BackgroundMattingV2("mobilenetv2", 3, selection=Selection())
    save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, start)
    without = tmp_path / "base.safetensors"
    save_file({k: v for k, v in load_file(start).items() if not k.startswith("refiner.")}, without)
    whole = train(replace(recipe, start=start, steps=1, out=tmp_path / "a"))
    base = train(replace(recipe, start=without, steps=1, out=tmp_path / "b"))
    scores = [_notes(path.parent, "validation")[0]["mad"] for path in (whole, base)]
    assert scores[0] == scores[1], "the refiner must not enter the base's score"
    kept = _last(whole.parent)["network"]
    assert torch.equal(kept["refiner.conv1.weight"].half(), load_file(start)["refiner.conv1.weight"])
    assert load_network(whole).refiner is not None
