"""The words of setup: what is wanted, a step, a plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from camdaemon.errors import ConfigError
from camdaemon.system.setup.files import Camera
from camdaemon.system.setup.packages import Command

_LABEL = 31  # bytes: the kernel's card name is 32 with its final zero


@dataclass(frozen=True, slots=True)
class Step:
    """One command for root. file, text: what it writes (the command is tee).   by_hand: not run unless asked for."""

    what: str
    why: str
    command: Command
    text: str | None = None
    by_hand: bool = False

    @property
    def file(self) -> str | None:
        return self.command[-1] if self.text is not None else None


@dataclass(frozen=True, slots=True)
class Plan:
    """`notes`: what people should know beside it, a sentence each."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """`devices` virtual cameras from /dev/video`number` on. ConfigError for what no kernel would take."""

    number: int = 10
    label: str = "camdaemon"
    devices: int = 1
    cameras: tuple[Camera, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not (0 <= self.number <= 255 and 1 <= self.devices <= 8):
            raise ConfigError("from 1 to 8 devices, numbered from 0 to 255; try: camdaemon setup --video-nr 10")
        labels = [self.label] + [f"{self.label} {index}" for index in range(2, self.devices + 1)]
        if not self.label.strip() or not self.label.isprintable() or set(self.label) & set(",\"'\\#$`"):
            raise ConfigError(
                f"the label {self.label!r} must be text without commas, quotes or backslashes; try: --label camdaemon"
            )
        if len(labels[-1].encode()) > _LABEL:
            raise ConfigError(f"the label {labels[-1]!r} is longer than {_LABEL} bytes; try: --label camdaemon")
        cameras = tuple(Camera(self.number + index, label) for index, label in enumerate(labels))
        object.__setattr__(self, "cameras", cameras)
