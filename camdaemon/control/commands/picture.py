"""The commands that change the picture: its mode, the card, freezing, mirroring, edge and blur."""

from __future__ import annotations

import logging
from dataclasses import replace

from camdaemon.control import table
from camdaemon.control.commands.live import LiveScene
from camdaemon.errors import ConfigError
from camdaemon.pipeline.state import Mode, Scene

log = logging.getLogger(__name__)


class PictureCommands(LiveScene):
    """What viewers see: the composite, the card or the camera, and how."""

    def mode(self, mode: str) -> str:
        """Show 'matte', 'card' or 'passthrough' from the next frame on. Raises ConfigError for another word.

        Passthrough shows the room: only ever on this explicit command.
        """
        _check("mode", mode=mode)
        wanted = Mode(mode)
        self._swap(lambda scene: replace(scene, mode=wanted))
        if wanted is Mode.PASSTHROUGH:
            log.warning("passthrough on: viewers see the room")
            return "Viewers see the raw camera, your room included. Back with: camdaemon mode matte"
        return f"The mode is {wanted}."

    def card(self, turn: str) -> str:
        """Show the privacy card ('on', 'off' or 'toggle'). Off it comes the matte, never the room."""

        def change(scene: Scene) -> Scene:
            return replace(scene, mode=Mode.CARD if _turned(scene.mode is Mode.CARD, turn) else Mode.MATTE)

        on = self._swap(change).mode is Mode.CARD
        return "Viewers see the card." if on else "Viewers see you again."

    def pause(self, turn: str) -> str:
        """Freeze the last composite, or go on ('on', 'off' or 'toggle')."""
        on = self._swap(lambda scene: replace(scene, paused=_turned(scene.paused, turn))).paused
        return "The picture is frozen. To go on: camdaemon pause off" if on else "The picture moves again."

    def mirror(self, turn: str) -> str:
        """Mirror the person ('on', 'off' or 'toggle'); the backdrop stays readable."""

        def change(scene: Scene) -> Scene:
            return replace(scene, appearance=replace(scene.appearance, mirror=_turned(scene.appearance.mirror, turn)))

        return "You are mirrored." if self._swap(change, fade=True).appearance.mirror else "You are not mirrored."

    def adjust(self, edge: float | None, blur: float | None) -> str:
        """Set the matte's edge and the backdrop's blur; None leaves a value as it is. Raises ConfigError.

        Args:
            edge: -1 (wider) to 1 (tighter).
            blur: Sigma in pixels, 0 to 100.
        """
        _check("adjust", edge=edge, blur=blur)

        def change(scene: Scene) -> Scene:
            old = scene.appearance
            new = replace(old, edge=old.edge if edge is None else edge, blur=old.blur if blur is None else blur)
            return replace(scene, appearance=new)

        appearance = self._swap(change).appearance
        return f"The edge is {appearance.edge:g}, the backdrop's blur {appearance.blur:g} pixels."


def _check(function: str, **values: object) -> None:
    if mistakes := table.find_mistakes(table.find(function), values):
        raise ConfigError(mistakes)


def _turned(now: bool, turn: str) -> bool:
    return not now if turn == "toggle" else turn == "on"
