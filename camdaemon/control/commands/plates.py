"""The commands that take a plate."""

from __future__ import annotations

from dataclasses import replace

from camdaemon.control.commands.live import LiveScene
from camdaemon.errors import PlateRefused


class PlateCommands(LiveScene):
    """Photographing the empty room."""

    def plate(self, countdown: float) -> str:
        """Photograph the empty room after `countdown` seconds and return when that is done.

        Raises:
            PlateRefused: the room was not still, too dark or too bright, or a plate is being taken already.
            ControlError: camdaemon stops meanwhile.
        """
        with self._lock:
            if self._taking:
                raise PlateRefused("a plate is being taken already. Wait for it, then run: camdaemon plate")
            self._taking, rules = True, self._config.plate_taking
        try:
            taken = self._photographer.take(countdown, rules)
            self._swap(lambda scene: replace(scene, plate=taken))
            return self._photographer.keep(taken)
        finally:
            with self._lock:
                self._taking = False
