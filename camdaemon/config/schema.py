"""The configuration: settings, defaults and checks. The only file read is the configuration file.

Precedence: command line, then what was chosen live (`choices`), then the file ($XDG_CONFIG_HOME/camdaemon/config.toml),
then the defaults here.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from camdaemon.config import keys
from camdaemon.errors import ConfigError
from camdaemon.frames import kinds
from camdaemon.frames.frame import Size
from camdaemon.linux.files import read_regular
from camdaemon.linux.folders import find_folder

# Last line of an error about the configuration.
HOW_TO_FIX = "Fix it, then run: camdaemon config --check"
# What a matting that needs no plate does without one. The figures in docs/weights.md decide: "matte" once mean leak and
# holes without a plate are both below 2 %.
_WITHOUT_PLATE: Literal["matte", "card"] = "matte"
EVERY_SINK = "auto"
_LOOPBACK = "/dev/video10"
_MOST_BYTES = 1 << 20  # of a configuration: a thousand times what people write


def _validate_size(value: object) -> Size:
    if isinstance(value, Size):
        return value
    try:
        return Size.parse(str(value))
    except ConfigError as exc:
        raise ValueError(str(exc)) from None


SizeField = Annotated[Size, BeforeValidator(_validate_size), PlainSerializer(str)]


class OneOf(NamedTuple):
    """The words that a setting may have, where they are no `Literal`."""

    words: Callable[[], list[str]]

    def validate(self, value: str) -> str:
        """Return `value`. Raises ValueError if it is none of the words."""
        if value not in self.words():
            raise ValueError(value)  # what is expected instead is said by `mistakes`
        return value


_MATTINGS = OneOf(lambda: [kind.syntax for kind in kinds.MATTINGS])
MattingName = Annotated[str, AfterValidator(_MATTINGS.validate), _MATTINGS]

Text = Annotated[str, AfterValidator(os.path.expanduser)]  # may be a path: `~` is the home folder


def default_backdrops() -> str:
    """Return the folder of backdrops for a configuration that names none. ConfigError: there is no home folder."""
    return str(find_folder("data") / "backdrops")


def _validate_hotkeys(value: object) -> object:
    if value is False or value is True:
        return dict(keys.DEFAULTS) if value else {}
    if isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values()):
        value = {action: each for action, each in (keys.DEFAULTS | dict(value)).items() if each}
        if mistakes := keys.find_mistakes(value):
            raise ValueError("; ".join(mistakes))
        return value
    raise ValueError('must be false, or a table such as: plate = "ctrl+alt+p"')


Hotkeys = Annotated[dict[str, str], BeforeValidator(_validate_hotkeys)]


class Model(BaseModel):
    """Strictness of every table: an unknown key is an error, and a checked value cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class RefineConfig(Model):
    """Which 4×4 patches the refiner works on (Lin et al. 2021 §3.3); see `matting.Refinement`."""

    mode: Literal["sampling", "thresholding", "full"] = Field("sampling", description="how the patches are chosen")
    pixels: int | None = Field(
        None, ge=0, description="sampling: pixels refined in each frame; default: 3.9 % of them", examples=[36000]
    )
    threshold: float = Field(0.1, ge=0, le=1, description="thresholding: refine where the predicted error is above")
    scale: float | None = Field(
        None, gt=0, le=1, description="base network's share of the frame; default: by size", examples=[0.25]
    )


class PlateConfig(Model):
    """When a plate is accepted; see `plate.take.PlateRules`."""

    frames: int = Field(15, ge=3, le=120, description="frames whose median becomes the plate")
    still_s: float = Field(0.5, ge=0.1, le=10, description="seconds without movement before these frames")
    timeout_s: float = Field(15.0, ge=1, le=300, description="seconds to wait for a still room")


class CropConfig(Model):
    """The part of the camera's picture that fills the frame, as shares of its width and height."""

    left: float = Field(0.0, ge=0, lt=1, description="share of the width that is cut off at the left")
    top: float = Field(0.0, ge=0, lt=1, description="share of the height that is cut off at the top")
    width: float = Field(1.0, ge=0.1, le=1, description="share of the width that is kept")
    height: float = Field(1.0, ge=0.1, le=1, description="share of the height that is kept")

    @model_validator(mode="after")
    def _inside(self) -> CropConfig:
        if self.left + self.width > 1 + 1e-9 or self.top + self.height > 1 + 1e-9:
            raise ValueError("left + width and top + height must be 1 at most")
        return self


class SceneConfig(Model):
    """A preset. What a scene does not name is as the command line and the rest of the configuration say."""

    backdrop: Text | None = Field(None, description=kinds.syntax_of(kinds.BACKDROPS))
    blur: float | None = Field(None, ge=0, le=100, description="blur of the backdrop, sigma in pixels")
    edge: float | None = Field(None, ge=-1, le=1, description="matte from wider (-1) to tighter (1)")
    mirror: bool | None = Field(None, description="mirror the person")
    crop: CropConfig | None = Field(None, description="part of the camera's picture that fills the frame")
    mode: Literal["matte", "card"] | None = Field(None, description="default: matte; never passthrough")


