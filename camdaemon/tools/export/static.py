"""A network whose shapes are all fixed, as a module that every format can be made of.

    static = make_static(network, Size(1280, 720), lines=272, pixels=36_000)
    alpha, foreground, refined = static(src, plate, confidence)

No shape in it depends on what the pictures show: where `Refiner` works on as many patches as are likely wrong, this
works on the same number in every frame, and drops the results that do not count. Nothing is changed in place, since
converters follow values and not memory.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.frames.frame import Size
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.layout import SIDE, Selection, base_size_for_lines
from camdaemon.model.network import MattingNetwork, hide_unknown
from camdaemon.model.patches import choose_patches
from camdaemon.model.refiner import Coarse, Refiner
from camdaemon.tools.export.float16 import to_float16
from camdaemon.tools.export.formats import Part

_Maps = tuple[Tensor, ...]


class Port(NamedTuple):
    """An input or an output of a static network; all are float32.

    Attributes:
        name: In the graph.
        shape: (1,C,H,W).
        meaning: For people: what it is, its range.
    """

    name: str
    shape: tuple[int, ...]
    meaning: str


class StaticNetwork(nn.Module):
    """One part of a network for pictures of one size, a batch of one.

    Args:
        network: In evaluation mode, batch norms folded; the arithmetic is in the dtype of its last weights.
        size: Height and width of the pictures that it is given.
        base: Height and width of the base network's input.

    Attributes:
        part: Which.
        inputs: src, plate and, for networks that doubt, confidence.
        outputs: In the order of `forward`'s result.
    """

    part: Part
    outputs: tuple[Port, ...]

    def __init__(self, network: MattingNetwork, size: tuple[int, int], base: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.size, self.base = network, size, base
        self._dtype = list(network.parameters())[-1].dtype
        ports = [
            Port("src", (1, 3, *size), "the picture, gamma-encoded RGB as cameras give it, 0..1"),
            Port("plate", (1, 3, *size), "the same room without the person, RGB, 0..1"),
        ]
        if network.doubts:
            told = "how far to trust the plate: 1 where the room was photographed, 0 where nothing is known of it"
            ports.append(Port("confidence", (1, 1, *size), told))
        self.inputs = tuple(ports)

    def forward(self, src: Tensor, plate: Tensor, confidence: Tensor | None = None) -> _Maps:
        """Compute `outputs` of `inputs`: float32, everything but hidden features clamped to 0..1."""
        return self.finish(src, plate, confidence, self.network.base(self.stack(src, plate, confidence)))

    def stack(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> Tensor:
        """Return the base network's input, (1,C,h,w), of `inputs`."""
        raise NotImplementedError

    def finish(self, src: Tensor, plate: Tensor, confidence: Tensor | None, coarse: Coarse) -> _Maps:
        """Return `outputs` of `inputs` and of what the base network made, not clamped."""
        raise NotImplementedError

    @staticmethod
    def _trust(src: Tensor, confidence: Tensor | None) -> Tensor:
        return src.new_ones(1, 1, 1, 1) if confidence is None else confidence


