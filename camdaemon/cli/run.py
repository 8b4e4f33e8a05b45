"""What may be typed after `camdaemon run`. None always means: as configured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from camdaemon.frames.kinds import BACKDROPS, MATTINGS, SINKS, SOURCES, syntax_of


def _option(text: str, default: str, **more: Any) -> Any:
    return typer.Option(help=text, show_default=default, **more)


Source = Annotated[str | None, _option(f"Where frames come from: {syntax_of(SOURCES)}.", "/dev/video0")]
Sink = Annotated[
    list[str] | None,
    _option(f"Where frames go: {syntax_of(SINKS)}; may be repeated.", "/dev/video10"),
]
OnDemand = Annotated[
    bool | None,
    _option("Close the camera while nobody watches the virtual one.", "on demand"),
]
Size = Annotated[str | None, _option("WIDTHxHEIGHT in pixels, multiples of 4.", "1280x720; a clip's own size")]
Fps = Annotated[float | None, _option("Frames per second to ask of the camera.", "30")]
Backdrop = Annotated[
    str | None,
    _option(f"What viewers see instead of the room: {syntax_of(BACKDROPS)}.", "color:#2f4f5f"),
]
Plate = Annotated[
    str | None,
    _option(
        "'saved' (else the card asks for one), 'auto' (else taken when the room is still), or a picture.",
        "saved; a clip: auto",
    ),
]
Weights = Annotated[str | None, _option("'default', or a .safetensors or .pth checkpoint.", "default")]
Matting = Annotated[str | None, _option(f"{syntax_of(MATTINGS)}.", "bgmv2")]
Device = Annotated[str | None, _option("auto, cpu, or cuda.", "auto")]
Engine = Annotated[str | None, _option("On a CPU: auto (whichever is fastest here), torch, or openvino.", "auto")]
Governor = Annotated[
    bool | None, _option("Work less on each frame where the machine is too slow for the best.", "governor")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
Frames = Annotated[int | None, _option("Stop after so many camera frames.", "never", min=1)]
Realtime = Annotated[
    bool,
    typer.Option("--realtime/--fast", help="Play a clip in real time, or every frame as fast as it goes into a file."),
]
Loop = Annotated[
    bool | None,
    typer.Option(
        "--loop/--once",
        help="Play a clip again from its start. Default: yes for a camera or a window as sink, else no.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]
