"""The cameras that PipeWire lists: those of libcamera (IPU6, IPU7), phones, and what other programs publish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from camdaemon.errors import DeviceError
from camdaemon.linux.devices import Device, Mode, Rates, Sizes
from camdaemon.linux.pipewire import pods, video
from camdaemon.linux.pipewire.camera import OWN
from camdaemon.linux.pipewire.connection import Connection
from camdaemon.linux.pipewire.library import find_socket
from camdaemon.linux.pipewire.pods import Kind, Value
from camdaemon.linux.pipewire.registry import NODE, NodeDetails, Registry
from camdaemon.linux.pipewire.video import Pixels

_ANSWER_S = 2.0

# Pixel formats that can be read, each with the name that V4L2 has for it, or for what it is read as.
FOURCCS: dict[Pixels | None, str] = {
    None: "MJPG",
    Pixels.YUY2: "YUYV",
    Pixels.NV12: "NV12",
    Pixels.I420: "YU12",
    Pixels.BGR: "BGR3",
    Pixels.BGRx: "BGR3",
    Pixels.BGRA: "BGR3",
    Pixels.RGB: "RGB3",
    Pixels.RGBx: "RGB3",
    Pixels.RGBA: "RGB3",
}


@dataclass(frozen=True, slots=True)
class PipeWireCamera:
    """A camera that PipeWire lists.

    Attributes:
        id: Of its node.
        name: "node.name", which is the same after a restart.
        description: What people call it.
        serial: "object.serial", which no other object gets as long as PipeWire runs.
        is_own: It is a picture of camdaemon's own.
        v4l2_path: The node in /dev of a camera that can be read by V4L2 as well; "" for others.
        formats: The pods of the formats that it offers.
    """

    id: int
    name: str
    description: str
    serial: str
    is_own: bool = False
    v4l2_path: str = ""
    formats: tuple[bytes, ...] = ()

    def is_called(self, name: str) -> bool:
        """Whether people may mean this camera by `name`."""
        return name in (self.name, self.description, self.serial)

    @property
    def device(self) -> Device:
        """What it offers, in the words of V4L2."""
        modes = tuple(mode for pod in self.formats for mode in _modes(pod))
        return Device(
            f"pipewire:{self.name}", card=self.description, driver="pipewire", bus_info="PipeWire", can_capture=True,
            modes=modes,
        )  # fmt: skip


def list_cameras() -> list[PipeWireCamera]:
    """Return the cameras that PipeWire lists now, our own ones too; none where there is no PipeWire. Never raises."""
    if find_socket() is None:
        return []
    try:
        connection = Connection()
    except DeviceError:
        return []
    try:
        return ask_cameras(connection)
    finally:
        connection.close()


def ask_cameras(connection: Connection) -> list[PipeWireCamera]:
    """Return what `list_cameras` does, over a connection that is there."""
    with connection.lock():
        registry = Registry(connection)
    found: list[PipeWireCamera] = []
    if connection.sync(_ANSWER_S):
        with connection.lock():
            for node in registry.find(NODE):
                if node.properties.get("media.class") == "Video/Source":
                    registry.describe(node, lambda details: found.append(_describe(details)))
        connection.sync(_ANSWER_S)
    with connection.lock():
        registry.close()
    return [camera for camera in found if camera.name]


def _describe(details: NodeDetails) -> PipeWireCamera:
    properties = details.properties
    name = properties.get("node.name", "")
    return PipeWireCamera(
        id=int(properties.get("object.id", "-1")),
        name=name,
        description=properties.get("node.description") or properties.get("node.nick") or name,
        serial=properties.get("object.serial", ""),
        is_own=properties.get(OWN) == "true",
        v4l2_path=properties.get("api.v4l2.path", "") if properties.get("device.api") == "v4l2" else "",
        formats=tuple(details.formats),
    )


def _modes(pod: bytes) -> Iterator[Mode]:
    """Yield the modes of one offer, which may hold several formats and sizes."""
    offered = pods.parse(pod).properties
    sizes, rates = offered.get(video.SIZE), offered.get(video.RATE)
    for pixels in video.list_pixels(pod):
        if pixels in FOURCCS:
            for each in _list_sizes(sizes):
                yield Mode(FOURCCS[pixels], each, _list_rates(rates))


def _list_sizes(value: Value | None) -> list[Sizes]:
    pairs = [pair for pair in value.values if isinstance(pair, tuple)] if value is not None else []
    if value is None or not pairs:
        return [Sizes((1, 1), (1 << 15, 1 << 15))]
    if value.kind in (Kind.RANGE, Kind.STEP) and len(pairs) > 2:
        step = pairs[3] if value.kind is Kind.STEP and len(pairs) > 3 else (1, 1)
        return [Sizes(pairs[1], pairs[2], step)]
    return [Sizes(pair, pair) for pair in dict.fromkeys(pairs)]


def _list_rates(value: Value | None) -> tuple[Rates, ...]:
    pairs = [pair for pair in value.values if isinstance(pair, tuple)] if value is not None else []
    rates = [numerator / denominator for numerator, denominator in pairs if numerator and denominator]
    if value is None or not rates:
        return ()
    if value.kind is Kind.RANGE and len(pairs) > 2:
        return (Rates(min(rates), max(rates)),)
    return tuple(Rates(rate, rate) for rate in dict.fromkeys(rates))
