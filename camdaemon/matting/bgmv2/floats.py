"""The networks on frames of floats, in torch: float16 on CUDA, and float32 for the offline tools on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import convert_conv2d_weight_memory_format

from camdaemon.errors import ConfigError
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.matting import Purpose, Refinement
from camdaemon.matting.bgmv2.cuda_graph import GraphedStep
from camdaemon.matting.bgmv2.engines.engine import BaseSize
from camdaemon.matting.bgmv2.failures import as_engine_errors, first_line, require_finite
from camdaemon.matting.bgmv2.sizes import SizedMatting
from camdaemon.matting.bgmv2.weights import load_weights
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.layout import Selection

_BLOCK = 16  # pixels along one value of the confidence


class RefinementMaps(NamedTuple):
    """What the network predicts about its own matte; valid until the next frame.

    Attributes:
        error: (1,1,h,w), of the base input's size: predicted error of alpha, unbounded.
        refined: bool (1,1,H/4,W/4): the refined patches.
    """

    error: Tensor
    refined: Tensor


Observer = Callable[[RefinementMaps], None]


class FloatMatting(SizedMatting):
    """A network as a matting of floats (see the protocol `Matting`). No state passes from one frame to the next.

    Args:
        weights: See `find_weights`; without a refiner the matte is the upsampled coarse one.
        refine: What the configuration fixes of the refinement; the rest is up to the effort.
        device: 'cpu' or 'cuda'.
        observer: Called with the maps of every frame, in the calling thread, before the matte is returned.
        purpose: What the mattes are for: it decides which weights are the default.

    Raises:
        ConfigError: The weights cannot be read or do not fit, or the device has too little memory.
    """

    settled = True
    frames_ahead = 0  # a GPU is never idle between two frames

    def __init__(
        self,
        weights: str,
        refine: Refinement,
        device: str,
        observer: Observer | None = None,
        purpose: Purpose = "files",
    ) -> None:
        network = load_weights(weights, purpose, device)
        super().__init__(refine, device, doubts=network.doubts, sides="cells" if network.doubts else "any")
        fold_batch_norms(network)
        self._device, self._observer = device, observer
        self._dtype = torch.float16 if device == "cuda" else torch.float32
        try:
            self._network = network.requires_grad_(False).to(device, self._dtype)
            convert_conv2d_weight_memory_format(network, torch.channels_last)
        except RuntimeError as exc:
            raise ConfigError(
                f"the network does not fit on {device}: {first_line(exc)}. Run with: --device cpu"
            ) from exc
        # A graph needs the same shapes in every frame; thresholding refines another number of patches each time.
        self._uses_graphs = device == "cuda" and refine.mode != "thresholding"
        self._graphs: dict[tuple[torch.Size, BaseSize, Selection], GraphedStep] = {}
        torch.backends.cudnn.benchmark = self._uses_graphs

    @property
    def engine(self) -> str:
        """Name of the engine: 'torch float16', for instance."""
        return f"torch {str(self._dtype).removeprefix('torch.')}"

    def warm_up(self, size: Size) -> None:
        """Matte noise once, of which as much is refined as of any frame; see `Matting`."""
        noise = (torch.randint(256, (1, 3, size.height, size.width), dtype=torch.uint8) for _ in range(2))
        src, plate = ((each.to(self._device) / 255).to(self._dtype) for each in noise)
        self(src, plate, None, -1)

    def prepared_cost(self, seconds: float) -> float:
        """See `Matting`. Nothing is prepared."""
        return seconds

    def prepare(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> None:
        """See `Matting`. Nothing is prepared."""

    def __call__(
        self,
        src: Tensor,
        plate: Tensor,
        confidence: Tensor | None,
        seq: int,
        halfway: Callable[[], None] | None = None,
    ) -> Matte:
        """Matte a frame; see `Matting`. Waits for the device once, at the end, where its errors appear."""
        return Matte(*self._compute(src, plate, confidence, seq), seq)

    def matte_batch(self, src: Tensor, plate: Tensor, confidence: Tensor | None, seq: int) -> list[Matte]:
        """Matte frames at once, of which `seq` is the first; see `__call__`.

        Args:
            src: (B,3,H,W).
            plate: The same: of each frame.
            confidence: (1,1,·,·), of all of them.
            seq: Number of the first frame.

        Returns:
            Each frame's matte, valid until the next call.

        Raises:
            EngineError: The mattes cannot be computed.
        """
        alphas, foregrounds = self._compute(src, plate, confidence, seq)
        return [Matte(alphas[i : i + 1], foregrounds[i : i + 1], seq + i) for i in range(len(src))]

    def _compute(self, src: Tensor, plate: Tensor, confidence: Tensor | None, seq: int) -> tuple[Tensor, Tensor]:
        """Return alpha and foreground. Raises EngineError."""
        size = src.shape[2], src.shape[3]
        with as_engine_errors(seq, size, self._device, (MemoryError, torch.OutOfMemoryError)), torch.inference_mode():
            alpha, foreground, finite = self._matte(src, plate, confidence)
        require_finite(finite, seq, str(self._dtype))
        return alpha, foreground

    def _matte(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> tuple[Tensor, Tensor, bool]:
        """Return alpha, foreground, and whether both are finite."""
        base, selection = self.choose_sizes(src.shape[2], src.shape[3])
        step = partial(self._run_network, base=base, selection=selection)
        known = self._fix_shape(confidence, src)
        if self._uses_graphs:
            key = (src.shape, base, selection)
            if key not in self._graphs:
                self._graphs[key] = GraphedStep(step, src, plate, known)
            alpha, foreground, finite, *maps = self._graphs[key](src, plate, known)
        else:
            alpha, foreground, finite, *maps = step(src, plate, known)
        if self._observer is not None:
            self._observer(RefinementMaps(*maps))
        return alpha, foreground, bool(finite)

    def _fix_shape(self, confidence: Tensor | None, src: Tensor) -> Tensor:
        """Return what a network may be told of the plate, in the dtype of `src`, in one shape for all of its frames."""
        shape = tuple(-(-side // _BLOCK) for side in src.shape[2:])
        if confidence is None or not self.doubts:
            return src.new_ones(len(src), 1, *shape)
        known = confidence.to(src.dtype)
        known = known if known.shape[2:] == shape else F.interpolate(known, shape, mode="area")
        return known.expand(len(src), -1, -1, -1)

    def _run_network(
        self, src: Tensor, plate: Tensor, known: Tensor, base: BaseSize, selection: Selection
    ) -> tuple[Tensor, ...]:
        """Run the network without waiting for the device.

        Returns:
            Alpha, foreground, whether both are finite (bool, on the device); for an observer, also the error and the
            refined patches.
        """
        self._network.selection = selection
        found = self._network(src, plate, known, base=base, clamp=False)
        # Clamping would turn an infinite alpha into a valid one; a sum is finite only if all its terms are.
        parts = (found.alpha, found.foreground, found.alpha_coarse)
        finite = torch.stack([part.sum(dtype=torch.float32).isfinite() for part in parts]).all()
        maps = () if self._observer is None else (found.error_coarse, found.refined)
        return found.alpha.clamp(0, 1), found.foreground.clamp(0, 1), finite, *maps
