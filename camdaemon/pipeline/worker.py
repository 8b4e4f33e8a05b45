"""The steps of one live frame on the accelerator, in order. The thread around them is in `loops`.

upload → match the plate to the frame → matte → composite over the backdrop → check → download.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from camdaemon.errors import EngineError, MattingError, PlateMismatch
from camdaemon.frames import card as cards
from camdaemon.frames.card import CardCache
from camdaemon.frames.composite import Matte, check
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.frames.handoff import Pool
from camdaemon.frames.job import Job, JobFrame
from camdaemon.frames.pixels import Array
from camdaemon.pipeline.engine import Engine, EngineSnapshot, matte_alone
from camdaemon.pipeline.look_ahead import LookAhead
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Mode, Scene
from camdaemon.plate.gate import Health
from camdaemon.plate.keeper import PlateKeeper
from camdaemon.plate.parts import Plate
from camdaemon.plate.pieces import restrain
from camdaemon.plate.unknown import fill_unknown

log = logging.getLogger(__name__)

_MAX_FAILURES = 5  # consecutive engine failures before the engine is replaced

REFUSED = "composite refused, showing the card"


@dataclass(slots=True)
class FrameProcessor:
    """Turns camera frames into published ones. Single owner: the worker thread, once the pipeline runs.

    Only the worker touches the accelerator, so no other thread reads or writes anything here, `snapshot` excepted.

    Attributes:
        engine: The one in use.
        card_cache: Draws cards in the sink's format.
        metrics: Told the time of each step.
        preview: Given the camera's picture and the alpha of each frame.
        make_engine: Makes the next engine when the present one keeps failing; None when no device is left to try.
        peek: Returns the frame to be run next, if it is already there.
        keeper: Keeps the plate right.
        job: Looks at the frames at the moment, if any.
        snapshot: The engine as it is. Replaced whole, by one reference; any thread may read it.
    """

    engine: Engine
    card_cache: CardCache
    metrics: Metrics
    preview: LivePreview
    make_engine: Callable[[], Engine | None] = lambda: None
    peek: Callable[[], HostFrame | None] = lambda: None
    keeper: PlateKeeper = field(default_factory=PlateKeeper)
    job: Job | None = None
    snapshot: EngineSnapshot = field(init=False)
    _frozen: HostFrame | None = field(default=None, init=False)  # the paused composite
    _filled: tuple[Plate, Array] | None = field(default=None, init=False)  # a plate, and what backdrops see of it
    # The last frame that the gate has seen, its time, and whether it is sure to be whole.
    _examined: tuple[Array, float, bool] | None = field(default=None, init=False)
    _held: int = field(default=0, init=False)  # frames in a row that were held back
    _last_seq: int = field(default=-(1 << 62), init=False)  # seq of the last frame that was processed
    _last_complaint: str = field(default="", init=False)
    _failures: int = field(default=0, init=False)  # consecutive engine failures
    _ahead: LookAhead = field(init=False)

    def __post_init__(self) -> None:
        self._ahead = LookAhead(self.metrics)
        self.snapshot = EngineSnapshot.of(self.engine)

    @property
    def plate_health(self) -> Health:
        """How well the plate explains the frame processed last; a value, for any thread."""
        return self.engine.gate.health

    def should_skip(self, frame: HostFrame) -> bool:
        """Whether the machine is too slow to process every frame, and `frame` is one to skip."""
        return self.job is None and 0 < frame.seq - self._last_seq < self.engine.matting.effort.every

    def record_time(self, seconds: float, out: HostFrame) -> None:
        """Tell the governor that `out` took `seconds`; it chooses the effort of the next frame.

        What could have been done ahead counts as if it had been: where one frame is late, the next one is.
        """
        governor, matting = self.engine.governor, self.engine.matting
        counts = out.content is Content.COMPOSITE and self._frozen is None and self.job is None and matting.settled
        if governor is None or not counts:
            return
        effort = governor.record(matting.prepared_cost(seconds), out.t)
        if effort != matting.effort:
            log.info("effort: %s (a frame took %.0f ms)", effort, 1e3 * seconds)
            matting.effort = effort
            self.snapshot = EngineSnapshot.of(self.engine)

    def run(self, frame: HostFrame, inputs: Pool, scene: Scene, out: HostFrame) -> None:
        """Turn the camera's `frame` into `out`: a composite, a card, or the room in passthrough mode.

        A composite that cannot be trusted becomes a card here. Any other exception is the caller's to handle.

        Args:
            frame: Of the camera; returned to `inputs` as soon as it is uploaded.
            inputs: The pool that `frame` came from.
            scene: Everything that the picture depends on, read once for this frame.
            out: Filled and stamped with the frame's `seq` and `t`; belongs to the caller.

        Raises:
            SuddenChange: The frame is to be left out, as it may be broken or shows a camera that moves: nothing was
                filled.
        """
        self._last_seq = frame.seq
        out.seq, out.t = frame.seq, frame.t
        try:
            src = self._upload(frame)
        finally:
            inputs.release(frame)
        alpha = finished = None
        card = self._required_card(scene)
        if not scene.paused:
            self._frozen = None
        if card is not None:
            self.card_cache.copy_to(card, out)
        elif scene.mode is Mode.PASSTHROUGH:
            self.engine.transfer.download(src, out)
        elif self._frozen is not None:
            _repeat_frozen(self._frozen, out)
        else:
            try:
                alpha, finished = self._composite(src, scene, out)
                self._last_complaint, self._failures = "", 0
            except self._tolerated as exc:
                self._log_failure(str(exc))
                self.card_cache.copy_to(replace(cards.NO_MATTE, reason=str(exc)), out)
                self._count_engine_failure(exc)
        if out.content is not Content.COMPOSITE:
            self.engine.compositor.forget()
        elif scene.paused and self._frozen is None:
            out.is_frozen = True
            self._frozen = replace(out, data=out.data.copy())
        self.preview.record_matted(src, alpha)
        if self.job is not None:
            self._feed(self.job, JobFrame(out.seq, out.t, src, alpha, finished, partial(matte_alone, self.engine)))

    @property
    def _tolerated(self) -> tuple[type[Exception], ...]:
        """What costs a frame, and not the daemon."""
        return (MattingError, *self.engine.transfer.failures)

    def _upload(self, frame: HostFrame) -> Array:
        src = self._ahead.take(frame)
        if src is None:
            with self.metrics.step("upload"):
                src = self.engine.transfer.upload(frame)
        return src

    def _required_card(self, scene: Scene) -> cards.Card | None:
        """Return the card that must be shown instead of this frame, if any."""
        if self.job is not None and self.job.future.done():
            self.job = None  # it was cancelled
        card = self.job.card() if self.job is not None else None
        if card is not None:
            return card
        if scene.mode is Mode.CARD:
            return cards.OFF
        lacks_plate = scene.plate is None and self.engine.gate.needs_plate
        if scene.backdrop.needs_plate:  # viewers see it, so it has to be a photograph
            lacks_plate = scene.plate is None or not scene.plate.is_shot
        return scene.invitation if lacks_plate and scene.mode is Mode.MATTE else None

    def tend(self) -> None:
        """Look after the plate by the last frame, which is published. To be called between two frames."""
        examined, self._examined = self._examined, None
        if examined is None:
            return
        (src, t, is_whole), engine = examined, self.engine
        with self.metrics.step("tend"):
            self.keeper.tend(engine.matcher, engine.gate, src, t, learns=is_whole)
            self._room()

    def _use_plate(self, scene: Scene, src: Array) -> Plate:
        """Return the plate for the frame `src` as it has become since it was given."""
        size, upload = (src.shape[2], src.shape[3]), self.engine.transfer.upload_picture
        return self.keeper.use(scene.plate, size, partial(matte_alone, self.engine), upload, scene.others)

    def _room(self) -> Array:
        """Return what backdrops see of the plate in use, (1,3,H,W); the same array as long as it is the same."""
        plate = self.keeper.shown
        if self._filled is None or self._filled[0] is not plate:
            self._filled = plate, self.engine.transfer.upload_picture(fill_unknown(plate))
        return self._filled[1]

    def _composite(self, src: Array, scene: Scene, out: HostFrame) -> tuple[Array, Array]:
        """Return alpha (1,1,H,W) and the composite (1,3,H,W) of `src` (1,3,H,W), downloaded into `out`."""
        step = self.metrics.step
        plate = self._use_plate(scene, src)
        room = self._room()
        matte, raw = self._matte(src, plate, out)
        finished = self.engine.compositor.paint(scene, matte, room, out.t)
        with step("check"):
            check(matte, finished, out.seq, scene.max_coverage)
            self.engine.matcher.learn(raw)
        with step("download"):
            self.engine.transfer.download(finished, out)
        out.content, out.matte_seq, out.backdrop = Content.COMPOSITE, matte.seq, scene.backdrop.spec
        return matte.alpha, finished

    def _matte(self, src: Array, plate: Plate, out: HostFrame) -> tuple[Matte, Array]:
        """Return the matte of `src` as it may be shown, and its alpha as the network gave it.

        Raises:
            PlateMismatch: The plate does not explain the frame, and one is needed.
            SuddenChange: The frame is to be left out.
        """
        step, matcher, gate = self.metrics.step, self.engine.matcher, self.engine.gate
        begin_next = partial(self._ahead.begin, self.engine, plate, self.peek)  # as soon as it is there
        for is_last in (False, True):  # twice where the gate has moved the plate, or trusts it less
            with step("plate"):
                matched = matcher.match(plate, src)
            if is_last:
                known = gate.confidence(plate, src)
            else:
                known = self._ahead.find_confidence(gate, plate, src)
                begin_next()
            with step("matte"):
                matte = self.engine.matting(src, matched, known, out.seq, begin_next)
                matte = replace(matte, alpha=restrain(matte.alpha, known, matcher.side))
            begin_next()
            with step("gate"):
                try:
                    again = gate.examine(matcher, plate, src, matte.alpha, out.t)
                except PlateMismatch:
                    check(matte, matte.foreground, out.seq, 1.0)  # a broken matte says nothing of the plate
                    self._examined = src, out.t, False
                    raise
                alpha = gate.clean(matte.alpha, out.t)
            if is_last or not again:
                break
        self._held += 1
        if self._held > 1:  # a broken frame comes alone, a camera that was bumped stays where it is
            self._examined = src, out.t, False
        gate.confirm(out.t)
        self._examined, self._held = (src, out.t, True), 0
        return replace(matte, alpha=alpha), matte.alpha

    def _count_engine_failure(self, exc: Exception) -> None:
        """Replace the engine after too many consecutive failures of it.

        A matte refused for what it shows is no engine failure: a bumped camera must not cost the GPU.
        """
        self._failures = self._failures + 1 if isinstance(exc, (EngineError, *self.engine.transfer.failures)) else 0
        if self._failures < _MAX_FAILURES:
            return
        self._failures, engine = 0, self.make_engine()
        if engine is not None:
            self.engine, self._frozen = engine, None
            self._filled = None
            self.snapshot = EngineSnapshot.of(engine)
            self.metrics.count("engines")

    def _log_failure(self, why: str) -> None:
        self.metrics.count("matting_errors")
        kind = why.split(":", maxsplit=1)[0][:40]
        if kind != self._last_complaint:  # one line for each kind of failure, not for each frame
            log.error("%s: %s", REFUSED, why)
            self._last_complaint = kind

    def _feed(self, job: Job, look: JobFrame) -> None:
        """Show `job` one frame. Its exceptions belong to whoever submitted it; the frames go on."""
        try:
            result = job.feed(look)
        except Exception as exc:
            self.job = None
            with suppress(InvalidStateError):  # cancelled at this very moment
                job.future.set_exception(exc)
            return
        if result is not None:
            self.job = None
            with suppress(InvalidStateError):
                job.future.set_result(result)


def _repeat_frozen(frozen: HostFrame, out: HostFrame) -> None:
    """Copy the paused composite into `out`, with its own matte; `out.t` stays the time of this frame."""
    out.data[:] = frozen.data
    out.seq, out.content, out.matte_seq = frozen.seq, frozen.content, frozen.matte_seq
    out.backdrop, out.is_frozen = frozen.backdrop, True
