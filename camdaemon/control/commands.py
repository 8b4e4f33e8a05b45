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

from camdaemon import plate_store
from camdaemon.backdrop import make_backdrop
from camdaemon.config import Config
from camdaemon.errors import ConfigError, ControlError, PlateRefused
from camdaemon.frame import Size
from camdaemon.pipeline import Pipeline
from camdaemon.plate import Plate, PlateJob
from camdaemon.show import Mode, Scene

log = logging.getLogger(__name__)
_GRACE_S = 10.0  # for a camera that stumbles while the plate is taken


class Commands:
    """The `Verbs` of a running pipeline. Any thread. The one lock is held for swaps, never while waiting.

    camera: the source's name, under which plates are kept; None for clips, whose plates are not kept.
    """

    def __init__(
        self, pipeline: Pipeline, config: Config, size: Size, camera: str | None, on_stop: Callable[[], None]
    ) -> None:
        self._pipeline, self._config, self._size, self._camera, self._on_stop = pipeline, config, size, camera, on_stop
        self._lock = threading.Lock()
        self._taking = threading.Lock()
        self._started = time.monotonic()

    def plate(self, countdown: float) -> str:
        """See Verbs.plate."""
        if not self._taking.acquire(blocking=False):
            raise PlateRefused("a plate is being taken already; wait for it, then: camdaemon plate")
        try:
            job = PlateJob(self._config.plate_taking, countdown)
            self._pipeline.submit(job)
            taken = self._awaited(job.future, countdown + self._config.plate_taking.timeout_s + _GRACE_S)
        finally:
            self._taking.release()
        self._swap(plate=taken)
        if self._camera is None:
            return "The plate is taken."
        try:
            return f"The plate is taken and kept in {plate_store.save(self._camera, self._size, taken.rgb)}."
        except ConfigError as wrong:  # it serves until camdaemon stops
            return f"The plate is taken, but will be gone after a restart: {wrong}"

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
            except PlateRefused as refused:
                log.warning("%s", refused)
            except ControlError:
                return

    def backdrop(self, spec: str) -> str:
        """See Verbs.backdrop."""
        prepared = make_backdrop(spec, self._size)
        self._swap(backdrop=prepared).backdrop.close()
        return f"The backdrop is {spec}."

    def mode(self, mode: str) -> str:
        """See Verbs.mode."""
        try:
            wanted = Mode(mode)
        except ValueError:
            raise ConfigError(f"mode {mode!r} is none of {', '.join(Mode)}; try: camdaemon mode matte") from None
        self._swap(mode=wanted)
        if wanted is Mode.PASSTHROUGH:
            log.warning("passthrough: viewers see the room now, by command")
            return "Viewers see the raw camera, your room included. Back with: camdaemon mode matte"
        return f"The mode is {wanted}."

    def status(self) -> dict[str, object]:
        """See Verbs.status: the scene, the camera, the sink, and Metrics.snapshot."""
        pipeline, scene = self._pipeline, self._pipeline.show.scene
        trouble = pipeline.show.trouble
        return {
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._started, 1),
            "source": self._config.source,
            "sink": self._config.sink,
            "size": str(self._size),
            "device": str(pipeline.journey.transfer.device),
            "matting": pipeline.journey.matting.name,
            "mode": str(scene.mode),
            "backdrop": scene.backdrop.spec,
            "plate": "taken" if scene.plate is not None else "missing",
            "camera": "ok" if trouble is None else trouble.title.lower(),
            **pipeline.metrics.snapshot(),
        }

    def stop(self) -> str:
        """See Verbs.stop."""
        self._on_stop()
        return "camdaemon is stopping."

    def _swap(self, **changes: object) -> Scene:
        """Change the scene by one reference; returns the one before."""
        with self._lock:
            before = self._pipeline.show.scene
            self._pipeline.show.scene = replace(before, **changes)  # type: ignore[arg-type]
            return before
