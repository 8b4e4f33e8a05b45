"""From one frame's matte to the picture that viewers get: framing, backdrop, composite, and the fade between scenes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from camdaemon.backdrop.room import gaussian
from camdaemon.composite import composite, framed, framed_matte
from camdaemon.matte import Matte
from camdaemon.metrics import Metrics
from camdaemon.picture import Upload
from camdaemon.show import Scene
from camdaemon.style import Style

_KEPT = 4  # two scenes during a fade, each with a framed room and a blurred backdrop, and what came before


class _Derived(NamedTuple):
    source: Tensor
    style: Style
    result: Tensor


class Painter:
    """Paints for the worker thread alone. upload: see Backdrop.picture.

    A fade goes from the scene that was painted last to the new one, both alive, in `Scene.fade_s` seconds of the
    frames' own time. What depends on plate and backdrop alone is computed once.
    """

    def __init__(self, upload: Upload, metrics: Metrics) -> None:
        self._upload, self._metrics = upload, metrics
        self._shown: Scene | None = None
        self._before: Scene | None = None
        self._began = self._last = 0.0
        self._kept: list[_Derived] = []

    def forget(self) -> None:
        """Something else was shown (a card): the next scene begins without a fade."""
        self._shown = self._before = None

    def paint(self, scene: Scene, matte: Matte, clean: Tensor, t: float) -> Tensor:
        """`matte` over `scene`'s backdrop at time `t` (s): (1,3,H,W), 0..1. clean: the plate, the same shape."""
        if self._shown is not None and scene is not self._shown and scene.fade_s > 0:
            self._before, self._began = self._shown, self._last  # so that the first frame already shows a change
        self._shown, self._last = scene, t
        share = (t - self._began) / scene.fade_s if self._before is not None and scene.fade_s > 0 else 1.0
        picture = self._scene(scene, matte, clean, t)
        if self._before is None or not 0 <= share < 1:
            self._before = None
            return picture
        return torch.lerp(self._scene(self._before, matte, clean, t), picture, share)

    def _scene(self, scene: Scene, matte: Matte, clean: Tensor, t: float) -> Tensor:
        style = scene.style
        framing = Style(mirror=style.mirror, crop=style.crop)
        if framing != Style():
            matte = framed_matte(matte, framing)
            clean = self._derived(clean, framing, lambda: framed(clean, framing))
        with self._metrics.step("backdrop"):
            backdrop = scene.backdrop.picture(t, clean, self._upload)
            if style.blur > 0:
                sharp = backdrop
                backdrop = self._derived(sharp, Style(blur=style.blur), lambda: gaussian(sharp, style.blur))
        with self._metrics.step("composite"):
            return composite(matte, backdrop, style.edge)

    def _derived(self, source: Tensor, style: Style, make: Callable[[], Tensor]) -> Tensor:
        """What `make` gives for `source`, remembered as long as the same tensor is asked for."""
        for kept in self._kept:
            if kept.source is source and kept.style == style:
                return kept.result
        result = make()
        self._kept = [*self._kept[1 - _KEPT :], _Derived(source, style, result)]
        return result
