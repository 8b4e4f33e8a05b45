"""Frames to a CUDA GPU and back: the only file with streams, events and pinned memory."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.handoff import Pool
from camdaemon.frames.pixels import Array, is_host
from camdaemon.frames.tensors import color, fused
from camdaemon.frames.transfer import Device


class CudaTransfer:
    """A GPU's `Transfer`: float16, 0..1."""

    device: Device = "cuda"
    failures: tuple[type[Exception], ...] = (torch.OutOfMemoryError,)

    def __init__(self, size: Size) -> None:
        self.size = size
        self._on = torch.device("cuda")
        self._up, self._down = torch.cuda.Stream(self._on), torch.cuda.Stream(self._on)
        fuses = fused.is_usable(self._on)
        self._to_rgb = fused.to_rgb if fuses else color.to_rgb
        self._from_rgb = fused.from_rgb if fuses else color.from_rgb

    def computing(self) -> AbstractContextManager[object]:
        """See `Transfer`. Nothing is to be differentiated."""
        return torch.inference_mode()

    def pool(self, fmt: PixelFormat, size: Size, count: int = 3) -> Pool:
        """See `Transfer`. The memory is pinned."""

        def make() -> HostFrame:
            return HostFrame(torch.zeros(fmt.shape(size), dtype=torch.uint8, pin_memory=True).numpy(), fmt, size)

        return Pool(make, count)

    def upload(self, frame: HostFrame) -> Tensor:
        """See `Transfer`."""
        with torch.cuda.stream(self._up):
            raw = torch.from_numpy(frame.data).to(self._on, non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
        compute = torch.cuda.current_stream(self._on)
        compute.wait_event(copied)
        raw.record_stream(compute)
        rgb = self._to_rgb(raw, frame.fmt, torch.float16)
        if frame.size != self.size:
            x, y, width, height = self.size.cover(frame.size.width, frame.size.height)
            cut = rgb[:, :, y : y + height, x : x + width]
            rgb = F.interpolate(cut, (self.size.height, self.size.width), mode="bilinear", antialias=True)
        copied.synchronize()  # the host buffer goes back to the pool now; the conversion is already queued behind it
        return rgb

    def upload_picture(self, rgb: NDArray[np.uint8]) -> Tensor:
        """See `Transfer`."""
        picture_bytes = torch.from_numpy(np.ascontiguousarray(rgb)).to(self._on)
        return picture_bytes.permute(2, 0, 1)[None].to(torch.float16).contiguous() / 255

    def download(self, finished: Array, into: HostFrame) -> None:
        """See `Transfer`."""
        assert not is_host(finished)
        packed = self._from_rgb(finished, into.fmt)
        self._down.wait_stream(torch.cuda.current_stream(self._on))
        with torch.cuda.stream(self._down):
            torch.from_numpy(into.data).copy_(packed, non_blocking=True)
            packed.record_stream(self._down)
        self._down.synchronize()

    def release_memory(self) -> None:
        """See `Transfer`."""
        torch.cuda.empty_cache()
