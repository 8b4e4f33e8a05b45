"""What the verbs do: each prepares and checks outside the pipeline, then swaps a reference. Failure changes nothing."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from pathlib import Path

from camdaemon.backdrop import Backdrop
from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.schema import Config, SceneConfig
from camdaemon.control.backdrops import Gallery
from camdaemon.control.prepare import Ready
from camdaemon.control.scenes import LIVE, appearance_of, check_scenes, find_scene, restyled
from camdaemon.control.verbs import BackdropFile, Turn
from camdaemon.errors import CamdaemonError, ConfigError, ControlError, PlateRefused
from camdaemon.frames.card import Card
from camdaemon.frames.frame import Size
from camdaemon.pipeline.camera_state import PLATE
from camdaemon.pipeline.state import Mode, Scene
from camdaemon.pipeline.threads import Pipeline
from camdaemon.plate import store
from camdaemon.plate.take import Plate, PlateJob, PlateRules

log = logging.getLogger(__name__)
_GRACE_S = 10.0  # for a camera that stumbles while the plate is taken


class Commands:
    """The `Verbs` of a running pipeline. Any thread. The one lock is held for swaps, never while waiting.

    camera: the source's name, under which plates are kept; None for clips, whose plates are not kept.   reread: loads
    the configuration anew.   on_reload: told of it, once it is applied.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        config: Config,
        size: Size,
        camera: str | None,
        on_stop: Callable[[], None],
        reread: Callable[[], Config] | None = None,
    ) -> None:
        self._pipeline, self._config, self._size, self._camera, self._on_stop = pipeline, config, size, camera, on_stop
        self._reread = reread
        self.holder = ControlsHolder(None)
        self.open_panel: Callable[[], str] = _no_panel
        self.on_reload: Callable[[Config], None] = lambda _: None
        self.gallery = Gallery(_folder(config))
        self._ready = Ready(size)
        self._lock, self._taking, self._turning = threading.Lock(), threading.Lock(), threading.Lock()
        self._reloading = threading.Lock()
        self._started = time.monotonic()

    def plate(self, countdown: float) -> str:
        """See Verbs.plate."""
        if not self._taking.acquire(blocking=False):
            raise PlateRefused("a plate is being taken already; wait for it, then: camdaemon plate")
        try:
            with self._pipeline.state.camera.hold(PLATE):
                taken = self._take_plate(countdown)
        finally:
            self._taking.release()
        self._swap(lambda scene: replace(scene, plate=taken))
        if self._camera is None:
            return "The plate is taken."
        try:
            where = store.save(self._camera, self._size, taken.rgb)
            self.holder.save(where)
            return f"The plate is taken and kept in {where}."
        except ConfigError as exc:  # it serves until camdaemon stops
            return f"The plate is taken, but will be gone after a restart: {exc}"

    def _take_plate(self, countdown: float) -> Plate:
        before = self.holder.lock_for_plate(lambda: self._pipeline.state.camera.has_frames)
        try:
            job = PlateJob(PlateRules(**dict(self._config.plate_taking)), countdown)
            self._pipeline.submit(job)
            return self._awaited(job.future, countdown + self._config.plate_taking.timeout_s + _GRACE_S)
        except CamdaemonError:
            self.holder.revert(before)
            raise

    @staticmethod
    def _awaited(future: Future[Plate], seconds: float) -> Plate:
        try:
            return future.result(seconds)
        except FutureTimeout:
            future.cancel()
            raise PlateRefused(
                f"no plate: the camera gave no frames for {seconds:g} s; see what it does with: camdaemon status"
            ) from None

    def plate_by_itself(self) -> None:
        """Body of a thread: take a plate as soon as the room is still, and try again until there is one."""
        while not self._pipeline.ended.is_set():
            try:
                log.info("%s", self.plate(0.0))
                return
            except PlateRefused as exc:
                log.warning("%s", exc)
            except ControlError:
                return

    def backdrop(self, spec: str) -> str:
        """See Verbs.backdrop."""
        self._show(self._ready.take(spec))
        return f"The backdrop is {spec}."

    def next_backdrop(self) -> str:
        """See Verbs.next_backdrop."""
        return self._neighbour(1)

    def previous_backdrop(self) -> str:
        """See Verbs.previous_backdrop."""
        return self._neighbour(-1)

    def _neighbour(self, step: int) -> str:
        with self._turning:  # two presses at once are two steps
            file, made = self._ready.neighbour(self.gallery, self._pipeline.state.scene.backdrop.spec, step)
            self._show(made)
        self.expect_neighbours()
        return f"The backdrop is {file.name}."

    def expect_neighbours(self) -> None:
        """Have the backdrops before and after the one that shows made ready."""
        self._ready.expect_neighbours(self.gallery, self._pipeline.state.scene.backdrop.spec)

    def scene(self, name: str) -> str:
        """See Verbs.scene."""
        wanted = find_scene(self._config, name)
        try:
            self._apply(name, wanted)
        except ConfigError as exc:
            raise ConfigError(f"scene {name}: {exc}") from None
        return f"The scene is {name}."

    def _apply(self, name: str, wanted: SceneConfig) -> None:
        made = None if wanted.backdrop is None else self._ready.take(wanted.backdrop)

        def change(scene: Scene) -> Scene:
            backdrop = scene.backdrop if made is None else made
            mode = scene.mode if wanted.mode is None else Mode(wanted.mode)
            appearance = restyled(scene.appearance, wanted)
            return replace(scene, backdrop=backdrop, appearance=appearance, name=name, mode=mode)

        self._swap(change, fade=True)

    def mode(self, mode: str) -> str:
        """See Verbs.mode."""
        try:
            wanted = Mode(mode)
        except ValueError:
            raise ConfigError(f"mode {mode!r} is none of {', '.join(Mode)}; try: camdaemon mode matte") from None
        self._swap(lambda scene: replace(scene, mode=wanted))
        if wanted is Mode.PASSTHROUGH:
            log.warning("passthrough: viewers see the room now, by command")
            return "Viewers see the raw camera, your room included. Back with: camdaemon mode matte"
        return f"The mode is {wanted}."

    def card(self, turn: Turn) -> str:
        """See Verbs.card."""

        def change(scene: Scene) -> Scene:
            return replace(scene, mode=Mode.CARD if _turned(scene.mode is Mode.CARD, turn) else Mode.MATTE)

        on = self._swap(change).mode is Mode.CARD
        return "Viewers see the card." if on else "Viewers see you again."

    def pause(self, turn: Turn) -> str:
        """See Verbs.pause."""
        on = self._swap(lambda scene: replace(scene, paused=_turned(scene.paused, turn))).paused
        return "The picture is frozen; go on with: camdaemon pause off" if on else "The picture moves again."

    def mirror(self, turn: Turn) -> str:
        """See Verbs.mirror."""

        def change(scene: Scene) -> Scene:
            return replace(scene, appearance=replace(scene.appearance, mirror=_turned(scene.appearance.mirror, turn)))

        return "You are mirrored." if self._swap(change, fade=True).appearance.mirror else "You are not mirrored."

    def adjust(self, edge: float | None, blur: float | None) -> str:
        """See Verbs.adjust."""
        for name, value, low, high in (("edge", edge, -1, 1), ("blur", blur, 0, 100)):
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} {value:g} is not from {low} to {high}; try: camdaemon adjust --{name} 0")

        def change(scene: Scene) -> Scene:
            old = scene.appearance
            new = replace(old, edge=old.edge if edge is None else edge, blur=old.blur if blur is None else blur)
            return replace(scene, appearance=new)

        appearance = self._swap(change).appearance
        return f"The edge is {appearance.edge:g}, the backdrop's blur {appearance.blur:g} pixels."

    def reload(self) -> str:
        """See Verbs.reload. Applied: backdrop, scenes, style, keys, folder, fade, coverage; the rest is named."""
        if self._reread is None:
            raise ConfigError("this daemon has no configuration file to read again; restart it with: camdaemon run")
        with self._reloading:
            return self._reload(self._config, self._reread())

    def _reload(self, old: Config, new: Config) -> str:
        check_scenes(new)
        changed = {name for name in type(new).model_fields if getattr(new, name) != getattr(old, name)}
        made = self._ready.take(new.backdrop) if "backdrop" in changed else None
        self._config, self.gallery.folder = new, _folder(new)
        if made is not None:
            self._show(made)
        if changed & {"edge", "blur", "mirror", "crop"}:
            self._swap(lambda scene: replace(scene, appearance=appearance_of(new)), fade=True)
        if "max_coverage" in changed:
            self._swap(lambda scene: replace(scene, max_coverage=new.max_coverage), fade=True)
        name = self._pipeline.state.scene.name
        if name in new.scenes and new.scenes[name] != old.scenes.get(name):
            self._apply(name, new.scenes[name])
        self.on_reload(new)
        later = sorted(changed - LIVE)
        waiting = f" After a restart also: {', '.join(later)}." if later else ""
        return f"The configuration is read again: {', '.join(sorted(changed & LIVE)) or 'nothing new'}.{waiting}"

    def invite(self, card: Card) -> None:
        """What the card says for as long as there is no plate."""
        self._swap(lambda scene: replace(scene, invitation=card))

    def panel(self) -> str:
        """See Verbs.panel."""
        return self.open_panel()

    def backdrops(self) -> list[BackdropFile]:
        """See Verbs.backdrops."""
        return self.gallery.files()

    def scenes(self) -> list[str]:
        return list(self._config.scenes)

    def status(self) -> dict[str, object]:
        """See Verbs.status: the scene, the camera, the sink, and Metrics.snapshot."""
        pipeline, scene, trouble = self._pipeline, self._pipeline.state.scene, self._pipeline.state.camera.card
        return {
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._started, 1),
            "source": self._config.source,
            "sink": " ".join(self._config.sinks),
            "size": str(self._size),
            "device": pipeline.engine.device,
            "matting": pipeline.engine.matting,
            "effort": pipeline.engine.effort,
            "mode": str(scene.mode),
            "paused": scene.paused,
            "scene": scene.name,
            "scenes": self.scenes(),
            "backdrop": scene.backdrop.spec,
            "mirror": scene.appearance.mirror,
            "edge": scene.appearance.edge,
            "blur": scene.appearance.blur,
            "taking": self._taking.locked(),
            "plate": "taken" if scene.plate is not None else "missing",
            "demand": self._pipeline.state.camera.reasons(),
            "camera": "ok" if trouble is None else trouble.title.lower(),
            **pipeline.metrics.snapshot(),
        }

    def stop(self) -> str:
        """See Verbs.stop."""
        self._on_stop()
        return "camdaemon is stopping."

    def _show(self, backdrop: Backdrop) -> None:
        self._swap(lambda scene: replace(scene, backdrop=backdrop), fade=True)

    def _swap(self, change: Callable[[Scene], Scene], *, fade: bool = False) -> Scene:
        """Change the scene by one reference; returns the new one. What was behind the old one ends."""
        with self._lock:
            before = self._pipeline.state.scene
            after = replace(change(before), fade_s=self._config.fade_s if fade else 0.0)
            self._pipeline.state.scene = after
        if after.backdrop is not before.backdrop:
            before.backdrop.close()
        return after


def _folder(config: Config) -> Path:
    return Path(config.backdrops).expanduser().absolute()


def _no_panel() -> str:
    raise ControlError("this daemon serves no panel; start one that does with: camdaemon run")


def _turned(now: bool, turn: Turn) -> bool:
    return not now if turn == "toggle" else turn == "on"
