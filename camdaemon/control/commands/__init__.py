"""What the commands do: each prepares and checks outside the pipeline, then swaps a reference.

One file for each topic; `live` holds what they share.
"""

from __future__ import annotations

import time
from dataclasses import replace

from camdaemon.control.commands.backdrops import BackdropCommands
from camdaemon.control.commands.picture import PictureCommands
from camdaemon.control.commands.plates import PlateCommands
from camdaemon.control.commands.scenes import SceneCommands
from camdaemon.control.status import describe
from camdaemon.frames.card import Card


class Commands(PlateCommands, BackdropCommands, SceneCommands, PictureCommands):
    """One method for each row of the table, done to a running pipeline. Any thread.

    Every str returned is one sentence for people. Every error is a CamdaemonError, and after one nothing has changed.
    """

    def invite(self, card: Card) -> None:
        """Set the card that shows for as long as there is no plate."""
        self._swap(lambda scene: replace(scene, invitation=card))

    def panel(self) -> str:
        """Serve the panel on this machine alone; return its address, good for one visit. Raises ControlError."""
        return self._open_panel(self)

    def status(self) -> dict[str, object]:
        """Describe what is going on, as plain JSON values, at once; see `status.describe`."""
        uptime_s = round(time.monotonic() - self._started, 1)
        age_s = self.places.find_age(self._chosen_plate())
        return describe(self._pipeline, self._current_config(), self._size, uptime_s, self._turns.now, age_s)

    def stop(self) -> str:
        """Ask the daemon to stop; return before it has."""
        self._on_stop()
        return "camdaemon is stopping."
