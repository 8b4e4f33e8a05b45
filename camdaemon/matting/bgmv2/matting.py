"""Background Matting V2 as a `Matting`: weights, sizes, number formats, and failures as errors.

The networks are in `camdaemon.model`; no state passes from one frame to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import convert_conv2d_weight_memory_format

from camdaemon.errors import ConfigError, EngineError
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.matting import MattingSettings, Purpose, Refinement
from camdaemon.matting.bgmv2.cpu.base import NetworkShape
from camdaemon.matting.bgmv2.cpu.cache import CpuNetworkCache
from camdaemon.matting.bgmv2.cpu.network import CpuNetwork
from camdaemon.matting.bgmv2.cuda_graph import GraphedStep
from camdaemon.matting.bgmv2.engines.factory import BaseEngineFactory, BaseSize
from camdaemon.matting.bgmv2.engines.int8 import find_int8
from camdaemon.matting.bgmv2.sizes import choose_base_size, choose_selection
from camdaemon.matting.bgmv2.weights import find_weights, load_weights
from camdaemon.matting.effort import choose_ladder, vary_rate_only
from camdaemon.model import (
    Selection,
    fold_batch_norms,
)

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


class BackgroundMatting:
    """Matting by Lin et al. 2021 (see the protocol `Matting`).

    uint8 frames run through `cpu`, frames of floats through the published network, in float16 on CUDA and float32 on
    the CPU.

    Args:
        weights: See `find_weights`; without a refiner the matte is the upsampled coarse one.
        refine: What the configuration fixes of the refinement; the rest is up to the effort.
        on: The device.
        engine: What runs the base network of uint8 frames: 'auto'; 'torch' or 'openvino', both on the CPU.
        precision: Its number format: 'auto', 'float32', 'bfloat16' or 'int8'.
        observer: Called with the maps of every frame of floats, in the calling thread, before the matte is returned.
        purpose: What the mattes are for: it decides which weights are the default.
        exact: For uint8 frames, whether mattes are those in floats to a level of 255; see `CpuNetwork`. Then the
            plate of the published network may be float32, 0..255.

    Attributes:
        frames_ahead: How many frames after the present one `prepare` may begin with.

    Raises:
        ConfigError: The weights cannot be read or do not fit, the device has too little memory, the engine is not
            installed, or the device lacks the precision.
    """

    name = "bgmv2"
    uses_weights = True

    @classmethod
    def open(cls, settings: MattingSettings, on: torch.device) -> BackgroundMatting:
        """Make the matting; see `MattingClass`."""
        return cls(
            settings.weights, settings.refinement, on, settings.engine, settings.precision, purpose=settings.purpose
        )

    def __init__(
        self,
        weights: str,
        refine: Refinement,
        on: torch.device,
        engine: str = "torch",
        precision: str = "auto",
        observer: Observer | None = None,
        purpose: Purpose = "live",
        *,
        exact: bool = False,
    ) -> None:
        network = load_weights(weights, purpose, on.type)
        self.doubts = network.doubts
        fold_batch_norms(network)
        self.ladder = choose_ladder(on.type, slim=self.doubts)
        self.effort = self.ladder[0]
        if refine != Refinement():  # the user has chosen: only the rate is left to the governor
            self.ladder = vary_rate_only(self.effort)
        self._on = on
        self._dtype = torch.float16 if on.type == "cuda" else torch.float32
        self._refine = refine
        self._observer = observer
        try:
            self._network = network.requires_grad_(False).to(on, self._dtype)
            convert_conv2d_weight_memory_format(network, torch.channels_last)
        except RuntimeError as exc:
            raise ConfigError(f"the network does not fit on {on}: {_first_line(exc)}. Run with: --device cpu") from exc
        self._cpu_networks: CpuNetworkCache | None = None
        self.frames_ahead = 0
        if on.type == "cpu":
            int8 = find_int8(find_weights(weights, purpose, on.type))
            engines = BaseEngineFactory(network, engine, precision, int8)
            # What is exact serves films, whose next frames are there before their turn.
            self.frames_ahead = 2 if exact and not self.doubts else 1
            build = partial(CpuNetwork, engines, network, exact=exact, frames_ahead=self.frames_ahead)
            self._cpu_networks = CpuNetworkCache(build)
        # A graph needs the same shapes in every frame; thresholding refines another number of patches each time.
        self._uses_graphs = on.type == "cuda" and refine.mode != "thresholding"
        self._graphs: dict[tuple[torch.Size, BaseSize, Selection], GraphedStep] = {}
        torch.backends.cudnn.benchmark = self._uses_graphs

    def warm_up(self, size: Size) -> None:
        """Matte noise once, of which as much is refined as of any frame; see `Matting`."""
        src, plate = (torch.randint(256, (1, 3, size.height, size.width), dtype=torch.uint8) for _ in range(2))
        if self._cpu_networks is None:
            src, plate = ((each.to(self._on) / 255).to(self._dtype) for each in (src, plate))
        self(src, plate, None, -1)

    def build(self, size: Size) -> None:
        """Build what frames of `size` need, on a CPU, without matting any: the first one then takes a bit longer.

        Raises:
            EngineError: No engine runs the network.
        """
        assert self._cpu_networks is not None
        shape = size.height, size.width
        base = choose_base_size(self._refine, *shape, self.effort, in_cells=self.doubts)
        try:
            self._cpu_networks.get_or_build_async(NetworkShape(shape, base))
        except (RuntimeError, ValueError) as exc:
            raise EngineError(f"no engine runs the network: {_first_line(exc)}. Run with: --engine torch") from exc

    def prepare(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> None:
        """Begin with the next frame; see `Matting`. Bytes only: the GPU is never idle between two frames."""
        network = None if self._cpu_networks is None else self._cpu_networks.current
        if network is not None and network.shape.frame == src.shape[2:]:
            network.prepare(src, plate, confidence, self._settings_for(src)[1])

    def __call__(
        self,
        src: Tensor,
        plate: Tensor,
        confidence: Tensor | None,
        seq: int,
        halfway: Callable[[], None] | None = None,
    ) -> Matte:
        """Matte a frame; see `Matting`. Waits for the device once, at the end, where its errors appear."""
        return Matte(*self._compute(src, plate, confidence, seq, halfway), seq)

    def matte_batch(self, src: Tensor, plate: Tensor, confidence: Tensor | None, seq: int) -> list[Matte]:
        """Matte frames of floats at once, of which `seq` is the first; see `__call__`.

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
        alphas, foregrounds = self._compute(src, plate, confidence, seq, None)
        return [Matte(alphas[i : i + 1], foregrounds[i : i + 1], seq + i) for i in range(len(src))]

    def _compute(
        self,
        src: Tensor,
        plate: Tensor,
        confidence: Tensor | None,
        seq: int,
        halfway: Callable[[], None] | None,
    ) -> tuple[Tensor, Tensor]:
        """Return alpha and foreground. Raises EngineError."""
        height, width = src.shape[-2:]
        try:
            with torch.inference_mode():
                if src.is_floating_point():
                    alpha, foreground, finite = self._matte_floats(src, plate, confidence)
                else:
                    alpha, foreground, finite = self._matte_bytes(src, plate, confidence, halfway)
        except torch.OutOfMemoryError as exc:
            raise EngineError(
                f"{self._on} has not enough memory for {width}x{height}: {_first_line(exc)}. "
                "Run with: --size 640x360 or --device cpu"
            ) from exc
        except (RuntimeError, ValueError) as exc:
            raise EngineError(
                f"the network failed on frame {seq}: {_first_line(exc)}. If it happens again, run with: --device cpu"
            ) from exc
        if not finite:
            raise EngineError(
                f"the matte of frame {seq} is not finite (damaged weights, or too large for {self._dtype}). "
                "Run with: --weights default or --device cpu"
            )
        return alpha, foreground

    def _matte_floats(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> tuple[Tensor, Tensor, bool]:
        """Return alpha, foreground, and whether both are finite."""
        base, selection = self._settings_for(src)
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

    def _matte_bytes(
        self, src: Tensor, plate: Tensor, confidence: Tensor | None, halfway: Callable[[], None] | None
    ) -> tuple[Tensor, Tensor, bool]:
        """Return alpha, foreground, and whether both are finite; on the CPU."""
        base, selection = self._settings_for(src)
        height, width = src.shape[-2:]
        assert self._cpu_networks is not None, "bytes are for the CPU"
        # After a change of the effort this starts a build in another thread, and returns the previous network, with a
        # base input of another size, until that is done.
        network = self._cpu_networks.get_or_build_async(NetworkShape((height, width), base))
        return network(src, plate, confidence, selection, halfway)

    def _settings_for(self, src: Tensor) -> tuple[BaseSize, Selection]:
        """Return the base input's size, and which patches are refined, at the current effort."""
        height, width = src.shape[-2:]
        settings = (self._refine, height, width, self.effort)
        return choose_base_size(*settings, in_cells=self.doubts), choose_selection(*settings)

    @property
    def settled(self) -> bool:
        """Whether the effort is in force; see `Matting`. A base input of another size needs another network."""
        cached = self._cpu_networks
        return cached is None or (cached.is_settled and (cached.current is None or cached.current.is_settled))

    def prepared_cost(self, seconds: float) -> float:
        """Return what the last frame would have cost if it had been prepared; see `Matting`."""
        network = None if self._cpu_networks is None else self._cpu_networks.current
        return seconds if network is None else network.prepared_cost(seconds)

    @property
    def engine(self) -> str:
        """Name of the engine that ran last: 'openvino bfloat16', for instance."""
        running = self._cpu_networks.current if self._cpu_networks is not None else None
        return running.engine.name if running is not None else f"torch {str(self._dtype).removeprefix('torch.')}"


def _first_line(exc: BaseException) -> str:
    return next(iter(str(exc).splitlines()), type(exc).__name__)
