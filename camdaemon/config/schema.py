"""The configuration: what may be set, its defaults and its checks. Nothing is read or changed but the file asked for.

Order of authority: command line, then the file ($XDG_CONFIG_HOME/camdaemon/config.toml), then the defaults here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
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
from pydantic_core import PydanticKnownError

from camdaemon.config import keys
from camdaemon.errors import ConfigError, did_you_mean
from camdaemon.frames import kinds
from camdaemon.frames.frame import Size


def _size(value: object) -> Size:
    if isinstance(value, Size):
        return value
    try:
        return Size.parse(str(value))
    except ConfigError as exc:
        raise ValueError(str(exc)) from None


SizeField = Annotated[Size, BeforeValidator(_size), PlainSerializer(str)]


def _matting(value: str) -> str:
    if not any(kind.is_named_by(value) for kind in kinds.MATTINGS):
        expected = " or ".join(repr(kind.syntax) for kind in kinds.MATTINGS)
        raise PydanticKnownError("literal_error", {"expected": expected})
    return value


MattingName = Annotated[str, AfterValidator(_matting)]


def default_backdrops() -> Path:
    """Where backdrops lie unless another folder is named."""
    return platformdirs.user_data_path("camdaemon") / "backdrops"


def _hotkeys(value: object) -> object:
    if value is False or value is True:
        return dict(keys.DEFAULTS) if value else {}
    if isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values()):
        value = {action: each for action, each in (keys.DEFAULTS | dict(value)).items() if each}
        if wrong := keys.conflicts(value):
            raise ValueError("; ".join(wrong))
        return value
    raise ValueError('must be false, or a table such as: plate = "ctrl+alt+p"')


Hotkeys = Annotated[dict[str, str], BeforeValidator(_hotkeys)]


class Model(BaseModel):
    """Common strictness: an unknown key is an error, a checked value stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class RefineConfig(Model):
    """Which 4×4 patches the refiner works on (Lin et al. 2021 §3.3)."""

    mode: Literal["sampling", "thresholding", "full"] = "sampling"
    pixels: int | None = Field(None, ge=0, description="sampling: pixels refined in each frame; none: 3.9 % of them")
    threshold: float = Field(0.1, ge=0, le=1, description="thresholding: refine where the predicted error is above")
    scale: float | None = Field(None, gt=0, le=1, description="base network's share of the frame; none: by size")


class PlateConfig(Model):
    """When a plate is accepted."""

    frames: int = Field(15, ge=3, le=120, description="frames whose median becomes the plate")
    still_s: float = Field(0.5, ge=0.1, le=10, description="seconds without movement before them")
    timeout_s: float = Field(15.0, ge=1, le=300, description="seconds to wait for a still room")


class CropConfig(Model):
    """The part of the camera's picture that fills the frame, in shares of its width and height."""

    left: float = Field(0.0, ge=0, lt=1)
    top: float = Field(0.0, ge=0, lt=1)
    width: float = Field(1.0, ge=0.1, le=1)
    height: float = Field(1.0, ge=0.1, le=1)

    @model_validator(mode="after")
    def _inside(self) -> CropConfig:
        if self.left + self.width > 1 or self.top + self.height > 1:
            raise ValueError("left + width and top + height must not be above 1")
        return self


class SceneConfig(Model):
    """A preset. What it does not name stays as it is when the scene is switched to."""

    backdrop: str | None = Field(None, description=kinds.syntax_of(kinds.BACKDROPS))
    blur: float | None = Field(None, ge=0, le=100, description="blur of the backdrop, sigma in pixels")
    edge: float | None = Field(None, ge=-1, le=1, description="matte from wider (-1) to tighter (1)")
    mirror: bool | None = Field(None, description="mirror the person")
    crop: CropConfig | None = Field(None, description="part of the camera's picture that fills the frame")
    mode: Literal["matte", "card"] | None = Field(None, description="matte or card; the room is in no scene")


