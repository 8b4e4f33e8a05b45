"""Background Matting V2 as a matting: reads the weights, chooses sizes and number formats, turns failures into errors.

The networks themselves are in `camdaemon.model`; nothing is carried from one frame to the next.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from camdaemon.errors import ConfigError, EngineError
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.matting import MattingSettings, Refinement
from camdaemon.matting.bgmv2.cpu import HostNetwork, Shape
from camdaemon.matting.bgmv2.cpu_cache import Hosts
from camdaemon.matting.bgmv2.cuda_graph import Replay
from camdaemon.matting.bgmv2.engines import BaseEngines, HostSize
from camdaemon.matting.effort import Effort, ladder_of, rates_only
from camdaemon.model import BackgroundMattingV2, Selection, base_by_lines, base_size, fold_batch_norms, load_network

# The best effort refines 80,000 pixels of HD and 320,000 of 4K, as the paper's authors advise.
_BEST = Effort()


def base_for(refine: Refinement, height: int, width: int, effort: Effort = _BEST) -> HostSize:
    """Height and width of the base input: as the effort says; a scale that `refine` sets is obeyed, as published.

    So 1280x720 and 1920x1080 → 320x176 with the best effort for a CPU, 480x272 with that for a GPU.
    """
    if refine.scale:
        return base_size(height, width, refine.scale)
    return base_by_lines(height, width, effort.base_side)


def default_weights() -> Path:
    """The weights that come with camdaemon, their checksum compared with the manifest's. Raises ConfigError."""
    package = Path(__file__).resolve().parents[2]
    folders = [package / "_weights", package.parent / "weights"]  # installed; in a checkout
    folder = next((folder for folder in folders if (folder / "manifest.json").is_file()), folders[0])
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        path: Path = folder / manifest["default"]
        expected = manifest["files"][path.name]["sha256"]
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"the default weights are not in {folder} ({exc}); install camdaemon again, or: --weights FILE"
        ) from exc
    if found != expected:
        raise ConfigError(f"{path} is damaged (its checksum differs); install camdaemon again, or: --weights FILE")
    return path


def selection_for(refine: Refinement, height: int, width: int, effort: Effort = _BEST) -> Selection:
    """Which patches of a frame of height × width pixels are refined. What `refine` sets is not `effort`'s to change."""
    pixels = round(effort.refined * height * width) if refine.pixels is None else refine.pixels
    return Selection(refine.mode, pixels, refine.threshold)


def _load(weights: str) -> BackgroundMattingV2:
    path = default_weights() if weights == "default" else Path(weights).expanduser()
    try:
        return load_network(path)
    except OSError as exc:
        raise ConfigError(
            f"cannot read the weights {path}: {exc.strerror or exc}; name a .safetensors or .pth file, "
            "or: --weights default"
        ) from exc
    except ValueError as exc:
        raise ConfigError(f"weights {exc}; name another file, or: --weights default") from exc


