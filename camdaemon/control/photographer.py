"""Taking a plate from a running pipeline, with the camera's controls held, and keeping it on disk."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeout

from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.schema import PlateConfig
from camdaemon.errors import CamdaemonError, ConfigError, PlateRefused
from camdaemon.frames.frame import Size
from camdaemon.pipeline.camera_state import PLATE
from camdaemon.pipeline.threads import Pipeline
from camdaemon.plate import store
from camdaemon.plate.take import Plate, PlateJob, PlateRules

_GRACE_S = 10.0  # for a camera that stumbles while the plate is taken


class PlatePhotographer:
    """Photographs the empty room, one plate at a time. Any thread."""

    def __init__(self, pipeline: Pipeline, holder: ControlsHolder, camera: str | None, size: Size) -> None:
        """Prepare.

        Args:
            pipeline: Its worker takes the plate between two frames.
            holder: Holds the camera's controls from before the countdown until the plate is replaced.
            camera: The name under which the plate is kept; None to keep none.
            size: Of the plate.
        """
        self._pipeline, self._holder, self._camera, self._size = pipeline, holder, camera, size

    def take(self, countdown: float, rules: PlateConfig) -> Plate:
        """Wait `countdown` seconds, then for a room as still as `rules` ask; the camera is on meanwhile.

        Raises:
            PlateRefused: the room was not still, too dark or too bright, or no frames came.
            ControlError: camdaemon stops meanwhile.
        """
        with self._pipeline.state.camera.hold(PLATE):
            before = self._holder.lock_for_plate(lambda: self._pipeline.state.camera.has_frames)
            try:
                job = PlateJob(PlateRules(**dict(rules)), countdown)
                self._pipeline.submit(job)
                return _wait_for(job, countdown + rules.timeout_s + _GRACE_S)
            except CamdaemonError:
                self._holder.revert(before)
                raise

    def keep(self, plate: Plate) -> str:
        """Save `plate` for the next start, where it belongs to a camera; say where, in a sentence."""
        if self._camera is None:
            return "The plate is taken."
        try:
            where = store.save(self._camera, self._size, plate.rgb)
            self._holder.save(where)
            return f"The plate is taken and kept in {where}."
        except ConfigError as exc:  # it serves until camdaemon stops
            return f"The plate is taken, but will be gone after a restart: {exc}"


def _wait_for(job: PlateJob, seconds: float) -> Plate:
    try:
        return job.future.result(seconds)
    except FutureTimeout:
        job.future.cancel()
        raise PlateRefused(f"no plate: the camera gave no frames for {seconds:g} s. Run: camdaemon status") from None
