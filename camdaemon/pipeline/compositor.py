"""From one frame's matte to the picture that viewers get: framing, backdrop, composite, and the fade between scenes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from camdaemon.backdrop.room import blur_picture
from camdaemon.frames.composite import Appearance, Matte, composite, framed, framed_matte, mixed
from camdaemon.frames.picture import Upload
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.state import Scene

_MOST_LAYERS = 3  # each costs a composite
_KEPT = 4  # two scenes during a fade, each with a framed room and a blurred backdrop, and what came before


class _Derived(NamedTuple):
    source: Tensor
    appearance: Appearance
    result: Tensor


class _Layer(NamedTuple):
    """A scene that fades in from `began` on (seconds, as the frames' t)."""

    scene: Scene
    began: float

    def share(self, t: float) -> float:
        """How much of it shows over what is below, 0..1; all of it when time went backwards (a clip's start)."""
        passed = t - self.began
        return passed / self.scene.fade_s if 0 <= passed < self.scene.fade_s else 1.0


class Compositor:
    """Paints for the worker thread alone. upload: see Backdrop.picture.

    A fade goes from what was shown last to the new scene, both alive, in `Scene.fade_s` seconds of the frames' own
    time; one that comes in the middle of another goes on from their mixture. What depends on plate and backdrop alone
    is computed once.
    """

    def __init__(self, upload: Upload, metrics: Metrics) -> None:
        self._upload, self._metrics = upload, metrics
        self._layers: list[_Layer] = []
        self._last = 0.0
        self._kept: list[_Derived] = []

    def forget(self) -> None:
        """Something else was shown (a card): the next scene begins without a fade."""
        self._layers.clear()

    def paint(self, scene: Scene, matte: Matte, clean: Tensor, t: float) -> Tensor:
        """`matte` over `scene`'s backdrop at time `t` (s): (1,3,H,W). clean: the plate, the same shape."""
        if not self._layers or scene is not self._layers[-1].scene:
            self._layers.append(_Layer(scene, self._last))  # not t: so the first frame already shows a change
        self._last = t
        shares = [layer.share(t) for layer in self._layers]
        shares[0] = 1.0
        lowest = max(index for index, share in enumerate(shares) if share >= 1)  # it covers all before it
        self._layers = self._layers[lowest:][-_MOST_LAYERS:]
        picture = self._scene(self._layers[0].scene, matte, clean, t)
        for layer in self._layers[1:]:
            picture = mixed(picture, self._scene(layer.scene, matte, clean, t), layer.share(t))
        return picture

    def _scene(self, scene: Scene, matte: Matte, clean: Tensor, t: float) -> Tensor:
        appearance = scene.appearance
        framing = Appearance(mirror=appearance.mirror, crop=appearance.crop)
        if framing != Appearance():
            matte = framed_matte(matte, framing)
            clean = self._derived(clean, framing, lambda: framed(clean, framing))
        with self._metrics.step("backdrop"):
            backdrop = scene.backdrop.picture(t, clean, self._upload)
            if appearance.blur > 0:
                sharp = backdrop
                backdrop = self._derived(
                    sharp, Appearance(blur=appearance.blur), lambda: blur_picture(sharp, appearance.blur)
                )
        with self._metrics.step("composite"):
            return composite(matte, backdrop, appearance.edge)

    def _derived(self, source: Tensor, appearance: Appearance, make: Callable[[], Tensor]) -> Tensor:
        """What `make` gives for `source`, remembered as long as the same tensor is asked for."""
        for kept in self._kept:
            if kept.source is source and kept.appearance == appearance:
                return kept.result
        result = make()
        self._kept = [*self._kept[1 - _KEPT :], _Derived(source, appearance, result)]
        return result
