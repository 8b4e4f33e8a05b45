"""The folder of a run: whether it is used already, and the recipe that it remembers for `--resume`."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from camdaemon.errors import ConfigError
from camdaemon.linux.files import read_regular, replace_atomically
from camdaemon.linux.results import check_results
from camdaemon.tools.train.recipe import Recipe, make_recipe

LAST, BEST, LOG = "last.pt", "best.safetensors", "log.jsonl"
_RECIPE = "recipe.json"
_MOST_BYTES = 1 << 20  # of a stored recipe
_OF_ONE_CALL = ("out", "resume", "force")  # never remembered
_PATHS = ("data", "plates", "cache", "start")


def refuse_used(recipe: Recipe) -> None:
    """Check that a run that does not resume replaces nothing.

    Raises:
        ConfigError: The folder holds a run, and neither --resume nor --force was given; or it holds the weights to
            start from, which even --force does not replace.
    """
    if recipe.start is not None and not recipe.resume:
        check_results([recipe.out / BEST, recipe.out / LAST], [recipe.start], force=True)
    found = [name for name in (BEST, LAST, LOG) if os.path.lexists(recipe.out / name)]
    if found and not recipe.resume and not recipe.force:
        raise ConfigError(
            f"{recipe.out} holds a run already ({', '.join(found)}), which this one would replace. To go on with it, "
            f"run: {make_command(recipe, '--resume')}\nTo replace it, add --force; to keep both, name another --out"
        )


def clear(folder: Path) -> None:
    """Remove what an earlier run logged. Its weights stay until the new run's first ones replace them."""
    for path in (folder / LOG, *folder.glob("grid-*.png"), *folder.glob("tensorboard/events.out.tfevents.*")):
        path.unlink(missing_ok=True)


def remember(recipe: Recipe) -> None:
    """Write what `recall` reads. Paths are stored absolute: a run may be resumed from elsewhere."""
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe) if field.name not in _OF_ONE_CALL}
    for name in _PATHS:
        given = values[name]
        values[name] = (
            [str(path.absolute()) for path in given] if isinstance(given, list) else given and str(given.absolute())
        )
    replace_atomically(recipe.out / _RECIPE, json.dumps(values, indent=1) + "\n")


def recall(out: Path, changed: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the run in `out`, to resume it.

    Args:
        out: The run's folder.
        changed: What was typed this time, by field; it wins. A new length replaces the old one, whatever its unit.

    Raises:
        ConfigError: There is no run in `out`, or none of this stage, or its recipe cannot be read.
    """
    stage, path = changed["stage"], out / _RECIPE
    begin_anew = f"Run: camdaemon train {stage} --data FOLDER --out {shlex.quote(str(out))} --steps 10000"
    try:
        stored = json.loads(read_regular(path, _MOST_BYTES))
        values = {name: _read_value(name, stored[name]) for name in stored}
        if changed.get("steps") or changed.get("minutes"):
            values |= {"steps": None, "minutes": None}
        recipe = make_recipe({**values, **changed, "out": out, "resume": True})
    except FileNotFoundError:
        if os.path.lexists(out / LAST):
            raise ConfigError(
                f"{out} does not say how its run began: an older camdaemon wrote it. Name all its options once more: "
                f"{begin_anew} --resume"
            ) from None
        raise ConfigError(f"nothing to resume in {out}: there is no {LAST}. {begin_anew}") from None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is damaged"
        raise ConfigError(f"cannot read {path}: {why}. {begin_anew} --resume") from None
    if stored.get("stage") != stage:
        raise ConfigError(
            f"the run in {out} is of stage {stored.get('stage')}. Run: "
            f"camdaemon train {stored.get('stage')} --out {shlex.quote(str(out))} --resume"
        )
    return recipe


def _read_value(name: str, value: Any) -> Any:
    if name == "sizes":
        return tuple((int(height), int(width)) for height, width in value)
    if name in _PATHS:
        return [Path(path) for path in value] if isinstance(value, list) else value and Path(value)
    return value


def make_command(recipe: Recipe, *options: str) -> str:
    """Return what to type for the run in the same folder, on as many processes."""
    processes = os.environ.get("LOCAL_WORLD_SIZE", "1")
    several = ["torchrun", "--nproc-per-node", processes, "-m", "camdaemon.tools.train"]
    program = ["camdaemon", "train"] if processes == "1" else several
    return shlex.join([*program, recipe.stage, "--out", str(recipe.out), *options])
