"""The options of `camdaemon run`. None always means: as configured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from camdaemon.frames.kinds import BACKDROPS, MATTINGS, SINKS, SOURCES, syntax_of


def _option(text: str, default: str, **more: Any) -> Any:
    return typer.Option(help=text, show_default=default, **more)


Source = Annotated[str | None, _option(f"Camera or clip: {syntax_of(SOURCES)}.", "/dev/video0")]
Sink = Annotated[
    list[str] | None,
    _option(f"Output: {syntax_of(SINKS)}. Repeat it for several.", "/dev/video10 and PipeWire, where they are"),
]
OnDemand = Annotated[
    bool | None,
    _option("Camera closed while the virtual one has no viewers.", "on demand"),
]
Size = Annotated[
    str | None, _option("Frame size, WIDTHxHEIGHT in pixels, multiples of 4.", "1280x720; a clip's own size")
]
Fps = Annotated[float | None, _option("Frame rate to ask of the camera, in fps.", "30")]
Backdrop = Annotated[
    str | None,
    _option(f"Backdrop: {syntax_of(BACKDROPS)}.", "color:#2f4f5f"),
]
Plate = Annotated[
    str | None,
    _option(
        "Plate: 'saved' (if there is none, the card asks for it), 'auto' (taken when the room is still), 'none' (begin "
        "without one; needs weights that can do that), or a picture.",
        "saved; a clip: auto",
    ),
]
Weights = Annotated[
    str | None, _option("Weights: 'default', 'published', 'slim', or a .safetensors or .pth file.", "default")
]
Matting = Annotated[str | None, _option(f"Matting: {syntax_of(MATTINGS)}.", "bgmv2")]
Device = Annotated[str | None, _option("Device of the network: auto, cpu, or cuda.", "auto")]
Engine = Annotated[
    str | None, _option("Without CUDA: auto (the fastest here, Intel's GPU and NPU too), torch, or openvino.", "auto")
]
Governor = Annotated[
    bool | None, _option("Lower quality where the machine is too slow for the frame rate.", "governor")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
Frames = Annotated[int | None, _option("Number of camera frames after which to stop.", "never", min=1)]
Realtime = Annotated[
    bool,
    typer.Option("--realtime/--fast", help="A clip in real time, or every frame as fast as possible into a file."),
]
Loop = Annotated[
    bool | None,
    typer.Option(
        "--loop/--once",
        help="A clip in a loop, or once. Default: a loop for a virtual camera or a window, else once.",
    ),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Forget what was chosen live in earlier runs. A card that was on stays on.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a video file that is there; never what is read.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Debug log.")]
