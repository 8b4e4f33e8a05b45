"""How each result is written: by its name's ending, its kind and depth, FFmpeg's encoder and pixel format."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

from camdaemon.errors import ConfigError

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}  # FFmpeg's names, by ending
Kind = Literal["gray", "cut", "color"]  # alpha and maps; the foreground; the composite
KINDS: dict[str, Kind] = {
    "alpha": "gray", "error": "gray", "refined": "gray", "foreground": "cut", "composite": "color"
}  # fmt: skip


class Codec(StrEnum):
    """What colors may be encoded with."""

    AUTO = "auto"
    H264 = "h264"
    H265 = "h265"
    AV1 = "av1"
    VP9 = "vp9"
    PRORES = "prores"
    FFV1 = "ffv1"


class Quality(StrEnum):
    """How good a lossy film is."""

    DRAFT = "draft"
    GOOD = "good"
    BEST = "best"


class Hardware(StrEnum):
    """What may encode and decode instead of the processor."""

    NONE = "none"
    AUTO = "auto"
    NVIDIA = "nvidia"
    VAAPI = "vaapi"
    QSV = "qsv"


class Encoding(NamedTuple):
    """How the frames of a film are encoded.

    Attributes:
        encoder: FFmpeg's name.
        pixels: FFmpeg's name of the pixel format.
        options: Of the encoder.
        tag: The codec's name in the container, where FFmpeg's own is not played everywhere.
        bitrate: Bits per second; 0: by quality.
        is_full: Whether luma is full-range, whatever the source is: alpha.
        alpha_mode: Whether the colors of a cut-out are "straight" or "premultiplied"; "" for everything else.
    """

    encoder: str
    pixels: str
    options: dict[str, str]
    tag: str = ""
    bitrate: int = 0
    is_full: bool = False
    alpha_mode: str = ""

    @property
    def has_alpha(self) -> bool:
        """Whether each pixel has its alpha."""
        return self.pixels.startswith(("yuva", "gbrap", "bgra"))


_ORDER = {Quality.DRAFT: 0, Quality.GOOD: 1, Quality.BEST: 2}
_X264 = {"preset": "veryfast", "bf": "0", "g": "600"}  # without B-frames every frame keeps its time to the tick
_X265 = {"preset": "fast", "x265-params": "bframes=0:frame-threads=2:log-level=error:info=0:keyint=600"}
_VP9 = {
    "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1", "auto-alt-ref": "0", "lag-in-frames": "0", "g": "600"
}  # fmt: skip
_AV1 = {"preset": "8", "svtav1-params": "pred-struct=1:keyint=600"}
_FFV1 = {"level": "3", "g": "1", "slices": "16", "slicecrc": "1"}
_CRF = {"libx264": (26, 20, 14), "libx265": (28, 21, 15), "libvpx-vp9": (36, 22, 12), "libsvtav1": (40, 28, 18)}
_CRF_OF_ALPHA = (20, 6, 3)  # of VP9, which has one quality for colors and alpha
_FITS: dict[Codec, tuple[str, ...]] = {
    Codec.H264: (".mp4", ".mov", ".mkv"),
    Codec.H265: (".mp4", ".mov", ".mkv"),
    Codec.AV1: (".mp4", ".mkv", ".webm"),
    Codec.VP9: (".mp4", ".mkv", ".webm"),
    Codec.PRORES: (".mov", ".mkv"),
    Codec.FFV1: (".mkv", ".mov"),
}
# What colors are encoded with where nobody has chosen: 8 bits, more, with alpha.
_DEFAULTS: dict[str, tuple[Codec, Codec, Codec | None]] = {
    ".mp4": (Codec.H264, Codec.H265, None),
    ".mov": (Codec.H264, Codec.PRORES, Codec.PRORES),
    ".mkv": (Codec.H264, Codec.H265, Codec.FFV1),
    ".webm": (Codec.VP9, Codec.AV1, Codec.VP9),
}


class Wish(NamedTuple):
    """What a user wants of the results' encoding.

    Attributes:
        codec: Of colors; gray results are encoded as exactly as their container allows.
        quality: Of lossy ones.
        bitrate: Of lossy ones, in bits per second, instead of a quality; 0: by quality.
        premultiplied: Whether colors are multiplied by alpha where there is one; None: as usual, in EXR alone.
    """

    codec: Codec = Codec.AUTO
    quality: Quality = Quality.GOOD
    bitrate: int = 0
    premultiplied: bool | None = None


DEFAULT = Wish()


def check_film_path(path: Path) -> None:
    """Check that `path` names a folder or a kind of film that can be written.

    Raises:
        ConfigError: It does not.
    """
    if path.suffix and path.suffix.lower() not in CONTAINERS:
        raise ConfigError(
            f"{path} is no kind of video that can be written ({', '.join(CONTAINERS)}). Name: "
            f"{path.with_suffix('.mkv')}, or a folder, for one picture per frame: {path.with_suffix('')}"
        )


def choose_encoding(path: Path, kind: Kind, wish: Wish, *, deep: bool, is_odd: bool = False) -> Encoding:
    """Choose how a film is encoded.

    Args:
        path: Of the film; its ending is one of `CONTAINERS`.
        kind: What is in it.
        wish: What the user wants.
        deep: Whether it has more than 8 bits.
        is_odd: Whether a side of its frames is odd, so that its colors cannot have half as many lines.

    Raises:
        ConfigError: The container cannot hold the codec.
    """
    suffix = path.suffix.lower()
    if kind == "gray":
        return _choose_gray(suffix, deep=deep, is_odd=is_odd)
    usual, usual_deep, with_alpha = _DEFAULTS[suffix]
    codec = (with_alpha if kind == "cut" else None) or (usual_deep if deep else usual)
    codec = codec if wish.codec is Codec.AUTO else wish.codec
    if suffix not in _FITS[codec]:
        raise ConfigError(
            f"{path.name} cannot hold {codec}: {suffix} files take {', '.join(_list_codecs(suffix))}. "
            f"Name: {path.with_suffix(_FITS[codec][0])}, or run with: --codec auto"
        )
    found = _choose_color(codec, is_cut=kind == "cut", deep=deep, is_odd=is_odd)
    if found.encoder in _CRF:
        scale = _CRF_OF_ALPHA if found.has_alpha else _CRF[found.encoder]
        crf = {"crf": str(scale[_ORDER[wish.quality]])} if not wish.bitrate else {}
        found = found._replace(options=found.options | crf, bitrate=wish.bitrate)
        if wish.bitrate:
            found.options.pop("b", None)
    if kind == "cut":
        found = found._replace(alpha_mode="premultiplied" if wish.premultiplied else "straight")
    return found


def _list_codecs(suffix: str) -> list[str]:
    return [codec.value for codec, suffixes in _FITS.items() if suffix in suffixes]


def _choose_gray(suffix: str, *, deep: bool, is_odd: bool) -> Encoding:
    """Choose for alpha: lossless where the container allows, else full-range luma that every player shows."""
    if suffix == ".mkv":
        return Encoding("ffv1", "gray16le" if deep else "gray", _FFV1, is_full=True)
    if suffix == ".webm":
        return Encoding("libvpx-vp9", "yuv420p", _VP9 | {"crf": "6"}, is_full=True)
    if deep:
        return Encoding("libx265", "yuv420p10le", _X265 | {"crf": "6"}, "hvc1", is_full=True)
    return Encoding("libx264", "yuvj444p" if is_odd else "yuvj420p", _X264 | {"qp": "5"}, is_full=True)


def _choose_color(codec: Codec, *, is_cut: bool, deep: bool, is_odd: bool) -> Encoding:
    chroma = "yuv444p" if is_odd else "yuv420p"
    eight_or_ten = f"{chroma}10le" if deep else chroma
    prores = {"profile": "4444", "alpha_bits": "16"} if is_cut else {"profile": "hq"}
    lossless = ("gbrap16le" if deep else "bgra") if is_cut else ("gbrp16le" if deep else "bgr0")
    table = {
        Codec.PRORES: Encoding(
            "prores_ks",
            "yuva444p10le" if is_cut else "yuv422p10le",
            prores | {"vendor": "apl0"},
            "ap4h" if is_cut else "apch",
        ),
        Codec.FFV1: Encoding("ffv1", lossless, _FFV1),
        Codec.VP9: Encoding("libvpx-vp9", "yuva420p" if is_cut else chroma, _VP9),
        Codec.AV1: Encoding("libsvtav1", "yuv420p10le" if deep else "yuv420p", _AV1),
        Codec.H265: Encoding("libx265", eight_or_ten, _X265, "hvc1"),
        Codec.H264: Encoding("libx264", eight_or_ten, _X264),
    }
    return table[codec]