class StaticBase(StaticNetwork):
    """The base network alone, for pictures of its own input's size; see `StaticNetwork`."""

    part = "base"

    def __init__(self, network: MattingNetwork, base: tuple[int, int]) -> None:
        super().__init__(network, base, base)
        with torch.inference_mode():
            maps = self(*(torch.zeros(port.shape) for port in self.inputs))
        meanings = {
            "alpha": "how much of each pixel is the person, 0..1",
            "foreground": "the person's colors, gamma-encoded RGB, 0..1; of use where alpha is over 0",
            "error": "where alpha is likely wrong, 0..1",
            "hidden": "features for the refiner, 0 or more",
        }
        self.outputs = tuple(
            Port(name, tuple(each.shape), told) for (name, told), each in zip(meanings.items(), maps, strict=True)
        )

    def stack(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> Tensor:
        """See `StaticNetwork`."""
        return self.network.stack(src, plate, self._trust(src, confidence))

    def finish(self, src: Tensor, plate: Tensor, confidence: Tensor | None, coarse: Coarse) -> _Maps:
        """See `StaticNetwork`."""
        alpha, residual, error, hidden = (each.float() for each in coarse if each is not None)
        return alpha.clamp(0, 1), (residual + src).clamp(0, 1), error.clamp(0, 1), hidden


class StaticWhole(StaticNetwork):
    """Base network and refiner, which works on `pixels` pixels of every picture; see `StaticNetwork`."""

    part = "whole"

    def __init__(self, network: MattingNetwork, size: tuple[int, int], base: tuple[int, int], pixels: int) -> None:
        super().__init__(network, size, base)
        self._selection = Selection("sampling", pixels)
        height, width = size
        self.outputs = (
            Port("alpha", (1, 1, *size), "how much of each pixel is the person, 0..1"),
            Port(
                "foreground",
                (1, 3, *size),
                "the person's colors, gamma-encoded RGB, 0..1; of use where alpha is over 0",
            ),
            Port("refined", (1, 1, height // SIDE, width // SIDE), "1 where a patch of 4x4 pixels was refined, else 0"),
        )

    def stack(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> Tensor:
        """See `StaticNetwork`."""
        known = self._trust(src, confidence)
        return self.network.stack(*(_resize(each, self.base) for each in (src, plate, known)))

    def finish(self, src: Tensor, plate: Tensor, confidence: Tensor | None, coarse: Coarse) -> _Maps:
        """See `StaticNetwork`."""
        coarse = coarse.clamped()
        if self.network.doubts:
            known = self._trust(src, confidence)
            coarse = coarse._replace(confidence=_resize(known, self.base).to(self._dtype))
            plate = hide_unknown(plate, _resize(known, self.size))
        whole = _resize(torch.cat([coarse.alpha, coarse.residual], 1).float(), self.size)
        refined = whole.new_zeros(self.outputs[2].shape)
        if self.network.refiner is not None:
            whole, refined = self._refine(self.network.refiner, whole, src, plate, coarse)
        return whole[:, :1].clamp(0, 1), (whole[:, 1:] + src).clamp(0, 1), refined

    def _refine(
        self, refiner: Refiner, whole: Tensor, src: Tensor, plate: Tensor, coarse: Coarse
    ) -> tuple[Tensor, Tensor]:
        rows, columns = self.outputs[2].shape[2:]
        error = _resize(coarse.error.float(), (rows, columns))
        places = choose_patches(error, self._selection, fixed_count=True)
        assert places.counts is not None
        prepared = refiner.prepare(src.to(self._dtype), plate.to(self._dtype), coarse)
        fine = refiner.refine_patches(places, *prepared).flatten(1).float()
        # One line of the table for each patch of the frame: a scatter of lines is what every format has.
        table = whole.view(4, rows, SIDE, columns, SIDE).permute(1, 3, 0, 2, 4).reshape(rows * columns, -1)
        index = places.row * columns + places.column
        fine = torch.where(places.counts[:, None], fine, table.index_select(0, index))
        table = table.index_put((index,), fine)
        pasted = table.view(rows, columns, 4, SIDE, SIDE).permute(2, 0, 3, 1, 4).reshape(whole.shape)
        return pasted, places.chosen.to(whole.dtype)


def make_static(
    network: MattingNetwork,
    size: Size,
    *,
    lines: int,
    pixels: int,
    part: Part = "whole",
    half: bool = False,
) -> StaticNetwork:
    """Return a copy of `network`, batch norms folded, that computes pictures of `size` alone.

    Args:
        network: float32, on the CPU, in evaluation mode; not changed.
        size: Of the pictures. The base alone takes them in the size of its own input.
        lines: Pixels along the shorter side of the base network's input, rounded to its cells of 16.
        pixels: Pixels of each picture that are refined, 16 for each patch.
        part: The base network alone, or the whole.
        half: Compute in float16; inputs and outputs are float32 all the same.
    """
    network = copy.deepcopy(network)
    fold_batch_norms(network)
    network.requires_grad_(False)
    if half:
        to_float16(network)
    base = base_size_for_lines(size.height, size.width, lines)
    if part == "base":
        return StaticBase(network, base).eval()
    return StaticWhole(network, (size.height, size.width), base, pixels).eval()


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
