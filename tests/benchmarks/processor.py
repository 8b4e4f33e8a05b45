"""The baseline's side of a comparison: the published network in the daemon's frame processor, every step in floats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from camdaemon.config.schema import Config
from camdaemon.daemon.build import matting_settings
from camdaemon.errors import MattingError
from camdaemon.frames import color
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame, Size
from camdaemon.frames.handoff import Pool
from camdaemon.frames.pixels import as_tensor
from camdaemon.frames.transfer import Device
from camdaemon.matting.bgmv2.sizes import choose_base_size, choose_selection
from camdaemon.matting.effort import choose_ladder
from camdaemon.model.checkpoint import load_network
from camdaemon.output.null import NullSink
from camdaemon.pipeline.engine import Engine
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.match import PlateMatcher
from camdaemon.tools.bench.footage import Footage
from camdaemon.tools.bench.runs import TimedProcessor, synchronizer
from camdaemon.tools.bench.stopwatch import Stopwatch
from tests.benchmarks.baseline import BaselineNetwork, composite_baseline
from tests.kinds import floats


def make_baseline(config: Config, footage: Footage, timed: TimedProcessor, *, paced: bool) -> TimedProcessor:
    """Make the baseline for the device and the scene of `timed`, with a stopwatch and a plate matcher of its own."""
    stopwatch = Stopwatch(paced=paced, settle=synchronizer(timed.device))
    transfer = timed.processor.engine.transfer
    matcher = PlateMatcher(lambda rgb: floats(transfer.upload_picture(rgb)), enabled=config.match_exposure)
    engine = replace(timed.processor.engine, matcher=matcher)
    return TimedProcessor(BaselineProcessor(config, engine, footage.size, stopwatch), stopwatch, timed.scene)


def baseline_dtype(on: Device) -> torch.dtype:
    """Return the number format of the published network: float16 on a GPU, where that is fast."""
    return torch.float16 if on == "cuda" else torch.float32


class BaselineMatting:
    """The baseline network with the daemon's settings for frames of `size`: the same base input and patches."""

    def __init__(self, config: Config, size: Size, on: Device, dtype: torch.dtype) -> None:
        unfolded = load_network(Path(config.weights))
        self.network = BaselineNetwork(unfolded).eval().requires_grad_(False).to(on, dtype)
        settings = (matting_settings(config).refinement, size.height, size.width, choose_ladder(on)[0])
        self.base, self.selection = choose_base_size(*settings), choose_selection(*settings)

    def __call__(self, src: Tensor, plate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute mattes.

        Args:
            src: Frames (B,3,H,W), RGB, 0..1.
            plate: Their plates, of the same shape.

        Returns:
            Alpha (B,1,H,W), foreground (B,3,H,W), and which patches were refined, bool (B,1,H/4,W/4).
        """
        with torch.inference_mode():
            return self.network(src, plate, self.base, self.selection)


class BaselineProcessor(FrameProcessor):
    """The steps of a frame as published: each over the full frame, in floats.

    The daemon's own code matches the plate: the published network has nothing of the kind, and both sides need the
    same plate.
    """

    def __init__(self, config: Config, engine: Engine, size: Size, stopwatch: Stopwatch) -> None:
        super().__init__(engine, CardCache(NullSink.fmt, size), stopwatch, LivePreview())
        self._on, self._size = engine.transfer.device, size
        self._dtype = baseline_dtype(self._on)
        self._matting = BaselineMatting(config, size, self._on, self._dtype)
        self._backdrop = torch.tensor((0x2F, 0x4F, 0x5F), dtype=self._dtype, device=self._on).view(1, 3, 1, 1) / 255

    @torch.inference_mode()
    def run(self, frame: HostFrame, inputs: Pool, scene: Scene, out: HostFrame) -> None:
        """See `FrameProcessor`. Raises MattingError where the daemon shows the card."""
        assert scene.plate is not None
        step, matcher = self.metrics.step, self.engine.matcher
        out.seq, out.t = frame.seq, frame.t
        with step("upload"):
            src = self._upload(frame)
        inputs.release(frame)
        with step("plate"):
            plate = as_tensor(matcher.match(scene.plate, src))
        with step("matte"):
            alpha, foreground, _ = self._matting(src, plate)
        with step("backdrop"):
            backdrop = self._backdrop.expand_as(src).contiguous()
        with step("composite"):
            finished = composite_baseline(alpha, foreground, backdrop)
        with step("check"):
            if not bool(finished.isfinite().all()):
                raise MattingError("the baseline's matte is not finite. Run: … --weights published")
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
