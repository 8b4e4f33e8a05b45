"""`python tests/plate_faults --clips FOLDER`: plays every fault over clips with their truth, and prints a table.

FOLDER holds NAME.mp4, NAME-plate.png, and NAME-alpha.mp4, the true matte as gray. Takes up to an hour on two cores.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.config.schema import Config
from camdaemon.errors import CamdaemonError, ConfigError
from tests.plate_faults.faults import Fault, list_faults, sit_still
from tests.plate_faults.footage import Footage, load
from tests.plate_faults.play import Figures, Player
from tests.plate_faults.report import summarize
from tests.plate_faults.series import draw_all

_SETTLED_S = 5.0
_LONG, _LONG_S = "all in one long run", 20.0


def main(
    clips: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder of clips with plate and alpha.")
    ] = Path(),
    every: Annotated[int, typer.Option(min=1, help="Use every so many frames.")] = 3,
    only: Annotated[str, typer.Option(help="Only the faults whose name contains this.")] = "",
    width: Annotated[int, typer.Option(help="Of the pictures.")] = 1280,
    weights: Annotated[str, typer.Option(help="As for camdaemon.")] = "default",
    output: Annotated[Path | None, typer.Option(help="File for the figures of each frame, JSON.")] = None,
    series: Annotated[Path | None, typer.Option(help="Instead: folder for pictures of the painted clip.")] = None,
) -> None:
    """Print what became of each fault on each clip."""
    config = Config(governor=False, weights=weights)
    if series is not None:
        for file in draw_all(series, config):
            print(file)
        return
    names = sorted(path.name.removesuffix("-plate.png") for path in clips.glob("*-plate.png"))
    if len(names) < 2:
        raise ConfigError(f"two clips are needed, {clips} has {len(names)} with NAME-plate.png. Run: … --clips FOLDER")
    size = (width, width * 9 // 16)
    loaded = [load(clips, name, every, _SETTLED_S, size) for name in names]
    player, kept = Player(config, size), {}
    for clip, other in zip(loaded, [*loaded[1:], loaded[0]], strict=True):
        undisturbed: list[Figures] = []
        for fault in list_faults(clip, other):
            if undisturbed and only not in fault.name:
                continue
            found = list(player.play(clip, fault))
            undisturbed = undisturbed or found
            best = player.play_settled(clip, fault, undisturbed)
            print(summarize(clip.name, fault, found, best), flush=True)
            kept[f"{clip.name} {fault.name}"] = _to_numbers(found)
        if only in _LONG:
            whole = Fault(_LONG, None, event_s=0, good_s=None)
            faults = [*list_faults(clip, other), next(list_faults(clip, other))]  # at last everything is right again
            found = list(
                player.play_all(clip, (replace(each, length_s=min(each.length_s, _LONG_S)) for each in faults))
            )
            print(summarize(clip.name, whole, found, undisturbed), flush=True)
            kept[f"{clip.name} {_LONG}"] = _to_numbers(found)
    if only in "sits still":
        _sit(clips, names, config, kept)
    if output is not None:
        output.write_text(json.dumps(kept), "utf-8")


def _to_numbers(found: list[Figures]) -> list[list[float]]:
    return [[float(value) for value in each[:7]] for each in found]


def _sit(clips: Path, names: list[str], config: Config, kept: dict[str, list[list[float]]]) -> None:
    """Somebody sits still for ten minutes before each room, in small pictures."""
    player = Player(config, (640, 360))
    for name in names:
        clip: Footage = load(clips, name, 5, _SETTLED_S, (640, 360))
        fault = sit_still(clip, 600)
        found = list(player.play(clip, fault))
        first, last = found[: round(10 * clip.fps)], found[-round(10 * clip.fps) :]
        print(summarize(name, fault, found, first), flush=True)
        before, after = (float(np.nanmean([each.holes for each in part])) for part in (first, last))
        print(f"{name:11} holes {before:.2f} % in the first ten seconds, {after:.2f} % in the last ten", flush=True)
        kept[f"{name} {fault.name}"] = _to_numbers(found)


if __name__ == "__main__":
    try:
        typer.run(main)
    except CamdaemonError as exc:
        print(f"plate_faults: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
