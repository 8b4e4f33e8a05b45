"""What is measured: size, weights, refinement, device, and how long. The words that the command line's options take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from camdaemon.capture import find_source
from camdaemon.config.schema import Config, RefineConfig
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.matting.bgmv2.matting import default_weights
from camdaemon.model import BACKBONES, Backbone, BackgroundMattingV2, KernelSize

ENGINES = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16")  # on the CPU; on CUDA it is float16
MODES = ("sampling", "thresholding", "full")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Subject:
    """One measurement. Checked when made: raises ConfigError.

    size None: the source's own.   backbone: random weights of that network instead of `weights`.   mode, pixels,
    scale: which patches are refined, and the base network's share of the frame; None as the daemon chooses.
    frames: of each run.   rounds: runs of either formulation.   threads: torch's on the CPU; None as it chooses.
    realtime: frames come as from a camera, and late ones are dropped; else as fast as they are taken.
    from_memory: end to end they are neither decoded nor drawn.
    """

    source: str = "pattern"
    size: Size | None = None
    weights: str = "default"
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
                raise ConfigError(f"{option} {value!r} is not known here; try --{option} {' or '.join(words)}")
        if self.backbone is not None and self.weights != "default":
            raise ConfigError("--backbone takes random weights, so that --weights would not be used; leave one out")
        if self.scale is not None and not 0 < self.scale <= 1:
            raise ConfigError(f"scale {self.scale:g} is no share of the frame; try --scale 0.25")
        if find_source(self.source).live:
            raise ConfigError(
                f"{self.source} is a camera, and its pictures are never twice the same; "
                "try --source FILE, a clip, or --source pattern"
            )

    def config(self, weights: Path) -> Config:
        """As the daemon's, with nothing of the user's own configuration. weights: the file."""
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
        """The weights' file; random ones are written into `folder`. Raises ConfigError."""
        if self.backbone is not None:
            return random_weights(self.backbone, folder)
        return default_weights() if self.weights == "default" else Path(self.weights).expanduser()


def random_weights(backbone: Backbone | str, folder: Path, kernel_size: KernelSize = 3) -> Path:
    """Weights of no use but for measuring, the same every time, written into `folder`; alpha is about ½ everywhere.

    The predicted error is above 0 everywhere, so that as many patches are refined as may be.
    """
    path = folder / f"{backbone}-{kernel_size}.safetensors"
    if path.is_file():
        return path
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        tensors = BackgroundMattingV2(backbone, kernel_size).state_dict()  # type: ignore[arg-type]  # it is checked
    tensors["decoder.conv4.weight"][:5] *= 0.1
    tensors["decoder.conv4.bias"][:5] = torch.tensor([0.5, 0, 0, 0, 0.5])
    tensors["refiner.conv4.bias"][:] = torch.tensor([0.5, 0, 0, 0])
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path
