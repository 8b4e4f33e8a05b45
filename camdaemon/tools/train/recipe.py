"""The recipe, after Lin et al. 2021 §4.3 and appendix D, changed for webcams and small data.

   stage   what is trained                 Adam's rates (first conv to last)          pictures
   base    backbone, ASPP, decoder         encoder 1e-4, ASPP 5e-4, decoder 5e-4      256×144 … 656×368, batches of 16
   joint   refiner, base frozen or slow    5e-5, 5e-5, 1e-4, refiner 3e-4 (or ×3)     1280×720 (base: 176 to 368 lines)

1. The encoder was trained for segmentation. Its first convolution w for three channels becomes [w, −w/4] for picture
   and plate, its running mean scaled to match. Its batch norms stay in evaluation mode.
2. A batch shows people (one or two, see `geometry.PLACEMENTS`) in front of a room, and that room photographed at
   another time: moved, with other exposure and other noise; with shadows, motion, blur, JPEG, clothes in the wall's
   color (`samples`). A third of the rooms is under colored light or has vivid stripes and shapes on its walls
   (`decor`): photographs of houses for sale have none, and a network trained on those alone adds strips of a vivid
   wall to a head. Every scene is used twice, with noise and a plate of its own.
3. The slim network is taught to doubt its plate (`samples.faults`): of its plates 42 % are right, 32 % wrong but
   given as certain (another room, a part of one, things gone or brought, somebody in it, a camera that was moved,
   things that move), 12 % unknown in parts, and 14 % unknown altogether. The published one is given right plates.
4. Loss: |α − α*| + twice Sobel of it + its Laplacian pyramid + |F − F*| where α* > 0 + (E − |α − α*|)², on the
   unclamped α, which may overshoot in the right direction, and the change of α between two pictures that differ in
   noise only (`losses`). In the base stage errors in narrow gaps count five times: the room shows there, though the
   mean error hardly changes.
5. Rates rise over the first steps and fall as a cosine; the gradient's norm is clipped to 1; bfloat16 where the
   processor computes in it. A network that is already trained keeps its batch norms' statistics (those of 16 pictures
   vary too much) and applies them to its weights.
6. joint: also soft foregrounds, generated at full resolution (`soft`), and the loss on refined patches only. The
   refiner starts as the identity of the coarse matte, and its batch norms stay in evaluation mode.
7. More samples than in the paper have sensor noise (60 %, not 40) and a shadow (40 %, not 30): webcams are noisy, and
   people sit close to their walls.
8. Every few hundred steps the validation composites (always the same) are scored; the best weights are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from camdaemon.errors import ConfigError
from camdaemon.model.published import BACKBONES, Backbone
from camdaemon.model.refiner import KernelSize

TrainingStage = Literal["base", "joint"]
Precision = Literal["auto", "bf16", "fp16", "fp32"]

RATES: dict[TrainingStage, dict[str, float]] = {
    "base": {"backbone": 1e-4, "aspp": 5e-4, "context": 5e-4, "decoder": 5e-4},
    "joint": {"backbone": 5e-5, "aspp": 5e-5, "context": 5e-5, "decoder": 1e-4, "refiner": 3e-4},
}
SIZES: dict[TrainingStage, tuple[tuple[int, int], ...]] = {  # (height, width), one of them per step, at random
    # Whole cells of the encoder; the larger ones, in smaller batches, are for GPUs and files (`matting.effort`).
    "base": (*3 * ((176, 320),), (144, 256), (176, 240), (192, 336), (224, 400), *2 * ((272, 480),), (368, 656)),
    "joint": ((720, 1280),),
}

# The slim network is for CPUs, live.
SLIM_SIZES = (*4 * ((176, 320),), *2 * ((144, 256),), (176, 240), (192, 336), (224, 400), (272, 480))


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of a run, which ends at `steps` or after `minutes`, whichever is set and comes first."""

    stage: TrainingStage
    data: list[Path]
    out: Path
    plates: list[Path] = field(default_factory=list)
    cache: Path | None = None  # None: out/cache
    start: Path | None = None
    backbone: Backbone | Literal["slim"] = "mobilenetv2"
    kernel_size: KernelSize = 3
    steps: int | None = None
    minutes: float | None = None
    batch: int = 16
    sizes: tuple[tuple[int, int], ...] = ()  # empty: the stage's own
    rate: float = 1.0  # factor for all of Adam's rates
    frozen_norms: bool | None = None  # base: batch norms keep their statistics; None: when `start` has a decoder
    frozen_blocks: int = 0  # of the encoder, from the first: they learn least and take a fifth of a step's time
    frozen_base: bool = True  # joint: only the refiner is trained
    refined_pixels: int = 80_000  # joint: of each picture
    precision: Precision = "auto"
    device: str = "auto"
    workers: int | None = None  # processes that make samples; None: what the machine has to spare
    seed: int = 1
    validate_every: int = 250
    validation_samples: int = 64
    resume: bool = False
    force: bool = False  # replace the run that `out` holds


def make_recipe(chosen: dict[str, Any]) -> Recipe:
    """Make a recipe from the values of the command line.

    Raises:
        ConfigError: A value is not one of those allowed.
    """
    allowed = {"backbone": (*BACKBONES, "slim"), "kernel_size": (1, 3), "precision": get_args(Precision)}
    for name, values in allowed.items():
        if chosen.get(name, values[0]) not in values:
            option = name.removesuffix("_size")
            raise ConfigError(f"--{option} {chosen[name]} is not one of {', '.join(map(str, values))}")
    return Recipe(**{**chosen, "plates": chosen.get("plates") or []})
