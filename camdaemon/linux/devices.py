"""The V4L2 devices of this machine and what each offers, as the kernel tells. Standard library only, no subprocess."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camdaemon.errors import DeviceError
from camdaemon.linux import hidden, v4l2
from camdaemon.linux.v4l2 import READ, WRITE, Stream, request

_FMTDESC = struct.Struct("=II36xI16x")  # v4l2_fmtdesc: index type (flags description) pixelformat
_FRMSIZE = struct.Struct("=III6I8x")  # v4l2_frmsizeenum: index pixel_format type, then one size or a range of sizes
_FRMIVAL = struct.Struct("=IIIII6I8x")  # v4l2_frmivalenum: index pixel_format w h type, then one interval or a range

_ENUM_FMT = request(READ | WRITE, 2, _FMTDESC)  # the n-th pixel format
_ENUM_FRAMESIZES = request(READ | WRITE, 74, _FRMSIZE)  # the n-th size of a pixel format
_ENUM_FRAMEINTERVALS = request(READ | WRITE, 75, _FRMIVAL)  # the n-th frame interval of a pixel format and size

_LIST = "camdaemon devices"
_HIDDEN = "hidden; only camdaemon gets it, from the service camdaemon-camera"
_SYSFS = Path("/sys/class/video4linux")

_DISCRETE = 1  # V4L2_FRMSIZE_TYPE_DISCRETE, V4L2_FRMIVAL_TYPE_DISCRETE; 2 is continuous, 3 stepwise
_MOST = 256  # entries read of any list: some drivers never end theirs


@dataclass(frozen=True, slots=True)
class Sizes:
    """Frame sizes (width, height) in pixels, from `smallest` to `largest` in steps; equal where there is only one."""

    smallest: tuple[int, int]
    largest: tuple[int, int]
    step: tuple[int, int] = (1, 1)

    def has(self, width: int, height: int) -> bool:
        """Whether that size is one of them."""
        return all(
            low <= side <= high and (side - low) % max(step, 1) == 0
            for side, low, high, step in zip((width, height), self.smallest, self.largest, self.step, strict=True)
        )

    def nearest(self, width: int, height: int) -> tuple[int, int]:
        """Return the smallest of these sizes that covers width × height, else the nearest."""
        sides = []
        for side, low, high, step in zip((width, height), self.smallest, self.largest, self.step, strict=True):
            steps = -(-max(side - low, 0) // max(step, 1))  # rounded up
            sides.append(min(low + steps * max(step, 1), high))
        return sides[0], sides[1]

    def __str__(self) -> str:
        ends = [f"{width}x{height}" for width, height in (self.smallest, self.largest)]
        return ends[0] if ends[0] == ends[1] else "..".join(ends)


_ANY = Sizes((1, 1), (1 << 15, 1 << 15))  # of a driver without a list of sizes: any size may be asked for


@dataclass(frozen=True, slots=True)
class Rates:
    """Frames per second, from `lowest` to `highest`; equal where there is only one."""

    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.lowest:g}" if self.lowest == self.highest else f"{self.lowest:g}..{self.highest:g}"


@dataclass(frozen=True, slots=True)
class Mode:
    """One pixel format with sizes it comes in.

    Attributes:
        fourcc: its four characters.
        sizes: the frame sizes.
        rates: the frame rates of the largest of these sizes.
    """

    fourcc: str
    sizes: Sizes
    rates: tuple[Rates, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """One /dev/videoN.

    Attributes:
        path: as it was asked for.
        by_id: the path of its stable link, /dev/v4l/by-id/…
        card: name of the device.
        driver: name of the driver.
        bus_info: where the device is plugged in.
        can_capture: frames can be read from it.
        can_output: frames can be written to it.
        is_loopback: it is a device of v4l2loopback.
        is_fed: a loopback's pictures come from some program: a phone, a DSLR, OBS, the relay of an IPU6 camera.
        is_hidden: it belongs to the service of hidden cameras, which hands it to the daemon alone.
        modes: what it can capture.
        problem: why nothing but `path` and `by_id` (of a hidden one, also `card`) is known, for users.
    """

    path: str
    by_id: str | None = None
    card: str = ""
    driver: str = ""
    bus_info: str = ""
    can_capture: bool = False
    can_output: bool = False
    is_loopback: bool = False
    is_fed: bool = False
    is_hidden: bool = False
    modes: tuple[Mode, ...] = ()
    problem: str | None = None

    @property
    def is_camera(self) -> bool:
        """Whether pictures can be had of it: a camera, or a loopback that some program feeds."""
        return self.can_capture and (self.is_fed or not self.is_loopback)

    @property
    def name(self) -> str:
        """A name for users that survives a restart: the by-id link's name, else the card and its place on the bus."""
        return Path(self.by_id).name if self.by_id else f"{self.card} ({self.bus_info})"


def key_of(name: str) -> str:
    """Return eight hexadecimal digits that stand for a camera's name in file names, where two names may look alike."""
    return f"{zlib.crc32(name.encode()):08x}"


