"""The camera: what it offers at the wanted size, who else has it, whether it is still locked, its real frame rate."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

from camdaemon.capture import lock
from camdaemon.capture.modes import choose_mode
from camdaemon.errors import CamdaemonError, DeviceError
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.linux.devices import Device, Mode, is_one_of
from camdaemon.linux.v4l2_controls import Known
from camdaemon.system.doctor import hidden
from camdaemon.system.doctor.findings import ONLY_LOOKING, Context, Finding, first_sentence, note, ok, problem
from camdaemon.system.loopback import list_virtual_cameras

_MOST_LISTED = 5
_RAW_PIXELS = 640 * 480  # more, uncompressed, is too much for USB 2
_ENOUGH = 0.9  # of the wanted frame rate

_MEASURE_S = 2.0
_LEAST_FRAMES = 2  # one frame has no rate

_UNFED = "is a virtual camera that no program feeds"


def check(context: Context) -> Iterator[Finding]:
    """Yield what there is to say of the configured camera."""
    yield from _check_locks(context)
    if not context.camera.startswith("/dev/"):
        yield ok("camera", f"the configured source is {context.camera}, which is not a device")
        return
    if hidden.is_closed(context.machine, context.camera):  # what there is to say of it, `hidden.check` says
        return
    found, unreadable = _find_cameras(context)
    try:
        device = context.machine.describe(context.camera)
    except DeviceError as exc:
        yield problem("camera", first_sentence(exc), _suggest_other(context.camera, found))
        yield from (note("camera", first_sentence(each)) for each in unreadable if str(each) != str(exc))
        return
    if why := _explain_no_camera(context, device):
        fix = _suggest_other(context.camera, found)
        fix = f"start the program that feeds it, or {fix}" if why == _UNFED else fix
        yield problem("camera", f"{context.camera} ({device.card}) {why}", fix)
        return
    yield from _check_offers(context, device)
    yield from _check_users(context, device)
    yield from _check_rate(context, device)


def _check_locks(context: Context) -> Iterator[Finding]:
    """A running daemon holds its camera; without one, a lock was left by a crash or by `camdaemon camera lock`."""
    if context.status is not None:
        return
    for left in lock.list_leftovers():
        controls = ", ".join(left.before)
        says = f"{left.camera} is locked ({controls}): by `camdaemon camera lock`, or a daemon that crashed"
        yield note("camera", says, f"to put it back: camdaemon camera unlock --device {left.device}")


def _explain_no_camera(context: Context, device: Device) -> str:
    """Why no pictures can be had of a device; '' for a camera, which a loopback is that another program feeds."""
    if is_one_of(context.camera, context.sinks):
        return "is camdaemon's own virtual camera"
    if device.is_loopback and not device.is_fed:
        return _UNFED
    return "" if device.is_camera else "is not a camera"


def _find_cameras(context: Context) -> tuple[list[Device], list[DeviceError]]:
    """The cameras but our own, and why other nodes could not be asked."""
    machine = context.machine
    virtual = {camera.path for camera in list_virtual_cameras(machine)}
    found, unreadable = [], []
    for name in sorted(machine.names("/dev", "video[0-9]*"), key=lambda name: (len(name), name)):
        path = f"/dev/{name}"
        if is_one_of(path, context.sinks) or hidden.is_closed(machine, path):
            continue
        try:
            device = machine.describe(path)
        except DeviceError as exc:
            if path not in virtual:
                unreadable.append(exc)
            continue
        if device.is_camera and device.modes:
            found.append(device)
    return found, unreadable


def _suggest_other(path: str, found: list[Device]) -> str:
    others = [device for device in found if device.path != path]
    if others:
        return f"use {others[0].card}: camdaemon run --source {others[0].by_id or others[0].path}"
    return "plug in a camera, and look for it in: lsusb"


def _check_offers(context: Context, device: Device) -> Iterator[Finding]:
    size = context.size
    formats = _shorten(list(dict.fromkeys(mode.fourcc for mode in device.modes)))
    fitting = [mode for mode in device.modes if mode.sizes.has(size.width, size.height)]
    yield ok("camera", f"{device.path} is {device.card}: {formats or 'no formats'}")
    if fitting:
        yield from _check_rates(context, device, {mode.fourcc: _highest_rate(mode) for mode in fitting})
        return
    try:
        mode = choose_mode(device, size, context.config.fps)
    except DeviceError as exc:
        yield problem("camera", first_sentence(exc), _suggest_other(device.path, _find_cameras(context)[0]))
        return
    if size.limit(mode.width, mode.height) == size:
        yield ok("camera", f"{device.path} does not offer {size} but {mode}, which is scaled down")
        return
    largest = sorted({mode.sizes.largest for mode in device.modes}, key=lambda side: side[0] * side[1])
    listed = " and ".join(f"{width}x{height}" for width, height in largest[-2:]) or "unknown"
    yield note("camera", f"{device.path} does not offer {size}; its largest sizes: {listed}", "camdaemon devices")


def _check_rates(context: Context, device: Device, rates: dict[str, float]) -> Iterator[Finding]:
    """What the device promises at the wanted size. rates: highest fps by pixel format; 0: unknown."""
    size, fps = context.size, context.config.fps
    listed = _shorten([f"{fourcc} {rate:g} fps" if rate else fourcc for fourcc, rate in rates.items()])
    best = max(rates.values())
    if best and best < _ENOUGH * fps:
        yield note(
            "camera",
            f"{size}: {listed}; {fps:g} fps are configured",
            "a smaller picture is often faster: camdaemon run --size 640x360",
        )
    else:
        yield ok("camera", f"{size}: {listed}")
    if size.width * size.height > _RAW_PIXELS and "MJPG" not in rates and device.bus_info.startswith("usb"):
        yield note("camera", f"{size}: no MJPG; uncompressed video of that size is slow over USB 2")


def _shorten(names: list[str]) -> str:
    """The usual formats first, and not the eighty of a test camera."""
    ordered = sorted(names, key=lambda name: not name.startswith(("MJPG", "YUYV")))
    more = f" and {len(ordered) - _MOST_LISTED} more" if len(ordered) > _MOST_LISTED else ""
    return ", ".join(ordered[:_MOST_LISTED]) + more


def _highest_rate(mode: Mode) -> float:
    return max((rates.highest for rates in mode.rates), default=0.0)


def _check_users(context: Context, device: Device) -> Iterator[Finding]:
    users = context.without_daemon(context.machine.list_holders(device.path))
    others = [user for user in users if not user.startswith(ONLY_LOOKING)]
    if device.is_loopback and len(others) == 1:
        yield ok("camera", f"{device.path} is a virtual camera that {others[0]} feeds")
    elif device.is_loopback and others:
        says = f"{device.path} is open in {', '.join(others)}: one of them feeds it, another may be its only reader"
        yield note("camera", says, "choose camdaemon's virtual camera in the program that reads it")
    elif others:
        yield note(
            "camera",
            f"{device.path} is also open in {', '.join(others)}; only one program at a time gets its picture",
            "choose the virtual camera there, not the real one",
        )


def _check_rate(context: Context, device: Device) -> Iterator[Finding]:
    is_dynamic = context.machine.read_control(device.path, Known.EXPOSURE_DYNAMIC_FRAMERATE)
    keep_rate = f"camdaemon camera set exposure_dynamic_framerate=0 --device {device.path}"
    if is_dynamic:
        yield note("camera", f"{device.path} may lower its frame rate when the room is dim", keep_rate)
    if context.measure is None:
        return
    if context.status is not None and context.status.get("camera") == "ok":
        yield note("camera", f"not measured: the daemon has it, at {context.status.get('fps_in', 0)} fps")
        return
    wanted = context.config.fps
    try:
        rate, gap = context.measure(context.camera, context.size, wanted)
    except CamdaemonError as exc:
        yield problem("camera", f"not measured: {first_sentence(exc)}", f"fuser -v {device.path}")
        return
    says = f"measured over {_MEASURE_S:g} s: {rate:.1f} fps, longest gap {gap * 1000:.0f} ms"
    if rate >= _ENOUGH * wanted:
        yield ok("camera", says)
    else:
        light = f"{keep_rate}, and more light" if is_dynamic else "more light on you, or another USB port"
        yield note("camera", f"{says}; {wanted:g} fps are configured", light)


def measure(path: str, size: Size, fps: float) -> tuple[float, float]:
    """Read a camera as the daemon would for 2 s, and return (fps, longest gap in seconds).

    Raises:
        DeviceError: the camera fails.
    """
    from camdaemon.capture.v4l2 import V4l2Source

    source = V4l2Source(path, size, fps)
    try:
        frame = HostFrame.empty(source.fmt, source.size)
        stamps: list[float] = []
        end = time.monotonic() + _MEASURE_S
        while time.monotonic() < end or len(stamps) < _LEAST_FRAMES:
            source.read(frame)
            stamps.append(frame.t)
    finally:
        source.close()
    gaps = [after - before for before, after in itertools.pairwise(stamps)]
    return len(gaps) / max(sum(gaps), 1e-9), max(gaps)
