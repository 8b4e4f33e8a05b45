"""The word for what a matting finds: between matting, composite and pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """The person in one frame.

    alpha: (1,1,H,W), most = person.   foreground: (1,3,H,W), RGB, the person's own colours, true where alpha > 0.
    seq: the frame they were computed from.   Levels (bytes or floats, see `levels`) and device as the frame's.
    """

    alpha: Tensor
    foreground: Tensor
    seq: int
