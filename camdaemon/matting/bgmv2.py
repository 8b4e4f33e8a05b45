"""Background Matting V2 as a matting: reads the weights, chooses sizes and number formats, turns failures into errors.

The networks themselves are in `camdaemon.model`; nothing is carried from one frame to the next.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from camdaemon.config import RefineConfig
from camdaemon.errors import ConfigError, EngineError
from camdaemon.frame import Size
from camdaemon.matting import Matte
from camdaemon.model import BackgroundMattingV2, Selection, fold_batch_norms, load_network

_BASE_SIDE = 180
_REFINED = 0.039  # share of the frame: 80,000 pixels of HD and 320,000 of 4K, as the paper's authors advise


def default_scale(height: int, width: int) -> float:
    """The base input's share of a frame of height × width pixels: its shorter side becomes 180, never enlarged.

    So 640x360 → 1/2, 1280x720 → 1/4, 1920x1080 → 1/6, 3840x2160 → 1/12. Lin et al. 2021 §5 take 1/4 for HD and 1/8
    for 4K, that is 270 lines; the default weights were trained at 144 and are best near 180 (on two test clips
    the mean error at 270 is between as high and 4.5 times as high, at 360 three to ten times), and fewer are faster.
    """
    return min(1.0, _BASE_SIDE / min(height, width))


def default_weights() -> Path:
    """The weights that come with camdaemon, their checksum compared with the manifest's. Raises ConfigError."""
    package = Path(__file__).resolve().parents[1]
    folders = [package / "_weights", package.parent / "weights"]  # installed; in a checkout
    folder = next((folder for folder in folders if (folder / "manifest.json").is_file()), folders[0])
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        path: Path = folder / manifest["default"]
        expected = manifest["files"][path.name]["sha256"]
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise ConfigError(
            f"the default weights are not in {folder} ({wrong}); install camdaemon again, or: --weights FILE"
        ) from wrong
    if found != expected:
        raise ConfigError(f"{path} is damaged (its checksum differs); install camdaemon again, or: --weights FILE")
    return path


def selection_for(refine: RefineConfig, height: int, width: int) -> Selection:
    """Which patches of a frame of height × width pixels are refined."""
    pixels = round(_REFINED * height * width) if refine.pixels is None else refine.pixels
    return Selection(refine.mode, pixels, refine.threshold)


def _load(weights: str) -> BackgroundMattingV2:
    path = default_weights() if weights == "default" else Path(weights).expanduser()
    try:
        return load_network(path)
    except OSError as wrong:
        raise ConfigError(
            f"cannot read the weights {path}: {wrong.strerror or wrong}; name a .safetensors or .pth file, "
            "or: --weights default"
        ) from wrong
    except ValueError as wrong:
        raise ConfigError(f"weights {wrong}; name another file, or: --weights default") from wrong


class BackgroundMatting:
    """The matting by Lin et al. 2021 (see the protocol `Matting`). float16 on CUDA, float32 on the CPU.

    weights: 'default', or a checkpoint in the published layout; without a refiner the matte is the enlarged coarse one.
    Raises ConfigError: weights that cannot be read or do not fit, or a device without room for them.
    """

    name = "bgmv2"

    def __init__(self, weights: str, refine: RefineConfig, on: torch.device) -> None:
        network = _load(weights)
        fold_batch_norms(network)
        self._on = on
        self._dtype = torch.float16 if on.type == "cuda" else torch.float32
        self._refine = refine
        try:
            self._network = network.requires_grad_(False).to(on, self._dtype)
            convert_conv2d_weight_memory_format(network, torch.channels_last)
        except RuntimeError as wrong:
            raise ConfigError(f"the network does not fit on {on}: {_first_line(wrong)}; try --device cpu") from wrong
        if on.type == "cuda" and refine.mode != "thresholding":
            # Pays off where every frame has the same shapes; thresholding refines another number of patches each time.
            torch.backends.cudnn.benchmark = True

    def warm_up(self, size: Size) -> None:
        """See `Matting`. One run on a black frame; its matte is thrown away."""
        black = torch.zeros(1, 3, size.height, size.width, dtype=self._dtype, device=self._on)
        self(black, black, -1)

    def __call__(self, src: Tensor, plate: Tensor, seq: int) -> Matte:
        """See `Matting`. Waits for the device once, at its end, where errors of the device come to light."""
        height, width = src.shape[-2:]
        try:
            with torch.inference_mode():
                scale = self._refine.scale or default_scale(height, width)
                self._network.selection = selection_for(self._refine, height, width)
                found = self._network(src, plate, scale=scale, clamp=False)
                # Clamping would turn an infinite alpha into a valid one; a sum is finite only if all its terms are.
                parts = (found.alpha, found.foreground, found.alpha_coarse)
                sane = all(torch.stack([part.sum(dtype=torch.float32).isfinite() for part in parts]).tolist())
                matte = Matte(found.alpha.clamp(0, 1), found.foreground.clamp(0, 1), seq)
        except torch.OutOfMemoryError as wrong:
            raise EngineError(
                f"{self._on} has not enough memory for {width}x{height}: {_first_line(wrong)}; "
                "try --size 640x360 or --device cpu"
            ) from wrong
        except (RuntimeError, ValueError) as wrong:
            raise EngineError(
                f"the network failed on frame {seq}: {_first_line(wrong)}; if it happens again: --device cpu"
            ) from wrong
        if not sane:
            raise EngineError(
                f"the matte of frame {seq} is not finite (damaged weights, or too large for {self._dtype}); "
                "try --weights default or --device cpu"
            )
        return matte


def _first_line(wrong: BaseException) -> str:
    return next(iter(str(wrong).splitlines()), type(wrong).__name__)
