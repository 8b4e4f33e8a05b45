"""The journey of one live frame across the accelerator, in order; the only file that knows it.

upload → plate matched to the frame → matte → painted over the backdrop → check → download.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from camdaemon.errors import EngineError, MattingError
from camdaemon.frames import card as cards
from camdaemon.frames.card import CardCache
from camdaemon.frames.composite import check
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.frames.handoff import Pool
from camdaemon.frames.job import Job, JobFrame
from camdaemon.frames.transfer import Transfer
from camdaemon.matting import Matting
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.governor import Governor
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Mode, Scene
from camdaemon.plate.take import Plate, PlateMatcher

log = logging.getLogger(__name__)


_FAILURES = 5  # mattes in a row, before the accelerator is given up


@dataclass(frozen=True, slots=True)
class Engine:
    """What lives on one accelerator."""

    transfer: Transfer
    matting: Matting
    matcher: PlateMatcher
    compositor: Compositor
    governor: Governor | None = None  # None: always full effort


@dataclass(slots=True)
class FrameProcessor:
    """What the worker thread alone may touch once it runs: the accelerator and all that lives on it (law 3).

    another: makes a new engine when the present one fails; None when there is nothing left to try.
    """

    engine: Engine
    card_cache: CardCache
    metrics: Metrics
    preview: LivePreview
    max_coverage: float
    another: Callable[[], Engine | None] = lambda: None
    job: Job | None = None
    _frozen: HostFrame | None = field(default=None, init=False)
    _worked: int = field(default=-(1 << 62), init=False)  # seq of the frame that was worked on last
    _complaint: str = field(default="", init=False)
    _failed: int = field(default=0, init=False)  # mattes in a row

    def should_skip(self, frame: HostFrame) -> bool:
        """Whether the machine is too slow to work on every frame, and this is one to leave out."""
        left_out = self.job is None and 0 < frame.seq - self._worked < self.engine.matting.effort.every
        if not left_out:
            self._worked = frame.seq
        return left_out

    def record_time(self, seconds: float, out: HostFrame) -> None:
        """`out` took that long: the governor decides how carefully the next frame is worked on."""
        governor, matting = self.engine.governor, self.engine.matting
        counts = out.content is Content.COMPOSITE and self._frozen is None and self.job is None and matting.settled
        if governor is None or not counts:
            return
        effort = governor.spent(seconds, out.t)
        if effort != matting.effort:
            log.info("effort: %s (a frame took %.0f ms)", effort, 1e3 * seconds)
            matting.effort = effort

    def run(self, frame: HostFrame, inputs: Pool, scene: Scene, out: HostFrame) -> None:
        """Turn the camera's `frame` into `out`: a composite, the card, or the room where the user asked for it.

        `frame` goes back to `inputs` as soon as it is uploaded. `out` belongs to the caller. What is not a trustworthy
        composite becomes the card here; any other exception is the caller's end.
        """
        out.seq, out.t = frame.seq, frame.t
        try:
            with self.metrics.step("upload"):
                src = self.engine.transfer.upload(frame)
        finally:
            inputs.release(frame)
        alpha = finished = None
        veil = self._required_card(scene)
        if not scene.paused:
            self._frozen = None
        if veil is not None:
            self.card_cache.copy_to(veil, out)
        elif scene.mode is Mode.PASSTHROUGH:
            self.engine.transfer.download(src, out)
        elif self._frozen is not None:
            _show_again(self._frozen, out)
        elif scene.plate is not None:
            try:
                alpha, finished = self._composite(src, scene, scene.plate, out)
                self._complaint, self._failed = "", 0
            except (MattingError, torch.OutOfMemoryError) as exc:
                self._log_failure(str(exc))
                self.card_cache.copy_to(cards.NO_MATTE, out)
                self._count_engine_failure(exc)
        if out.content is not Content.COMPOSITE:
            self.engine.compositor.forget()
        elif scene.paused and self._frozen is None:
            self._frozen = replace(out, data=out.data.copy())
        self.preview.looked(src, alpha)
        if self.job is not None:
            self._feed(self.job, JobFrame(out.seq, out.t, src, alpha, finished))

    def _required_card(self, scene: Scene) -> cards.Card | None:
        """The card that must be shown instead of this frame, if any."""
        veil = self.job.card() if self.job is not None else None
        if veil is not None:
            return veil
        if scene.mode is Mode.CARD:
            return cards.OFF
        return scene.invitation if scene.plate is None and scene.mode is Mode.MATTE else None

    def _composite(self, src: Tensor, scene: Scene, plate: Plate, out: HostFrame) -> tuple[Tensor, Tensor]:
        step = self.metrics.step
        with step("plate"):
            clean, matched = self.engine.matcher.clean(plate), self.engine.matcher.matched(plate, src)
        with step("matte"):
            matte = self.engine.matting(src, matched, out.seq)
        finished = self.engine.compositor.paint(scene, matte, clean, out.t)
        with step("check"):
            check(matte, finished, out.seq, self.max_coverage)
            self.engine.matcher.learn(matte.alpha)
        with step("download"):
            self.engine.transfer.download(finished, out)
        out.content, out.matte_seq = Content.COMPOSITE, matte.seq
        return matte.alpha, finished

    def _count_engine_failure(self, wrong: Exception) -> None:
        """After too many failures of the engine in a row: another one, where there is one. What a frame shows is no
        fault of the engine: a bumped camera must not cost the GPU."""
        self._failed = self._failed + 1 if isinstance(wrong, EngineError | torch.OutOfMemoryError) else 0
        if self._failed < _FAILURES:
            return
        self._failed, engine = 0, self.another()
        if engine is not None:
            self.engine, self._frozen = engine, None
            self.metrics.count("engines")

    def _log_failure(self, why: str) -> None:
        self.metrics.count("matting_errors")
        kind = why.split(":", maxsplit=1)[0][:40]
        if kind != self._complaint:  # one line for each trouble, not for each frame
            log.error("the card shows instead of a composite: %s", why)
            self._complaint = kind

    def _feed(self, job: Job, look: JobFrame) -> None:
        try:
            result = job.feed(look)
        except Exception as exc:  # it goes to whoever submitted the job; the show goes on
            self.job = None
            job.future.set_exception(exc)
            return
        if result is not None:
            self.job = None
            job.future.set_result(result)


def _show_again(frozen: HostFrame, out: HostFrame) -> None:
    """The paused composite once more: its own matte, the time of now."""
    out.data[:] = frozen.data
    out.seq, out.content, out.matte_seq = frozen.seq, frozen.content, frozen.matte_seq
