"""`camdaemon devices`, and `camdaemon camera`: a camera's own controls, and locking them (see `capture.lock`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from camdaemon.capture.controls import Values
    from camdaemon.capture.lock import Locked
    from camdaemon.linux.devices import Device, Mode
    from camdaemon.linux.pipewire.cameras import PipeWireCamera
    from camdaemon.linux.v4l2_controls import Control

app = typer.Typer(help="Exposure, white balance, focus … of the camera: show, set, and lock against the automatic.")

_Device = Annotated[str | None, typer.Option("--device", help="/dev/videoN.", show_default="as configured")]
_Json = Annotated[bool, typer.Option("--json", help="JSON output, for scripts.")]

_MEANINGS = {  # V4L2_CID_* → what a number of it says
    0x00980918: "against flicker of lamps",
    0x0098091A: "kelvin",
    0x0098091C: "lifts what stands before a bright window",
    0x009A0902: "in 0.1 ms",
    0x009A0903: "slower frames in poor light",
    0x009A0908: "1/3600 degree",
    0x009A0909: "1/3600 degree",
}


@app.command()
def show(
    device: _Device = None,
    as_json: _Json = False,
) -> None:
    """Show every setting of the camera: value, range, and what `lock` would do to it."""
    from camdaemon.capture.controls import list_controls

    path = _path(device)
    found = list_controls(path)
    if as_json:
        import json

        print(json.dumps([_plain(control) for control in found]))
        return
    if not found:
        print(f"{path} has no settings: there is nothing to lock, and nothing that changes by itself can be stopped.")
        return
    _table(path, found)


@app.command()
def lock(device: _Device = None) -> None:
    """Hold exposure, white balance and focus as they are now. To undo it: camdaemon camera unlock."""
    from camdaemon.capture import lock as locking

    path = _path(device)
    done = locking.lock(path)
    if not done.before and not done.refused:
        print(f"{path} has nothing automatic that is on." if done.now else f"{path} has nothing to lock.")
        return
    _report(path, done)


@app.command()
def unlock(device: _Device = None) -> None:
    """Undo `lock`; where nothing is known of that, switch everything automatic on."""
    from camdaemon.capture import lock as locking

    path = _path(device)
    done = locking.unlock(path)
    if not done.before and not done.refused:
        print(f"{path} is not locked.")
        return
    _report(path, done, "automatic")


@app.command("set")
def set_(
    settings: Annotated[list[str], typer.Argument(help="NAME=VALUE, as listed by: camdaemon camera show")],
    device: _Device = None,
) -> None:
    """Set one or more settings. If one of them is impossible, none is set."""
    from camdaemon.capture.controls import set_controls

    for name, (asked, made) in set_controls(_path(device), _pairs(settings)).items():
        print(f"{name} = {made}" + (f" (the camera's answer to {asked})" if asked != made else ""))


def _path(device: str | None) -> str:
    from camdaemon.config.schema import load
    from camdaemon.errors import ConfigError
    from camdaemon.linux.devices import is_device_path

    path = device or load(None, {}).source
    if not is_device_path(path):
        raise ConfigError(f"{path} is no camera. Run: camdaemon camera show --device /dev/video0")
    _become_daemon_for(path)
    return path


def _become_daemon_for(path: str) -> None:
    """Be the only camdaemon until this command ends, if the camera is hidden: its service hands it to no other."""
    from camdaemon.linux import hidden

    if not hidden.should_fetch(path):
        return
    import atexit

    from camdaemon.control.instance import DaemonLock, socket_path

    atexit.register(DaemonLock(socket_path()).__enter__().__exit__)


def _pairs(settings: list[str]) -> Values:
    from camdaemon.errors import ConfigError

    wanted = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            wanted[name.strip()] = int(value)
        except ValueError:
            raise ConfigError(
                f"{setting!r} is not NAME=NUMBER. Run: camdaemon camera set {name.strip() or 'brightness'}=1"
            ) from None
    return wanted


def _report(path: str, done: Locked, otherwise: str | None = None) -> None:
    """Print each change; `otherwise` stands for what is not held. Raises DeviceError for what was refused."""
    from camdaemon.errors import DeviceError

    for name, before in done.before.items():
        after = done.now.get(name, otherwise)
        if after not in (None, before):
            print(f"{name}: {before} → {after}")
    if done.refused:
        raise DeviceError(f"{path}: {'; '.join(done.refused)}")


def _plain(control: Control) -> dict[str, object]:
    import dataclasses

    from camdaemon.linux.v4l2_controls import Flag

    kind, flags = control.kind.name.lower(), [str(flag.name).lower() for flag in Flag if flag in control.flags]
    return dataclasses.asdict(control) | {"kind": kind, "flags": flags}


def _table(path: str, found: list[Control]) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from camdaemon.capture.controls import find_switch
    from camdaemon.capture.lock import plan_lock

    plan = plan_lock(found)
    table = Table("setting", "value", "meaning", "lock", "range", box=None, pad_edge=False, header_style="dim")
    for control in found:
        switch = find_switch(found, control)
        would = plan.get(control.name, control.value)
        meaning = f"set by {switch.name}" if switch else _meaning(control)
        step = f"→ {would}" if would != control.value else "hold" if switch and control.name in plan else ""
        value = "" if control.value is None else str(control.value)
        cells = control.name, value, meaning, step, control.range if control.is_settable else ""
        table.add_row(*map(Text, cells))  # as text: a driver's words are not markup
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(Text(path, "bold"))
    console.print(table)


def _meaning(control: Control) -> str:
    from camdaemon.linux.v4l2_controls import Flag, Kind

    words = [str(flag.name).lower().replace("_", " ") for flag in Flag if flag in control.flags]
    if control.menu and control.value in control.menu:
        words.insert(0, control.menu[control.value])
    elif control.kind is Kind.BOOLEAN:
        words.insert(0, "on" if control.value else "off")
    if control.id in _MEANINGS:
        words.append(_MEANINGS[control.id])
    return ", ".join(words)


def devices(as_json: _Json = False) -> None:
    """List cameras with formats, sizes and rates (fps), and virtual cameras."""
    from camdaemon.linux.devices import is_one_of, list_devices

    found = list_devices()
    own = [device.path for device in found if device.is_loopback and is_one_of(device.path, _list_sinks())]
    found += [camera.device for camera in _list_pipewire_cameras()]
    cameras = [device.path for device in found if device.is_camera and device.path not in own]
    if as_json:
        import dataclasses
        import json

        print(json.dumps([dataclasses.asdict(each) | {"is_camera": each.path in cameras} for each in found]))
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for device in found:
        _print_device(device, device.path in own, console)
    if not cameras and not any(device.is_hidden for device in found):
        console.print("No camera found. Plug one in; see whether it is listed by: lsusb")
    if not any(device.is_loopback for device in found):
        console.print("No virtual camera found. Make one: camdaemon setup")


def _list_pipewire_cameras() -> list[PipeWireCamera]:
    """The cameras that PipeWire alone has: not our own picture, and not what is listed as a node of V4L2."""
    from camdaemon.linux.pipewire.library import find_socket

    if find_socket() is None:
        return []
    from camdaemon.linux.pipewire.cameras import list_cameras

    return [camera for camera in list_cameras() if not camera.is_own and not camera.v4l2_path]


def _list_sinks() -> list[str]:
    """Where camdaemon's own picture goes: as configured, and where the running daemon writes."""
    from camdaemon.config.schema import Config, load
    from camdaemon.control.client import Client
    from camdaemon.errors import CamdaemonError

    try:
        sinks = load(None, {}).sinks
    except CamdaemonError:  # `camdaemon config --check` says why
        sinks = Config().sinks
    try:
        return [*sinks, *str(Client().status()["sink"]).split()]
    except CamdaemonError:
        return sinks


