"""The commands that change the picture: its mode, the card, freezing, mirroring, edge and blur.

Each answers with what the output thread has written since, which need not be what was asked for.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from camdaemon.control import table
from camdaemon.control.commands.live import LiveScene, choosing, is_matte
from camdaemon.control.room import ask_twice
from camdaemon.control.scenes import look_of, make_crop
from camdaemon.control.values import find_mistakes
from camdaemon.control.viewers import RAW
from camdaemon.errors import ConfigError
from camdaemon.frames.appearance import Crop
from camdaemon.pipeline.published import Kind
from camdaemon.pipeline.state import Mode, Scene

log = logging.getLogger(__name__)

_WHOLE = 1 + 1e-9  # 0.7 + 0.3 may be a little more than 1


class PictureCommands(LiveScene):
    """What viewers see: the composite, the card or the camera, and how."""

    def mode(self, mode: str) -> str:
        """Show 'matte', 'card' or 'passthrough' and say what viewers see. Raises as `card`; ConfigError for a word.

        Passthrough shows the room: only ever on this explicit command.
        """
        _check("mode", mode=mode)
        wanted = Mode(mode)
        self._swap(lambda scene: replace(scene, mode=wanted))
        return self._answer_mode(wanted)

    def card(self, turn: str) -> str:
        """Show the privacy card ('on', 'off' or 'toggle'), and return once it shows.

        Off it comes the matte, never the room.

        Raises:
            ControlError: the card is on but was not written in time: viewers may still see something else.
        """

        def change(scene: Scene) -> Scene:
            return replace(scene, mode=Mode.CARD if _turned(scene.mode is Mode.CARD, turn) else Mode.MATTE)

        return self._answer_mode(self._swap(change).mode)

    def _answer_mode(self, mode: Mode) -> str:
        match mode:
            case Mode.CARD:
                self._see_card()
                return "Viewers see the card."
            case Mode.PASSTHROUGH:
                log.warning("passthrough on: viewers see the room")
                seen = self._see(lambda last: last.kind is Kind.PASSTHROUGH)
                return RAW if seen else self._tell("The mode is passthrough, which shows your room.")
            case Mode.MATTE:
                if not self._see(is_matte):
                    return "Viewers see you again with the next picture."
                is_live = self._pipeline.state.published.last.kind is Kind.COMPOSITE
                return "Viewers see you again." if is_live else self._tell("The card is off.")

    def end_passthrough(self, why: str) -> None:
        """Hide the room from whoever looks next, if it shows: the last viewer has gone, or the machine sleeps."""
        was_raw = False

        def change(scene: Scene) -> Scene:
            nonlocal was_raw
            was_raw = scene.mode is Mode.PASSTHROUGH
            return replace(scene, mode=Mode.MATTE) if was_raw else scene

        self._swap(change)
        if was_raw:
            log.warning("passthrough off: %s", why)

    def pause(self, turn: str) -> str:
        """Freeze the last composite, or go on ('on', 'off' or 'toggle')."""
        on = self._swap(lambda scene: replace(scene, paused=_turned(scene.paused, turn))).paused
        seen = self._see(lambda last: (last.kind is Kind.FROZEN) is on)
        if on:
            return "The picture is frozen. To go on: camdaemon pause off" if seen else self._tell("Paused.")
        return self._tell("The picture moves again.") if seen else "The next picture moves again."

    def mirror(self, turn: str) -> str:
        """Mirror the person ('on', 'off' or 'toggle'); the backdrop stays readable."""

        def change(scene: Scene) -> Scene:
            return replace(scene, appearance=replace(scene.appearance, mirror=_turned(scene.appearance.mirror, turn)))

        after = self._swap(change, fade=True, choose=choosing("mirror"))
        return self._tell("You are mirrored." if after.appearance.mirror else "You are not mirrored.")

    def adjust(self, edge: float | None, blur: float | None, yes: bool = False) -> str:
        """Set the matte's edge and the backdrop's blur; None leaves a value as it is.

        Args:
            edge: -1 (wider) to 1 (tighter).
            blur: Sigma in pixels, 0 to 100.
            yes: Whether viewers may recognize the room in what comes of it.

        Raises:
            ConfigError: a value is out of range.
            ConfirmationNeeded: viewers could recognize the room, and `yes` does not say that they may.
        """
        _check("adjust", edge=edge, blur=blur)
        if blur is not None and not yes:
            shown = look_of(self._pipeline.state.scene)
            ask_twice(shown._replace(blur=blur), shown, self._size, f"camdaemon adjust --blur {blur:g} --yes")

        def change(scene: Scene) -> Scene:
            old = scene.appearance
            new = replace(old, edge=old.edge if edge is None else edge, blur=old.blur if blur is None else blur)
            return replace(scene, appearance=new)

        chosen = [name for name, value in (("edge", edge), ("blur", blur)) if value is not None]
        appearance = self._swap(change, choose=choosing(*chosen)).appearance
        return self._tell(f"The edge is {appearance.edge:g}, the backdrop's blur {appearance.blur:g} pixels.")

    def crop(self, left: float, top: float, width: float, height: float) -> str:
        """Let a part of the camera's picture fill the frame; all are shares of it, 0..1. Raises ConfigError."""
        _check("crop", left=left, top=top, width=width, height=height)
        if left + width > _WHOLE or top + height > _WHOLE:
            raise ConfigError(
                f"the part from {left:g}, {top:g} of {width:g} by {height:g} reaches beyond the picture: left + width "
                "and top + height must be 1 at most. Run: camdaemon crop --left 0.2 --width 0.6 --height 0.6"
            )
        return self._crop(make_crop(left, top, width, height))

    def uncrop(self) -> str:
        """Show the whole picture of the camera again."""
        return self._crop(None)

    def _crop(self, crop: Crop | None) -> str:
        self._swap(
            lambda scene: replace(scene, appearance=replace(scene.appearance, crop=crop)),
            fade=True,
            choose=choosing("crop"),
        )
        part = "A part of the camera's picture shows; for the whole of it: camdaemon crop off"
        return self._tell("The whole picture of the camera shows." if crop is None else part)


def _check(function: str, **values: object) -> None:
    if mistakes := find_mistakes(table.find(function), values):
        raise ConfigError(mistakes)


def _turned(now: bool, turn: str) -> bool:
    return not now if turn == "toggle" else turn == "on"
