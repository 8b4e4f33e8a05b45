"""Mixed precision: where it is used, and the scaling of the loss that float16 needs."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.optim import Optimizer

from .recipe import Precision


class Mixed:
    """bfloat16 on the CPU and on newer GPUs, float16 with a scaled loss on older ones; weights stay float32."""

    def __init__(self, precision: Precision, device: torch.device) -> None:
        if precision == "auto":
            precision = "bf16" if device.type == "cpu" or torch.cuda.is_bf16_supported() else "fp16"
        self._device = device.type
        self._dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}[precision]
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16" and device.type == "cuda")

    def autocast(self) -> AbstractContextManager[None]:
        """Around the forward pass."""
        return torch.autocast(self._device, self._dtype, enabled=self._dtype is not None)

    def step(self, loss: Tensor, optimizer: Optimizer, limit: float) -> None:
        """Backward pass, gradient norm held to `limit`, one step. A step with infinite gradients is left out."""
        optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
        if self._scaler.is_enabled() or bool(norm.isfinite()):
            self._scaler.step(optimizer)
        self._scaler.update()

    def state(self) -> dict[str, object]:
        """For the checkpoint."""
        return dict(self._scaler.state_dict())

    def load(self, state: dict[str, object]) -> None:
        """From a checkpoint."""
        if state:
            self._scaler.load_state_dict(state)
