"""`python tests/plate_faults --clips FOLDER`: plays every fault over clips with their truth, and prints a table.

FOLDER holds NAME.mp4, NAME-plate.png, and NAME-alpha.mp4, the true matte as gray. Takes up to an hour on two cores.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.config.schema import Config
from camdaemon.errors import CamdaemonError, ConfigError
from tests.plate_faults.faults import list_faults, sit_still
from tests.plate_faults.footage import Footage, load
from tests.plate_faults.play import Figures, Player
from tests.plate_faults.report import summarize

_SETTLED_S = 5.0


def main(
    clips: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of clips with plate and alpha.")],
    every: Annotated[int, typer.Option(min=1, help="Use every so many frames.")] = 3,
    only: Annotated[str, typer.Option(help="Only the faults whose name contains this.")] = "",
    width: Annotated[int, typer.Option(help="Of the pictures.")] = 1280,
    weights: Annotated[str, typer.Option(help="As for camdaemon.")] = "default",
    output: Annotated[Path | None, typer.Option(help="File for the figures of each frame, JSON.")] = None,
) -> None:
    """Print what became of each fault on each clip."""
    names = sorted(path.name.removesuffix("-plate.png") for path in clips.glob("*-plate.png"))
    if len(names) < 2:
        raise ConfigError(f"two clips are needed, {clips} has {len(names)} with NAME-plate.png. Run: … --clips FOLDER")
    config = Config(governor=False, weights=weights)
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
            print(summarize(clip.name, fault, found, undisturbed), flush=True)
            kept[f"{clip.name} {fault.name}"] = [[float(value) for value in each[:7]] for each in found]
    if not only or only in "sits still":
        _sit(clips, names, config, kept)
    if output is not None:
        output.write_text(json.dumps(kept), "utf-8")


def _sit(clips: Path, names: list[str], config: Config, kept: dict[str, list[list[float]]]) -> None:
    """Somebody sits still for ten minutes before each room, in small pictures."""
    player = Player(config, (640, 360))
    for name in names:
        clip: Footage = load(clips, name, 5, _SETTLED_S, (640, 360))
        fault = sit_still(clip, 600)
        found = list(player.play(clip, fault))
        print(summarize(name, fault, found, found[: round(10 * clip.fps)]), flush=True)
        kept[f"{name} {fault.name}"] = [[float(value) for value in each[:7]] for each in found]


if __name__ == "__main__":
    try:
        typer.run(main)
    except CamdaemonError as exc:
        print(f"plate_faults: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
