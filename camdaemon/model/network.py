"""What all networks are: a base network at low resolution, then a refiner (Lin et al. 2021 §3.1)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model.layout import KNOWN, SIDE, UNKNOWN_COLOR, Selection, base_size
from camdaemon.model.refiner import Coarse, Refiner, upsample


class Output(NamedTuple):
    """The network's result; dtype and device of the input. Everything is clamped to 0..1 unless `clamp=False`.

    Attributes:
        alpha: (B,1,H,W).
        foreground: (B,3,H,W), gamma-encoded RGB: picture plus residual.
        alpha_coarse: (B,1,H·scale,W·scale), of the base network.
        foreground_coarse: (B,3,H·scale,W·scale), of the base network.
        error_coarse: (B,1,H·scale,W·scale), where the base network expects alpha to be wrong.
        refined: bool (B,1,H/4,W/4), where the refiner worked.
    """

    alpha: Tensor
    foreground: Tensor
    alpha_coarse: Tensor
    foreground_coarse: Tensor
    error_coarse: Tensor
    refined: Tensor


def hide_unknown(plate: Tensor, confidence: Tensor) -> Tensor:
    """Return `plate` (B,3,h,w) in plain gray where `confidence` (B,1,h,w) says that nothing is known."""
    return plate.where(confidence > KNOWN, plate.new_tensor(UNKNOWN_COLOR))


class MattingNetwork(nn.Module):
    """Finds the person in a picture, given the plate of its room. Subclasses make the base network.

    Args:
        scale: Side of the base input divided by that of the frame, 0..1.
        selection: Which patches are refined.

    Attributes:
        doubts: Whether it is told how far to trust the plate. The others believe it everywhere.
        inputs: Channels of the base network's input.
        scale: As given; may be changed at any time.
        selection: As given; may be changed at any time.
        refiner: None: the coarse matte is upsampled bilinearly.
    """

    doubts: bool
    inputs: int
    backbone: nn.Module
    refiner: Refiner | None

    def __init__(self, scale: float, selection: Selection | None) -> None:
        super().__init__()
        self.scale = scale
        self.selection = selection or Selection()

    def stack(self, src: Tensor, plate: Tensor, confidence: Tensor) -> Tensor:
        """Return the base network's input, (B,C,h,w), float.

        Args:
            src: (B,3,h,w), RGB, 0..1.
            plate: The same of the empty room.
            confidence: (B,1,h,w), 0 where nothing is known of the room, 1 where it was photographed.
        """
        raise NotImplementedError

    def base(self, x: Tensor) -> Coarse:
        """Run the base network on what `stack` made. The result is not clamped, except for hidden features."""
        raise NotImplementedError

    def visible(self, x: Tensor) -> Tensor:
        """Return the maps of `base` that are of use by themselves, (B,5,h,w): alpha, residual, error; for training."""
        raise NotImplementedError

    def base_parts(self) -> tuple[nn.Module, ...]:
        """Return all parts but the refiner."""
        return tuple(part for name, part in self.named_children() if name != "refiner")

    def forward(
        self,
        src: Tensor,
        plate: Tensor,
        confidence: Tensor | None = None,
        *,
        base: tuple[int, int] | None = None,
        clamp: bool = True,
    ) -> Output:
        """Matte a batch of pictures.

        Args:
            src: (B,3,H,W), RGB, 0..1, H and W multiples of 4; not changed.
            plate: The empty room, same shape and dtype; not changed.
            confidence: (B,1,·,·) of any size, 0..1: how far to trust each part of the plate; None: wholly. Networks
                that do not doubt ignore it.
            base: Height and width of the base network's input; None: by `scale`, as published.
            clamp: False returns the unbounded results of both networks: for training, where a clamp would stop the
                gradient, and to detect infinities. The refiner gets the clamped coarse alpha in either case, and
                unrefined pixels are upsampled from it.

        Raises:
            ValueError: The shapes differ, or a side is not a multiple of 4.
        """
        height, width = src.shape[2:]
        if src.shape != plate.shape or height % SIDE or width % SIDE:
            raise ValueError(
                f"picture {tuple(src.shape)} and plate {tuple(plate.shape)} must be of one shape, (B, 3, H, W), "
                f"with H and W multiples of {SIDE}"
            )
        size = base or base_size(height, width, self.scale)
        known = src.new_ones(src.shape[0], 1, 1, 1) if confidence is None else confidence
        small, small_plate, trust = (_resize(x, *size) for x in (src, plate, known))
        coarse = self.base(self.stack(small, small_plate, trust))
        held = coarse.clamped()
        if self.refiner is None:
            found = upsample(held, height, width)
        else:
            if self.doubts:
                held, plate = held._replace(confidence=trust), hide_unknown(plate, _resize(known, height, width))
            found = self.refiner(src, plate, held, self.selection)
        out = Output(
            found.alpha, found.residual + src, coarse.alpha, coarse.residual + small, coarse.error, found.refined
        )
        if not clamp:
            return out
        return out._replace(
            alpha=out.alpha.clamp(0, 1),
            foreground=out.foreground.clamp(0, 1),
            alpha_coarse=held.alpha,
            error_coarse=held.error,
            foreground_coarse=out.foreground_coarse.clamp(0, 1),
        )


def _resize(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)