def is_device_path(spec: str) -> bool:
    """Tell a device node from other things a user can name; it need not exist."""
    return spec.startswith("/dev/")


def is_one_of(path: str, others: Iterable[str]) -> bool:
    """Whether the node at `path` is one of `others`, by links as well; none of them need exist."""
    return os.path.realpath(path) in {os.path.realpath(other) for other in others if is_device_path(other)}


def list_devices(dev: Path = Path("/dev")) -> list[Device]:
    """Return all video nodes by number, the unreadable ones with a `problem`. Starts no camera. Never raises."""
    nodes = [node for node in dev.glob("video*") if node.name.removeprefix("video").isdigit()]
    found = []
    for node in sorted(nodes, key=lambda node: int(node.name.removeprefix("video"))):
        if hidden.should_fetch(str(node)):  # this may be any program, so it does not ask
            card = _read(_SYSFS / node.name / "name")
            found.append(Device(str(node), _by_id(node, dev), card, is_hidden=True, problem=_HIDDEN))
            continue
        try:
            found.append(describe(str(node), dev))
        except DeviceError as exc:
            found.append(Device(str(node), _by_id(node, dev), problem=str(exc)))
    return found


def describe(path: str, dev: Path = Path("/dev")) -> Device:
    """Return what the node at `path`, which may be a link, is and offers.

    Raises:
        DeviceError: it cannot be opened or asked.
    """
    fd = v4l2.open_node(path, os.O_RDWR | os.O_NONBLOCK, if_missing=_LIST)
    try:
        capability = v4l2.query_capability(fd)
        return Device(
            path=path,
            by_id=_by_id(Path(path), dev),
            card=capability.card,
            driver=capability.driver,
            bus_info=capability.bus_info,
            can_capture=capability.can_capture,
            can_output=capability.can_output,
            is_loopback=capability.is_loopback,
            is_hidden=hidden.is_hidden(path),
            is_fed=capability.is_loopback and capability.can_capture and _is_fed(path, capability),
            modes=tuple(_modes(fd, capability)),
        )
    except OSError as exc:
        if exc.errno in (errno.ENOTTY, errno.EINVAL):
            raise DeviceError(f"{path} is not a video device. Run: {_LIST}") from None
        raise DeviceError(f"{path} does not answer ({exc.strerror}). Run: {_LIST}") from None
    finally:
        os.close(fd)


def _is_fed(path: str, capability: v4l2.Capability) -> bool:
    """Whether a program feeds a loopback. With exclusive_caps=0 its capabilities do not tell, but sysfs does."""
    if not capability.can_output:
        return True
    folder = _SYSFS / os.path.basename(os.path.realpath(path))
    try:
        return (folder / "state").read_text().strip() == "capture"
    except OSError:  # up to 0.12: a format is there while it is fed
        return bool(_read(folder / "format"))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _by_id(node: Path, dev: Path) -> str | None:
    links = sorted(dev.glob("v4l/by-id/*"))
    return next((str(link) for link in links if link.resolve() == node.resolve()), None)


def _modes(fd: int, capability: v4l2.Capability) -> Iterator[Mode]:
    if not capability.can_capture:
        return
    stream = Stream.CAPTURE if capability.flags & 1 else Stream.CAPTURE_MPLANE
    for answer in _entries(lambda index: v4l2.call(fd, _ENUM_FMT, _FMTDESC, index, stream, 0)):
        pixels = answer[2]
        for sizes in list(_sizes(fd, pixels)) or [_ANY]:
            yield Mode(v4l2.fourcc(pixels), sizes, tuple(_rates(fd, pixels, *sizes.largest)))


def _sizes(fd: int, pixels: int) -> Iterator[Sizes]:
    for answer in _entries(lambda index: v4l2.call(fd, _ENUM_FRAMESIZES, _FRMSIZE, index, pixels, 0, *[0] * 6)):
        kind, a, b, c, d, e, f = answer[2:]
        if kind == _DISCRETE:
            yield Sizes((a, b), (a, b))
        else:  # smallest, largest and step of the width, then of the height
            yield Sizes((a, d), (b, e), (c, f))


def _rates(fd: int, pixels: int, width: int, height: int) -> Iterator[Rates]:
    ask = (pixels, width, height, 0, *[0] * 6)
    for answer in _entries(lambda index: v4l2.call(fd, _ENUM_FRAMEINTERVALS, _FRMIVAL, index, *ask)):
        kind, *interval = answer[4:]
        highest = v4l2.rate(*interval[:2])
        yield Rates(highest if kind == _DISCRETE else v4l2.rate(*interval[2:4]), highest)


def _entries(ask: Callable[[int], tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The driver's answers for index 0, 1, … until EINVAL, or ENOTTY where it has no such list."""
    for index in range(_MOST):
        try:
            yield ask(index)
        except OSError as exc:
            if exc.errno in (errno.EINVAL, errno.ENOTTY):
                return
            raise