class BackgroundMatting:
    """The matting by Lin et al. 2021 (see the protocol `Matting`).

    Bytes go through the CPU's own formulation (`host`), floats through the published one, in float16 on CUDA and
    float32 on the CPU. engine, precision: what runs the base network on the CPU, and in which numbers.
    weights: 'default', or a checkpoint in the published layout; without a refiner the matte is the enlarged coarse one.
    Raises ConfigError: weights that cannot be read or do not fit, a device without room for them, an engine that is not
    installed, a precision that the device lacks.
    """

    name = "bgmv2"

    @classmethod
    def open(cls, settings: MattingSettings, on: torch.device) -> BackgroundMatting:
        """See MattingClass.open."""
        return cls(settings.weights, settings.refinement, on, settings.engine, settings.precision)

    def __init__(
        self, weights: str, refine: Refinement, on: torch.device, engine: str = "torch", precision: str = "auto"
    ) -> None:
        network = _load(weights)
        fold_batch_norms(network)
        self.ladder = ladder_of(on.type)
        self.effort = self.ladder[0]
        if refine != Refinement():  # the user has chosen: only the rate is left to the governor
            self.ladder = rates_only(self.effort)
        self._on = on
        self._dtype = torch.float16 if on.type == "cuda" else torch.float32
        self._refine = refine
        try:
            self._network = network.requires_grad_(False).to(on, self._dtype)
            convert_conv2d_weight_memory_format(network, torch.channels_last)
        except RuntimeError as exc:
            raise ConfigError(f"the network does not fit on {on}: {_first_line(exc)}; try --device cpu") from exc
        self._hosts: Hosts | None = None
        if on.type == "cpu":
            self._hosts = Hosts(partial(HostNetwork, BaseEngines(network, engine, precision), network))
        # Where every frame has the same shapes; thresholding refines another number of patches each time.
        self._replayed = on.type == "cuda" and refine.mode != "thresholding"
        self._replays: dict[tuple[torch.Size, HostSize, Selection], Replay] = {}
        torch.backends.cudnn.benchmark = self._replayed

    def warm_up(self, size: Size) -> None:
        """See `Matting`. One run on noise, of which as much is refined as of any frame; its matte is thrown away."""
        src, plate = (torch.randint(256, (1, 3, size.height, size.width), dtype=torch.uint8) for _ in range(2))
        if self._hosts is None:
            src, plate = ((each.to(self._on) / 255).to(self._dtype) for each in (src, plate))
        self(src, plate, -1)

    def __call__(self, src: Tensor, plate: Tensor, seq: int) -> Matte:
        """See `Matting`. Waits for the device once, at its end, where errors of the device come to light."""
        height, width = src.shape[-2:]
        try:
            with torch.inference_mode():
                run = self._on_floats if src.is_floating_point() else self._on_bytes
                alpha, foreground, sane = run(src, plate)
        except torch.OutOfMemoryError as exc:
            raise EngineError(
                f"{self._on} has not enough memory for {width}x{height}: {_first_line(exc)}; "
                "try --size 640x360 or --device cpu"
            ) from exc
        except (RuntimeError, ValueError) as exc:
            raise EngineError(
                f"the network failed on frame {seq}: {_first_line(exc)}; if it happens again: --device cpu"
            ) from exc
        if not sane:
            raise EngineError(
                f"the matte of frame {seq} is not finite (damaged weights, or too large for {self._dtype}); "
                "try --weights default or --device cpu"
            )
        return Matte(alpha, foreground, seq)

    def _on_floats(self, src: Tensor, plate: Tensor) -> tuple[Tensor, Tensor, bool]:
        """Alpha, foreground, and whether both are finite."""
        base, selection = self._settings(src)
        step = partial(self._network_on, base=base, selection=selection)
        if self._replayed:
            key = (src.shape, base, selection)
            if key not in self._replays:
                self._replays[key] = Replay(step, src, plate)
            alpha, foreground, sane = self._replays[key](src, plate)
        else:
            alpha, foreground, sane = step(src, plate)
        return alpha, foreground, bool(sane)

    def _network_on(
        self, src: Tensor, plate: Tensor, base: HostSize, selection: Selection
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Alpha, foreground, and whether both are finite, a bool on the device: nothing here waits for it."""
        self._network.selection = selection
        found = self._network(src, plate, base=base, clamp=False)
        # Clamping would turn an infinite alpha into a valid one; a sum is finite only if all its terms are.
        parts = (found.alpha, found.foreground, found.alpha_coarse)
        sane = torch.stack([part.sum(dtype=torch.float32).isfinite() for part in parts]).all()
        return found.alpha.clamp(0, 1), found.foreground.clamp(0, 1), sane

    def _on_bytes(self, src: Tensor, plate: Tensor) -> tuple[Tensor, Tensor, bool]:
        """The same, on the CPU."""
        base, selection = self._settings(src)
        height, width = src.shape[-2:]
        assert self._hosts is not None, "bytes are for the CPU"
        return self._hosts.at(Shape((height, width), base))(src, plate, selection)

    def _settings(self, src: Tensor) -> tuple[HostSize, Selection]:
        """The base input's height and width, and which patches are refined, with the effort of now."""
        height, width = src.shape[-2:]
        settings = (self._refine, height, width, self.effort)
        return base_for(*settings), selection_for(*settings)

    @property
    def settled(self) -> bool:
        """See `Matting`. A base input of another size needs another network, which is made meanwhile."""
        return self._hosts is None or self._hosts.settled

    @property
    def engine(self) -> str:
        """What runs the network, once it ran: 'openvino bfloat16', for instance."""
        running = self._hosts.last if self._hosts is not None else None
        return running.engine.name if running is not None else f"torch {str(self._dtype).removeprefix('torch.')}"


def _first_line(wrong: BaseException) -> str:
    return next(iter(str(wrong).splitlines()), type(wrong).__name__)