class Config(Model):
    """Everything that can be set."""

    source: str = Field("/dev/video0", description=kinds.syntax_of(kinds.SOURCES))
    sink: str = Field("/dev/video10", description=kinds.syntax_of(kinds.SINKS))
    more_sinks: list[str] = Field([], description="further virtual cameras for the same picture: each takes one reader")
    on_demand: bool = Field(True, description="close the camera while nobody watches the virtual one")
    size: SizeField | None = Field(None, description="pixels, WIDTHxHEIGHT; none: 1280x720, or a clip's own size")
    fps: float = Field(30.0, ge=1, le=240, description="frames per second to ask of the camera")
    backdrop: str = Field("color:#2f4f5f", description=kinds.syntax_of(kinds.BACKDROPS))
    plate: str = Field("saved", description="saved (else ask), auto (else take it when the room is still), or a file")
    matting: MattingName = Field("bgmv2", description="how the matte is computed")
    weights: str = Field("default", description="default, or a .safetensors/.pth file")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the network runs")
    engine: Literal["auto", "torch", "openvino"] = Field("auto", description="what runs the network on a CPU")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="the network's numbers on a CPU")
    stale_after_s: float = Field(1.0, ge=0.1, le=60, description="seconds without a new frame before the card shows")
    repeat_s: float = Field(0.2, ge=0.02, le=1, description="seconds after which a frame is shown again")
    max_coverage: float = Field(0.92, gt=0, le=1, description="share of the picture a person may cover")
    backdrops: str = Field(str(default_backdrops()), description="folder of pictures and videos to choose from")
    blur: float = Field(0.0, ge=0, le=100, description="blur of any backdrop, sigma in pixels")
    edge: float = Field(0.0, ge=-1, le=1, description="matte from wider (-1) to tighter (1)")
    mirror: bool = Field(False, description="mirror the person")
    crop: CropConfig | None = Field(None, description="part of the camera's picture that fills the frame")
    fade_s: float = Field(0.3, ge=0, le=5, description="seconds in which a scene or backdrop replaces another")
    hotkeys: Hotkeys = Field(dict(keys.DEFAULTS), description="false, or key combinations by command")
    lock_camera: bool = Field(True, description="hold exposure, white balance and focus while a plate serves")
    match_exposure: bool = Field(True, description="match the plate to each frame's exposure and white balance")
    governor: bool = Field(True, description="less effort for each frame where the machine is too slow for the best")
    refine: RefineConfig = RefineConfig()
    plate_taking: PlateConfig = PlateConfig()
    scenes: dict[str, SceneConfig] = Field({}, description="presets by name")

    @property
    def sinks(self) -> list[str]:
        """Every sink; the first is the one that matters."""
        return [self.sink, *self.more_sinks]


def default_path() -> Path:
    """Where the configuration file is looked for."""
    return platformdirs.user_config_path("camdaemon") / "config.toml"


def load(path: Path | None, overrides: Mapping[str, Any]) -> Config:
    """The effective configuration. `overrides` are the command line's values; None means not given.

    Raises ConfigError that names every mistake at once. A missing file is an error only when it was named.
    """
    values: dict[str, Any] = {}
    where = path or default_path()
    if path is not None or where.is_file():
        values = _read(where)
    values |= {key: value for key, value in overrides.items() if value is not None}
    try:
        return Config.model_validate(values)
    except ValidationError as exc:
        lines = list(_mistakes(exc))
        count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        raise ConfigError(
            "\n  ".join([f"{count} in the configuration ({where} and the command line):", *lines])
            + "\nMend and check with: camdaemon config --check"
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}; name another with --config FILE") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} is not TOML: {exc}; mend it, then: camdaemon config --check") from None


def _mistakes(wrong: ValidationError) -> Iterator[str]:
    for error in wrong.errors():
        *parents, key = [str(part) for part in error["loc"]]
        name = ".".join([*parents, key])
        if error["type"] == "extra_forbidden":
            guess = did_you_mean(key, _keys(parents))
            yield f"{name}: no such setting" + (f"; {guess}" if guess else "")
            continue
        allowed = str(error.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        guess = did_you_mean(str(error["input"]), allowed)
        message = error["msg"].removeprefix("Value error, ")
        given = name if str(error["input"]) in message else f"{name} = {error['input']!r}"
        yield f"{given}: {message}" + (f"; {guess}" if guess else "")


def _keys(parents: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for parent in parents:
        inner = model.model_fields[parent].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
