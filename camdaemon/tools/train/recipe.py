"""The recipe, after Lin et al. 2021 §4.3 and appendix D, with what webcams and our small data taught us to change.

   stage   what learns                     Adam's rates (first conv to last)          pictures
   base    backbone, ASPP, decoder         encoder 1e-4, ASPP 5e-4, decoder 5e-4      256×144 … 656×368, batches of 16
   joint   refiner, base frozen or slow    5e-5, 5e-5, 1e-4, refiner 3e-4 (or ×3)     1280×720 (base: 176 to 368 lines)

1. Start from an encoder trained for segmentation: its first convolution w for three channels becomes [w, −w/4] for
   picture and plate, its running mean scaled to match. Its batch norms stay in evaluation mode.
2. A batch is people (one or two, see `geometry.WAYS`) before a room, and that room photographed at another time:
   moved, otherwise exposed, otherwise noisy; shadows, motion, blur, JPEG, clothes in the wall's colour (`scenes`).
   A third of the rooms is under coloured light or has vivid stripes and shapes on its walls (`decor`): photographs of
   houses for sale have none, and before strong colours strips of wall beside a head came along.
3. Loss: |α − α*| + twice Sobel of it + |F − F*| where α* > 0 + (E − |α − α*|)², on the unclamped α, which may
   overshoot in the right direction (`losses`). In the base stage errors in narrow gaps count five times: the room
   shows there, though a mean would hardly notice.
4. Rates rise over the first steps and fall as a cosine; the gradient's norm is held to 1; bfloat16 where it helps.
   A network that is already trained keeps its batch norms' statistics: those of 16 pictures are too varied.
5. joint: on top, soft foregrounds grown at full resolution (`soft`), and the loss on refined patches only. The
   refiner starts as the coarse matte itself, and its batch norms stay in evaluation mode: it can only improve.
6. More than the paper's share of samples have sensor noise (60 %, not 40) and a shadow (40 %, not 30): webcams are
   noisy, and people sit close to their walls.
7. Every few hundred steps the validation composites (always the same) are scored; the best weights are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from camdaemon.errors import ConfigError
from camdaemon.model import BACKBONES, Backbone, KernelSize

OutputStage = Literal["base", "joint"]
Precision = Literal["auto", "bf16", "fp16", "fp32"]

RATES: dict[OutputStage, dict[str, float]] = {
    "base": {"backbone": 1e-4, "aspp": 5e-4, "decoder": 5e-4},
    "joint": {"backbone": 5e-5, "aspp": 5e-5, "decoder": 1e-4, "refiner": 3e-4},
}
SIZES: dict[OutputStage, tuple[tuple[int, int], ...]] = {  # (height, width), one of them per step, at random
    # Whole cells of the encoder; the larger ones, in smaller batches, are those of a GPU and of files (`effort`).
    "base": (*3 * ((176, 320),), (144, 256), (176, 240), (192, 336), (224, 400), *2 * ((272, 480),), (368, 656)),
    "joint": ((720, 1280),),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a run is made of. Ends at `steps` or after `minutes`, whichever is given and comes first."""

    stage: OutputStage
    data: list[Path]
    out: Path
    plates: list[Path] = field(default_factory=list)
    cache: Path | None = None  # None: out/cache
    start: Path | None = None
    backbone: Backbone = "mobilenetv2"
    kernel_size: KernelSize = 3
    steps: int | None = None
    minutes: float | None = None
    batch: int = 16
    sizes: tuple[tuple[int, int], ...] = ()  # empty: the stage's own
    rate: float = 1.0  # all of Adam's rates times this
    frozen_norms: bool | None = None  # base: batch norms keep their statistics; None: when `start` has a decoder
    frozen_base: bool = True  # joint: the refiner learns alone
    refined_pixels: int = 80_000  # joint: of each picture
    precision: Precision = "auto"
    device: str = "auto"
    seed: int = 1
    validate_every: int = 250
    validation_samples: int = 64
    resume: bool = False


def checked(chosen: dict[str, Any]) -> Recipe:
    """A recipe from the command line's values. Raises ConfigError."""
    allowed = {"backbone": BACKBONES, "kernel_size": (1, 3), "precision": get_args(Precision)}
    for name, values in allowed.items():
        if chosen.get(name, values[0]) not in values:
            option = name.removesuffix("_size")
            raise ConfigError(f"--{option} {chosen[name]} is not one of {', '.join(map(str, values))}")
    return Recipe(**{**chosen, "plates": chosen.get("plates") or []})
