"""Whether an export computes what the network computes in torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from camdaemon.errors import CamdaemonError
from camdaemon.model.layout import SIDE, Selection
from camdaemon.model.network import MattingNetwork
from camdaemon.tools.export.family import Arrays
from camdaemon.tools.export.formats import Precision
from camdaemon.tools.export.static import StaticNetwork


class Limits(NamedTuple):
    """How far an export may be from torch.

    Attributes:
        largest: Of any value of any output, over pixels whose patches were chosen alike.
        mean: Of the values of one output in one picture.
        alike: Share of all patches that must be chosen alike, refined by both or by none, 0..1.
        refined: Share of the refined patches that both must refine, 0..1: few are, and none would be alike mostly.
    """

    largest: float
    mean: float
    alike: float
    refined: float


LIMITS: dict[Precision, Limits] = {
    "float32": Limits(1e-3, 1e-3, 0.99, 0.97),
    "float16": Limits(1e-2, 1e-2, 0.99, 0.97),
    # A step of int8 is a large error in few pixels. What it costs is measured against the truth: `score`.
    "int8": Limits(float("inf"), 2e-2, 0.95, 0.5),
}


class Difference(NamedTuple):
    """What was measured, the worst of all pictures.

    Attributes:
        largest: By output, over pixels whose patches were chosen alike.
        mean: The same, of the mean of a picture.
        alike: Share of all patches that were chosen alike, 0..1; 1 for the base alone.
        refined: Share of the refined patches that both refined, 0..1; 1 for the base alone.
        pictures: Number of pictures.
    """

    largest: dict[str, float]
    mean: dict[str, float]
    alike: float
    refined: float
    pictures: int


def compute_reference(network: MattingNetwork, static: StaticNetwork, sample: Arrays, pixels: int) -> Arrays:
    """Return the outputs of `static` for `sample`, as `network` itself computes them in torch.

    Args:
        network: float32, in evaluation mode; its selection is changed.
        static: What was made of it; only its shapes and names are used.
        sample: Its inputs.
        pixels: That are refined.
    """
    given = [torch.from_numpy(sample[port.name]) for port in static.inputs]
    src, plate = given[:2]
    known = given[2] if len(given) > 2 else torch.ones_like(src[:, :1])
    with torch.inference_mode():
        if static.part == "base":
            coarse = network.base(network.stack(src, plate, known))
            shown = (each.clamp(0, 1) for each in (coarse.alpha, coarse.residual + src, coarse.error))
            found = (*shown, coarse.hidden)
        else:
            network.selection = Selection("sampling", pixels)
            out = network(src, plate, known, base=static.base)
            found = (out.alpha, out.foreground, out.refined.float())
    return {port.name: each.numpy() for port, each in zip(static.outputs, found, strict=True)}


def measure(wanted: Sequence[Arrays], found: Sequence[Arrays]) -> Difference:
    """Return how far `found` is from `wanted`, picture by picture; NaN counts as infinitely far."""
    largest: dict[str, float] = {}
    mean: dict[str, float] = {}
    alike = refined = 1.0
    for right, got in zip(wanted, found, strict=True):
        same = None
        if "refined" in right:
            chosen, picked = right["refined"] > 0.5, got["refined"] > 0.5
            alike = min(alike, float((chosen == picked).mean()))
            refined = min(refined, _share_refined(chosen, picked))
            same = (chosen == picked).repeat(SIDE, 2).repeat(SIDE, 3)
        for name in right.keys() - {"refined"}:
            off = np.nan_to_num(np.abs(got[name] - right[name]), nan=np.inf, posinf=np.inf)
            if same is not None:
                off = off[np.broadcast_to(same, off.shape)]
            largest[name] = max(largest.get(name, 0.0), float(off.max(initial=0)))
            mean[name] = max(mean.get(name, 0.0), float(off.mean()) if off.size else np.inf)
    return Difference(largest, mean, alike, refined, len(wanted))


def _share_refined(chosen: NDArray[np.bool_], picked: NDArray[np.bool_]) -> float:
    most = max(int(chosen.sum()), int(picked.sum()))
    return float((chosen & picked).sum()) / most if most else 1.0


def check(difference: Difference, precision: Precision) -> None:
    """Check that `difference` is within the limits of `precision`.

    Raises:
        CamdaemonError: It is not; the message says what differs.
    """
    limits = LIMITS[precision]
    for name, off in difference.largest.items():
        if not (off <= limits.largest and difference.mean[name] <= limits.mean):
            most, what = (limits.largest, off) if off > limits.largest else (limits.mean, difference.mean[name])
            raise CamdaemonError(
                f"the export computes something else than torch and was not kept: {name} is {what:.3g} off, "
                f"and {most:g} is allowed. Run: camdaemon export torch, or export float32"
            )
    if difference.alike < limits.alike or difference.refined < limits.refined:
        raise CamdaemonError(
            f"the export refines other patches than torch and was not kept: {difference.alike:.1%} of all are chosen "
            f"alike, {difference.refined:.1%} of the refined; {limits.alike:.0%} and {limits.refined:.0%} must be. "
            "Run: camdaemon export torch, or export float32"
        )
