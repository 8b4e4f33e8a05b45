"""The camera: is it one, what does it promise at the wanted size, who else has it, how fast is it really?"""

from __future__ import annotations

from collections.abc import Iterator

from camdaemon.errors import CamdaemonError, DeviceError
from camdaemon.linux.devices import Device, Mode
from camdaemon.linux.v4l2_controls import Known
from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.setup.loopback import holders, virtual_cameras
from camdaemon.system.setup.machine import Machine

_LISTED = 5
_RAW_PIXELS = 640 * 480  # more, uncompressed, is too much for USB 2


def check(context: Context) -> Iterator[Finding]:
    if not context.camera.startswith("/dev/"):
        yield ok("camera", f"the configured source is {context.camera}, no device")
        return
    found, unreadable = _cameras(context.machine)
    try:
        device = context.machine.describe(context.camera)
    except DeviceError as exc:
        yield problem("camera", _first_sentence(exc), _instead(context.camera, found))
        yield from (note("camera", _first_sentence(each)) for each in unreadable if str(each) != str(exc))
        return
    if not device.can_capture or device.is_loopback:
        yield problem("camera", f"{context.camera} ({device.card}) is no camera", _instead(context.camera, found))
        return
    yield from _offers(context, device)
    yield from _others(context, device)
    yield from _speed(context, device)


def _cameras(machine: Machine) -> tuple[list[Device], list[DeviceError]]:
    """The real cameras, and why other nodes could not be asked."""
    virtual = {camera.path for camera in virtual_cameras(machine)}
    found, unreadable = [], []
    for name in sorted(machine.names("/dev", "video[0-9]*"), key=lambda name: (len(name), name)):
        path = f"/dev/{name}"
        if path in virtual:
            continue
        try:
            device = machine.describe(path)
        except DeviceError as exc:
            unreadable.append(exc)
            continue
        if device.can_capture and not device.is_loopback and device.modes:
            found.append(device)
    return found, unreadable


def _first_sentence(wrong: DeviceError) -> str:
    return str(wrong).partition("; ")[0]


def _instead(path: str, found: list[Device]) -> str:
    others = [device for device in found if device.path != path]
    if others:
        return f"take {others[0].card}: camdaemon run --source {others[0].by_id or others[0].path}"
    return "plug a camera in; is it listed by: lsusb"


def _offers(context: Context, device: Device) -> Iterator[Finding]:
    size, fps = context.size, context.config.fps
    formats = _short(list(dict.fromkeys(mode.fourcc for mode in device.modes)))
    fitting = [mode for mode in device.modes if mode.sizes.hold(size.width, size.height)]
    yield ok("camera", f"{device.path} is {device.card}: {formats or 'no formats'}")
    if not fitting:
        largest = sorted({mode.sizes.largest for mode in device.modes}, key=lambda side: side[0] * side[1])
        near = " and ".join(f"{width}x{height}" for width, height in largest[-2:]) or "nothing"
        yield note("camera", f"{device.path} does not offer {size}; its largest are {near}", "camdaemon devices")
        return
    promised = {mode.fourcc: _highest(mode) for mode in fitting}
    listed = _short([f"{fourcc} {rate:g}" if rate else fourcc for fourcc, rate in promised.items()])
    best = max(promised.values())
    if best and best < 0.9 * fps:
        yield note(
            "camera",
            f"at {size} it promises {best:g} frames a second ({listed}), not the {fps:g} asked for",
            "a smaller picture is often faster: camdaemon run --size 640x360",
        )
    else:
        yield ok("camera", f"at {size} it promises, in frames a second: {listed}")
    large = size.width * size.height > _RAW_PIXELS
    if large and "MJPG" not in promised and device.bus_info.startswith("usb"):
        yield note("camera", f"at {size} it has no MJPG; uncompressed video of that size is slow over USB 2")


def _short(listed: list[str]) -> str:
    """The usual formats first, and not the eighty of a test camera."""
    first = sorted(listed, key=lambda each: not each.startswith(("MJPG", "YUYV")))
    more = f" and {len(first) - _LISTED} more" if len(first) > _LISTED else ""
    return ", ".join(first[:_LISTED]) + more


def _highest(mode: Mode) -> float:
    return max((rates.highest for rates in mode.rates), default=0.0)


def _others(context: Context, device: Device) -> Iterator[Finding]:
    users = holders(context.machine, device.path)
    others = [user for user in users if not (context.daemon_pid and user.endswith(context.daemon_pid))]
    others = [user for user in others if not user.startswith(("wireplumber", "pipewire"))]
    if others:
        yield note(
            "camera",
            f"{device.path} is also open in {', '.join(others)}; only one program at a time gets its picture",
            "choose the virtual camera there, not the real one",
        )


def _speed(context: Context, device: Device) -> Iterator[Finding]:
    dim = context.machine.control(device.path, Known.EXPOSURE_DYNAMIC_FRAMERATE)
    steady = f"camdaemon camera set exposure_dynamic_framerate=0 --device {device.path}"
    if dim:
        yield note("camera", f"{device.path} may take fewer frames a second when the room is dim", steady)
    if context.measure is None:
        return
    if context.status is not None and context.status.get("camera") == "ok":
        yield note("camera", f"not measured: the daemon has it, at {context.status.get('fps_in', 0)} frames a second")
        return
    wanted = context.config.fps
    try:
        rate, gap = context.measure(context.camera, context.size, wanted)
    except CamdaemonError as exc:
        yield problem("camera", f"not measured: {_first_sentence(DeviceError(str(exc)))}", f"fuser -v {device.path}")
        return
    says = f"measured over 2 s: {rate:.1f} frames a second, the longest gap {gap * 1000:.0f} ms"
    if rate >= 0.9 * wanted:
        yield ok("camera", says)
    else:
        light = f"{steady}, and more light" if dim else "more light on you, or another USB port"
        yield note("camera", f"{says}; {wanted:g} were asked for", light)
