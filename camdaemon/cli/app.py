"""The command line. Heavy things are imported by the commands that need them: `status` never loads torch."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, Any

import typer

from camdaemon import __version__
from camdaemon.cli import camera, plates, system, tools
from camdaemon.cli import run as options
from camdaemon.cli.bench import bench
from camdaemon.cli.completion import completion
from camdaemon.cli.config import app as config_app
from camdaemon.cli.export import export
from camdaemon.cli.help import LiveGroup, SectionedGroup, add_commands
from camdaemon.cli.image import image
from camdaemon.cli.man import man
from camdaemon.cli.video import video
from camdaemon.tools.evaluate.cli import evaluate
from camdaemon.tools.train.cli import app as train

_LIVE = "While it runs"
_OFFLINE = "Pictures, videos and networks"
app = typer.Typer(
    name="camdaemon",
    cls=LiveGroup,
    help="A virtual camera that shows you in front of anything but your room.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First steps: camdaemon demo. Exit codes: 1 fault, 2 wrong option or configuration, 3 device.",
)


@app.command()
def run(
    source: options.Source = None,
    sink: options.Sink = None,
    size: options.Size = None,
    fps: options.Fps = None,
    backdrop: options.Backdrop = None,
    plate: options.Plate = None,
    weights: options.Weights = None,
    matting: options.Matting = None,
    device: options.Device = None,
    engine: options.Engine = None,
    governor: options.Governor = None,
    config: options.ConfigFile = None,
    on_demand: options.OnDemand = None,
    frames: options.Frames = None,
    realtime: options.Realtime = True,
    loop: options.Loop = None,
    fresh: options.Fresh = False,
    force: options.Force = False,
    verbose: options.Verbose = False,
) -> None:
    """Start the daemon: camera → matte → composite → virtual camera."""
    settings: dict[str, Any] = {"source": source, "size": size, "fps": fps, "backdrop": backdrop, "plate": plate}
    if sink:
        settings |= {"sink": sink[0], "more_sinks": sink[1:]}
    settings |= {"weights": weights, "matting": matting, "device": device, "on_demand": on_demand}
    settings |= {"engine": engine, "governor": governor}
    gc.disable()  # until the daemon runs: collections during imports take time and find nothing
    loaded = _load(config, settings)
    from camdaemon.daemon.check import check_parts, check_recordings

    check_parts(loaded)  # before what follows takes time to load
    check_recordings(loaded, force=force)
    from camdaemon.cli.logs import set_up
    from camdaemon.daemon import run
    from camdaemon.daemon.opening import Playing
    from camdaemon.daemon.progress import console
    from camdaemon.daemon.restore import memory_for
    from camdaemon.output import find_sink

    set_up(verbose, console)
    playing = Playing(frames, realtime, (realtime and find_sink(loaded.sinks[0]).live) if loop is None else loop)
    memory = memory_for(loaded, playing, settings, fresh=fresh)
    run.run(loaded, playing, lambda: _load(config, settings), memory)


add_commands(app, _LIVE)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the video and the contact sheet.")] = Path("camdaemon-demo"),
    preview: Annotated[bool, typer.Option(help="Preview window, if there is a display.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are not the demo's own.")] = False,
) -> None:
    """Put a 12 s clip through the real pipeline, every frame of it, without a camera."""
    from camdaemon.cli.logs import set_up
    from camdaemon.daemon.progress import console
    from camdaemon.tools.demo import demo as play

    set_up(False, console)
    play(output, preview=preview, force=force)


app.command("plate list", rich_help_panel=_LIVE)(plates.list_)
app.command("plate forget", rich_help_panel=_LIVE)(plates.forget)
app.command()(camera.devices)


weights = typer.Typer(help="Weights of the matting network.")
weights.command("import")(tools.weights_import)
app.command()(system.setup)
app.command()(system.doctor)
app.command()(completion)
app.command()(man)
app.add_typer(config_app, name="config", cls=SectionedGroup)
app.add_typer(camera.app, name="camera", cls=SectionedGroup, no_args_is_help=True)
app.add_typer(system.service, name="service", cls=SectionedGroup, no_args_is_help=True)
app.command(rich_help_panel=_OFFLINE)(image)
app.command(rich_help_panel=_OFFLINE)(video)
app.command(rich_help_panel=_OFFLINE)(evaluate)
app.command(rich_help_panel=_OFFLINE)(bench)
app.command(rich_help_panel=_OFFLINE)(export)
app.add_typer(weights, name="weights", cls=SectionedGroup, no_args_is_help=True, rich_help_panel=_OFFLINE)
app.add_typer(train, name="train", cls=SectionedGroup, no_args_is_help=True, rich_help_panel=_OFFLINE)


def _load(path: Path | None, settings: dict[str, Any]) -> Any:
    from camdaemon.config.schema import load

    return load(path, settings)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"camdaemon {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
