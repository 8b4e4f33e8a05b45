"""From the matte of a frame to the picture for viewers: framing, backdrop, composite, and the fade between scenes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from camdaemon.backdrop.room import blur_picture
from camdaemon.frames.appearance import Appearance
from camdaemon.frames.composite import Matte, apply_framing, apply_framing_to_matte, composite, mix
from camdaemon.frames.picture import Upload
from camdaemon.frames.pixels import Array
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.state import Scene

_MAX_LAYERS = 3  # each costs a composite
_CACHED = 4  # two scenes during a fade, each with a framed room and a blurred backdrop, and what came before


class _Derived(NamedTuple):
    """A picture computed from `source` as `appearance` says."""

    source: Array
    appearance: Appearance
    result: Array


class _Layer(NamedTuple):
    """A scene that fades in."""

    scene: Scene
    began: float  # seconds, of the frames' `t`

    def share(self, t: float) -> float:
        """Return how much of it covers the layers below, 0..1; 1 when time went backwards (a clip starts again)."""
        passed = t - self.began
        return passed / self.scene.fade_s if 0 <= passed < self.scene.fade_s else 1.0


class Compositor:
    """Composites scenes. Single owner: the worker thread.

    A fade goes from the last shown picture to the new scene, both live, within `Scene.fade_s` seconds of the frames'
    own time. A fade that begins during another continues from their mixture. Whatever depends on the plate and the
    backdrop alone is computed once.

    Args:
        upload: As for `Backdrop.picture`.
        metrics: Told the time of each step.
    """

    def __init__(self, upload: Upload, metrics: Metrics) -> None:
        self._upload, self._metrics = upload, metrics
        self._layers: list[_Layer] = []
        self._last = 0.0
        self._cache: list[_Derived] = []

    def forget(self) -> None:
        """Have the next scene begin without a fade, because something else was shown: a card."""
        self._layers.clear()

    def paint(self, scene: Scene, matte: Matte, clean: Array, t: float) -> Array:
        """Composite a matte over the backdrop of a scene.

        Args:
            scene: What to show; a new one fades in.
            matte: Of this frame.
            clean: The plate, (1,3,H,W).
            t: Capture time of the frame in seconds.

        Returns:
            (1,3,H,W).
        """
        if not self._layers or scene is not self._layers[-1].scene:
            self._layers.append(_Layer(scene, self._last))  # not t, so that the first frame already shows a change
        self._last = t
        shares = [layer.share(t) for layer in self._layers]
        shares[0] = 1.0
        lowest = max(index for index, share in enumerate(shares) if share >= 1)  # it covers everything below
        self._layers = self._layers[lowest:][-_MAX_LAYERS:]
        picture = self._scene(self._layers[0].scene, matte, clean, t)
        for layer in self._layers[1:]:
            picture = mix(picture, self._scene(layer.scene, matte, clean, t), layer.share(t))
        return picture

    def _scene(self, scene: Scene, matte: Matte, clean: Array, t: float) -> Array:
        appearance = scene.appearance
        framing = Appearance(mirror=appearance.mirror, crop=appearance.crop)
        if framing != Appearance():
            matte = apply_framing_to_matte(matte, framing)
            clean = self._derived(clean, framing, lambda: apply_framing(clean, framing))
        with self._metrics.step("backdrop"):
            backdrop = scene.backdrop.picture(t, clean, self._upload)
            if appearance.blur > 0:
                sharp = backdrop
                backdrop = self._derived(
                    sharp, Appearance(blur=appearance.blur), lambda: blur_picture(sharp, appearance.blur)
                )
        with self._metrics.step("composite"):
            return composite(matte, backdrop, appearance.edge)

    def _derived(self, source: Array, appearance: Appearance, make: Callable[[], Array]) -> Array:
        """Return `make()`, cached for as long as `source` is the same array."""
        for cached in self._cache:
            if cached.source is source and cached.appearance == appearance:
                return cached.result
        result = make()
        self._cache = [*self._cache[1 - _CACHED :], _Derived(source, appearance, result)]
        return result
