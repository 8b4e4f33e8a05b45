"""The two formulations of a frame's journey over the same footage: the daemon's own, and the plain one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from camdaemon.backdrop import make_backdrop
from camdaemon.config.schema import Config
from camdaemon.daemon.build import Engines, matting_settings
from camdaemon.errors import MattingError
from camdaemon.frames import color, pixels
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame, Size
from camdaemon.frames.handoff import Pool
from camdaemon.frames.transfer import choose_device
from camdaemon.matting import make_matting
from camdaemon.matting.bgmv2.matting import base_for, selection_for
from camdaemon.matting.effort import choose_ladder
from camdaemon.model import load_network
from camdaemon.output.null import NullSink
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene
from camdaemon.pipeline.worker import Engine, FrameProcessor
from camdaemon.plate.match import PlateMatcher
from camdaemon.tools.bench.footage import Footage
from camdaemon.tools.bench.machine import settled
from camdaemon.tools.bench.plain import PlainNetwork, plain_composite
from camdaemon.tools.bench.timing import Stopwatch

_BACKDROP = "color:#2f4f5f"


@dataclass(frozen=True, slots=True)
class Side:
    """A journey, the stopwatch that it reports to, and the scene that it shows."""

    processor: FrameProcessor
    watch: Stopwatch
    scene: Scene

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.processor.engine.transfer.device


def real_side(config: Config, footage: Footage, *, paced: bool) -> Side:
    """The daemon's journey, made as the daemon makes it, warmed up. Raises ConfigError or MattingError."""
    device, size = choose_device(config.device), footage.size
    watch = Stopwatch(paced=paced, settle=settled(device))
    engine = Engines(config, size, watch).make_first(
        device, make_matting(config.matting, matting_settings(config), device)
    )
    processor = FrameProcessor(engine, CardCache(NullSink.fmt, size), watch, LivePreview())
    return Side(processor, watch, Scene(make_backdrop(_BACKDROP, size), footage.plate, max_coverage=1.0))


def plain_side(config: Config, footage: Footage, real: Side, *, paced: bool) -> Side:
    """The plain journey, with a stopwatch and a plate's match of its own."""
    watch = Stopwatch(paced=paced, settle=settled(real.device))
    transfer = real.processor.engine.transfer
    matcher = PlateMatcher(lambda rgb: pixels.unit(transfer.upload_picture(rgb)), enabled=config.match_exposure)
    processor = PlainProcessor(config, replace(real.processor.engine, matcher=matcher), footage.size, watch)
    return Side(processor, watch, real.scene)


def plain_dtype(on: torch.device) -> torch.dtype:
    """What the published network computes in: float16 where that is fast."""
    return torch.float16 if on.type == "cuda" else torch.float32


class PlainMatting:
    """The plain network with the daemon's settings for frames of `size`: the same base input, the same patches."""

    def __init__(self, config: Config, size: Size, on: torch.device, dtype: torch.dtype) -> None:
        unfolded = load_network(Path(config.weights))
        self.network = PlainNetwork(unfolded).eval().requires_grad_(False).to(on, dtype)
        settings = (matting_settings(config).refinement, size.height, size.width, choose_ladder(on.type)[0])
        self.base, self.selection = base_for(*settings), selection_for(*settings)

    def __call__(self, src: Tensor, plate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B,3,H,W) twice → alpha (B,1,H,W), foreground (B,3,H,W), and which patches were refined."""
        with torch.inference_mode():
            return self.network(src, plate, self.base, self.selection)  # type: ignore[no-any-return]


class PlainProcessor(FrameProcessor):
    """The published formulation of the daemon's own journey: every step over the full frame, in floats.

    The plate is matched by the daemon's own code: the published network has nothing of the kind, and the two are to
    be given the same plate.
    """

    def __init__(self, config: Config, engine: Engine, size: Size, watch: Stopwatch) -> None:
        super().__init__(engine, CardCache(NullSink.fmt, size), watch, LivePreview())
        self._on, self._size = engine.transfer.device, size
        self._dtype = plain_dtype(self._on)
        self._matting = PlainMatting(config, size, self._on, self._dtype)
        self._backdrop = torch.tensor((0x2F, 0x4F, 0x5F), dtype=self._dtype, device=self._on).view(1, 3, 1, 1) / 255

    def run(self, frame: HostFrame, inputs: Pool, scene: Scene, out: HostFrame) -> None:
        """See `Journey`. Raises MattingError instead of dealing a card."""
        assert scene.plate is not None
        step, matcher = self.metrics.step, self.engine.matcher
        out.seq, out.t = frame.seq, frame.t
        with step("upload"):
            src = self._upload(frame)
        inputs.release(frame)
        with step("plate"):
            plate = matcher.match(scene.plate, src)
        with step("matte"):
            alpha, foreground, _ = self._matting(src, plate)
        with step("backdrop"):
            backdrop = self._backdrop.expand_as(src).contiguous()
        with step("composite"):
            finished = plain_composite(alpha, foreground, backdrop)
        with step("check"):
            if not bool(finished.isfinite().all()):
                raise MattingError("the plain network's matte is not finite; try --weights default")
            matcher.learn(alpha)
        with step("download"):
            self._download(finished, out)
        out.content, out.matte_seq = Content.COMPOSITE, out.seq

    def _upload(self, frame: HostFrame) -> Tensor:
        rgb = color.host_to_rgb(frame.data, frame.fmt)
        if frame.size != self._size:
            x, y, w, h = self._size.cover(frame.size.width, frame.size.height)
            rgb = np.asarray(cv2.resize(rgb[y : y + h, x : x + w], (self._size.width, self._size.height)), np.uint8)
        uploaded = torch.from_numpy(np.ascontiguousarray(rgb)).to(self._on)
        return uploaded.permute(2, 0, 1)[None].to(self._dtype).contiguous() / 255

    def _download(self, finished: Tensor, into: HostFrame) -> None:
        rgb = (finished[0].float() * 255 + 0.5).clamp(0, 255).byte().permute(1, 2, 0).contiguous().cpu().numpy()
        color.rgb_to_host(rgb, into.fmt, into.data)
