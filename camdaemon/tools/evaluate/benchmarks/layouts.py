"""Which files of a published test set are its samples: cut-out people, or composited clips.

Lin et al. 2021 test on the people of AIM and Distinctions-646 alone, 11 of each (appendix D.2). The paper does not name
them. The names here are those that its first author published with Robust Video Matting (`aim_test.txt` and
`d646_test.txt` in `documentation/misc/`), also 11 of each, so they are taken for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from camdaemon.errors import ConfigError
from camdaemon.linux.listing import list_files
from camdaemon.tools.files.listing import PICTURES

AIM_PEOPLE = (
    "boy-1518482_1920",
    "girl-1219339_1920",
    "girl-1467820_1280",
    "girl-beautiful-young-face-53000",
    "long-1245787_1920",
    "model-600238_1920",
    "pexels-photo-58463",
    "sea-sunny-person-beach",
    "wedding-dresses-1486260_1280",
    "woman-952506_1920 (1)",
    "woman-morning-bathrobe-bathroom",
)
DISTINCTIONS_PEOPLE = tuple(f"test_{number}" for number in (4, 6, 13, 16, 18, 22, 32, 35, 39, 42, 46))
_CLIP_PARTS = ("com", "pha", "bgr")
# The folder that is named may be the test set itself, or one that it was unpacked into.
_AIM_HOMES = (".", "Test_set", "Combined_Dataset/Test_set")
_DISTINCTIONS_HOMES = (".", "Test", "Distinctions-646/Test")
_PHOTOMATTE_HOMES = (".", "PhotoMatte85")


class Sample(NamedTuple):
    """A cut-out person.

    Attributes:
        name: Of its files.
        colors: The picture of its colors.
        alpha: The picture of its alpha; None: the alpha channel of `colors`.
    """

    name: str
    colors: Path
    alpha: Path | None


class BenchmarkClip(NamedTuple):
    """A composited clip.

    Attributes:
        group: The folder of clips that it is in: 'videomatte_static' or 'videomatte_motion'.
        name: Of the clip.
        plate: Its room in the first frame.
        frames: Of each frame, the composite and the true alpha.
    """

    group: str
    name: str
    plate: Path
    frames: list[tuple[Path, Path]]


def find_aim(folder: Path) -> list[Sample]:
    """Find the people of Adobe Image Matting's test set (Xu et al. 2017).

    As published: `Test_set/Adobe-licensed images/` (and `Other/`), each with `fg/` and `alpha/` of the same names. Or
    `fgr/` and `pha/`, all of whose pictures are taken.

    Raises:
        ConfigError: The folder is not laid out like this, or people are missing.
    """
    homes = [Path(up, kind) for up in _AIM_HOMES for kind in ("Adobe-licensed images", "Other", ".")]
    layout = "aim: no pictures in Test_set/Adobe-licensed images/fg with alpha, nor in Test_set/Other/fg with alpha"
    return _find_people(layout, folder, [(home / "fg", home / "alpha") for home in homes], AIM_PEOPLE)


def find_distinctions(folder: Path) -> list[Sample]:
    """Find the people of Distinctions-646's test set (Qiao et al. 2020).

    As published: `Test/FG/` and `Test/GT/` with the same names. Or `fgr/` and `pha/`, all of whose pictures are taken.

    Raises:
        ConfigError: The folder is not laid out like this, or people are missing.
    """
    homes = [Path(up) for up in _DISTINCTIONS_HOMES]
    layout = "distinctions646: no pictures in Test/FG with GT"
    return _find_people(layout, folder, [(home / "FG", home / "GT") for home in homes], DISTINCTIONS_PEOPLE)


def _find_people(layout: str, folder: Path, pairs: list[tuple[Path, Path]], people: tuple[str, ...]) -> list[Sample]:
    found = {sample.name: sample for colors, alphas in pairs for sample in _pair_up(folder / colors, folder / alphas)}
    if found:
        if missing := [person for person in people if person not in found]:
            raise ConfigError(
                f"{folder} lacks {len(missing)} of the {len(people)} people of the paper's test, the first is "
                f"{missing[0]}. Add them, or give people of your own as fgr/NAME.png and pha/NAME.png"
            )
        return [found[person] for person in people]
    chosen = list(_pair_up(folder / "fgr", folder / "pha"))
    if not chosen:
        name = layout.partition(":")[0]
        raise ConfigError(
            f"{folder} is not laid out like {layout}, nor in fgr with pha. Run with: --benchmark {name}=FOLDER"
        )
    return chosen


def _pair_up(colors: Path, alphas: Path) -> Iterator[Sample]:
    """Yield what is in both folders, by name without its ending, in natural order."""
    by_name = {path.stem: path for path in _list_pictures(alphas)}
    for path in _list_pictures(colors):
        if path.stem in by_name:
            yield Sample(path.stem, path, by_name[path.stem])


def _list_pictures(folder: Path, ends: tuple[str, ...] = PICTURES) -> list[Path]:
    return list_files(folder, ends) if folder.is_dir() else []


def find_photomatte(folder: Path) -> list[Sample]:
    """Find the samples of PhotoMatte85 (Lin et al. 2021): one PNG each, whose alpha channel is the truth.

    Raises:
        ConfigError: There are none.
    """
    for home in _PHOTOMATTE_HOMES:
        if found := _list_pictures(folder / home, (".png",)):
            return [Sample(path.stem, path, None) for path in found]
    raise ConfigError(
        f"{folder} is not laid out like photomatte85: no PNG in it or in PhotoMatte85. "
        "Run with: --benchmark photomatte85=FOLDER"
    )


def find_videomatte(folder: Path) -> list[BenchmarkClip]:
    """Find the clips of VideoMatte240K as composited for Robust Video Matting (Lin et al. 2022).

    As published: `videomatte_static/` and `videomatte_motion/`, in each `NNNN/` with `com/`, `pha/` and `bgr/` of the
    same names. One of the two, or a single folder of `NNNN/`, will do.

    Raises:
        ConfigError: There is no such clip, or frames of one are missing.
    """
    groups = [path for path in sorted(folder.glob("videomatte_*")) if path.is_dir()] or [folder]
    clips = [_open_clip(path.parent, path) for group in groups for path in sorted(group.glob("*/com")) if path.is_dir()]
    if not clips:
        raise ConfigError(
            f"{folder} is not laid out like videomatte240k: no videomatte_static/0000/com or 0000/com, with pha and "
            "bgr beside com. Run with: --benchmark videomatte240k=FOLDER"
        )
    return clips


def _open_clip(home: Path, composites: Path) -> BenchmarkClip:
    alphas, rooms = ({path.stem: path for path in _list_pictures(home / part)} for part in _CLIP_PARTS[1:])
    frames = _list_pictures(composites)
    missing = next((path.stem for path in frames if path.stem not in alphas), None)
    if not frames or not rooms or missing is not None:
        lack = f"frame {missing} in pha" if missing else "pictures in com" if not frames else "a picture in bgr"
        raise ConfigError(f"the clip {home} lacks {lack}. Unpack the test set again")
    plate = rooms.get(frames[0].stem) or next(iter(rooms.values()))
    return BenchmarkClip(home.parent.name, home.name, plate, [(path, alphas[path.stem]) for path in frames])
