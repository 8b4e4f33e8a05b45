"""What is measured, and the words that the options of the command line take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from camdaemon.config.schema import Config, RefineConfig
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.model.published import BACKBONES, Backbone, BackgroundMattingV2
from camdaemon.model.refiner import KernelSize

ENGINES = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16", "int8")  # on the CPU; on CUDA it is float16
MODES = ("sampling", "thresholding", "full")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Settings:
    """One measurement. Checked when it is made, which raises ConfigError.

    Attributes:
        source: Clip, or 'pattern'.
        size: Working size; None: the source's own.
        weights: 'published', or a checkpoint of that layout.
        backbone: Network that is measured with random weights instead of `weights`.
        mode: How patches are selected.
        pixels: Refined pixels per frame when sampling; None: as the daemon chooses.
        scale: Base network's share of the frame, 0 to 1; None: as the daemon chooses.
        device: Where the network runs.
        engine: What runs it on a CPU.
        precision: Its number format on a CPU.
        frames: Frames in each run.
        rounds: Runs of each side.
        threads: CPU threads of each side; None: one for each core.
        realtime: Frames come as from a camera and late ones are dropped; otherwise as fast as they are taken.
        from_memory: End to end, frames are not decoded but come from memory.
    """

    source: str = "pattern"
    size: Size | None = None
    weights: str = "published"
    backbone: str | None = None
    mode: str = "sampling"
    pixels: int | None = None
    scale: float | None = None
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    frames: int = 40
    rounds: int = 5
    threads: int | None = None
    realtime: bool = False
    from_memory: bool = False

    def __post_init__(self) -> None:
        for option, value, words in (
            ("backbone", self.backbone, BACKBONES),
            ("refine", self.mode, MODES),
            ("device", self.device, DEVICES),
            ("engine", self.engine, ENGINES),
            ("precision", self.precision, PRECISIONS),
        ):
            if value is not None and value not in words:
                raise ConfigError(f"{option} {value!r} is unknown. Run: … --{option} {' or '.join(words)}")
        if self.backbone is not None and self.weights != "published":
            raise ConfigError("--backbone takes random weights, so --weights is not used: leave one out")
        if self.scale is not None and not 0 < self.scale <= 1:
            raise ConfigError(f"scale {self.scale:g} is not in 0 to 1. Run: … --scale 0.25")

    def config(self, weights: Path) -> Config:
        """Return the daemon's configuration, without the user's own. `weights` is the checkpoint."""
        return Config.model_validate(
            {
                "source": self.source,
                "sink": "null",
                "size": self.size,
                "device": self.device,
                "weights": str(weights),
                "engine": self.engine,
                "precision": self.precision,
                "refine": RefineConfig.model_validate({"mode": self.mode, "pixels": self.pixels, "scale": self.scale}),
            }
        )

    def weights_file(self, folder: Path) -> Path:
        """Return the checkpoint; random weights are written into `folder`. Raises ConfigError."""
        if self.backbone is not None:
            return write_random_weights(self.backbone, folder)
        return find_weights(self.weights)


def write_random_weights(backbone: Backbone | str, folder: Path, kernel_size: KernelSize = 3) -> Path:
    """Write weights that are good for nothing but measuring, the same every time, into `folder`.

    Alpha is about ½ everywhere. The predicted error is above 0 everywhere, so that the whole budget of patches is used.
    """
    path = folder / f"{backbone}-{kernel_size}.safetensors"
    if path.is_file():
        return path
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        tensors = BackgroundMattingV2(backbone, kernel_size).state_dict()  # type: ignore[arg-type]  # checked above
    tensors["decoder.conv4.weight"][:5] *= 0.1
    tensors["decoder.conv4.bias"][:5] = torch.tensor([0.5, 0, 0, 0, 0.5])
    tensors["refiner.conv4.bias"][:] = torch.tensor([0.5, 0, 0, 0])
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path
