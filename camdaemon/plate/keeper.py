"""The keeper: has the plate follow the camera, grow where nothing is known, and heal where the room has changed.

All of it happens between two frames, after the one is published and before the next is begun, so it costs no frame its
deadline. What a frame shows changes the plate for later frames alone; whether the plate explains a frame is judged for
each before it is published (see `gate`).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from camdaemon.frames import pixels
from camdaemon.frames.picture import Picture, Upload
from camdaemon.frames.pixels import Array
from camdaemon.plate.gate import PlateGate
from camdaemon.plate.inspect import MatteAlone, inspect, to_blocks
from camdaemon.plate.learn import PlateLearner
from camdaemon.plate.light import SOUND
from camdaemon.plate.living import LivingPlate
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.opinion import SecondOpinion
from camdaemon.plate.parts import Mask, Plate
from camdaemon.plate.pose import STILL, Matrix, View, find_movement, measure_fit, scale_movement
from camdaemon.plate.report import PlateReport, log_changes
from camdaemon.plate.survey import FAINT, Survey, choose_side, count_blocks

FINE = 4  # pixels of a small copy along a block's side
_ALIKE = 0.93  # structures that are more alike need no closer look
_LOOK_S = 1.0  # between two looks at where the camera looks, unless the room differs
_RETRY_S, _LONGEST_S = 0.25, 4.0  # between two searches that find nothing: twice as long each time
_HIDDEN_S = 8.0  # after which what stands still and was never part of the person is room, whatever the network says
_SUSPICIOUS_S = 0.5  # for so long a block has stood still that may be no part of the person
_GIVE_UP_S = 2.0  # after which a plate that explains nothing is put aside, and another grows


class PlateKeeper:
    """Keeps the plate right. Single owner: the worker thread; any thread may read `report`.

    Args:
        grows: Whether anything may be learned.

    Attributes:
        report: Replaced whole, by one reference; None before the first frame.
    """

    def __init__(self, *, grows: bool = True) -> None:
        self._grows = grows
        self._given: Plate | None = None
        self._others: tuple[Plate, ...] = ()
        self._chosen: Plate | None = None
        self._shot: Plate | None = None  # the chosen one, after it was looked at
        self._person = ""  # where somebody is in it
        self._living: LivingPlate | None = None
        self._learner, self._opinion = PlateLearner(), SecondOpinion()
        self._next_look, self._bad_since = -np.inf, np.inf
        self._retry = _RETRY_S
        self._last_share = 0.0  # of the room's blocks that differed in the last frame
        self._shown_at = np.zeros((0, 0))  # when each block was last not hidden, see `gate`
        self.report: PlateReport | None = None

    def use(
        self,
        given: Plate | None,
        size: tuple[int, int],
        matte_alone: MatteAlone,
        upload: Upload,
        others: tuple[Plate, ...] = (),
    ) -> Plate:
        """Return the plate as it has become since it was given.

        A plate that is used for the first time is looked at: where somebody may be in it, it is not trusted.

        Args:
            given: By the user, or from disk; None to begin with nothing.
            size: Of the pictures, height and width.
            matte_alone: See there. Returns None for a matting that needs a plate; then nothing is learned.
            upload: Brings a picture, uint8 (H,W,3), to the device.
            others: Of the camera's other places, of which one is used where `given` explains nothing.
        """
        self._matte_alone, self._upload, self._others = matte_alone, upload, others
        if self._living is None or given is not self._given or self._living.size != size:
            self._given = given
            self._living = self._begin(given, size)
        return self._living.current

    @property
    def shown(self) -> Plate:
        """What backdrops may show of the plate in use: parts that were shot, where the camera sees them now."""
        assert self._living is not None
        return self._living.shown if self._chosen is not None or self._shot is None else self._shot

    def tend(self, matcher: PlateMatcher, gate: PlateGate, src: Array, t: float, *, learns: bool = True) -> None:
        """Look after the plate by the frame that was examined last.

        Args:
            matcher: Has matched the plate to the frame.
            gate: Has examined it.
            src: The frame, (1,3,H,W).
            t: Its time in seconds.
            learns: Whether anything may be learned of it; not of one that may be broken.
        """
        survey = gate.survey
        assert survey is not None
        if t < self._next_look - _LONGEST_S:  # a clip begins again
            self._next_look, self._bad_since = -np.inf, np.inf
        is_worse = gate.health.share > SOUND >= self._last_share
        self._last_share = gate.health.share
        if t >= self._next_look or is_worse:
            self._look(matcher, gate, src, survey, t)
        if learns and self._grows and gate.doubts:
            self._learn(matcher, gate, src, survey, t)
        self._report(gate)

    def _begin(self, chosen: Plate | None, size: tuple[int, int]) -> LivingPlate:
        """Begin with a plate that was given, or with none; backdrops go on with the last one."""
        self._chosen, self._person = chosen, ""
        if chosen is not None:
            self._shot = self._inspect(chosen)
        self._living = LivingPlate(None if chosen is None else self._shot, size, choose_side(*size))
        self._learner.forget()
        self._opinion.forget()
        self._next_look, self._bad_since = -np.inf, np.inf
        self._retry = _RETRY_S
        return self._living

    def _inspect(self, given: Plate) -> Plate:
        """Return a plate without confidence where somebody may be in it."""
        found = None if given.is_blank else inspect(self._upload(given.rgb), self._matte_alone, given.pictures)
        if found is None or not found.doubtful.any():
            return given
        self._person = found.where
        shape = count_blocks(*found.doubtful.shape)
        known = given.known(shape) & ~to_blocks(found.doubtful, shape)
        return replace(given, confidence=known.astype(np.float32))

    def _report(self, gate: PlateGate) -> None:
        assert self._living is not None
        current = self._living.current
        lacking, known = gate.trust.lacking(current), self._living.known
        trusted = known if lacking is None else ~lacking
        if gate.health.reason:
            trusted = np.zeros_like(known)
        growth, moved = self._living.growth, self._living.distance
        before = self.report
        self.report = PlateReport(current, self._chosen, growth, trusted, moved, self._person)
        log_changes(before, self.report)

    # ---- where the camera looks

    def _look(self, matcher: PlateMatcher, gate: PlateGate, src: Array, survey: Survey, t: float) -> None:
        """Find out whether the camera has moved, or stands elsewhere, and have the plate follow it."""
        assert self._living is not None
        living, is_bad = self._living, bool(gate.health.reason)
        self._bad_since = self._bad_since if is_bad and self._bad_since <= t else t if is_bad else np.inf
        now = _view(_shrink(src, survey), survey.room)
        if self._chosen is not None or not living.current.is_blank:
            then = _view(_shrink(pixels.as_planes(living.current.rgb), survey), living.known)
            if not is_bad and measure_fit(now, then) >= _ALIKE:
                self._retry, self._next_look = _RETRY_S, t + _LOOK_S
                return
            movement = find_movement(now, then)
            if movement is not None:
                self._move(matcher, gate, movement, survey, t)
                return
        if (is_bad or self._chosen is None) and self._try_places(matcher, gate, now, survey, t):
            return
        self._next_look = t + max(self._retry, _RETRY_S if is_bad else _LOOK_S)
        self._retry = min(2 * self._retry, _LONGEST_S)
        if is_bad and self._grows and gate.doubts and t - self._bad_since >= _GIVE_UP_S:
            gate.trust.forget(self._begin(None, living.size).current)
            self._next_look = t + _LOOK_S
        elif is_bad and t < self._bad_since + _GIVE_UP_S:
            self._next_look = min(self._next_look, self._bad_since + _GIVE_UP_S)

    def _try_places(self, matcher: PlateMatcher, gate: PlateGate, now: View, survey: Survey, t: float) -> bool:
        """Go on with another plate that explains the frame; return whether there is one."""
        for plate in (self._given, *self._others):
            if plate is None or plate is self._chosen or plate.rgb.shape[:2] != self._living_size:
                continue
            there = LivingPlate(plate, self._living_size, survey.side)
            then = _view(_shrink(pixels.as_planes(there.current.rgb), survey), there.known)
            fits = measure_fit(now, then) >= _ALIKE
            movement = STILL if fits else find_movement(now, then)
            if movement is not None:
                self._begin(plate, self._living_size)
                self._move(matcher, gate, movement, survey, t)
                return True
        return False

    @property
    def _living_size(self) -> tuple[int, int]:
        assert self._living is not None
        return self._living.size

    def _move(self, matcher: PlateMatcher, gate: PlateGate, movement: Matrix, survey: Survey, t: float) -> None:
        """Have the plate lie elsewhere; it is looked at again at once, until nothing is left to correct."""
        assert self._living is not None
        before = self._living.current
        if movement is not STILL:
            self._living.move(scale_movement(movement, survey.side / FINE))
        if matcher.plate is before:  # else it is another place's, in another light
            matcher.go_on(self._living.current)
        gate.trust.forget(self._living.current)
        self._learner.forget()
        self._opinion.forget()
        self._retry, self._next_look = _RETRY_S, t

    # ---- what is learned

    def _learn(self, matcher: PlateMatcher, gate: PlateGate, src: Array, survey: Survey, t: float) -> None:
        assert self._living is not None
        hidden = gate.hidden if gate.hidden.shape == survey.room.shape else np.zeros_like(survey.room)
        if self._shown_at.shape != hidden.shape or (self._shown_at > t).any():
            self._shown_at = np.full(hidden.shape, t)
        self._shown_at[~hidden] = t
        visible = ~survey.bare & ~hidden
        overruled = self._opinion.overrules(visible & ~survey.sure)
        self._learner.observe(survey.now, survey.gain, visible & ~overruled, t)
        if gate.health.reason:
            return  # the plate may lie elsewhere
        lacking, waits = gate.trust.lacking(self._living.current), gate.trust.waits(t)
        if lacking is None:
            lacking = ~self._living.known
        wanted = lacking if waits is None else lacking & ~waits
        found = self._learner.collect(lambda: _to_picture(src), wanted)
        if found is None:
            suspects = visible & ~survey.sure & ~overruled & wanted & (t - gate.still_since >= _SUSPICIOUS_S)
            if not self._living.current.is_blank and self._opinion.is_due(suspects, t):
                self._look_without_plate(src, survey, t)
            return
        blocks = found.blocks
        if not self._living.current.is_blank:  # else the frame's own matte was made without a plate
            seen = self._look_without_plate(src, survey, t) | (t - self._shown_at > _HIDDEN_S)
            sure = _shrink_mask(seen)
            self._learner.refuse(blocks & ~seen, blocks & ~sure)
            blocks = blocks & sure
        if blocks.any():
            self._living.learn(matcher.undo_light(found.picture), blocks)
            matcher.go_on(self._living.current)
            gate.trust.go_on(self._living.current, blocks, t)

    def _look_without_plate(self, src: Array, survey: Survey, t: float) -> Mask:
        """Return the blocks of a frame in which the network sees the room without being told of a plate."""
        alpha = self._matte_alone(src)
        if alpha is None:
            return np.zeros_like(survey.room)
        room: Mask = pixels.to_host(pixels.peaks_below(alpha, survey.side, FAINT))[0, 0]
        self._opinion.record(room, t)
        return room


def _to_picture(src: Array) -> Picture:
    """Return a picture (1,3,H,W) as uint8 (H,W,3) in host memory; the same memory if it lies so."""
    return pixels.interleave(pixels.as_bytes(src))


def _shrink(picture: Array, survey: Survey) -> Picture:
    """Return a small copy (h,w,3) of a picture. Waits for the device."""
    small = _to_picture(pixels.blocks(picture, survey.side // FINE))
    rows, columns = survey.room.shape
    return np.asarray(small[: FINE * rows, : FINE * columns])


def _view(rgb: Picture, blocks: Mask) -> View:
    size = rgb.shape[1::-1]
    usable = cv2.resize(_shrink_mask(blocks).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return View(rgb, np.asarray(usable > 0))


def _shrink_mask(blocks: Mask) -> Mask:
    """Return the blocks whose neighbors are of them, too."""
    return np.asarray(cv2.erode(blocks.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0)
