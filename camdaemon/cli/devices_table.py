"""`camdaemon devices`: the cameras of this machine and what they offer, for people and for scripts."""

from __future__ import annotations

import dataclasses
import json

from rich.console import Console

from camdaemon.linux.devices import Device, Mode, list_devices


def show(*, as_json: bool) -> None:
    """Print every V4L2 device to stdout."""
    found = list_devices()
    if as_json:
        print(json.dumps([dataclasses.asdict(device) for device in found]))
        return
    console = Console(highlight=False, soft_wrap=True)
    for device in found:
        _describe(device, console)
    if not any(device.can_capture and not device.is_loopback for device in found):
        console.print("No camera is there. Plug one in; is it listed by: lsusb")
    if not any(device.is_loopback for device in found):
        console.print("No virtual camera is there. Make one: camdaemon setup")


def _describe(device: Device, console: Console) -> None:
    if device.problem is not None:
        console.print(f"[bold]{device.path}[/]  {device.problem}")
        return
    kind = "virtual camera (v4l2loopback)" if device.is_loopback else "camera" if device.can_capture else "other device"
    console.print(f"[bold]{device.path}[/]  {device.card}  [dim]{kind}, {device.bus_info}[/]")
    by_format: dict[str, list[str]] = {}
    for mode in device.modes:
        by_format.setdefault(mode.fourcc, []).append(f"{mode.sizes} ({_fps(mode)})" if mode.rates else str(mode.sizes))
    alike: dict[str, list[str]] = {}
    for fourcc, sizes in by_format.items():  # a test camera offers fifty formats at the same sizes
        alike.setdefault("  ".join(dict.fromkeys(sizes)), []).append(fourcc)
    for listed, formats in alike.items():
        console.print(f"    {' '.join(formats)}\n        {listed}")


def _fps(mode: Mode) -> str:
    """Every rate where they are few, else the lowest and the highest."""
    if len(mode.rates) <= 4:
        return ", ".join(str(rates) for rates in mode.rates) + " fps"
    lowest, highest = min(r.lowest for r in mode.rates), max(r.highest for r in mode.rates)
    return f"{lowest:g} to {highest:g} fps"
