"""The commands that take a plate, and end its taking."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from camdaemon.control.commands.live import LiveScene
from camdaemon.control.photographer import Turn
from camdaemon.control.plates import count_parts, draw_plate, name_plate
from camdaemon.control.status import note_plate
from camdaemon.errors import ConfigError, ControlError, PlateRefused
from camdaemon.frames import card as cards
from camdaemon.frames import picture
from camdaemon.pipeline.published import Kind, Published
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateJob, PlateRules

log = logging.getLogger(__name__)


class PlateCommands(LiveScene):
    """Photographing the empty room."""

    def plate(self, countdown: float, anyway: bool = False) -> str:
        """Photograph the empty room after `countdown` seconds and return when that is done.

        Replaces a plate that camdaemon is about to take by itself.

        Args:
            countdown: Seconds.
            anyway: What looks like a person is a picture on the wall, and is remembered as one for this place.

        Raises:
            PlateRefused: the room was not still, too dark or too bright, somebody was in it, the plate was cancelled,
                or another one is being taken at somebody's request.
            ControlError: camdaemon stops meanwhile.
        """
        return self._take(countdown, is_automatic=False, anyway=anyway)

    def cancel_plate(self) -> str:
        """End the taking of a plate, also of those that camdaemon would take by itself; the one in use stays."""
        turn = self._turns.cancel()
        if turn is None:
            return self._tell("No plate is being taken.")
        if not self._see(lambda last: not _is_countdown(last)):
            return "The taking of the plate is cancelled. The countdown card goes with the next picture."
        return self._tell("The taking of the plate is cancelled.")

    def show_plate(self) -> dict[str, object]:
        """Describe the plate in use, as plain JSON values."""
        report = self._pipeline.processor.keeper.report
        return {
            "plate": name_plate(report, self._pipeline.state.scene.plate),
            "note": note_plate(self._pipeline),
            **count_parts(report, self.places.find_age(self._chosen_plate())),
        }

    def export_plate(self, file: str) -> str:
        """Write the plate in use, as the camera sees it now, to a PNG that is not there yet, for its owner alone.

        Raises:
            ConfigError: There is no plate, or the file cannot be written.
        """
        report = self._pipeline.processor.keeper.report
        if report is None or report.plate.is_blank:
            raise ConfigError("nothing is known of the room yet. Run: camdaemon plate")
        path = Path(file)
        if os.path.lexists(path):
            raise ConfigError(f"{path} is there already. Name another file: camdaemon plate export FILE")
        try:
            picture.write(path, report.plate.rgb, mode=0o600)
        except OSError as exc:
            raise ConfigError(
                f"cannot write {path}: {exc.strerror}. Name another file: camdaemon plate export FILE"
            ) from None
        return f"The plate is written to {path}."

    def draw_plate(self) -> bytes | None:
        """Draw the plate in use as a JPEG, with what is not trusted and what was learned; None before a frame."""
        report = self._pipeline.processor.keeper.report
        return None if report is None else draw_plate(report)

    def _chosen_plate(self) -> Plate | None:
        report = self._pipeline.processor.keeper.report
        return self._pipeline.state.scene.plate if report is None else report.chosen

    def take_plate_when_still(self) -> None:
        """Take a plate as soon as the room is still, and try again until there is one, or the user wants none.

        Gives way to a plate that the user asks for. The body of a thread.
        """
        while self._turns.wait_free() and not self._has_photograph():
            if self._pipeline.ended.is_set():
                return
            try:
                log.info("%s", self._take(0.0, is_automatic=True))
            except PlateRefused as exc:
                log.warning("%s", exc)
            except ControlError:
                return

    def _has_photograph(self) -> bool:
        plate = self._pipeline.state.scene.plate
        return plate is not None and plate.is_shot

    def _take(self, countdown: float, *, is_automatic: bool, anyway: bool = False) -> str:
        rules = PlateRules(**dict(self._current_config().plate_taking))
        report = self._pipeline.processor.keeper.report
        pictures = None if report is None else report.plate.pictures
        job = PlateJob(rules, countdown, pictures=pictures, anyway=anyway)
        with self._turns.take(Turn(job, is_automatic)):
            taken = self._photographer.take(job)
            others = self.places.others(taken)
            said = self.places.keep_shot(taken)
            self._swap(lambda scene: replace(scene, plate=taken, others=others))
            return said


def _is_countdown(last: Published) -> bool:
    return last.kind is Kind.CARD and last.card is not None and last.card.title == cards.TAKING.title
