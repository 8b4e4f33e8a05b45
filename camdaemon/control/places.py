"""The places of the camera in use, on disk: what was taken or learned in each, and what the camera was held at."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

import numpy as np

from camdaemon.capture.holding import ControlsHolder
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.pipeline.threads import Pipeline
from camdaemon.plate import saved, store
from camdaemon.plate.parts import Growth, Plate
from camdaemon.plate.report import PlateReport
from camdaemon.plate.store import Place

log = logging.getLogger(__name__)

_WATCH_S = 2.0  # between two looks at which place is in use
_ENOUGH = 0.2  # of the picture is known of a place that nobody photographed: worth a file


class Places:
    """Keeps the places of one camera on disk. Any thread.

    What was learned is saved when the camera closes and at the end, beside what was shot and never in its stead.

    Args:
        pipeline: Its worker learns, and knows which place it is in.
        holder: Of the camera's controls.
        camera: The name under which plates are kept; None to keep none.
        size: Of the plates.
    """

    def __init__(self, pipeline: Pipeline, holder: ControlsHolder, camera: str | None, size: Size) -> None:
        self._pipeline, self._holder, self._camera, self._size = pipeline, holder, camera, size
        self._lock = threading.Lock()  # guards everything below; one file at a time is written
        self._known = list(pipeline.state.places)
        self._in_use: Plate | None = self._known[0].plate if self._known else None
        self._saved: Growth | None = None  # what was learned, as it was saved last

    def keep_shot(self, taken: Plate) -> str:
        """Save a plate that was just taken, in the stead of the one of this place; say where, in a sentence."""
        if self._camera is None:
            return "The plate is taken."
        controls = self._holder.held
        with self._lock:
            place = self._find(self._chosen())
            path = place.path if place is not None else saved.choose_path(self._camera, self._size)
            try:
                store.save(path, taken, controls)
            except ConfigError as exc:  # it serves until camdaemon stops
                return f"The plate is taken, but will be gone after a restart: {exc}"
            self._remember(Place(path, taken, controls, time.time()))
        return f"The plate is taken and kept in {path}."

    def others(self, taken: Plate) -> tuple[Plate, ...]:
        """Return the plates of the other places, when `taken` was taken in this one."""
        with self._lock:
            here = self._find(self._chosen())
            return tuple(place.plate for place in self._known if place is not here and place.plate is not taken)

    def keep_growth(self) -> None:
        """Save what was learned since, if anything was."""
        report = self._pipeline.processor.keeper.report
        if self._camera is None or report is None or report.growth is None or report.growth is self._saved:
            return
        with self._lock:
            place = self._find(report.chosen) if report.chosen is not None else self._find_grown(report)
            if place is None:
                return
            kept = replace(place.plate, growth=report.growth)
            try:
                store.save(place.path, kept, place.controls, place.taken)
            except ConfigError as exc:
                log.warning("what was learned of the room is not kept: %s", exc)
                return
            self._saved = report.growth

    def watch(self, stop: threading.Event) -> None:
        """Save what is learned when the camera closes, and hold the camera as the place in use needs it, until `stop`.

        The body of a thread.
        """
        is_closed = False
        while not stop.wait(_WATCH_S):
            closed = not self._pipeline.state.camera.has_frames
            if closed and not is_closed:
                self.keep_growth()
            is_closed = closed
            self._follow_place()
        self.keep_growth()

    def find_age(self, plate: Plate | None) -> float | None:
        """Return how many seconds ago a plate was taken; None where that is not known."""
        with self._lock:
            place = self._find(plate)
        return None if place is None else max(0.0, time.time() - place.taken)

    def _follow_place(self) -> None:
        chosen = self._chosen()
        if chosen is None or chosen is self._in_use:
            return
        with self._lock:
            place = self._find(chosen)
        self._in_use = chosen
        if place is not None:
            log.info("the plate of another place fits: %s", place.path.name)
            self._holder.switch(place.controls)

    def _chosen(self) -> Plate | None:
        report = self._pipeline.processor.keeper.report
        return None if report is None else report.chosen

    def _find(self, plate: Plate | None) -> Place | None:
        """Return the place that `plate` was loaded from or kept in."""
        return next((place for place in self._known if place.plate is plate), None)

    def _find_grown(self, report: PlateReport) -> Place | None:
        """Return the place that nobody photographed; there is one for each camera, so that none pushes others out."""
        found = next((place for place in self._known if not place.plate.is_shot), None)
        if found is None and report.known >= _ENOUGH and self._camera is not None:
            gray = np.full((self._size.height, self._size.width, 3), 128, np.uint8)
            blank = Plate(gray, np.zeros((1, 1), np.float32))
            found = Place(saved.choose_path(self._camera, self._size), blank, {}, time.time())
            self._known.append(found)
        return found

    def _remember(self, place: Place) -> None:
        self._known = [place, *(each for each in self._known if each.path != place.path)]
        self._in_use = place.plate