def _print_device(device: Device, is_own: bool, console: Console) -> None:
    if device.problem is not None:
        card = f"{device.card}  " if device.card else ""
        console.print(f"[bold]{device.path}[/]  {card}{device.problem}")
        return
    console.print(f"[bold]{device.path}[/]  {device.card}  [dim]{_describe_kind(device, is_own)}, {device.bus_info}[/]")
    by_format: dict[str, list[str]] = {}
    for mode in device.modes:
        by_format.setdefault(mode.fourcc, []).append(f"{mode.sizes} ({_fps(mode)})" if mode.rates else str(mode.sizes))
    alike: dict[str, list[str]] = {}
    for fourcc, sizes in by_format.items():  # a test camera offers fifty formats at the same sizes
        alike.setdefault("  ".join(dict.fromkeys(sizes)), []).append(fourcc)
    for listed, formats in alike.items():
        console.print(f"    {' '.join(formats)}\n        {listed}")


def _describe_kind(device: Device, is_own: bool) -> str:
    if not device.is_loopback:
        return "camera" if device.can_capture else "other device"
    if is_own:
        return "virtual camera of camdaemon (v4l2loopback)"
    if not device.is_fed:
        return "virtual camera that no program feeds (v4l2loopback)"
    from camdaemon.linux.holders import name_holders

    return f"camera (v4l2loopback, fed by a program; open in {name_holders(device.path)})"


def _fps(mode: Mode) -> str:
    """List every rate where they are few, else the lowest and the highest."""
    if len(mode.rates) <= 4:
        return ", ".join(str(rates) for rates in mode.rates) + " fps"
    lowest, highest = min(r.lowest for r in mode.rates), max(r.highest for r in mode.rates)
    return f"{lowest:g} to {highest:g} fps"