class Config(Model):
    """Everything that can be set."""

    source: Text = Field("/dev/video0", description=kinds.syntax_of(kinds.SOURCES))
    sink: Text = Field(
        EVERY_SINK, description=f"auto ({_LOOPBACK} and PipeWire, where they are), {kinds.syntax_of(kinds.SINKS)}"
    )
    more_sinks: list[Text] = Field([], description="more virtual cameras for the same picture")
    on_demand: bool = Field(True, description="close the camera while the virtual camera has no viewers")
    size: SizeField | None = Field(
        None, description="size of the frames; default: 1280x720, or a clip's own size", examples=["1280x720"]
    )
    fps: float = Field(30.0, ge=1, le=240, description="frames per second to ask of the camera")
    backdrop: Text = Field("color:#2f4f5f", description=kinds.syntax_of(kinds.BACKDROPS))
    plate: Text = Field(
        "saved",
        description="saved (else ask), auto (taken once the room is still), none (saved ones are ignored), or a file",
    )
    without_plate: Literal["matte", "card"] = Field(
        _WITHOUT_PLATE,
        description="what viewers see while there is no plate that fits; matte: if the weights can do that",
    )
    grow: bool = Field(True, description="let the plate learn parts of the room while you are in the picture")
    matting: MattingName = Field("bgmv2", description="how the matte is computed")
    weights: Text = Field("default", description="default, published, slim, or a .safetensors/.pth file")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the network runs")
    engine: Literal["auto", "torch", "openvino"] = Field(
        "auto",
        description="without CUDA: auto (the fastest here, Intel's GPU and NPU too), or one for the CPU",
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field("auto", description="number format on a CPU")
    stale_after_s: float = Field(1.0, ge=0.1, le=60, description="seconds without a new frame before the card shows")
    repeat_s: float = Field(0.2, ge=0.02, le=1, description="seconds before the last frame is written again")
    max_coverage: float = Field(0.92, gt=0, le=1, description="share of the picture that a matte may cover")
    backdrops: Text = Field(
        default_factory=default_backdrops,
        description="folder of pictures and videos to choose from",
        examples=["~/.local/share/camdaemon/backdrops"],
    )
    blur: float = Field(0.0, ge=0, le=100, description="blur of any backdrop, sigma in pixels")
    edge: float = Field(0.0, ge=-1, le=1, description="matte from wider (-1) to tighter (1)")
    mirror: bool = Field(False, description="mirror the person")
    crop: CropConfig | None = Field(None, description="part of the camera's picture that fills the frame")
    fade_s: float = Field(0.3, ge=0, le=5, description="seconds of the cross-fade between scenes or backdrops")
    hotkeys: Hotkeys = Field(dict(keys.DEFAULTS), description="false, or key combinations by command")
    tray: bool = Field(True, description="icon with a menu in the desktop's tray, where there is one")
    lock_camera: bool = Field(True, description="lock exposure, white balance and focus while a plate is in use")
    match_exposure: bool = Field(True, description="match the plate to each frame's exposure and white balance")
    governor: bool = Field(True, description="reduce the effort per frame on a machine too slow for the best")
    refine: RefineConfig = RefineConfig()
    plate_taking: PlateConfig = PlateConfig()
    scenes: dict[str, SceneConfig] = Field({}, description="presets by name")

    @property
    def sinks(self) -> list[str]:
        """Every sink; the run ends if the first one fails, and goes on if another does.

        Where none is named, they are those that are there at this moment, and the virtual camera where none is.
        """
        from camdaemon.linux.pipewire.library import find_socket  # most commands ask for no sink

        return self.list_sinks(os.path.exists, has_pipewire=find_socket() is not None)

    def list_sinks(self, exists: Callable[[str], bool], *, has_pipewire: bool) -> list[str]:
        """Return `sinks` as they are on a machine; `exists` says whether it has the node at a path."""
        outputs = [_LOOPBACK] * (exists(_LOOPBACK) or not has_pipewire) + ["pipewire"] * has_pipewire
        first = outputs if self.sink == EVERY_SINK else [self.sink]
        return list(dict.fromkeys([*first, *self.more_sinks]))


def default_path() -> Path:
    """Return where the configuration file is, unless the command line names another."""
    return find_folder("config") / "config.toml"


def load(path: Path | None, overrides: Mapping[str, Any]) -> Config:
    """Load the effective configuration.

    Args:
        path: The file; None for `default_path`, where it may be missing.
        overrides: The command line's values by setting; None means not given.

    Raises:
        ConfigError: Names every mistake at once, or why the file cannot be read.
    """
    values: dict[str, Any] = {}
    where = path or default_path()
    if path is not None or os.path.lexists(where):
        values = _read(where)
    values |= {key: value for key, value in overrides.items() if value is not None}
    try:
        return Config.model_validate(values)
    except ValidationError as exc:
        from camdaemon.config.mistakes import list_mistakes  # of no use to a configuration without any

        lines = list_mistakes(exc.errors(), where, overrides)
        count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        raise ConfigError(
            "\n  ".join([f"{count} in the configuration ({where} and the command line):", *lines]) + f"\n{HOW_TO_FIX}"
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(path, _MOST_BYTES).decode("utf-8-sig"))  # editors of Windows write a mark
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}. Run: camdaemon run --config FILE") from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not TOML: byte {exc.start + 1} is no UTF-8. {HOW_TO_FIX}") from None
    except RecursionError:
        raise ConfigError(f"{path} is not TOML: it nests too deeply. {HOW_TO_FIX}") from None
    except ValueError as exc:  # also a number of thousands of digits, which is no TOMLDecodeError
        why = str(exc) if isinstance(exc, tomllib.TOMLDecodeError) else "a number has too many digits"
        raise ConfigError(f"{path} is not TOML: {why}. {HOW_TO_FIX}") from None
