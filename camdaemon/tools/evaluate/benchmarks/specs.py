"""The published test sets by name, and how much work a network may do on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from camdaemon.config.schema import RefineConfig
from camdaemon.errors import ConfigError, did_you_mean
from camdaemon.linux.results import expand
from camdaemon.tools.evaluate.benchmarks.layouts import Sample, find_aim, find_distinctions, find_photomatte

VIDEOMATTE, VIDEOMATTE_TITLE = "videomatte240k", "VideoMatte240K"
_SYNTAX = "--benchmark NAME=FOLDER"


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """A set of cut-out people.

    Attributes:
        title: In tables.
        find: Finds its people in a folder.
        pairs: Rooms for each person (Lin et al. 2021, appendix D.2).
    """

    title: str
    find: Callable[[Path], list[Sample]]
    pairs: int


PHOTO_SETS = {
    "aim": PhotoSet("AIM", find_aim, 5),
    "distinctions646": PhotoSet("Distinctions", find_distinctions, 5),
    "photomatte85": PhotoSet("PhotoMatte85", find_photomatte, 1),
}
NAMES = (*PHOTO_SETS, VIDEOMATTE)

# Lin et al. 2021, §5: downsampled by c = 4, and k = 20,000 patches of 4×4 pixels are refined.
PHOTO_WORK = RefineConfig(scale=1 / 4, pixels=320_000)


def choose_clip_work(width: int, height: int) -> RefineConfig:
    """Return the work on clips of a size.

    Lin et al. 2021, §5: c = 4 and k = 5,000 patches for HD, c = 8 and k = 20,000 for 4K. Lin et al. 2022 (Robust Video
    Matting), Table 4: scale 1 for 512x288; how many patches it does not say, so as many as for HD.
    """
    longest = max(width, height)
    if longest <= 512:
        return RefineConfig(scale=1, pixels=80_000)
    return RefineConfig(scale=1 / 4, pixels=80_000) if longest <= 2048 else RefineConfig(scale=1 / 8, pixels=320_000)


def parse_benchmark(text: str) -> tuple[str, Path]:
    """Return name and folder of NAME=FOLDER.

    Raises:
        ConfigError: There is no set of that name, or no such folder.
    """
    name, _, folder = text.partition("=")
    if name not in NAMES:
        hint = did_you_mean(name, NAMES)
        raise ConfigError(
            f"there is no benchmark {name!r}: {hint or 'there are ' + ', '.join(NAMES)}. Run with: {_SYNTAX}"
        )
    path = expand(folder)
    if not folder or not path.is_dir():
        raise ConfigError(f"no such folder of {name}: {folder!r}. Run with: --benchmark {name}=FOLDER")
    return name, path


def parse_range(text: str) -> tuple[float, float]:
    """Return the two numbers of LOW-HIGH, 0 <= LOW <= HIGH.

    Raises:
        ConfigError: It is something else.
    """
    low, _, high = text.partition("-")
    try:
        found = float(low), float(high)
    except ValueError:
        found = -1.0, -1.0
    if not 0 <= found[0] <= found[1] <= 1:
        raise ConfigError(f"no range of noise {text!r}: it is LOW-HIGH, of 0..1. Run with: --plate-noise 0.08-0.15")
    return found
